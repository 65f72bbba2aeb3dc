"""Units with frames become words with times."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.greedy import greedy_search
from asr.decoding.path import Path
from asr.decoding.prefix_beam import prefix_beam_search
from asr.decoding.words import to_hypothesis
from asr.errors import AsrError
from asr.records import Word

TOKENS = ["<blank>", "|", "A", "B", "C"]


def lattice(frames: str, confidence: float = 0.92) -> np.ndarray:
    """Log-probabilities (T, C) of one frame a letter; "." is the blank."""
    probs = np.full((len(frames), len(TOKENS)), (1 - confidence) / (len(TOKENS) - 1))
    for t, letter in enumerate(frames):
        probs[t, TOKENS.index("<blank>" if letter == "." else letter)] = confidence
    return np.log(probs)


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_words_of_a_constructed_lattice(method: str) -> None:
    log_probs = lattice("..AAB.B..|.C..")
    log_probs[6] = np.log([0.2, 0.05, 0.05, 0.65, 0.05])  # the second B is the least sure unit
    if method == "greedy":
        (path,) = greedy_search(log_probs[None], [14])
    else:
        path = prefix_beam_search(log_probs[None], [14], beam=8, top=5)[0][0]
    hyp = to_hypothesis("one", path, TOKENS, frame_seconds=0.04, duration=0.56)
    assert (hyp.utt_id, hyp.text, hyp.score) == ("one", "ABB C", path.score)
    first, second = hyp.words
    assert (first.text, second.text) == ("ABB", "C")
    assert (first.start, first.end) == pytest.approx((2 * 0.04, 7 * 0.04))
    assert (second.start, second.end) == pytest.approx((11 * 0.04, 12 * 0.04))
    assert (first.confidence, second.confidence) == pytest.approx((0.65, 0.92))


def test_spaces_around_and_between_make_no_words() -> None:
    path = Path(ids=[1, 1, 2, 1, 1, 3, 1], frames=[0, 2, 4, 6, 8, 9, 11], score=-1.0, confidences=[0.5] * 7)
    hyp = to_hypothesis("one", path, TOKENS, frame_seconds=0.1, duration=2.0)
    assert hyp.text == "A B"
    assert [word.text for word in hyp.words] == ["A", "B"]


@pytest.mark.parametrize("ids", [[], [1], [1, 1]])
def test_silence_is_the_empty_text(ids: list[int]) -> None:
    path = Path(ids=ids, frames=list(range(len(ids))), score=-0.5, confidences=[0.9] * len(ids))
    hyp = to_hypothesis("quiet", path, TOKENS, frame_seconds=0.04, duration=1.0)
    assert (hyp.text, hyp.words, hyp.score) == ("", [], -0.5)


def test_times_stop_at_the_end_of_the_audio() -> None:
    """The last frames may reach over the end of the audio, since a front end pads it."""
    path = Path(ids=[2, 1, 3], frames=[9, 10, 12], score=-1.0, confidences=[0.9] * 3)
    hyp = to_hypothesis("short", path, TOKENS, frame_seconds=0.1, duration=0.95)
    assert hyp.words == [
        Word(text="A", start=0.9, end=0.95, confidence=0.9),
        Word(text="B", start=0.95, end=0.95, confidence=0.9),
    ]


@given(
    ids=st.lists(st.integers(1, 4), max_size=30),
    gaps=st.lists(st.integers(1, 5), min_size=30, max_size=30),
    duration=st.floats(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_words_are_in_order_and_inside_the_audio(ids: list[int], gaps: list[int], duration: float) -> None:
    frames = list(itertools.accumulate(gaps))[: len(ids)]
    path = Path(ids=ids, frames=frames, score=0.0, confidences=[0.7] * len(ids))
    hyp = to_hypothesis("any", path, TOKENS, frame_seconds=0.04, duration=duration)
    assert hyp.text == " ".join("".join(TOKENS[unit] for unit in ids).replace("|", " ").split())
    assert hyp.text.split() == [word.text for word in hyp.words]
    assert all(0 <= word.start <= word.end <= duration for word in hyp.words)
    for left, right in itertools.pairwise(hyp.words):
        assert left.start <= right.start
        assert left.end <= right.start + 1e-9


def test_a_class_without_a_token_is_named() -> None:
    path = Path(ids=[2, 5], frames=[0, 1], score=0.0, confidences=[1.0, 1.0])
    with pytest.raises(AsrError, match=r"one: class 5 was decoded, but the model has 5 tokens"):
        to_hypothesis("one", path, TOKENS, frame_seconds=0.04, duration=1.0)


def test_phones_stay_single_and_their_boundaries_go() -> None:
    path = Path(
        ids=[1, 2, 3, 1, 2], frames=[0, 2, 3, 5, 7], score=-1.0, confidences=[0.1, 0.9, 0.8, 0.2, 0.7]
    )
    tokens = ["<blank>", "|", "AE", "T"]
    hyp = to_hypothesis("one", path, tokens, frame_seconds=0.1, duration=2.0, kind="phones")
    assert hyp.text == "AE T AE"
    assert [(word.start, word.confidence) for word in hyp.words] == [
        pytest.approx(found) for found in [(0.2, 0.9), (0.3, 0.8), (0.7, 0.7)]
    ]


@pytest.mark.parametrize(
    ("ids", "words"),
    [([2, 3, 1, 2], ["CATS", "THE", "CAT"]), ([3, 2], ["S", "CAT"]), ([4, 2, 4], ["CAT"]), ([4, 3], ["S"])],
)
def test_a_piece_with_its_mark_begins_a_word(ids: list[int], words: list[str]) -> None:
    path = Path(ids=ids, frames=list(range(len(ids))), score=-1.0, confidences=[0.5] * len(ids))
    tokens = ["<blank>", "▁THE", "▁CAT", "S", "▁"]
    hyp = to_hypothesis("one", path, tokens, frame_seconds=0.1, duration=2.0, kind="bpe")
    assert [word.text for word in hyp.words] == words and hyp.text == " ".join(words)
