"""Forward and backward passes written by hand, in plain torch: any device, float32 and float64.

The derivation is in docs/gru.md; every name here is a name there. One direction of one layer, time-major:
T frames, N rows, F inputs, H hidden units, S numbers of state (H; 2H for the LSTM: h and after it c).
`d_x` is ∂loss/∂x. The sums of all frames are one product before the first step, and each weight's gradient
is one product after the last: a step holds only what depends on the step before it.

Frames after a row's end are computed like others; whoever calls ignores them, so their gradient is zero.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def recurrence(
    cell: str,
    inputs: Tensor,
    state: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    bias_candidate: Tensor | None = None,
) -> Tensor:
    """One direction of a layer, with its gradient by hand.

    Args:
        cell: one of `CELLS`; G sums a hidden unit (1 rnn, 3 gru and gru_reset_after, 4 lstm).
        inputs: (T, N, F).
        state: (N, S), before the first frame.
        weight_ih: (G·H, F).
        weight_hh: (G·H, H).
        bias: (G·H,).
        bias_candidate: (H,), b_hh of `gru_reset_after`; others have none.

    Returns:
        (T, N, S), the state after each frame.
    """
    states: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        cell, inputs, state, weight_ih, weight_hh, bias, bias_candidate
    )
    return states


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cell: str,
        inputs: Tensor,
        state: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        bias_candidate: Tensor | None,
    ) -> Tensor:
        frames, rows, _ = inputs.shape
        sums = torch.addmm(bias, inputs.flatten(0, 1), weight_ih.T).view(frames, rows, -1)
        states = inputs.new_empty(frames + 1, rows, state.shape[1])
        states[0] = state
        # `sums` becomes the gates and the candidate, which is what the way back needs of them
        kept = CELLS[cell].forward(sums, states, weight_hh, bias_candidate)
        ctx.cell = cell
        ctx.save_for_backward(inputs, weight_ih, weight_hh, sums, states, kept)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight_ih, weight_hh, gates, states, kept = ctx.saved_tensors
        with torch.autocast(inputs.device.type, enabled=False):
            d_sums = torch.empty_like(gates)
            d_state, d_hh, d_candidate = CELLS[ctx.cell].backward(
                d_states, gates, states, kept, weight_hh, d_sums
            )
            flat = d_sums.flatten(0, 1)
            d_inputs = (flat @ weight_ih).view(inputs.shape) if ctx.needs_input_grad[1] else None
            d_ih = flat.T @ inputs.flatten(0, 1)
        return None, d_inputs, d_state, d_ih, d_hh, flat.sum(0), d_candidate


def _rnn_forward(sums: Tensor, states: Tensor, weight_hh: Tensor, _: Tensor | None) -> None:
    for t, a in enumerate(sums):
        torch.tanh(a.addmm_(states[t], weight_hh.T), out=states[t + 1])


def _rnn_backward(
    d_states: Tensor, gates: Tensor, states: Tensor, kept: None, weight_hh: Tensor, d_sums: Tensor
) -> "Gradients":
    d_h = torch.zeros_like(states[0])
    for t in reversed(range(len(gates))):
        h = states[t + 1]
        d_a = d_sums[t].copy_((d_h + d_states[t]) * (1 - h * h))
        d_h = d_a @ weight_hh
    return Gradients(d_h, _deferred(d_sums, states[:-1]))


def _lstm_forward(sums: Tensor, states: Tensor, weight_hh: Tensor, _: Tensor | None) -> None:
    size = weight_hh.shape[1]
    for t, a in enumerate(sums):
        h, c = states[t, :, :size], states[t, :, size:]
        a.addmm_(h, weight_hh.T)
        i, f, g, o = a.chunk(4, dim=1)
        a[:, : 2 * size].sigmoid_()
        g.tanh_()
        o.sigmoid_()
        new = states[t + 1, :, size:].copy_(f * c + i * g)
        states[t + 1, :, :size] = o * torch.tanh(new)


def _lstm_backward(
    d_states: Tensor, gates: Tensor, states: Tensor, kept: None, weight_hh: Tensor, d_sums: Tensor
) -> "Gradients":
    size = weight_hh.shape[1]
    d_h, d_c = torch.zeros_like(states[0]).chunk(2, dim=1)
    for t in reversed(range(len(gates))):
        i, f, g, o = gates[t].chunk(4, dim=1)
        before, tanh_c = states[t, :, size:], torch.tanh(states[t + 1, :, size:])
        d_a_i, d_a_f, d_a_g, d_a_o = d_sums[t].chunk(4, dim=1)
        d_h = d_h + d_states[t, :, :size]
        d_c = d_c + d_states[t, :, size:] + d_h * o * (1 - tanh_c * tanh_c)
        d_a_i.copy_(d_c * g * i * (1 - i))
        d_a_f.copy_(d_c * before * f * (1 - f))
        d_a_g.copy_(d_c * i * (1 - g * g))
        d_a_o.copy_(d_h * tanh_c * o * (1 - o))
        d_c = d_c * f
        d_h = d_sums[t] @ weight_hh
    return Gradients(torch.cat([d_h, d_c], dim=1), _deferred(d_sums, states[:-1, :, :size]))


def _gru_forward(sums: Tensor, states: Tensor, weight_hh: Tensor, _: Tensor | None) -> None:
    size = weight_hh.shape[1]
    for t, a in enumerate(sums):
        h = states[t]
        gates, candidate = a[:, : 2 * size], a[:, 2 * size :]
        r, z = gates.addmm_(h, weight_hh[: 2 * size].T).sigmoid_().chunk(2, dim=1)
        candidate.addmm_(r * h, weight_hh[2 * size :].T).tanh_()
        torch.lerp(h, candidate, z, out=states[t + 1])


def _gru_backward(
    d_states: Tensor, gates: Tensor, states: Tensor, kept: None, weight_hh: Tensor, d_sums: Tensor
) -> "Gradients":
    size = weight_hh.shape[1]
    weight_gates, weight_candidate = weight_hh[: 2 * size], weight_hh[2 * size :]
    d_h = torch.zeros_like(states[0])
    for t in reversed(range(len(gates))):
        r, z, candidate = gates[t].chunk(3, dim=1)
        d_a_r, d_a_z, d_a_h = d_sums[t].chunk(3, dim=1)
        before = states[t]
        d_h = d_h + d_states[t]
        d_a_h.copy_(d_h * z * (1 - candidate * candidate))
        d_a_z.copy_(d_h * (candidate - before) * z * (1 - z))
        d_reset_state = d_a_h @ weight_candidate
        d_a_r.copy_(d_reset_state * before * r * (1 - r))
        d_h = d_h * (1 - z) + d_reset_state * r + d_sums[t, :, : 2 * size] @ weight_gates
    reset_states = gates[..., :size] * states[:-1]
    to_gates = _deferred(d_sums[..., : 2 * size], states[:-1])
    to_candidate = _deferred(d_sums[..., 2 * size :], reset_states)
    return Gradients(d_h, torch.cat([to_gates, to_candidate]))


def _gru_reset_after_forward(
    sums: Tensor, states: Tensor, weight_hh: Tensor, bias_candidate: Tensor | None
) -> Tensor:
    """Keeps q_t = W_hh h_{t-1} + b_hh, (T, N, H): the reset gate's gradient needs it."""
    assert bias_candidate is not None
    size = weight_hh.shape[1]
    recurrent_candidates = torch.empty_like(states[1:])
    for t, a in enumerate(sums):
        h, q = states[t], recurrent_candidates[t]
        gates, candidate = a[:, : 2 * size], a[:, 2 * size :]
        r, z = gates.addmm_(h, weight_hh[: 2 * size].T).sigmoid_().chunk(2, dim=1)
        torch.addmm(bias_candidate, h, weight_hh[2 * size :].T, out=q)
        candidate.addcmul_(r, q).tanh_()
        torch.lerp(candidate, h, z, out=states[t + 1])
    return recurrent_candidates


