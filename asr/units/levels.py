"""The levels of a letter-to-sound model, and the few bytes in which they are kept.

Packed, a level is the differences between its ascending sequences, the eight bytes of each apart so that zlib
finds them alike, and the gains in 256 equal steps of their logarithm. Contexts and rests follow from both:
a context is a sequence without its last symbol, and its rest is what its gains leave.
"""

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Floats = NDArray[np.float32]

LEAST = 1e-6
"""What gains leave at least."""

PACKED = ("steps", "codes", "limits")
"""Names of what `packed` gives."""


class Level(NamedTuple):
    """What sequences of n symbols add: `grams` and `contexts` (the same without the last) ascend."""

    grams: Keys
    gains: Floats
    contexts: Keys
    rests: Floats


def packed(level: Level) -> dict[str, NDArray[Any]]:
    """A level as arrays of bytes, and the logarithms of the smallest and the largest gain."""
    logs = np.log(level.gains.astype(np.float64))
    low, high = (logs.min(), logs.max()) if len(logs) else (0.0, 0.0)
    codes = np.rint((logs - low) * (255 / (high - low) if high > low else 0.0)).astype(np.uint8)
    steps = np.diff(level.grams, prepend=0).astype("<i8")
    return {
        "steps": _squeezed(np.ascontiguousarray(steps.view(np.uint8).reshape(-1, 8).T)),
        "codes": _squeezed(codes),
        "limits": np.array([low, high]),
    }


def unpacked(arrays: Mapping[str, NDArray[Any]], radix: int) -> Level:
    """What `packed` gave; `radix` is the number of symbols.

    Raises:
        ValueError, zlib.error: the arrays are something else.
    """
    planes = np.frombuffer(zlib.decompress(arrays["steps"].tobytes()), np.uint8).reshape(8, -1)
    grams = np.cumsum(np.ascontiguousarray(planes.T).view("<i8")[:, 0])
    codes = np.frombuffer(zlib.decompress(arrays["codes"].tobytes()), np.uint8)
    low, high = arrays["limits"].tolist()
    gains = np.exp(np.linspace(low, high, 256))[codes]
    if len(gains) != len(grams):
        raise ValueError(f"{len(grams)} sequences and {len(gains)} gains")
    contexts, owner = np.unique(grams // radix, return_inverse=True)
    rests = np.maximum(1 - np.bincount(owner, gains, len(contexts)), LEAST)
    return Level(grams.astype(np.int64), gains.astype(np.float32), contexts, rests.astype(np.float32))


def _squeezed(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.frombuffer(zlib.compress(array.tobytes(), 9), np.uint8)
