"""Every cell step by step over one utterance, each state a node of autograd's graph: slow, for looking."""

import torch
from torch import Tensor

from asr.recurrent import cells
from asr.recurrent.layer import Layer


def unroll(layer: Layer, d: int, x: Tensor) -> list[Tensor]:
    """Run one direction of a layer over one utterance from h_0 = 0, by the readable cells of `cells`.

    What is computed from a step and from later steps is a function of it, so a gradient with respect to it is
    the whole one, through time.

    Args:
        layer: `ligru` and `sligru` normalise by their running averages in evaluation mode, and by this one
            utterance in training mode.
        d: 1 is the backward direction, which reads the frames from the last to the first.
        x: (T, F), from the first frame to the last.

    Returns:
        T tensors (1, S), the state after each step, in the order of the steps; S as in `Recurrent`.
    """
    sums = (x.flip(0) if d else x) @ layer.weight_ih[d].T
    if layer.cell in ("ligru", "sligru"):
        sums = layer.norm(sums[:, None], sums.new_ones(len(x), 1, dtype=torch.bool), d)[:, 0]
    sums = sums + layer.bias[d]
    state = x.new_zeros(1, layer.hidden_size * (2 if layer.cell == "lstm" else 1))
    steps = []
    for sums_t in sums:
        state = _step(layer, d, sums_t[None, None], state)[:, 0]
        steps.append(state)
    return steps


def _step(layer: Layer, d: int, frame: Tensor, state: Tensor) -> Tensor:
    """Sums (1, 1, G·H), (1, S) -> (1, 1, S)."""
    if layer.cell == "mingru":
        return cells.mingru(frame, state)
    weight_hh = layer.weight_hh[d]
    if layer.cell == "gru_reset_after":
        return cells.gru_reset_after(frame, state, weight_hh, layer.bias_candidate[d])
    cell = {
        "gru": cells.gru,
        "lstm": cells.lstm,
        "rnn": cells.rnn,
        "ligru": cells.ligru,
        "sligru": cells.sligru,
    }
    return cell[layer.cell](frame, state, weight_hh)
