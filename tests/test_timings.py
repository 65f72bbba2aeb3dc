"""Subtitles: how words are cut into them, and how they are written."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.records import Word
from asr.timings import (
    CAPTION_SECONDS,
    LINE_CHARACTERS,
    LINES,
    PAUSE_SECONDS,
    captions,
    ctm_line,
    recording_id,
    srt,
    vtt,
)


def spoken(text: str, start: float = 0.0, each: float = 0.3, gap: float = 0.1) -> list[Word]:
    """Words that come one after the other."""
    return [
        Word(text=word, start=start + k * (each + gap), end=start + k * (each + gap) + each, confidence=1.0)
        for k, word in enumerate(text.split())
    ]


@st.composite
def speeches(draw: st.DrawFn) -> list[Word]:
    now, words = 0.0, []
    for text in draw(st.lists(st.text("ABC", min_size=1, max_size=60), max_size=40)):
        now += draw(st.floats(0, 3))
        end = now + draw(st.floats(0, 2))
        words.append(Word(text=text, start=now, end=end, confidence=0.5))
        now = end
    return words


@given(speeches(), st.floats(0, 10))
def test_subtitles_hold_all_words_in_order_within_their_limits(words: list[Word], rest: float) -> None:
    duration = (words[-1].end if words else 0.0) + rest
    found = captions(words, duration)
    assert " ".join(" ".join(caption.lines) for caption in found) == " ".join(word.text for word in words)
    for caption in found:
        assert caption.start <= caption.end <= duration
        assert 1 <= len(caption.lines) <= LINES
        for line in caption.lines:
            assert len(line) <= LINE_CHARACTERS or " " not in line
    for before, after in itertools.pairwise(found):
        assert before.end <= after.start
    starts = {word.start for word in words}
    assert all(caption.start in starts for caption in found)


def test_a_pause_and_a_long_stretch_begin_a_new_subtitle() -> None:
    first, second = spoken("THE CAT SAT"), spoken("ON A MAT", start=1.1 + PAUSE_SECONDS + 0.1)
    assert [caption.lines for caption in captions(first + second, 20.0)] == [["THE CAT SAT"], ["ON A MAT"]]
    slow = captions(spoken("SO SLOW IT IS THAT FEW WORDS FIT", each=1.4), 20.0)
    assert len(slow) > 1 and all(caption.end - caption.start <= CAPTION_SECONDS for caption in slow)


def test_a_short_word_stands_for_a_second_unless_the_next_comes() -> None:
    assert captions(spoken("YES"), 5.0)[0].end == 1.0
    assert captions(spoken("YES"), 0.5)[0].end == 0.5


def test_subrip() -> None:
    words = spoken("HELLO THERE", start=3599.9) + spoken("BYE", start=3610.0)
    assert srt(words, 3700.0) == (
        "1\n00:59:59,900 --> 01:00:00,900\nHELLO THERE\n\n2\n01:00:10,000 --> 01:00:11,000\nBYE\n\n"
    )
    assert srt([], 1.0) == ""


def test_webvtt() -> None:
    words = [Word(text="A<B&C>", start=0.0, end=1.25, confidence=1.0)]
    assert vtt(words, 2.0) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nA&lt;B&amp;C&gt;\n"
    assert vtt([], 2.0) == "WEBVTT\n"


@pytest.mark.parametrize(("seconds", "clock"), [(0.0006, "00:00:00,001"), (59.9996, "00:01:00,000")])
def test_times_are_rounded_without_a_sixtieth_second(seconds: float, clock: str) -> None:
    words = [Word(text="A", start=seconds, end=seconds + 2, confidence=1.0)]
    assert re.match(rf"1\n{clock} --> ", srt(words, 90.0))


@pytest.mark.parametrize(
    ("audio", "name"), [("-", "stdin"), ("a/my talk.mp3", "my_talk"), ("talk", "talk"), (" ", "audio")]
)
def test_recordings_are_called_by_their_file_without_spaces(audio: str, name: str) -> None:
    assert recording_id(audio) == name


def test_a_line_of_ctm() -> None:
    assert ctm_line("talk", Word(text="HI", start=0.1, end=0.35, confidence=0.5), 0.5) == (
        "talk 1 0.100 0.250 HI 0.5000"
    )
