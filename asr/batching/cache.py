"""Decoded sound kept in memory, shared by the processes that read."""

import mmap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SCALE = np.float32(32768)  # of 16-bit samples


class WaveformCache:
    """Waveforms as 16-bit samples, in memory that forked processes share; it never changes a bit.

    What does not survive 16 bits (24-bit sound, sound that was resampled or mixed down) is not kept. Rows
    get their places once, in order, until the limit: of a corpus that is larger, the same part is at hand
    in every epoch. Memory is taken as it fills.

    Args:
        samples: S of each row, at most.
        limit_bytes: of all places together.
    """

    def __init__(self, samples: Sequence[int], limit_bytes: int) -> None:
        ends = np.cumsum(np.asarray(samples, dtype=np.int64))
        rows = int(np.searchsorted(ends * 2, limit_bytes, side="right"))
        self._places = np.concatenate(([0], ends[:rows]))
        total = int(self._places[-1])
        # Anonymous memory of mmap is shared with children, and not bounded by the size of /dev/shm.
        memory = mmap.mmap(-1, max(1, 8 * rows + 2 * total))
        self._lens = np.frombuffer(memory, np.int64, rows)
        self._samples = np.frombuffer(memory, np.int16, total, 8 * rows)

    def __reduce__(self) -> tuple[type["WaveformCache"], tuple[tuple[()], int]]:
        """A process that does not share this memory gets a cache that keeps nothing."""
        return WaveformCache, ((), 0)

    def get(self, row: int) -> NDArray[np.float32] | None:
        """The waveform (S,) that was put there, or None."""
        if row >= len(self._lens) or self._lens[row] == 0:
            return None
        first = self._places[row]
        return _to_float(self._samples[first : first + self._lens[row]])

    def put(self, row: int, waveform: NDArray[np.float32]) -> None:
        """Keep a waveform (S,) if it has a place, fits it, and comes back the same."""
        if row >= len(self._lens) or not 0 < len(waveform) <= self._places[row + 1] - self._places[row]:
            return
        first = self._places[row]
        place = self._samples[first : first + len(waveform)]
        np.clip(waveform * _SCALE, -32768, 32767, out=place, casting="unsafe")
        if np.array_equal(_to_float(place), waveform):
            self._lens[row] = len(waveform)  # last: another reader sees all of it or nothing


def _to_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    waveform: NDArray[np.float32] = np.divide(samples, _SCALE, dtype=np.float32)
    return waveform
