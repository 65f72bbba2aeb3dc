"""Readings become words with times and confidences."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from asr.decoding.alignment import align
from asr.decoding.lexicon_decoder import LexiconDecoder, Reading
from asr.decoding.readings import confidences, to_hypotheses, vote

TOKENS = ["<blank>", "|", "A", "B", "C"]
LEXICON = [("ABBA", [2, 3, 3, 2]), ("CAB", [4, 2, 3]), ("A", [2])]
words = st.lists(st.sampled_from("ABC"), max_size=6)


def reading(text: str, total: float) -> Reading:
    return Reading(words=text.split(), ids=[], acoustic=total, lm=0.0, total=total, is_whole=True)


@given(words, words)
def test_the_words_that_agree_are_those_of_an_alignment_with_the_fewest_edits(
    one: list[str], other: list[str]
) -> None:
    agrees = vote([reading(" ".join(text), 0.0) for text in (one, other)]).agrees
    assert agrees[0].all()
    kept = [place for place, agree in enumerate(agrees[1]) if agree]
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
    totals = np.log([0.5, 0.3, 0.2])
    texts = ["THE CAT SAT", "THE CAT", "A CAT SAT"]
    found = confidences(vote([reading(*pair) for pair in zip(texts, totals, strict=True)]), 1.0)
    assert found == pytest.approx([0.8, 1.0, 0.7])


def test_a_word_that_moved_agrees() -> None:
    votes = vote([reading("ON THE MAT", 0.0), reading("OH ON THE MAT", 0.0), reading("THE MAT ON", 0.0)])
    assert votes.agrees.tolist() == [[True] * 3, [True] * 3, [False, True, True]]


def test_temperature_makes_words_less_sure_down_to_the_share_of_readings() -> None:
    votes = vote([reading("A B", 0.0), reading("A C", -3.0), reading("C C", -4.0), reading("C B", -9.0)])
    sure = [confidences(votes, temperature)[1] for temperature in (0.01, 1.0, 3.0, 1e9)]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] == pytest.approx(1.0) and sure[-1] == pytest.approx(0.5)


def test_totals_of_any_size_are_no_overflow() -> None:
    votes = vote([reading("A", -1e6), reading("B", -1e6 - 1e5)])
    assert confidences(votes, 1.0) == pytest.approx([1.0])


def test_one_reading_is_sure_and_silence_has_no_words() -> None:
    assert confidences(vote([reading("A B", -5.0)]), 1.0).tolist() == [1.0, 1.0]
    assert confidences(vote([reading("", -5.0), reading("A", -6.0)]), 1.0).shape == (0,)


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
        "one", readings, log_probs, TOKENS, frame_seconds=0.04, duration=0.6, temperature=1.0
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
        "one", readings, log_probs, TOKENS, frame_seconds=0.04, duration=1.0, temperature=1.0
    )
    assert hyp.text == "apple sea" == " ".join(word.text for word in hyp.words)


def test_no_word_and_no_frames() -> None:
    decoder = LexiconDecoder(LEXICON, boundary=1, beam=5, top=5, recombine=False)
    for log_probs in (frames("......"), frames("")):
        readings = decoder.decode(log_probs[None], [len(log_probs)], nbest=1)[0]
        (hyp,) = to_hypotheses(
            "quiet", readings, log_probs, TOKENS, frame_seconds=0.04, duration=1.0, temperature=1.0
        )
        assert (hyp.text, hyp.words) == ("", [])