def _gru_reset_after_backward(
    d_states: Tensor, gates: Tensor, states: Tensor, kept: Tensor, weight_hh: Tensor, d_sums: Tensor
) -> "Gradients":
    size = weight_hh.shape[1]
    d_recurrent = torch.empty_like(d_sums)  # as d_sums, but for the candidate behind the reset gate
    d_h = torch.zeros_like(states[0])
    for t in reversed(range(len(gates))):
        r, z, candidate = gates[t].chunk(3, dim=1)
        d_a_r, d_a_z, d_a_h = d_sums[t].chunk(3, dim=1)
        before, q = states[t], kept[t]
        d_h = d_h + d_states[t]
        d_a_h.copy_(d_h * (1 - z) * (1 - candidate * candidate))
        d_a_z.copy_(d_h * (before - candidate) * z * (1 - z))
        d_a_r.copy_(d_a_h * q * r * (1 - r))
        d_recurrent[t, :, : 2 * size] = d_sums[t, :, : 2 * size]
        d_recurrent[t, :, 2 * size :] = d_a_h * r
        d_h = d_h * z + d_recurrent[t] @ weight_hh
    return Gradients(d_h, _deferred(d_recurrent, states[:-1]), d_recurrent[..., 2 * size :].sum((0, 1)))


def _deferred(d_sums: Tensor, states: Tensor) -> Tensor:
    """∂loss/∂W_hh = Σ_t d_a_t h_{t-1}ᵀ: (T, N, G·H), (T, N, H) -> (G·H, H), one product for all frames."""
    return d_sums.flatten(0, 1).T @ states.flatten(0, 1)


class Gradients(NamedTuple):
    """With respect to h_0 (N, S), weight_hh (G·H, H) and, of `gru_reset_after`, b_hh (H,)."""

    state: Tensor
    weight_hh: Tensor
    bias_candidate: Tensor | None = None


class _Steps(NamedTuple):
    """`forward` turns sums into gates in place, fills `states` from entry 1 on, may keep one tensor more;
    `backward` writes `d_sums`."""

    forward: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor | None]
    backward: Callable[..., Gradients]


CELLS = {
    "gru": _Steps(_gru_forward, _gru_backward),
    "gru_reset_after": _Steps(_gru_reset_after_forward, _gru_reset_after_backward),
    "lstm": _Steps(_lstm_forward, _lstm_backward),
    "rnn": _Steps(_rnn_forward, _rnn_backward),
}
