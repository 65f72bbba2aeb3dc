"""The fast path of a layer on a processor: `forward` and `backward` as one function of autograd.

Each direction of some rows is one task for one thread, from its first product to its last: no thread waits
for another within a layer. Two threads take a direction each; more share the rows out too.
"""

import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from asr.recurrent.backward import backward
from asr.recurrent.forward import CELLS, forward

_FEWEST_ROWS = 8
"""Rows of a group: with fewer, reading the weights takes longer than multiplying by them."""


def fast_layer(
    cell: str,
    inputs: Tensor,
    lens: Tensor,
    state: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    bias_candidate: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One layer of D directions over time-major float32 sequences.

    Args:
        cell: one of `forward.CELLS`; G sums a hidden unit, S numbers of state.
        inputs: (T, N, F), T ≥ 1.
        lens: (N,), int64, frames of each row.
        state: (D, N, S), before the first frame.
        weight_ih: (D, G·H, F).
        weight_hh: (D, G·H, H).
        bias: (D, G·H).
        bias_candidate: (D, H), b_hh of `gru_reset_after`; others have none.

    Returns:
        (T, N, D·H), zero after a row's end, and (D, N, S), the state after each row's last step.
    """
    tensors = [inputs, state, weight_ih, weight_hh, bias, bias_candidate]
    keep = torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)
    result: tuple[Tensor, Tensor] = _FastLayer.apply(  # type: ignore[no-untyped-call]
        cell, keep, inputs, lens, state, weight_ih, weight_hh, bias, bias_candidate
    )
    return result


class _FastLayer(torch.autograd.Function):
    """`fast_layer` with its gradient; the equations stand in docs/gru.md."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: str,
        keep: bool,
        inputs: Tensor,
        lens: Tensor,
        state: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        bias_candidate: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        directions, width, size = weight_hh.shape
        packing = _packing(lens, len(inputs), directions)
        packed = _packed(inputs, packing)
        finals = _split(state[:, packing.order], size)
        length = len(packed) if keep else 0
        gates = _memory(directions, length, width)
        befores = _memory(len(finals), directions, length, size)
        recurrents = _memory(directions, 0 if bias_candidate is None else length, size)
        outputs = _memory(len(packed), directions * size)
        candidates = bias.new_empty(directions, 0) if bias_candidate is None else bias_candidate
        calls = []
        for (rows, places, counts), d in itertools.product(packing.groups, range(directions)):
            read = [packed[places], counts, d, weight_ih[d], weight_hh[d], bias[d, None], candidates[d, None]]
            kept = [gates[d, places], befores[0, d, places], befores[-1, d, places], recurrents[d, places]]
            ends = [finals[0, d, rows], finals[-1, d, rows], outputs[places]]
            calls.append(_call(forward, CELLS.index(cell), *read, *kept, *ends))
        _side_by_side(calls)
        ctx.save_for_backward(packed, weight_ih, weight_hh, gates, befores, recurrents)
        ctx.cell, ctx.shape, ctx.packing = cell, inputs.shape, packing
        return _padded(outputs, packing, inputs.shape), _joined(finals, packing.order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor, grad_final: Tensor) -> tuple[Tensor | None, ...]:
        packed, weight_ih, weight_hh, gates, befores, recurrents = ctx.saved_tensors
        packing: _Packing = ctx.packing
        directions, width, size = weight_hh.shape
        grad_outputs = _packed(grad_outputs, packing)
        grad_state = _split(grad_final[:, packing.order], size)
        grad_packed = _memory(directions, *(packed.shape if ctx.needs_input_grad[2] else (0, 0)))
        shapes = [weight_ih.shape[1:], weight_hh.shape[1:], (1, width), (1, size)]
        # of each weight and bias, and of each task apart: threads do not write to the same place
        grads = [packed.new_zeros(directions, len(packing.groups), *shape) for shape in shapes]
        calls = []
        for (g, (rows, places, counts)), d in itertools.product(enumerate(packing.groups), range(directions)):
            read = [grad_outputs[places], grad_state[0, d, rows], grad_state[-1, d, rows], packed[places]]
            read += [counts, d, weight_ih[d], weight_hh[d]]
            kept = [gates[d, places], befores[0, d, places], befores[-1, d, places], recurrents[d, places]]
            written = [grad_packed[d, places], *(grad[d, g] for grad in grads)]
            calls.append(_call(backward, CELLS.index(ctx.cell), *read, *kept, *written))
        _side_by_side(calls)
        grad_inputs = None
        if ctx.needs_input_grad[2]:
            summed = grad_packed[0] if directions == 1 else grad_packed[0].add_(grad_packed[1])
            grad_inputs = _padded(summed, packing, ctx.shape)
        grad_ih, grad_hh, grad_bias, grad_candidate = (grad.sum(1) for grad in grads)
        found = [grad_inputs, None, _joined(grad_state, packing.order), grad_ih, grad_hh, grad_bias[:, 0]]
        return None, None, *found, grad_candidate[:, 0] if ctx.cell == "gru_reset_after" else None


def _memory(*shape: int) -> Tensor:
    """Not filled. From numpy, which asks the system for large pages: the first touch of many small ones would
    take a tenth of a training step."""
    return torch.from_numpy(np.empty(shape, np.float32))


def _split(state: Tensor, size: int) -> Tensor:
    """(D, N, S) -> (S / H, D, N, H), h and after it an LSTM's c, in memory of its own."""
    return torch.stack(torch.split(state, size, dim=2))


def _joined(parts: Tensor, order: Tensor) -> Tensor:
    """(S / H, D, N, H), rows as in `order` -> (D, N, S), rows as they were."""
    state = parts.permute(1, 2, 0, 3).flatten(2)
    return torch.empty_like(state).index_copy_(1, order, state)


class _Packing(NamedTuple):
    """How rows of unequal lengths lie without padding.

    Attributes:
        order: (N,), the rows, group after group, each group longest first as `forward` has it.
        places: (P,), the place in (T·N,) of each frame, group after group.
        groups: of each its rows in `order`, its frames in `places`, and (T,) its rows that have a frame t.
        unchanged: `places` are 0, 1, … T·N − 1.
    """

    order: Tensor
    places: Tensor
    groups: list[tuple[slice, slice, Tensor]]
    unchanged: bool


def _packing(lens: Tensor, frames: int, directions: int) -> _Packing:
    """Lengths (N,), at most `frames`; as many groups as make work for all threads of torch."""
    count = max(1, min(torch.get_num_threads() // directions, len(lens) // _FEWEST_ROWS))
    by_length = torch.argsort(lens, descending=True, stable=True)
    steps = torch.arange(frames)[:, None]
    orders, places, groups = [], [], []
    row = place = 0
    for g in range(count):
        order = by_length[g::count]
        counted = steps < lens[order]  # (T, N of the group)
        orders.append(order)
        places.append((steps * len(lens) + order)[counted])
        rows_end, places_end = row + len(order), place + len(places[-1])
        groups.append((slice(row, rows_end), slice(place, places_end), counted.sum(1)))
        row, place = rows_end, places_end
    unchanged = count == 1 and place == frames * len(lens)
    return _Packing(torch.cat(orders), torch.cat(places), groups, unchanged)


def _packed(x: Tensor, packing: _Packing) -> Tensor:
    """(T, N, F) -> (P, F); the memory of x where its frames lie so already."""
    flat = x.reshape(-1, x.shape[2])
    return flat.contiguous() if packing.unchanged else flat.index_select(0, packing.places)


def _padded(packed: Tensor, packing: _Packing, shape: torch.Size) -> Tensor:
    """(P, F) -> (T, N, F), for a shape (T, N, …); zero where no frame counts."""
    (frames, rows), width = shape[:2], packed.shape[1]
    if not packing.unchanged:
        packed = packed.new_zeros(frames * rows, width).index_copy_(0, packing.places, packed)
    # a tensor of its own and not a view, which a caller may not change in place once it has a gradient
    return torch.from_numpy(packed.numpy().reshape(frames, rows, width))


Call = Callable[[], None]


def _call(kernel: Callable[..., None], *arguments: Tensor | int) -> Call:
    """The kernel with its arguments as arrays."""
    arrays = [a.detach().numpy() if isinstance(a, Tensor) else a for a in arguments]
    return functools.partial(kernel, *arrays)


@functools.cache
def _other_threads(process: int) -> ThreadPoolExecutor:
    """Of this process: a fork has none of the threads of its parent, and would wait for them for ever."""
    return ThreadPoolExecutor(thread_name_prefix="recurrent")


def _side_by_side(calls: list[Call]) -> None:
    """Make all calls, on as many threads where torch may use more than one."""
    if torch.get_num_threads() == 1:
        for call in calls:
            call()
        return
    later = [_other_threads(os.getpid()).submit(call) for call in calls[1:]]
    try:
        calls[0]()
    finally:
        for one in later:
            one.result()
