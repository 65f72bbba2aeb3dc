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
        inputs = inputs.contiguous()
        frames, rows, _ = inputs.shape
        directions, _, size = state.shape
        gates = inputs.new_empty(directions, frames, rows, 3 * size)
        states = inputs.new_empty(directions, frames + 1, rows, size)
        outputs = inputs.new_empty(frames, rows, directions * size)
        firsts, lasts = [0, frames], [frames, 0]
        calls = []
        for d in range(directions):
            states[d, firsts[d]] = state[d]
            own = [weight_ih[d], weight_hh[d], bias[d], gates[d], states[d]]
            calls.append(_call(kernels.gru_forward, inputs, lens, d, *own, outputs))
        _side_by_side(calls)
        ctx.save_for_backward(inputs, lens, weight_ih, weight_hh, gates, states)
        return outputs, torch.stack([states[d, lasts[d]] for d in range(directions)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor, grad_final: Tensor) -> tuple[Tensor | None, ...]:
        inputs, lens, weight_ih, weight_hh, gates, states = ctx.saved_tensors
        directions = len(weight_ih)
        grad_outputs = grad_outputs.contiguous()
        grad_state = grad_final.clone(memory_format=torch.contiguous_format)
        shape = inputs.shape if ctx.needs_input_grad[0] else (0, 0, 0)
        grad_inputs = inputs.new_empty(directions, *shape)
        grad_ih, grad_hh = (torch.empty(w.shape) for w in (weight_ih, weight_hh))
        grad_bias = torch.empty(weight_ih.shape[:2])
        calls = []
        for d in range(directions):
            own = [weight_ih[d], weight_hh[d], gates[d], states[d]]
            written = [grad_inputs[d], grad_ih[d], grad_hh[d], grad_bias[d]]
            first = [grad_outputs, grad_state[d], inputs, lens, d]
            calls.append(_call(kernels.gru_backward, *first, *own, *written))
        _side_by_side(calls)
        summed = (
            (grad_inputs[0] if directions == 1 else grad_inputs[0].add_(grad_inputs[1])) if shape[0] else None
        )
        return summed, None, grad_state, grad_ih, grad_hh, grad_bias


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
