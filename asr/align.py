"""Forced alignment: the times of the words and characters of a text that is known."""

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from asr.corpus.text import normalise
from asr.decoding.alignment import align_states
from asr.decoding.fit import MISFIT_NATS, first_misfit
from asr.errors import AsrError
from asr.transcribe import Recogniser
from asr.units.characters import CharacterUnits
from asr.units.tokens import SPACE

FIT_SECONDS = 5.0
"""Stretch over which a text is expected to fit (see `first_misfit`)."""


class AlignedUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A character; start and end in seconds, score the mean natural-log probability of its frames."""

    text: str
    start: float
    end: float
    score: float


class AlignedWord(msgspec.Struct, frozen=True, kw_only=True):
    """A word, as `AlignedUnit`, with its characters; its score is the mean of theirs."""

    text: str
    start: float
    end: float
    score: float
    characters: list[AlignedUnit]


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
    """Find when each word and character of a text is spoken.

    Args:
        recogniser: the model.
        audio: a file, of any length.
        text: what is said in it; numbers are spelled and punctuation goes, as in training.
        max_misfit: nats a frame that the text may lose over five seconds against what the model hears freely.

    Raises:
        AsrError: audio that cannot be read, a text with characters outside the units or without words, or a
            text that does not fit the sound; the sentence says from which second and word on.
    """
    normal = normalise(text, spell_numbers=True)
    if not normal:
        raise AsrError(f"{audio}: a text with words expected, found none; give what is said in the audio")
    ids = CharacterUnits.from_tokens(recogniser.bundle.tokens).encode(normal)
    log_probs, times, duration = recogniser.log_probs(audio)
    states = align_states(log_probs, ids)
    classes = np.where(states % 2 == 1, np.array(ids)[np.minimum(states // 2, len(ids) - 1)], 0)
    heard = log_probs[np.arange(len(states)), classes]
    window = max(1, round(FIT_SECONDS / recogniser.frame_seconds))
    place = first_misfit(log_probs.max(axis=1) - heard, window, max_misfit)
    if place is not None:
        unit = min(int(states[place]) // 2, len(normal) - 1)
        number = normal[:unit].count(" ") + 1
        raise AsrError(
            f"{audio}: the text does not fit the sound from {times[place]:.1f} s on, near word {number} "
            f"({normal.split()[number - 1]}): words were left out of one of them, or another text was "
            "read; correct the text or cut the audio there, or allow more with --max-misfit"
        )
    units = _units(normal, states, heard, times, recogniser.frame_seconds, duration)
    words = _words(units)
    return Alignment(audio=str(audio), duration=duration, text=normal, score=float(heard.sum()), words=words)


def _units(
    text: str,
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
            text=character,
            start=min(float(times[frames[begin]]), duration),
            end=min(float(times[frames[end - 1]]) + frame_seconds, duration),
            score=float(heard[frames[begin:end]].mean()),
        )
        for character, begin, end in zip(text, begins, ends, strict=True)
    ]


def _words(units: list[AlignedUnit]) -> list[AlignedWord]:
    words: list[list[AlignedUnit]] = [[]]
    for unit in units:
        if unit.text in (" ", SPACE):
            words.append([])
        else:
            words[-1].append(unit)
    return [
        AlignedWord(
            text="".join(unit.text for unit in word),
            start=word[0].start,
            end=word[-1].end,
            score=sum(unit.score for unit in word) / len(word),
            characters=word,
        )
        for word in words
    ]
