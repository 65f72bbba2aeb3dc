"""The heart: recurrent cells as equations, a gradient written by hand, a fast path, one layer interface."""

from asr.recurrent.conversion import from_torch, to_torch
from asr.recurrent.layer import CELLS, Recurrent

__all__ = ["CELLS", "Recurrent", "from_torch", "to_torch"]
