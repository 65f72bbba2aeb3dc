"""The fast path of `cells.gru` on a processor: a forward and a backward pass written by hand.

The recurrence of each direction is one task for one thread (`kernels`); the products that do not depend on
the state, and the gradients of the weights, wait for the whole sequence, so that each is one large product.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from asr.recurrent import kernels
from asr.recurrent.blas import one_thread


def gru_layer(inputs: Tensor, state: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Tensor:
    """One GRU layer of D directions over time-major float32 sequences.

    Args:
        inputs: (D, T, N, F), for each direction in the order in which it reads.
        state: (D, N, H), h_0.
        weight_ih: (D, 3H, F), the parts of W_r, W_z, W_h that multiply x_t.
        weight_hh: (D, 3H, H), the parts that multiply the state.
        bias: (D, 3H), b_r, b_z, b_h.

    Returns:
        (D, T, N, H), h_1 to h_T of each direction.
    """
    outputs: Tensor = _GruLayer.apply(inputs, state, weight_ih, weight_hh, bias)  # type: ignore[no-untyped-call]
    return outputs


class _GruLayer(torch.autograd.Function):
    """`gru_layer` with its gradient; the equations stand in `kernels`."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, state: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
    ) -> Tensor:
        directions, frames, rows, features = inputs.shape
        size = state.shape[2]
        split = 2 * size
        gates = inputs.new_empty(directions, frames, rows, split)
        candidate = inputs.new_empty(directions, frames, rows, size)
        states = inputs.new_empty(directions, frames + 1, rows, size)
        states[:, 0] = state
        for d in range(directions):
            flat = inputs[d].reshape(-1, features)
            torch.addmm(bias[d, :split], flat, weight_ih[d, :split].T, out=gates[d].view(-1, split))
            torch.addmm(bias[d, split:], flat, weight_ih[d, split:].T, out=candidate[d].view(-1, size))
        weight_gates = weight_hh[:, :split].transpose(1, 2).contiguous()
        weight_candidate = weight_hh[:, split:].transpose(1, 2).contiguous()
        _each_direction(kernels.gru_forward, gates, candidate, states, weight_gates, weight_candidate)
        ctx.save_for_backward(inputs, gates, candidate, states, weight_ih, weight_hh)
        return states[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        inputs, gates, candidate, states, weight_ih, weight_hh = ctx.saved_tensors
        directions, _, _, size = candidate.shape
        features, split = inputs.shape[3], 2 * size
        # r ∗ h is needed for the gradient of the weights of h~, and the kernel overwrites r.
        reset_states = gates[..., :size] * states[:, :-1]
        grad_gates, grad_candidate = gates.clone(), candidate.clone()
        grad_state = torch.zeros_like(states[:, 0])
        _each_direction(
            kernels.gru_backward,
            grad_outputs.contiguous(),
            grad_state,
            grad_gates,
            grad_candidate,
            states,
            weight_hh[:, :split].contiguous(),
            weight_hh[:, split:].contiguous(),
        )
        grad_inputs = torch.empty(inputs.shape) if ctx.needs_input_grad[0] else None
        grad_ih, grad_hh = torch.empty_like(weight_ih), torch.empty_like(weight_hh)
        grad_bias = weight_ih.new_empty(directions, 3 * size)
        for d in range(directions):
            flat_gates, flat_candidate = grad_gates[d].view(-1, split), grad_candidate[d].view(-1, size)
            flat = inputs[d].reshape(-1, features)
            torch.mm(flat_gates.T, flat, out=grad_ih[d, :split])
            torch.mm(flat_candidate.T, flat, out=grad_ih[d, split:])
            torch.mm(flat_gates.T, states[d, :-1].view(-1, size), out=grad_hh[d, :split])
            torch.mm(flat_candidate.T, reset_states[d].view(-1, size), out=grad_hh[d, split:])
            torch.sum(flat_gates, 0, out=grad_bias[d, :split])
            torch.sum(flat_candidate, 0, out=grad_bias[d, split:])
            if grad_inputs is not None:
                flat_inputs = grad_inputs[d].view(-1, features)
                torch.mm(flat_gates, weight_ih[d, :split], out=flat_inputs)
                flat_inputs.addmm_(flat_candidate, weight_ih[d, split:])
        return grad_inputs, grad_state, grad_ih, grad_hh, grad_bias


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="gru")


def _each_direction(kernel: Callable[..., None], *tensors: Tensor) -> None:
    """Call `kernel` on the arrays of each direction, side by side where torch may use two threads."""
    arrays = [tensor.detach().numpy() for tensor in tensors]
    calls = [functools.partial(_alone, kernel, *parts) for parts in zip(*arrays, strict=True)]
    if len(calls) == 1 or torch.get_num_threads() == 1:
        for call in calls:
            call()
    else:
        later = _threads().submit(calls[1])
        calls[0]()
        later.result()


def _alone(kernel: Callable[..., None], *arrays: NDArray[np.float32]) -> None:
    with one_thread():
        kernel(*arrays)
