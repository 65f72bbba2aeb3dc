"""Does a text fit the sound? Where the best alignment falls far behind what the model hears by itself."""

import numpy as np
from numpy.typing import NDArray

MISFIT_NATS = 2.0
"""Mean loss a frame, in nats, above which a window of frames does not fit.

Lenient on purpose: a model that hears hardly anything spreads its probability, and loses up to 2 nats a
frame on the right text.
"""


def first_misfit(losses: NDArray[np.float64], window: int, most: float = MISFIT_NATS) -> int | None:
    """Where an alignment leaves the sound.

    The loss of a frame is max_c log p(c) - log p(class of the alignment): 0 where the model hears what the
    alignment says, and on average the log-likelihood ratio a frame of free and forced recognition, whose mean
    over a word is the measure of a pronunciation's goodness (Witt and Young 2000, "Phone-level pronunciation
    scoring", eq. 3). A mistake of the model costs a few frames; a missing or added sentence, a whole window.

    Args:
        losses: (T,) at least 0.
        window: frames over which the mean is taken; shorter losses are taken as they are over T frames.
        most: the mean that still fits.

    Returns:
        In the first window that does not fit, the first frame with a loss above `most`; None where all fit.
    """
    if not len(losses):
        return None
    width = min(window, len(losses))
    sums = np.concatenate(([0.0], np.cumsum(np.minimum(losses, 1e6))))
    wrong = np.flatnonzero(sums[width:] - sums[:-width] > most * width)
    if not wrong.size:
        return None
    begin = int(wrong[0])
    return begin + int(np.flatnonzero(losses[begin : begin + width] > most)[0])
