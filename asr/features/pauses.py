"""Long recordings cut into pieces where nobody speaks."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

TAIL_SECONDS = 5.0
"""Least that a cut leaves for the last piece: a shred of a second has no context."""
PAUSE_SECONDS = 0.3
"""A pause is quiet for about this long; what is shorter may be a stop within a word."""

QUIET_DB, LOUD_DB, FLOOR_DB = 25.0, 12.0, 6.0
"""Quiet is what lies `QUIET_DB` below the mean power of the utterance. In noise, it is what lies up to
`FLOOR_DB` above the quietest tenth, but still `LOUD_DB` below the mean."""

HOP_SECONDS = 0.01


def quiet_hops(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.bool_]:
    """(S,) -> (S // hop,): which stretches of `HOP_SECONDS` are quiet, by their power; none in pure silence.

    Args:
        waveform: one utterance, with speech in it.
        sample_rate: in Hz.
    """
    hop = round(HOP_SECONDS * sample_rate)
    power = np.square(waveform[: len(waveform) - len(waveform) % hop].reshape(-1, hop)).mean(
        axis=1, dtype=np.float64
    )
    if not power.any():
        return np.zeros(len(power), np.bool_)
    quiet, loud = power.mean() * 10 ** (-QUIET_DB / 10), power.mean() * 10 ** (-LOUD_DB / 10)
    quiet_below = np.clip(np.quantile(power, 0.1) * 10 ** (FLOOR_DB / 10), quiet, loud)
    return np.asarray(power < quiet_below)


def cut_at_pauses(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int, longest: float
) -> Iterator[NDArray[np.float32]]:
    """Cut a stream of samples into pieces, each at the quietest point of its second half.

    Memory: one piece and one block.

    Args:
        blocks: waveforms (S,), one after the other.
        sample_rate: in Hz.
        longest: of a piece, in seconds; at least three times `TAIL_SECONDS`.

    Yields:
        Waveforms (S,) which, joined, are the blocks joined; one empty piece where there are no samples.
    """
    most, tail = round(longest * sample_rate), round(TAIL_SECONDS * sample_rate)
    rest = np.zeros(0, np.float32)
    for block in blocks:
        rest = np.concatenate((rest, block)) if len(rest) else block
        while len(rest) > most + tail:
            cut = _quietest(rest, most // 2, most, sample_rate)
            yield rest[:cut]
            rest = rest[cut:]
    if len(rest) > most:
        cut = _quietest(rest, most // 2, len(rest) - tail, sample_rate)
        yield rest[:cut]
        rest = rest[cut:]
    yield rest


def _quietest(waveform: NDArray[np.float32], first: int, last: int, sample_rate: int) -> int:
    """The sample between `first` and `last` around which `PAUSE_SECONDS` hold the least energy."""
    hop, width = round(HOP_SECONDS * sample_rate), round(PAUSE_SECONDS / HOP_SECONDS)
    part = waveform[first : last - (last - first) % hop]
    energy = np.square(part.reshape(-1, hop)).sum(axis=1, dtype=np.float64)
    level = np.convolve(energy, np.ones(width), mode="valid")
    return first + (int(level.argmin()) + width // 2) * hop
