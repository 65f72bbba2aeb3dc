"""The small records that pass between the rooms, and the one constant that they share."""

import msgspec

BLANK_ID = 0
"""Class 0 of every model is CTC's blank."""


class Utterance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stretch of speech and what was said in it; one line of a manifest.

    Attributes:
        utt_id: unique in its manifest.
        audio: path of the audio file.
        start: where the utterance begins in the file, in seconds.
        duration: how long it is, in seconds.
        text: normalised transcript; empty where it is unknown.
        speaker: who speaks; "unknown" where nobody says.
    """

    utt_id: str
    audio: str
    start: float
    duration: float
    text: str
    speaker: str


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A recognised word; start and end in seconds from the start of the audio, confidence from 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """What the decoder heard in one utterance; all scores are natural logarithms.

    Attributes:
        score: by which the search ranks texts; without a language model the log-probability of the text.
        acoustic, lm: what the acoustic and the language model say, where there is a language model.
    """

    utt_id: str
    text: str
    score: float
    words: list[Word] = []
    acoustic: float | None = None
    lm: float | None = None
