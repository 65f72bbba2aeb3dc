"""Does a text fit the sound? Where the best alignment falls far behind what the model hears by itself."""

import numpy as np
from numpy.typing import NDArray

from asr.records import BLANK_ID

MISFIT_NATS = 1.6
"""Mean loss a frame, in nats, above which a window of frames does not fit.

Calibrated by `benchmarks/alignment.py --misfit` (docs/decoding.md, "Does the text fit?"): with a model that
misreads three words of four, right texts of half a minute lose hardly ever more; the quickstart's loses
0.1 to 0.2. A model that hears hardly anything may lose more on the right text.
"""


def frame_losses(
    log_probs: NDArray[np.float64], ids: list[int], states: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What an alignment loses in each frame, (T,): max_c log p(c) - log p(class of the alignment).

    It is 0 where the model hears what the alignment says, and on average the log-likelihood ratio a frame of
    free and forced recognition, whose mean over a word is the measure of a pronunciation's goodness (Witt and
    Young 2000, "Phone-level pronunciation scoring", eq. 3).

    Args:
        log_probs: (T, C) natural-log probabilities.
        ids: U units, at least one.
        states: (T,) from `align_states`.
    """
    return np.asarray(log_probs.max(axis=1) - heard_log_probs(log_probs, ids, states))


def heard_log_probs(
    log_probs: NDArray[np.float64], ids: list[int], states: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(T,) the log-probability of the class that the alignment has in each frame; arguments as above."""
    classes = np.where(states % 2 == 1, np.array(ids)[np.minimum(states // 2, len(ids) - 1)], BLANK_ID)
    return np.asarray(log_probs[np.arange(len(states)), classes])


def window_losses(losses: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """(T,) -> (T - window + 1,): the mean loss of each window; one mean over all where T is shorter."""
    width = min(window, len(losses))
    if not width:
        return np.zeros(0)
    sums = np.concatenate(([0.0], np.cumsum(np.minimum(losses, 1e6))))
    return np.asarray((sums[width:] - sums[:-width]) / width)


def first_misfit(losses: NDArray[np.float64], window: int, most: float = MISFIT_NATS) -> int | None:
    """Where an alignment leaves the sound: a mistake of the model costs a few frames; a missing or added
    sentence, a whole window.

    Args:
        losses: (T,) of the frames, see `frame_losses`.
        window: frames over which the mean is taken.
        most: the mean that still fits.

    Returns:
        In the first window that does not fit, the first frame with a loss above `most`; None where all fit.
    """
    wrong = np.flatnonzero(window_losses(losses, window) > most)
    if not wrong.size:
        return None
    begin = int(wrong[0])
    return begin + int(np.flatnonzero(losses[begin : begin + window] > most)[0])
