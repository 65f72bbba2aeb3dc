"""Forced alignment: the times of the words and units (characters, phones, pieces) of a text that is known."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr.corpus.text import normalise
from asr.decoding.alignment import align_states
from asr.decoding.fit import MISFIT_NATS, first_misfit, frame_losses, heard_log_probs
from asr.errors import AsrError
from asr.transcribe import Recogniser
from asr.units.pieces import WORD_START

FIT_SECONDS = 5.0
"""Stretch over which a text is expected to fit (see `first_misfit`)."""
EDGE_SECONDS = 0.03
"""CTC is sure of a unit in the middle of its sound: a unit begins so much before its first frame and ends so
much after its last, as far as its neighbours leave room. Measured by `benchmarks/alignment.py`."""


class AlignedUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A character, a phone or a piece of a word; start and end in seconds, score the mean natural-log
    probability of its frames."""

    text: str
    start: float
    end: float
    score: float


class AlignedWord(msgspec.Struct, frozen=True, kw_only=True):
    """A word, as `AlignedUnit`, with its units; its score is the mean of theirs."""

    text: str
    start: float
    end: float
    score: float
    units: list[AlignedUnit]


class Alignment(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a text in an audio file of `duration` seconds; score is of the whole path."""

    audio: str
    duration: float
    text: str
    score: float
    words: list[AlignedWord]


def align(
    recogniser: Recogniser, audio: str | Path, text: str, *, max_misfit: float = MISFIT_NATS
) -> Alignment:
    """Find when each word and unit of a text is spoken; of several pronunciations the first is looked for.

    Args:
        recogniser: the model.
        audio: a file, of any length.
        text: what is said in it; numbers are spelled and punctuation goes, as in training.
        max_misfit: nats a frame that the text may lose over five seconds against what the model hears freely.

    Raises:
        AsrError: audio that cannot be read, a text that the units cannot write or without words, or a text
            that does not fit the sound; the sentence says from which second and word on.
    """
    normal = normalise(text, spell_numbers=True)
    if not normal:
        raise AsrError(f"{audio}: a text with words expected, found none; give what is said in the audio")
    ids, boundary = recogniser.units.encode(normal), recogniser.units.boundary
    numbers = _word_numbers(ids, recogniser.bundle.tokens, boundary)
    names = [recogniser.bundle.tokens[unit].removeprefix(WORD_START) for unit in ids]
    log_probs, times, duration = recogniser.log_probs(audio)
    try:
        states = align_states(log_probs, ids)
    except AsrError as error:
        raise AsrError(
            f"{audio}: the text does not fit the sound, {duration:.1f} s: {error}; correct the text, or look "
            "for silence"
        ) from error
    heard = heard_log_probs(log_probs, ids, states)
    window = max(1, round(FIT_SECONDS / recogniser.frame_seconds))
    place = first_misfit(frame_losses(log_probs, ids, states), window, max_misfit)
    if place is not None:
        number = numbers[min(int(states[place]) // 2, len(ids) - 1)] + 1
        raise AsrError(
            f"{audio}: the text does not fit the sound from {times[place]:.1f} s on, near word {number} "
            f"({normal.split()[number - 1]}): words were left out of one of them, or another text was "
            "read; correct the text or cut the audio there, or allow more with --max-misfit"
        )
    spoken = np.array(ids) != boundary
    begins, ends = unit_times(states, spoken, times, recogniser.frame_seconds, duration)
    scores = _unit_scores(states, heard)
    units = [
        AlignedUnit(text=name, start=start, end=end, score=score)
        for name, start, end, score in zip(
            names, begins.tolist(), ends.tolist(), scores.tolist(), strict=True
        )
    ]
    words = [
        _word(
            text, [unit for unit, of, i in zip(units, numbers, ids, strict=True) if of == n and i != boundary]
        )
        for n, text in enumerate(normal.split())
    ]
    return Alignment(audio=str(audio), duration=duration, text=normal, score=float(heard.sum()), words=words)


def _word_numbers(ids: list[int], names: list[str], boundary: int | None) -> list[int]:
    """Which word each unit belongs to, from 0; a boundary counts to the word before it."""
    numbers, number = [], 0
    for place, unit in enumerate(ids):
        number += place > 0 and boundary is None and names[unit].startswith(WORD_START)
        numbers.append(number)
        number += unit == boundary
    return numbers


def unit_times(
    states: NDArray[np.int64],
    spoken: NDArray[np.bool_],
    times: NDArray[np.float64],
    frame_seconds: float,
    duration: float,
    edge_seconds: float = EDGE_SECONDS,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When each unit begins and ends, in seconds.

    Args:
        states: (T,) from `align_states`.
        spoken: (U,) whether a unit has a sound; a boundary between words has none and keeps its frames.
        times: (T,) the second at which each frame begins.
        frame_seconds: length of a frame.
        duration: of the audio; nothing ends later.
        edge_seconds: see `EDGE_SECONDS`. Between two units the beginning of the second is moved first,
            because CTC is later with a beginning than it is early with an end.

    Returns:
        Beginnings and ends, (U,) each. Spoken units do not overlap.
    """
    first, last = _first_and_last(states)
    begins, ends = np.minimum(times[first], duration), np.minimum(times[last] + frame_seconds, duration)
    floor = np.concatenate(([0.0], ends[spoken][:-1]))
    begins[spoken] = np.maximum(begins[spoken] - edge_seconds, np.minimum(floor, begins[spoken]))
    roof = np.append(begins[spoken][1:], duration)
    ends[spoken] = np.minimum(ends[spoken] + edge_seconds, np.maximum(roof, ends[spoken]))
    return begins, ends


def _unit_scores(states: NDArray[np.int64], heard: NDArray[np.float64]) -> NDArray[np.float64]:
    """(U,) the mean log-probability of each unit's frames."""
    first, last = _first_and_last(states)
    return np.array([heard[begin : end + 1].mean() for begin, end in zip(first, last, strict=True)])


def _first_and_last(states: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and the last frame of each unit, (U,) each; a unit's frames are one run."""
    frames = np.flatnonzero(states % 2 == 1)
    units = states[frames] // 2
    return frames[np.flatnonzero(np.diff(units, prepend=-1))], frames[
        np.flatnonzero(np.diff(units, append=-1))
    ]


def _word(text: str, units: list[AlignedUnit]) -> AlignedWord:
    return AlignedWord(
        text=text,
        start=units[0].start,
        end=units[-1].end,
        score=sum(unit.score for unit in units) / len(units),
        units=units,
    )
