"""Probabilities of frames, scaled, and their most probable classes."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled
from asr.records import BLANK_ID

Floats = NDArray[np.float64]


class Frames(NamedTuple):
    """One row of log-probabilities, prepared for a beam search."""

    probs: Floats  # (T, C) over the largest of the frame
    top_probs: Floats  # (T, C) the same, but 0 outside the best classes
    tops: NDArray[np.int64]  # (T, K) the best classes, best first, of equals the smaller
    sizes: NDArray[np.int64]  # (T,) how many of them count; 0 where nothing but a blank is worth a look
    largest: Floats  # (T,) the logarithms of the largest
    sums: Floats  # (T,) the logarithms of the sums over all classes, before the blank's score


@compiled
def scaled_frames(log_probs: Floats, top: int, cutoff: float, blank_score: float) -> Frames:
    """Prepare the frames of one row for a beam search.

    Args:
        log_probs: (T, C); every frame's largest is finite.
        top: K, from 1 to C.
        cutoff: classes less probable than this times the frame's largest do not count. With 0 all K do, and
            no size is 0.
        blank_score: nats that are added to the blank.
    """
    num_frames, num_classes = log_probs.shape
    probs, top_probs = np.empty((num_frames, num_classes)), np.zeros((num_frames, num_classes))
    tops, sizes = np.empty((num_frames, top), np.int64), np.empty(num_frames, np.int64)
    largest, sums = np.empty(num_frames), np.empty(num_frames)
    blank_factor = math.exp(blank_score)
    for t in range(num_frames):
        most = log_probs[t, BLANK_ID] + blank_score
        for c in range(1, num_classes):
            most = max(most, log_probs[t, c])
        largest[t], total = most, 0.0
        size = 0
        for c in range(num_classes):
            probs[t, c] = math.exp(log_probs[t, c] - most)
            total += probs[t, c]
            if c == BLANK_ID:
                probs[t, c] *= blank_factor
            if probs[t, c] < cutoff or (size == top and probs[t, c] <= probs[t, tops[t, size - 1]]):
                continue
            at = min(size, top - 1)
            while at > 0 and probs[t, c] > probs[t, tops[t, at - 1]]:
                tops[t, at] = tops[t, at - 1]
                at -= 1
            tops[t, at] = c
            size = min(size + 1, top)
        for k in range(size):
            top_probs[t, tops[t, k]] = probs[t, tops[t, k]]
        sums[t] = math.log(total) + most
        sizes[t] = 0 if cutoff > 0.0 and size == 1 and tops[t, 0] == BLANK_ID else size
    return Frames(probs, top_probs, tops, sizes, largest, sums)
