"""Long utterances of train in pieces whose texts are known, cut in pauses that an alignment helps to find."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from asr.align import AlignedWord, align
from asr.corpus.summary import Summary
from asr.errors import AsrError
from asr.features.audio import read_audio
from asr.features.pauses import HOP_SECONDS, quiet_hops
from asr.progress import track
from asr.records import Utterance
from asr.transcribe import Recogniser
from recipes.evaluation import as_source

PAUSE_SECONDS = 0.2
"""A pause is quiet for so long; what is shorter may be a stop within a word."""
SHORTEST = 1.0
"""Seconds of the shortest piece."""


def cut_long(
    recogniser: Recogniser, utterances: Sequence[Utterance], longest: float, summary: Summary
) -> list[Utterance]:
    """Cut utterances that are longer than `longest` seconds, in pauses.

    A piece has the id of its utterance with -1, -2, … behind it. What cannot be aligned stays whole, and so
    does what has no pause; the summary counts both.

    Args:
        recogniser: a model that aligns the texts.
        utterances: of train.
        longest: seconds of a piece, where pauses allow it.
        summary: takes the counts.

    Raises:
        AsrError: it can align none of them.
    """
    rows: list[Utterance] = []
    cut = whole = misfits = 0
    reason = ""
    for row in track(utterances, "cutting long utterances", len(utterances)):
        pieces = [row]
        if row.duration > longest:
            try:
                pieces = _pieces(recogniser, row, longest)
            except AsrError as error:
                misfits, reason = misfits + 1, str(error)
            cut, whole = cut + (len(pieces) > 1), whole + (len(pieces) == 1)
        rows += pieces
    if misfits and misfits == cut + whole:
        raise AsrError(
            f"corpus.cut_with: the model aligns none of the {misfits} utterances longer than {longest:g} s "
            f"({reason}); give a better model, or none"
        )
    if cut or whole:
        summary.warn(
            "corpus.cut_with",
            f"{cut} utterances longer than {longest:g} s were cut, {whole} stay whole: the texts of "
            f"{misfits} do not fit their sound, {whole - misfits} have no pause",
        )
    return rows


def _pieces(recogniser: Recogniser, row: Utterance, longest: float) -> list[Utterance]:
    reasons: dict[str, str] = {}
    words = align(recogniser, as_source(row, recogniser.sample_rate, reasons), row.text).words
    texts = row.text.split()
    if len(texts) != len(words):  # an apostrophe that stands alone, for instance
        texts = [word.text for word in words]
    rate = recogniser.sample_rate
    waveform = read_audio(row.audio, sample_rate=rate, start=row.start, duration=row.duration)
    pauses = find_pauses(waveform, rate, words)
    times = [0.0, *choose_cuts(list(pauses), row.duration, longest), row.duration]
    firsts = [0, *(pauses[time] for time in times[1:-1]), len(texts)]
    if len(times) == 2:
        return [row]
    return [
        replace(
            row,
            utt_id=f"{row.utt_id}-{number + 1}",
            start=row.start + times[number],
            duration=times[number + 1] - times[number],
            text=" ".join(texts[firsts[number] : firsts[number + 1]]),
        )
        for number in range(len(times) - 1)
    ]


def find_pauses(
    waveform: NDArray[np.float32], sample_rate: int, words: Sequence[AlignedWord]
) -> dict[float, int]:
    """Where nobody speaks between two words: the second in the middle of each pause, and the word behind it.

    A word's time from a CTC model is where its characters were recognised, not where it begins and ends, so
    between two words the longest stretch that is quiet is looked for.

    Args:
        waveform: (S,), of the utterance.
        sample_rate: in Hz.
        words: with times, in seconds from the beginning of the waveform.
    """
    quiet = quiet_hops(waveform, sample_rate)
    pauses = {}
    for number in range(1, len(words)):
        first = round(words[number - 1].end / HOP_SECONDS)
        begin, length = _longest_run(quiet[first : round(words[number].start / HOP_SECONDS)])
        if length * HOP_SECONDS >= PAUSE_SECONDS:
            pauses[round((first + begin + length / 2) * HOP_SECONDS, 3)] = number
    return pauses


def choose_cuts(times: Sequence[float], duration: float, longest: float) -> list[float]:
    """Of the times where a cut is possible, a few that leave pieces of at most `longest` seconds.

    Where no pause lies so near, the next one is taken. No piece is shorter than `SHORTEST`.
    """
    cuts: list[float] = []
    begin = 0.0
    while duration - begin > longest:
        possible = [time for time in times if begin + SHORTEST <= time <= duration - SHORTEST]
        near = [time for time in possible if time <= begin + longest]
        if not possible:
            break
        begin = max(near) if near else min(possible)
        cuts.append(begin)
    return cuts


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """(begin, length) of the longest run of True; (0, 0) where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return 0, 0
    longest = int((ends - begins).argmax())
    return int(begins[longest]), int(ends[longest] - begins[longest])
