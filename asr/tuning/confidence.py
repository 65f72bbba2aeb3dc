"""How sure words should be: the map from evidence to confidence that fits dev's right and wrong words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.decoding.alignment import align
from asr.decoding.lexicon_decoder import Reading
from asr.decoding.readings import VOTE_ALONE, confidences, evidence, word_places
from asr.scoring.calibration import calibration_of
from asr.units.kinds import Units

Floats = NDArray[np.float64]

RIDGE = 1.0
"""Pull of each weight to 0, in words: what keeps weights finite where right and wrong words part exactly."""
STEPS = 30


class Fitted(NamedTuple):
    """Weights of the map, and the expected calibration error with the vote alone and with them."""

    weights: tuple[float, float, float]
    ece_before: float
    ece: float


def evidence_in(row: NDArray[np.generic], readings: Sequence[Reading], units: Units) -> Floats:
    """(V, 2) what speaks for the words of the best reading of a row (T, C) of log-probabilities."""
    best = readings[0]
    peaks = align(row.astype(np.float64), best.ids)[1]
    return evidence(readings, peaks, word_places(best.lens, units.boundary))


def fit_confidence(found: Floats, correct: NDArray[np.bool_]) -> Fitted:
    """The weights with the smallest cross entropy, none of the evidence counting against a word.

    Args:
        found: (V, 2) evidence of words.
        correct: (V,) whether each is right.

    Returns:
        The weights of the vote alone where there is no word.
    """
    if not len(correct):
        return Fitted(VOTE_ALONE, 0.0, 0.0)
    used = [0, 1]
    while True:
        weights = np.zeros(3)
        weights[[0, *(1 + column for column in used)]] = _fit(found[:, used], correct)
        wrong = [column for column in used if weights[1 + column] < 0]
        if not wrong:
            break
        used = [column for column in used if column not in wrong]
    chosen = (float(weights[0]), float(weights[1]), float(weights[2]))
    before, after = (
        calibration_of(confidences(found, choice).tolist(), correct.tolist()).ece
        for choice in (VOTE_ALONE, chosen)
    )
    return Fitted(chosen, before, after)


def _fit(found: Floats, correct: NDArray[np.bool_]) -> Floats:
    """Logistic regression by Newton's method, the constant first."""
    design = np.concatenate([np.ones((len(found), 1)), found], axis=1)
    pull = RIDGE * np.eye(design.shape[1])
    weights = np.zeros(design.shape[1])
    for _ in range(STEPS):
        sure = 1.0 / (1.0 + np.exp(-(design @ weights)))
        slope = design.T @ (correct - sure) - pull @ weights
        bend = (design * (sure * (1 - sure))[:, None]).T @ design + pull
        weights = weights + np.linalg.solve(bend, slope)
    return weights
