"""The fast path of `cells.gru` on a processor: a forward and a backward pass written by hand.

Each direction is one task for one thread, from its first product to its last (`kernels`): two threads never
wait for each other within a layer.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from asr.recurrent import kernels
from asr.recurrent.blas import one_thread


def gru_layer(
    inputs: Tensor, lens: Tensor, state: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """One GRU layer of D directions over time-major float32 sequences.

    Args:
        inputs: (T, N, F).
        lens: (N,), int64, frames of each row.
        state: (D, N, H), h_0.
        weight_ih: (D, 3H, F), the parts of W_r, W_z, W_h that multiply x_t.
        weight_hh: (D, 3H, H), the parts that multiply the state.
        bias: (D, 3H), b_r, b_z, b_h.

    Returns:
        (T, N, D·H), zero after a row's end, and (D, N, H), the state after each row's last step.
    """
    result: tuple[Tensor, Tensor] = _GruLayer.apply(  # type: ignore[no-untyped-call]
        inputs, lens, state, weight_ih, weight_hh, bias
    )
    return result


class _GruLayer(torch.autograd.Function):
    """`gru_layer` with its gradient; the equations stand in `kernels`."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        lens: Tensor,
        state: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
    ) -> tuple[Tensor, Tensor]:
        frames, rows = inputs.shape[:2]
        directions, _, size = state.shape
        order, counts, places = _packing(lens, frames)
        packed = _packed(inputs, places)
        gates = inputs.new_empty(directions, len(packed), 3 * size)
        befores = inputs.new_empty(directions, len(packed), size)
        outputs = inputs.new_empty(len(packed), directions * size)
        finals = state[:, order].contiguous()
        calls = []
        for d in range(directions):
            own = [weight_ih[d], weight_hh[d], bias[d], gates[d], befores[d], finals[d]]
            calls.append(_call(kernels.gru_forward, packed, counts, d, *own, outputs))
        _side_by_side(calls)
        ctx.save_for_backward(packed, counts, order, places, weight_ih, weight_hh, gates, befores)
        ctx.shape = inputs.shape
        return _padded(outputs, places, frames, rows), torch.empty_like(finals).index_copy_(1, order, finals)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor, grad_final: Tensor) -> tuple[Tensor | None, ...]:
        packed, counts, order, places, weight_ih, weight_hh, gates, befores = ctx.saved_tensors
        directions, (frames, rows, _) = len(weight_ih), ctx.shape
        grad_outputs = _packed(grad_outputs, places)
        grad_state = grad_final[:, order].contiguous()
        shape = packed.shape if ctx.needs_input_grad[0] else (0, 0)
        grad_packed = packed.new_empty(directions, *shape)
        grad_ih, grad_hh = (torch.empty(w.shape) for w in (weight_ih, weight_hh))
        grad_bias = torch.empty(weight_ih.shape[:2])
        calls = []
        for d in range(directions):
            own = [weight_ih[d], weight_hh[d], gates[d], befores[d]]
            written = [grad_packed[d], grad_ih[d], grad_hh[d], grad_bias[d]]
            first = [grad_outputs, grad_state[d], packed, counts, d]
            calls.append(_call(kernels.gru_backward, *first, *own, *written))
        _side_by_side(calls)
        grad_inputs = None
        if ctx.needs_input_grad[0]:
            summed = grad_packed[0] if directions == 1 else grad_packed[0].add_(grad_packed[1])
            grad_inputs = _padded(summed, places, frames, rows)
        grad_first = torch.empty_like(grad_state).index_copy_(1, order, grad_state)
        return grad_inputs, None, grad_first, grad_ih, grad_hh, grad_bias


def _packing(lens: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """How rows of unequal lengths (N,) lie without padding, as `kernels` has them.

    Returns:
        The rows, longest first; (T,) rows that have a frame t; (P,) places of the frames in (T·N,).
    """
    order = torch.argsort(lens, descending=True, stable=True)
    steps = torch.arange(frames)[:, None]
    counted = steps < lens[order]  # (T, N)
    return order, counted.sum(1), (steps * len(lens) + order)[counted]


def _packed(x: Tensor, places: Tensor) -> Tensor:
    """(T, N, F) -> (P, F); the memory of x where nothing is padded and rows are in order."""
    flat = x.reshape(-1, x.shape[2])
    return flat.contiguous() if len(places) == len(flat) else flat.index_select(0, places)


def _padded(packed: Tensor, places: Tensor, frames: int, rows: int) -> Tensor:
    """(P, F) -> (T, N, F), zero where no frame counts."""
    if len(places) < frames * rows:
        packed = packed.new_zeros(frames * rows, packed.shape[1]).index_copy_(0, places, packed)
    return packed.view(frames, rows, -1)


Call = Callable[[], None]


def _call(kernel: Callable[..., None], *arguments: Tensor | int) -> Call:
    """The kernel with its arguments as arrays."""
    arrays = [a.detach().numpy() if isinstance(a, Tensor) else a for a in arguments]
    return functools.partial(kernel, *arrays)


@functools.cache
def _second_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="gru")


def _side_by_side(calls: list[Call]) -> None:
    """Make one call, or two: on two threads where torch may use two."""
    if len(calls) == 1 or torch.get_num_threads() == 1:
        for call in calls:
            call()
        return
    later = _second_thread().submit(_alone, calls[1])
    try:
        _alone(calls[0])
    finally:
        later.result()


def _alone(call: Call) -> None:
    with one_thread():
        call()
