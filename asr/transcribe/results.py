"""What comes out, and how the pieces of a file become one transcript."""

import heapq
import itertools
from collections.abc import Iterable, Sequence

import msgspec

from asr.records import Hypothesis, Word


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One of the N best texts; scores as in `Hypothesis`, summed over the pieces of a long file."""

    text: str
    score: float
    acoustic: float | None = None
    lm: float | None = None


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard in one audio file.

    Attributes:
        audio: path as it was given; "array" for samples from memory.
        duration: of the audio, in seconds.
        text: the words; empty where nothing was heard.
        score: natural-log probability of the text, or with a language model what the search ranks texts by;
            summed over the pieces of a long file.
        words: with times in seconds from the start of the file, and confidences.
        alternatives: the N best texts, best first, where more than one was asked for.
    """

    audio: str
    duration: float
    text: str
    score: float
    words: list[Word]
    alternatives: list[Alternative] = []


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An audio file that could not be transcribed; reason is a sentence that names it."""

    audio: str
    reason: str


def joined(
    audio: str, seconds: float, heard: Sequence[tuple[float, list[Hypothesis]]], nbest: int
) -> Transcript:
    """The pieces of one file as one transcript, times counted from its start.

    Args:
        audio, seconds: name and length of the file.
        heard: where each piece begins, in seconds, and what was heard in it, best first.
        nbest: alternatives that are wanted.
    """
    words = [
        msgspec.structs.replace(word, start=word.start + offset, end=word.end + offset)
        for offset, hyps in heard
        for word in hyps[0].words
    ]
    return Transcript(
        audio=audio,
        duration=seconds,
        text=" ".join(word.text for word in words),
        score=sum(hyps[0].score for _, hyps in heard),
        words=words,
        alternatives=_alternatives([hyps for _, hyps in heard], nbest) if nbest > 1 else [],
    )


def _alternatives(pieces: Iterable[list[Hypothesis]], nbest: int) -> list[Alternative]:
    """The N best ways to take one hypothesis of each piece, different in text."""
    best = [Alternative(text="", score=0.0)]
    for hyps in pieces:
        found: dict[str, Alternative] = {}
        for before, hyp in itertools.product(best, hyps):
            both = Alternative(
                text=f"{before.text} {hyp.text}".strip(),
                score=before.score + hyp.score,
                acoustic=_sum(before.acoustic, hyp.acoustic),
                lm=_sum(before.lm, hyp.lm),
            )
            known = found.setdefault(both.text, both)
            if both.score > known.score:
                found[both.text] = both
        best = heapq.nlargest(nbest, found.values(), key=lambda other: other.score)
    return best


def _sum(before: float | None, more: float | None) -> float | None:
    return before if more is None else (before or 0.0) + more
