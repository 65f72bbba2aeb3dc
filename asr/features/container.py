"""Why a file is not readable as audio, in words: what it seems to be, and what to do about it."""

import shlex
from pathlib import Path

from asr.errors import AsrError

HEAD_BYTES = 512
"""How much of the beginning of a file `refusal` looks at."""

_FOREIGN = [
    (4, b"ftyp", "MPEG-4 audio or video (m4a, mp4, mov)"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (0, b"\x30\x26\xb2\x75", "Windows Media (wma, asf)"),
    (0, b"#!AMR", "AMR"),
    (0, b"FLV\x01", "Flash video"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (8, b"AVI ", "AVI video"),
]
_ARCHIVES = [
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
]
_READABLE = "WAV, FLAC, OGG, Opus, MP3 and AIFF"


def refusal(name: str, head: bytes, reason: str) -> AsrError:
    """The sentence for a file that libsndfile refuses to open.

    Args:
        name: path of the file, or what a stream is called.
        head: its first `HEAD_BYTES` bytes, or all of it if it is shorter.
        reason: what libsndfile says.
    """
    if _is_text(head):
        return AsrError(f"{name}: not readable as audio: it holds text; {_READABLE} are expected")
    if found := _kind(head, _ARCHIVES):
        return AsrError(f"{name}: not readable as audio: it is {found}; unpack it first")
    if found := foreign_media(head):
        return AsrError(
            f"{name}: {found} is not among the formats read here ({_READABLE}); install PyAV, which reads it "
            f"(pip install 'asr[media]'), or {conversion(name)}"
        )
    reason = reason.rstrip(". ")
    return AsrError(f"{name}: not readable as audio ({reason}); {_READABLE} are; {conversion(name)}")


def foreign_media(head: bytes) -> str | None:
    """What sound or video that libsndfile does not know begins like this, in words; None for others."""
    return _kind(head, _FOREIGN)


def _kind(head: bytes, kinds: list[tuple[int, bytes, str]]) -> str | None:
    return next((kind for at, magic, kind in kinds if head[at : at + len(magic)] == magic), None)


def conversion(name: str) -> str:
    """What the user can type to turn `name` into audio that is readable here."""
    path = Path(name)
    if not path.exists():  # a stream
        return "convert it first: ffmpeg -i INPUT -ac 1 -ar 16000 OUTPUT.wav"
    target = f"{path.stem}-converted.wav" if path.suffix.lower() == ".wav" else f"{path.stem}.wav"
    return f"convert it first: ffmpeg -i {shlex.quote(name)} -ac 1 -ar 16000 {shlex.quote(target)}"


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", errors="ignore")
    whole = len(text.encode()) >= len(head) - 3  # the last character may have been cut
    return whole and all(
        character.isprintable() or character.isspace() for character in text.lstrip("\ufeff")
    )
