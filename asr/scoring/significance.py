"""How far a word error rate, or the difference of two, can be trusted.

Words of one speaker are not independent draws: what makes one of them hard makes the others hard. The
bootstrap therefore resamples whole speakers. Where there is only one speaker it resamples utterances, as in
M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP
2004. With few speakers the interval comes out too narrow, and with no error at all it is a point.

MAPSSWE, the matched-pairs sentence-segment word error test, is that of L. Gillick and S. Cox, "Some
statistical issues in the comparison of speech recognition algorithms", ICASSP 1989, with the segments of
NIST's sc_stats.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.scoring.wer import Aligned, Report

Unit = Literal["speaker", "utterance"]
BUFFER_WORDS = 2
"""Words in a row that both systems must have right to end a segment; NIST's choice."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A 95 % interval, both ends in percent, and what was resampled: `units` speakers or utterances."""

    low: float
    high: float
    unit: Unit
    units: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two systems on the same references.

    Attributes:
        first, second: word error rates in percent.
        difference: second − first, in percent absolute; negative where the second is better.
        ci95: 95 % interval of `difference`, by paired bootstrap.
        unit, units: what the bootstrap resampled.
        bootstrap_p: two-sided p-value of the paired bootstrap.
        mapsswe_p: two-sided p-value of MAPSSWE.
        mapsswe_z: its statistic, negative where the second is better; None where it has no variance.
        segments: segments that MAPSSWE compared.
    """

    first: float
    second: float
    difference: float
    ci95: tuple[float, float]
    unit: Unit
    units: int
    bootstrap_p: float
    mapsswe_p: float
    mapsswe_z: float | None
    segments: int


def bootstrap_interval(report: Report, *, replicates: int = 1000, seed: int = 1) -> Interval:
    """95 % interval of the word error rate: the 2.5 and 97.5 percentiles over resampled test sets.

    Speakers are drawn with replacement, as many as there are; with one speaker, utterances are. The result
    depends on `seed` and not on the order of the utterances.
    """
    unit, groups = _groups(report.aligned)
    errors = _sums(groups, lambda item: item.words.errors)
    words = _sums(groups, lambda item: item.words.length)
    low, high = _percentiles(_resample(errors, words, replicates, seed))
    return Interval(low=low, high=high, unit=unit, units=len(groups))


def compare(first: Report, second: Report, *, replicates: int = 1000, seed: int = 1) -> Comparison:
    """Is the difference of two systems on the same references more than chance?

    The paired bootstrap draws the same speakers for both systems; its p-value is twice the share of resampled
    test sets in which the difference is zero or has the other sign.

    Raises:
        AsrError: the two reports have not the same utterances with the same references.
    """
    pairs = _paired(first, second)
    errors_of = {b.utt_id: b.words.errors for _, b in pairs}
    unit, groups = _groups(first.aligned)
    more_errors = _sums(groups, lambda item: errors_of[item.utt_id] - item.words.errors)
    words = _sums(groups, lambda item: item.words.length)
    drawn = _resample(more_errors, words, replicates, seed)
    segments = [segment for a, b in pairs for segment in segment_errors(a, b)]
    z, p = mapsswe(segments)
    return Comparison(
        first=first.wer,
        second=second.wer,
        difference=float(100 * more_errors.sum() / words.sum()),
        ci95=_percentiles(drawn),
        unit=unit,
        units=len(groups),
        bootstrap_p=_two_sided(drawn),
        mapsswe_p=p,
        mapsswe_z=z,
        segments=len(segments),
    )


def segment_errors(first: Aligned, second: Aligned) -> list[tuple[int, int]]:
    """Cut one utterance into segments and count each system's errors: [(first's, second's), ...].

    A segment begins with an error of either system and ends before two reference words in a row that both
    have right with nothing inserted between them, or at the end of the utterance.
    """
    first_errors, second_errors = _error_slots(first), _error_slots(second)
    segments: list[tuple[int, int]] = []
    previous = -1
    for slot in sorted(first_errors.keys() | second_errors.keys()):
        here = (first_errors[slot], second_errors[slot])
        correct_between = slot // 2 - (previous + 1) // 2
        if segments and correct_between < BUFFER_WORDS:
            segments[-1] = (segments[-1][0] + here[0], segments[-1][1] + here[1])
        else:
            segments.append(here)
        previous = slot
    return segments


def mapsswe(segments: Sequence[tuple[int, int]]) -> tuple[float | None, float]:
    """Matched-pairs test on segments: (statistic, two-sided p-value).

    With d_i = second's − first's errors in segment i of n, W = mean(d) / (s(d) / √n) is about normal for
    large n; s² divides by n − 1. Where all d_i are equal, s is 0 and the statistic None; the p-value is then
    that of the exact test by signs, 2 · 2⁻ⁿ, or 1 where they are 0.
    """
    differences = np.array([second - first for first, second in segments], dtype=np.float64)
    n = len(differences)
    if n == 0 or np.all(differences == differences[0]):
        changed = n > 0 and differences[0] != 0
        return None, min(1.0, 2.0 ** (1 - n)) if changed else 1.0
    z = float(differences.mean() / (differences.std(ddof=1) / math.sqrt(n)))
    return z, math.erfc(abs(z) / math.sqrt(2))


def _error_slots(item: Aligned) -> Counter[int]:
    """Errors by place: slot 2i + 1 is reference word i, slot 2i is the gap before it."""
    slots: Counter[int] = Counter()
    word = 0
    for operation in item.operations:
        if operation == "I":
            slots[2 * word] += 1
            continue
        if operation != "=":
            slots[2 * word + 1] += 1
        word += 1
    return slots


def _paired(first: Report, second: Report) -> list[tuple[Aligned, Aligned]]:
    first_of = {item.utt_id: item for item in first.aligned}
    second_of = {item.utt_id: item for item in second.aligned}
    for utt_id in {**first_of, **second_of}:
        a, b = first_of.get(utt_id), second_of.get(utt_id)
        if a is None or b is None:
            raise AsrError(f"two runs are compared on the same references; {utt_id} is only in one of them")
        if a.ref != b.ref:
            raise AsrError(f"two runs are compared on the same references; those of {utt_id} differ")
    return [(item, second_of[item.utt_id]) for item in first.aligned]


def _groups(aligned: Sequence[Aligned]) -> tuple[Unit, list[list[Aligned]]]:
    """What the bootstrap draws: each speaker's utterances, or each utterance where there is one speaker."""
    unit: Unit = "speaker" if len({item.speaker for item in aligned}) > 1 else "utterance"
    groups: dict[str, list[Aligned]] = {}
    for item in aligned:
        groups.setdefault(item.speaker if unit == "speaker" else item.utt_id, []).append(item)
    return unit, [groups[name] for name in sorted(groups)]


def _sums(groups: list[list[Aligned]], value: Callable[[Aligned], int]) -> NDArray[np.int64]:
    return np.array([sum(map(value, group)) for group in groups], dtype=np.int64)


def _resample(
    errors: NDArray[np.int64], words: NDArray[np.int64], replicates: int, seed: int
) -> NDArray[np.float64]:
    """Percentages 100 · errors / words of `replicates` test sets drawn with replacement."""
    rng = np.random.default_rng(seed)
    units = len(words)
    rates = np.empty(replicates)
    for index in range(replicates):
        drawn = rng.integers(units, size=units)
        while not words[drawn].sum():  # only units with empty references: no rate to speak of
            drawn = rng.integers(units, size=units)
        rates[index] = 100 * errors[drawn].sum() / words[drawn].sum()
    return rates


def _percentiles(rates: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)


def _two_sided(differences: NDArray[np.float64]) -> float:
    # One is added on each side so that no p-value is 0: the data themselves are one more draw.
    tail = 1 + int(min(np.count_nonzero(differences <= 0), np.count_nonzero(differences >= 0)))
    return min(1.0, 2 * tail / (len(differences) + 1))
