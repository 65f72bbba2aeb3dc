"""Are words as often right as they are sure? Confidences against what was said."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from asr.records import Hypothesis
from asr.scoring.wer import Aligned, Report

NUM_BINS = 10


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Words that are about equally sure: how many, their mean confidence, and the share that is right."""

    words: int
    confidence: float
    correct: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How well confidences tell right words from wrong ones.

    Attributes:
        ece: expected calibration error: by how much the share of right words differs from the mean
            confidence, on average over the words, in ten bins of equal width (Naeini et al. 2015, "Obtaining
            well calibrated probabilities using Bayesian binning"); from 0 to 1.
        words: that were recognised.
        bins: those with words, the least sure first.
    """

    ece: float
    words: int
    bins: list[Bin]


def calibration(report: Report, heard: Iterable[Hypothesis]) -> Calibration | None:
    """Compare the confidences of recognised words with whether they are right.

    Args:
        report: what `score` gave.
        heard: the same utterances with the confidences of their words; those without words are left out.

    Returns:
        None where there is not one word.
    """
    confidences = {hyp.utt_id: [word.confidence for word in hyp.words] for hyp in heard}
    values: list[float] = []
    correct: list[bool] = []
    for item in report.aligned:
        if len(found := confidences.get(item.utt_id, ())) == len(item.hyp):
            values += found
            correct += right_words(item)
    return calibration_of(values, correct) if values else None


def calibration_of(confidences: Sequence[float], correct: Sequence[bool]) -> Calibration:
    """The same for words, at least one, one after the other."""
    sure, right = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    places = np.minimum((sure * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    counts, sums, hits = (
        np.bincount(places, weights, NUM_BINS) for weights in (np.ones(len(sure)), sure, right)
    )
    bins = [
        Bin(words=int(count), confidence=float(total / count), correct=float(hit / count))
        for count, total, hit in zip(counts, sums, hits, strict=True)
        if count
    ]
    return Calibration(ece=float(np.abs(sums - hits).sum() / len(sure)), words=len(sure), bins=bins)


def right_words(item: Aligned) -> list[bool]:
    """Whether each recognised word is right, by the alignment that counts the errors."""
    return [operation == "=" for operation in item.operations if operation != "D"]


def calibration_lines(found: Calibration) -> list[str]:
    """The table for people."""
    head = f"Confidences of {found.words} words: expected calibration error {100 * found.ece:.1f} %"
    rows = [f"{100 * bin.confidence:>12.1f}{100 * bin.correct:>12.1f}{bin.words:>10}" for bin in found.bins]
    return [head, f"{'sure %':>12}{'right %':>12}{'words':>10}", *rows]
