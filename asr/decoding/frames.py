"""Probabilities of frames, scaled, and their most probable classes."""

import math

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled

Floats = NDArray[np.float64]


@compiled
def scaled_frames(log_probs: Floats, top: int) -> tuple[Floats, Floats, NDArray[np.int64], Floats]:
    """Prepare the frames of one row for a beam search.

    Args:
        log_probs: (T, C); every frame's largest is finite.
        top: K, from 1 to C.

    Returns:
        (T, C) probabilities over the largest of the frame; (T, C) the same, but 0 outside the K best classes;
        (T, K) the best classes, best first, of equals the smaller; (T,) the logarithms of the largest.
    """
    num_frames, num_classes = log_probs.shape
    probs, top_probs = np.empty((num_frames, num_classes)), np.zeros((num_frames, num_classes))
    tops, largest = np.empty((num_frames, top), np.int64), np.empty(num_frames)
    for t in range(num_frames):
        most = log_probs[t, 0]
        for c in range(1, num_classes):
            most = max(most, log_probs[t, c])
        largest[t] = most
        size = 0
        for c in range(num_classes):
            probs[t, c] = math.exp(log_probs[t, c] - most)
            if size == top and probs[t, c] <= probs[t, tops[t, size - 1]]:
                continue
            at = min(size, top - 1)
            while at > 0 and probs[t, c] > probs[t, tops[t, at - 1]]:
                tops[t, at] = tops[t, at - 1]
                at -= 1
            tops[t, at] = c
            size = min(size + 1, top)
        for k in range(top):
            top_probs[t, tops[t, k]] = probs[t, tops[t, k]]
    return probs, top_probs, tops, largest
