"""What the gates of a layer do over one utterance: the readable cells, run frame by frame, gates kept.

Slow and meant for looking. `h_{t-1}` of every frame is known once the cell has run, so both gates are what
the first two lines of the cell's equations say, for all frames at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from asr.recurrent.layer import Layer, Recurrent
from asr.recurrent.unrolled import unroll

GATED = ("gru", "gru_reset_after")
"""Cells with a reset gate r and an update gate z."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One direction of one layer over one utterance; frames in the utterance's order in both directions.

    Attributes:
        reset: (T, H), r_t.
        update: (T, H), z_t as the cell's equations have it: it takes the candidate in `gru` and keeps the
            old state in `gru_reset_after`.
        taken: (T, H), the share of h_t that is new: z_t, or 1 − z_t in `gru_reset_after`.
        states: (T, H), h_t.
        steps: T tensors (1, H), the same h_t as nodes of autograd's graph: what is computed from `states`
            and from later steps is a function of them, so a gradient with respect to them is the whole one,
            through time.
    """

    reset: Tensor
    update: Tensor
    taken: Tensor
    states: Tensor
    steps: list[Tensor]


def trace(recurrent: Recurrent, x: Tensor) -> tuple[list[list[Trace]], Tensor]:
    """Run a stack over one utterance and keep what its gates do.

    Args:
        recurrent: its dropout is not applied, as in evaluation.
        x: (T, F), from the first frame to the last.

    Returns:
        The traces of each layer, a list with one a direction, and the output (T, D·H), which is that of
        `recurrent` on the same utterance.

    Raises:
        ValueError: a cell without a reset and an update gate.
    """
    if recurrent.cell not in GATED:
        raise ValueError(f"cell {recurrent.cell!r} has no reset and update gate; {' and '.join(GATED)} have")
    traces = []
    for layer in recurrent.layers:
        assert isinstance(layer, Layer)
        traces.append([_trace_direction(layer, d, x) for d in range(recurrent.directions)])
        x = torch.cat([one.states for one in traces[-1]], dim=1)
    return traces, x


def _trace_direction(layer: Layer, d: int, x: Tensor) -> Trace:
    """One direction from h_0 = 0; the backward one (d = 1) reads the frames from the last to the first."""
    size, weight_hh = layer.hidden_size, layer.weight_hh[d]
    sums = (x.flip(0) if d else x) @ layer.weight_ih[d].T + layer.bias[d]  # (T, 3H)
    steps = unroll(layer, d, x)
    states = torch.cat(steps)
    before = torch.cat([x.new_zeros(1, size), states[:-1]])
    gates = torch.sigmoid(sums[:, : 2 * size] + before @ weight_hh[: 2 * size].T)
    reset, update = gates[:, :size], gates[:, size:]
    taken = update if layer.cell == "gru" else 1 - update
    if d:
        reset, update, taken, states = (part.flip(0) for part in (reset, update, taken, states))
        steps.reverse()
    return Trace(reset, update, taken, states, steps)


def effective_memory(taken: Tensor) -> Tensor:
    """How many frames the state of each unit reaches back, (T, H) -> (H,).

        m_j = 1 / mean_t a_tj,    a = `Trace.taken`,    h_t = (1 − a_t) ∗ h_{t-1} + a_t ∗ h~_t

    If a were constant, the candidate of k frames ago would weigh a (1 − a)^k in the state, weights that sum
    to one; the mean of k + 1 under them is 1 / a. So 1 means that only the current frame counts. A unit that
    never takes anything new gets at most a million frames.
    """
    return 1 / taken.mean(0).clamp(min=1e-6)
