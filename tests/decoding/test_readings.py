"""Readings become words with times and confidences."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from asr.decoding.alignment import align
from asr.decoding.lexicon_decoder import LexiconDecoder, Reading
from asr.decoding.readings import (
    LEAST_HEARD,
    MOST_ODDS,
    VOTE_ALONE,
    _agrees,
    confidences,
    evidence,
    shares,
    to_hypotheses,
    word_places,
)

TOKENS = ["<blank>", "|", "A", "B", "C"]
LEXICON = [("ABBA", [2, 3, 3, 2]), ("CAB", [4, 2, 3]), ("A", [2])]
words = st.lists(st.sampled_from("ABC"), max_size=6)


def reading(text: str, total: float) -> Reading:
    return Reading(words=text.split(), ids=[], lens=[], acoustic=total, lm=0.0, total=total, is_whole=True)


@given(words, words)
def test_the_words_that_agree_are_those_of_an_alignment_with_the_fewest_edits(
    one: list[str], other: list[str]
) -> None:
    assert all(_agrees(one, one))
    kept = [place for place, agree in enumerate(_agrees(one, other)) if agree]
    assert edits_that_keep(tuple(one), tuple(other), tuple(kept)) == Levenshtein.distance(one, other)


def edits_that_keep(one: tuple[str, ...], other: tuple[str, ...], kept: tuple[int, ...]) -> float:
    """The fewest edits in which just these words of the first text are left as they are."""

    @functools.cache
    def cost(i: int, j: int) -> float:
        if i == 0 or j == 0:
            return math.inf if any(place < i for place in kept) else i + j
        insert, swap = cost(i, j - 1) + 1, math.inf
        if i - 1 in kept:
            same = cost(i - 1, j - 1) if one[i - 1] == other[j - 1] else math.inf
            return min(insert, same)
        if one[i - 1] != other[j - 1]:
            swap = cost(i - 1, j - 1) + 1
        return min(insert, swap, cost(i - 1, j) + 1)

    return cost(len(one), len(other))


def test_a_word_has_the_probability_of_the_readings_that_have_it() -> None:
    totals = np.log([0.5, 0.3, 0.2]) - 1e6
    texts = ["THE CAT SAT", "THE CAT", "A CAT SAT"]
    found = shares([reading(*pair) for pair in zip(texts, totals, strict=True)])
    assert found == pytest.approx([0.8, 1.0, 0.7])


def test_a_word_that_moved_agrees() -> None:
    assert _agrees(["ON", "THE", "MAT"], ["OH", "ON", "THE", "MAT"]) == [True] * 3
    assert _agrees(["ON", "THE", "MAT"], ["THE", "MAT", "ON"]) == [False, True, True]


def test_one_reading_is_sure_and_silence_has_no_words() -> None:
    assert shares([reading("A B", -5.0)]).tolist() == [1.0, 1.0]
    silent = [reading("", -5.0), reading("A", -6.0)]
    assert shares(silent).shape == (0,)
    assert evidence(silent, [], word_places([], 1)).shape == (0, 2)


def test_the_evidence_is_the_vote_and_how_well_units_are_heard() -> None:
    best = replace(reading("AB C", 0.0), ids=[2, 3, 1, 4], lens=[2, 1])
    other = reading("AB A", math.log(0.25))
    found = evidence([best, other], [0.9, 0.4, 0.99, 0.0], word_places(best.lens, 1))
    assert found[:, 0] == pytest.approx([MOST_ODDS, math.log(0.8 / 0.2)])
    assert found[:, 1] == pytest.approx([(math.log(0.9) + math.log(0.4)) / 2, LEAST_HEARD])
    assert confidences(found, VOTE_ALONE) == pytest.approx([0.99909, 0.8], abs=1e-4)


@given(st.tuples(st.floats(-3, 3), st.floats(0, 3), st.floats(0, 3)))
def test_more_evidence_never_makes_a_word_less_sure(weights: tuple[float, float, float]) -> None:
    votes, heard = np.meshgrid(np.linspace(-7, 7, 5), np.linspace(-10, 0, 5), indexing="ij")
    sure = confidences(np.stack([votes.ravel(), heard.ravel()], axis=1), weights).reshape(5, 5)
    assert ((sure > 0) & (sure <= 1)).all()
    assert (np.diff(sure, axis=0) >= -1e-12).all() and (np.diff(sure, axis=1) >= -1e-12).all()


def test_every_unit_but_a_boundary_belongs_to_a_word() -> None:
    assert word_places([2, 3, 1], None).tolist() == [0, 0, 1, 1, 1, 2]
    assert word_places([2, 3, 1], 1).tolist() == [0, 0, -1, 1, 1, 1, -1, 2]
    assert word_places([4], 1).tolist() == [0] * 4
    assert word_places([], None).tolist() == []


def frames(units: str) -> np.ndarray:
    """Log-probabilities (T, C) of one frame a letter; "." is the blank."""
    probs = np.full((len(units), len(TOKENS)), 0.02)
    for t, letter in enumerate(units):
        probs[t, 0 if letter == "." else TOKENS.index(letter)] = 0.92
    return np.log(probs)


def test_words_have_the_times_of_their_units() -> None:
    log_probs = frames("..AB.BA.|..CAB.")
    decoder = LexiconDecoder(LEXICON, boundary=1, beam=50, top=5, recombine=False)
    readings = decoder.decode(log_probs[None], [15], nbest=10)[0]
    hyps = to_hypotheses(
        "one", readings, log_probs, boundary=1, frame_seconds=0.04, duration=0.6, weights=VOTE_ALONE
    )
    first = hyps[0]
    assert (first.utt_id, first.text, first.score) == ("one", "ABBA CAB", readings[0].total)
    assert [word.text for word in first.words] == ["ABBA", "CAB"]
    times = [(word.start, word.end) for word in first.words]
    assert times == [pytest.approx((2 * 0.04, 7 * 0.04)), pytest.approx((11 * 0.04, 14 * 0.04))]
    assert align(log_probs, readings[0].ids)[0][0] == 2
    assert all(0.9 < word.confidence <= 1 for word in first.words)
    assert [hyp.text for hyp in hyps[1:]] == [" ".join(other.words) for other in readings[1:]]
    assert all(hyp.words == [] for hyp in hyps[1:]) and len(hyps) > 2
    assert (first.acoustic, first.lm) == (readings[0].acoustic, readings[0].lm)


def test_a_word_is_called_as_the_lexicon_has_it_whatever_its_units_are() -> None:
    log_probs = frames(".AB.|.C.")
    decoder = LexiconDecoder([("apple", [2, 3]), ("sea", [4])], boundary=1, beam=50, top=5, recombine=False)
    readings = decoder.decode(log_probs[None], [8], nbest=1)[0]
    (hyp,) = to_hypotheses(
        "one", readings, log_probs, boundary=1, frame_seconds=0.04, duration=1.0, weights=VOTE_ALONE
    )
    assert hyp.text == "apple sea" == " ".join(word.text for word in hyp.words)


def test_words_without_a_boundary_between_them_have_their_own_units() -> None:
    """As with a model of letters whose transcripts were single words, or pieces that mark no beginning."""
    log_probs = np.delete(frames(".AB.B.A."), 1, axis=1)
    log_probs -= np.logaddexp.reduce(log_probs, axis=1, keepdims=True)
    decoder = LexiconDecoder([("AB", [1, 2]), ("BA", [2, 1])], boundary=None, beam=50, top=4)
    readings = decoder.decode(log_probs[None], [8], nbest=9)[0]
    first = to_hypotheses(
        "one", readings, log_probs, boundary=None, frame_seconds=0.5, duration=3.2, weights=VOTE_ALONE
    )[0]
    assert [(word.text, word.start, word.end) for word in first.words] == [("AB", 0.5, 1.5), ("BA", 2.0, 3.2)]


def test_no_word_and_no_frames() -> None:
    decoder = LexiconDecoder(LEXICON, boundary=1, beam=5, top=5, recombine=False)
    for log_probs in (frames("......"), frames("")):
        readings = decoder.decode(log_probs[None], [len(log_probs)], nbest=1)[0]
        (hyp,) = to_hypotheses(
            "quiet",
            readings,
            log_probs,
            boundary=1,
            frame_seconds=0.04,
            duration=1.0,
            weights=VOTE_ALONE,
        )
        assert (hyp.text, hyp.words) == ("", [])
