"""A transcript in each format that it can be written in."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from asr.files import printable
from asr.timings import ctm_line, recording_id, srt, textgrid, vtt

if TYPE_CHECKING:
    from asr.transcribe import Alternative, Transcript


class Format(StrEnum):
    """How a transcript is written."""

    txt = "txt"
    json = "json"
    srt = "srt"
    vtt = "vtt"
    ctm = "ctm"
    textgrid = "textgrid"


WHOLE_FILES = {Format.srt, Format.vtt, Format.textgrid}
"""What two transcripts cannot be put into one after the other."""
SUFFIXES = {Format.textgrid: "TextGrid"}
"""Extensions that differ from the format's name."""


def written(result: "Transcript", form: Format) -> str:
    """The transcript in that format, without the end of the last line."""
    if form is Format.txt:
        return result.text
    if form is Format.json:
        return json.dumps(_json(result), ensure_ascii=False)
    if form is Format.ctm:
        name = recording_id(printable(result.audio))
        lines = [ctm_line(name, word, word.confidence) for word in result.words]
        return "\n".join(lines or [f";; {name}: no words"])
    if form is Format.textgrid:
        return textgrid([("words", result.words)], max(result.duration, 0.001)).rstrip("\n")
    subtitles = srt if form is Format.srt else vtt
    return subtitles(result.words, result.duration).rstrip("\n")


def _json(result: "Transcript") -> dict[str, Any]:
    """One object of the JSON output: seconds to the millisecond, scores and confidences to four places."""
    words = [
        {
            "text": word.text,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            "confidence": round(word.confidence, 4),
        }
        for word in result.words
    ]
    line: dict[str, Any] = {
        "audio": printable(result.audio),
        "duration": round(result.duration, 3),
        "text": result.text,
        "score": round(result.score, 4),
        "words": words,
    }
    if result.alternatives:
        line["alternatives"] = [
            {name: value if isinstance(value, str) else round(value, 4) for name, value in fields.items()}
            for fields in map(_fields, result.alternatives)
        ]
    return line


def _fields(other: "Alternative") -> dict[str, str | float]:
    """Text and scores; those of the two models where there is a language model."""
    fields: dict[str, str | float] = {"text": other.text, "score": other.score}
    if other.acoustic is not None and other.lm is not None:
        fields |= {"acoustic": other.acoustic, "lm": other.lm}
    return fields
