"""Readings become words with times, and with confidences."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.decoding.alignment import align
from asr.decoding.lexicon_decoder import Reading
from asr.records import Hypothesis, Word

Floats = NDArray[np.float64]

VOTE_ALONE = (0.0, 1.0, 0.0)
"""Weights with which a word is as sure as its share of the vote."""
MOST_ODDS = 7.0
"""Log-odds of a word that all readings have: 0.999, since there are others that were not found."""
LEAST_HEARD = -10.0
"""The least that a word's units may be heard by, in nats a unit."""


def to_hypotheses(
    utt_id: str,
    readings: Sequence[Reading],
    log_probs: Floats,
    *,
    boundary: int | None,
    frame_seconds: float,
    duration: float,
    weights: Sequence[float],
) -> list[Hypothesis]:
    """The readings of one row as hypotheses; the first with its words.

    A word starts with the frame in which its first unit begins, and ends after the frame in which its last
    unit begins, as `asr.decoding.words.to_hypothesis` has it.

    Args:
        utt_id: whose words these are.
        readings: what a search returned, best first.
        log_probs: (T, C) where they were read.
        boundary: the class that stands between two words; None where there is none.
        frame_seconds: time between two frames of the log-probabilities.
        duration: of the audio in seconds; no word starts or ends after it.
        weights: of the confidences (see `confidences`).
    """
    first = readings[0]
    frames, peaks = align(log_probs, first.ids)
    places = word_places(first.lens, boundary)
    sure = confidences(evidence(readings, peaks, places), weights)
    spoken = np.asarray(frames, np.int64)[places >= 0]
    sizes = np.asarray(first.lens, np.int64)
    ends = np.cumsum(sizes) - 1
    begins = ends + 1 - sizes
    words = [
        Word(
            text=text,
            start=min(begin * frame_seconds, duration),
            end=min((end + 1) * frame_seconds, duration),
            confidence=confidence,
        )
        for text, begin, end, confidence in zip(
            first.words, spoken[begins].tolist(), spoken[ends].tolist(), sure.tolist(), strict=True
        )
    ]
    return [
        Hypothesis(
            utt_id=utt_id,
            text=" ".join(reading.words),
            score=reading.total,
            words=words if reading is first else [],
            acoustic=reading.acoustic,
            lm=reading.lm,
        )
        for reading in readings
    ]


def confidences(found: Floats, weights: Sequence[float]) -> Floats:
    """How sure words are: 1 / (1 + exp(-(w0 + w1 · odds + w2 · heard))).

    A logistic map of two facts about a word (Platt 1999, "Probabilistic outputs for support vector machines",
    for one); with w1 and w2 at least 0 it rises with both. `asr.tuning` finds the weights on dev.

    Args:
        found: (V, 2) what `evidence` gave.
        weights: w0, w1, w2.

    Returns:
        (V,) from 0 to 1.
    """
    sure: Floats = 1.0 / (1.0 + np.exp(-(weights[0] + found @ np.asarray(weights[1:], np.float64))))
    return sure


def evidence(readings: Sequence[Reading], peaks: Sequence[float], places: NDArray[np.int64]) -> Floats:
    """What speaks for each word of the first reading.

    Args:
        readings: the N best, best first.
        peaks: the model's probability of each unit of the first in its surest frame (see `align`).
        places: (U,) the word of each unit, from `word_places`.

    Returns:
        (V, 2): the log-odds of its share of the vote (see `shares`), and the mean log-probability of its
        units in their surest frames. The N best of a long utterance differ in few places, so the vote alone
        finds most words certain.
    """
    num_words = len(readings[0].words)
    logs = np.maximum(np.log(np.maximum(np.asarray(peaks, np.float64), 1e-30)), LEAST_HEARD)
    spoken = places >= 0
    counts = np.bincount(places[spoken], minlength=num_words)
    heard = np.bincount(places[spoken], logs[spoken], num_words) / np.maximum(counts, 1)
    share = shares(readings)
    with np.errstate(divide="ignore"):
        odds = np.clip(np.log(share) - np.log1p(-share), -MOST_ODDS, MOST_ODDS)
    return np.stack([odds, heard], axis=1)


def word_places(lens: Sequence[int], boundary: int | None) -> NDArray[np.int64]:
    """(U,) the word, from 0, to which each unit belongs; -1 for a boundary.

    Args:
        lens: how many units each word has.
        boundary: as for `to_hypotheses`.
    """
    sizes = np.asarray(lens, np.int64)
    places = np.repeat(np.arange(len(sizes)), sizes)
    return places if boundary is None else np.insert(places, np.cumsum(sizes)[:-1], -1)


def shares(readings: Sequence[Reading]) -> Floats:
    """The share of the readings' probability that has each word of the first.

    A reading has the probability exp(total), scaled so that all N together have 1 (Evermann and Woodland
    2000, "Posterior probability decoding, confidence estimation and system combination", for the N best
    instead of a lattice).

    Returns:
        (V,) from 0 to 1.
    """
    first = readings[0].words
    totals = np.array([reading.total for reading in readings])
    agrees = np.array([_agrees(first, reading.words) for reading in readings], np.float64)
    weights = np.exp(totals - totals.max())
    found: Floats = np.minimum((weights / weights.sum()) @ agrees.reshape(len(readings), len(first)), 1.0)
    return found


def _agrees(words: Sequence[str], others: Sequence[str]) -> list[bool]:
    """Which words are in the other text too, in an alignment with the fewest edits."""
    begin, least = 0, min(len(words), len(others))
    while begin < least and words[begin] == others[begin]:
        begin += 1
    after = 0
    while after < least - begin and words[-1 - after] == others[-1 - after]:
        after += 1
    inner, outer = words[begin : len(words) - after], others[begin : len(others) - after]
    return [*[True] * begin, *_aligned(inner, outer), *[True] * after]


def _aligned(words: Sequence[str], others: Sequence[str]) -> list[bool]:
    """The same by the full table of edits."""
    edits = [
        [i + j if i == 0 or j == 0 else 0 for j in range(len(others) + 1)] for i in range(len(words) + 1)
    ]
    for i, word in enumerate(words, start=1):
        for j, other in enumerate(others, start=1):
            swap = edits[i - 1][j - 1] + (word != other)
            edits[i][j] = min(swap, edits[i - 1][j] + 1, edits[i][j - 1] + 1)
    found = [False] * len(words)
    i, j = len(words), len(others)
    while i and j:
        if edits[i][j] == edits[i - 1][j - 1] + (words[i - 1] != others[j - 1]):
            i, j = i - 1, j - 1
            found[i] = words[i] == others[j]
        elif edits[i][j] == edits[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return found
