"""Greedy search: the best class of every frame, collapsed."""

import numpy as np
from numpy.typing import NDArray

from asr.decoding.path import Path
from asr.decoding.rows import Lens, LogProbs, checked_rows
from asr.records import BLANK_ID


def greedy_search(log_probs: LogProbs, log_prob_lens: Lens) -> list[Path]:
    """The best alignment of each row, with repeats and then blanks removed (Graves et al. 2006, section 3.2).

    Args:
        log_probs: (N, T, C) natural-log probabilities; a tensor or an array.
        log_prob_lens: (N,) frames of each row; a row of 0 frames gives an empty path with score 0.

    Returns:
        One path a row. Its score is the log-probability of this one alignment, the sum of each frame's best
        log-probability. Of equal classes the smaller wins, so the blank wins over all.

    Raises:
        AsrError: a row has NaN or +inf, or the shapes do not fit (see `checked_rows`).
    """
    return [_best_path(row) for row in checked_rows(log_probs, log_prob_lens)]


def _best_path(log_probs: NDArray[np.float64]) -> Path:
    """Greedy search of one row (T, C)."""
    num_frames = len(log_probs)
    if num_frames == 0:
        return Path(ids=[], frames=[], score=0.0, confidences=[])
    classes = log_probs.argmax(axis=1)
    best = log_probs[np.arange(num_frames), classes]
    begins = np.flatnonzero(np.concatenate(([True], classes[1:] != classes[:-1])))  # runs of one class
    peaks = np.maximum.reduceat(best, begins)
    spoken = classes[begins] != BLANK_ID
    return Path(
        ids=classes[begins][spoken].tolist(),
        frames=begins[spoken].tolist(),
        score=float(best.sum()),
        confidences=np.exp(np.minimum(peaks[spoken], 0.0)).tolist(),
    )
