"""How sure words should be: the temperature with which dev's right and wrong words are most probable."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.decoding.lexicon_decoder import Reading
from asr.decoding.readings import Votes, confidences, vote
from asr.scoring.calibration import calibration_of, right_words
from asr.scoring.wer import Aligned

TEMPERATURES = np.geomspace(0.25, 64.0, 129)
DOUBT = 1e-3
"""No word counts as surer than 1 - DOUBT, or less sure than DOUBT: one mistake would be an infinite loss."""


class Fitted(NamedTuple):
    """A temperature, and the expected calibration error with temperature 1 and with this one."""

    temperature: float
    ece_before: float
    ece: float


def fit_temperature(readings: Sequence[Sequence[Reading]], aligned: Sequence[Aligned]) -> Fitted:
    """The temperature of `TEMPERATURES` with the smallest cross entropy (Guo et al. 2017, "On calibration of
    modern neural networks", for the posterior of the N best).

    Args:
        readings: the N best of each utterance.
        aligned: its first against what was said.

    Returns:
        temperature 1 where not one word was read.
    """
    votes = [vote(best) for best in readings]
    correct = np.array([right for item in aligned for right in right_words(item)], np.bool_)
    if not len(correct):
        return Fitted(1.0, 0.0, 0.0)
    losses = [_cross_entropy(_sure(votes, temperature), correct) for temperature in TEMPERATURES]
    best = float(TEMPERATURES[int(np.argmin(losses))])
    before, after = (
        calibration_of(_sure(votes, temperature).tolist(), correct.tolist()).ece
        for temperature in (1.0, best)
    )
    return Fitted(best, before, after)


def _sure(votes: Sequence[Votes], temperature: float) -> NDArray[np.float64]:
    return np.concatenate([confidences(one, temperature) for one in votes])


def _cross_entropy(sure: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    held = np.clip(sure, DOUBT, 1 - DOUBT)
    return float(-np.log(np.where(correct, held, 1 - held)).mean())
