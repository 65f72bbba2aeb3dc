"""Confidences against what was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.records import Hypothesis, Word
from asr.scoring.calibration import calibration, calibration_lines, calibration_of, right_words
from asr.scoring.wer import Scored, score

WORDS = st.lists(st.sampled_from("ABC"), max_size=6).map(" ".join)


def test_right_words_are_those_that_are_no_errors() -> None:
    report = score([Scored(utt_id="one", ref="THE CAT SAT ON THE MAT", hyp="A CAT SAT THE THE MAT TOO")])
    assert right_words(report.aligned[0]) == [False, True, True, False, True, True, False]


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_every_recognised_word_is_right_or_wrong(pairs: list[tuple[str, str]]) -> None:
    scored = [Scored(utt_id=str(k), ref=f"A {ref}", hyp=hyp) for k, (ref, hyp) in enumerate(pairs)]
    for item in score(scored).aligned:
        right = right_words(item)
        assert len(right) == len(item.hyp)
        assert sum(right) == item.words.hits


def test_the_error_is_the_mean_distance_of_sureness_and_correctness() -> None:
    sure = [0.95, 0.95, 0.95, 0.95, 0.45, 0.45]
    right = [True, True, True, False, False, True]
    found = calibration_of(sure, right)
    assert found.ece == pytest.approx((4 * 0.2 + 2 * 0.05) / 6)
    assert [(one.words, one.confidence, one.correct) for one in found.bins] == [
        (2, pytest.approx(0.45), 0.5),
        (4, pytest.approx(0.95), 0.75),
    ]


def test_certainty_belongs_to_the_last_bin_and_bins_do_not_cancel() -> None:
    found = calibration_of([1.0, 0.0], [False, True])
    assert found.ece == 1.0 and len(found.bins) == 2
    assert calibration_of([1.0, 0.0], [True, False]).ece == 0.0


def test_utterances_without_confidences_are_left_out() -> None:
    report = score([Scored(utt_id="one", ref="A B", hyp="A C"), Scored(utt_id="two", ref="B", hyp="B")])
    words = [Word(text=text, start=0.0, end=1.0, confidence=sure) for text, sure in (("A", 0.9), ("C", 0.1))]
    found = calibration(report, [Hypothesis(utt_id="one", text="A C", score=0.0, words=words)])
    assert found is not None and found.words == 2 and found.ece == pytest.approx(0.1)
    assert calibration(report, [Hypothesis(utt_id="two", text="B", score=0.0)]) is None


def test_the_table_names_the_error_in_percent() -> None:
    lines = calibration_lines(calibration_of([0.95, 0.25], [True, False]))
    assert lines[0] == "Confidences of 2 words: expected calibration error 15.0 %"
    assert [line.split() for line in lines[2:]] == [["25.0", "0.0", "1"], ["95.0", "100.0", "1"]]
