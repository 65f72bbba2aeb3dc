"""Readings become words with times, and with confidences by the vote of the N best."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from asr.decoding.alignment import align
from asr.decoding.lexicon_decoder import Reading
from asr.decoding.path import Path
from asr.decoding.words import to_hypothesis
from asr.records import Hypothesis


class Votes(NamedTuple):
    """What the N best readings of one row say about the words of the first."""

    totals: NDArray[np.float64]  # (N,) the scores by which they are ranked
    agrees: NDArray[np.bool_]  # (N, V) whether a reading has the word too, at its place


def to_hypotheses(
    utt_id: str,
    readings: Sequence[Reading],
    log_probs: NDArray[np.float64],
    tokens: Sequence[str],
    *,
    frame_seconds: float,
    duration: float,
    temperature: float,
) -> list[Hypothesis]:
    """The readings of one row as hypotheses; the first with its words.

    Args:
        utt_id: whose words these are.
        readings: what a search returned, best first.
        log_probs: (T, C) where they were read.
        tokens: the model's tokens, by class; one stands between two words.
        frame_seconds, duration: as for `to_hypothesis`, which says what the times of words are.
        temperature: of the confidences (see `confidences`).
    """
    first = readings[0]
    frames, peaks = align(log_probs, first.ids)
    path = Path(ids=first.ids, frames=frames, score=first.total, confidences=peaks)
    timed = to_hypothesis(utt_id, path, tokens, frame_seconds=frame_seconds, duration=duration).words
    sure = confidences(vote(readings), temperature)
    words = [
        replace(word, text=text, confidence=float(confidence))
        for word, text, confidence in zip(timed, first.words, sure, strict=True)
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


def vote(readings: Sequence[Reading]) -> Votes:
    """In which of the readings the words of the first are."""
    first = readings[0].words
    return Votes(
        np.array([reading.total for reading in readings]),
        np.array([_agrees(first, reading.words) for reading in readings], np.bool_).reshape(
            len(readings), len(first)
        ),
    )


def confidences(votes: Votes, temperature: float) -> NDArray[np.float64]:
    """The share of the readings' probability that has each word of the first.

    A reading has the probability exp(total / temperature), scaled so that all N together have 1 (Evermann and
    Woodland 2000, for the N best instead of a lattice). A temperature above 1 makes words less sure.

    Returns:
        (V,) from 0 to 1.
    """
    weights = np.exp((votes.totals - votes.totals.max()) / temperature)
    sure: NDArray[np.float64] = np.minimum((weights / weights.sum()) @ votes.agrees, 1.0)
    return sure


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
