"""A GRU with one of its gates taken away: what is worse without it is what the gate contributes.

The layer stays what it is, kernels included; the weights that it sees are held. So an ablated layer costs as
much time as a whole one, and what is compared is what they learn.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from asr.recurrent.layer import Layer, Recurrent

GATES = ("reset", "update", "constant_update")
OPEN = 40.0
"""σ(40) is 1 in float32 and in float64."""


def take_gate(recurrent: Recurrent, gate: str) -> int:
    """Take a gate away from every layer of a stack, before it is trained.

    Args:
        recurrent: of cell `gru`; changed in place. Its parameters get other names.
        gate: `reset`: r_t = 1, the candidate sees all of the state. `update`: z_t = 1, and h_t = h~_t keeps
            nothing but what the candidate makes of h_{t-1}. `constant_update`: z = σ(b_z), learned for each
            unit, but the same in every frame: a leaky average.

    Returns:
        How many of the parameters are without effect now.

    Raises:
        ValueError: another cell, or no such gate.
    """
    if recurrent.cell != "gru" or gate not in GATES:
        raise ValueError(
            f"a gate of {GATES} of cell 'gru' can be taken; found {gate!r} of {recurrent.cell!r}"
        )
    return sum(_hold(layer, gate) for layer in recurrent.layers if isinstance(layer, Layer))


def _hold(layer: Layer, gate: str) -> int:
    """Hold one layer's rows of W_r or W_z at 0, and of b_r or b_z at `OPEN` where that is the gate's end."""
    size = layer.hidden_size
    first = 0 if gate == "reset" else size
    held = {"weight_ih": 0.0, "weight_hh": 0.0} | ({} if gate == "constant_update" else {"bias": OPEN})
    count = 0
    for name, value in held.items():
        weight = getattr(layer, name)
        count += weight[:, first : first + size].numel()
        parametrize.register_parametrization(layer, name, _Held(weight, first, size, value))
    return count


class _Held(nn.Module):
    """What is learned, but for `size` rows from `first` on, which are `value`: no gradient reaches those."""

    mask: Tensor

    def __init__(self, weight: Tensor, first: int, size: int, value: float) -> None:
        super().__init__()
        rows = torch.arange(weight.shape[1], device=weight.device)
        held = (rows >= first) & (rows < first + size)
        shape = (-1,) if weight.dim() == 2 else (-1, 1)
        self.register_buffer("mask", held.view(shape), persistent=False)
        self.value = value

    def forward(self, weight: Tensor) -> Tensor:
        """(D, 3H) or (D, 3H, F) -> the same shape."""
        return weight.masked_fill(self.mask, self.value)
