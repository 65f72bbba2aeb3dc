"""Forced alignment: the times of the words and units (characters, phones, pieces) of a text that is known."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr.corpus.text import normalise
from asr.decoding.alignment import align_states
from asr.decoding.fit import MISFIT_NATS, first_misfit
from asr.errors import AsrError
from asr.transcribe import Recogniser
from asr.units.pieces import WORD_START

FIT_SECONDS = 5.0
"""Stretch over which a text is expected to fit (see `first_misfit`)."""


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
    states = align_states(log_probs, ids)
    classes = np.where(states % 2 == 1, np.array(ids)[np.minimum(states // 2, len(ids) - 1)], 0)
    heard = log_probs[np.arange(len(states)), classes]
    window = max(1, round(FIT_SECONDS / recogniser.frame_seconds))
    place = first_misfit(log_probs.max(axis=1) - heard, window, max_misfit)
    if place is not None:
        number = numbers[min(int(states[place]) // 2, len(ids) - 1)] + 1
        raise AsrError(
            f"{audio}: the text does not fit the sound from {times[place]:.1f} s on, near word {number} "
            f"({normal.split()[number - 1]}): words were left out of one of them, or another text was "
            "read; correct the text or cut the audio there, or allow more with --max-misfit"
        )
    units = _units(names, states, heard, times, recogniser.frame_seconds, duration)
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


def _units(
    names: list[str],
    states: NDArray[np.int64],
    heard: NDArray[np.float64],
    times: NDArray[np.float64],
    frame_seconds: float,
    duration: float,
) -> list[AlignedUnit]:
    frames = np.flatnonzero(states % 2 == 1)
    begins = np.flatnonzero(np.diff(states[frames] // 2, prepend=-1))
    ends = np.append(begins[1:], len(frames))
    return [
        AlignedUnit(
            text=name,
            start=min(float(times[frames[begin]]), duration),
            end=min(float(times[frames[end - 1]]) + frame_seconds, duration),
            score=float(heard[frames[begin:end]].mean()),
        )
        for name, begin, end in zip(names, begins, ends, strict=True)
    ]


def _word(text: str, units: list[AlignedUnit]) -> AlignedWord:
    return AlignedWord(
        text=text,
        start=units[0].start,
        end=units[-1].end,
        score=sum(unit.score for unit in units) / len(units),
        units=units,
    )
