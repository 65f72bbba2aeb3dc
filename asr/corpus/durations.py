"""How long audio files are, from their headers, and whether their end can be read."""

import re
from pathlib import Path
from typing import Any

from asr.errors import AsrError

_READABLE = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64",
    ".sph",
)  # fmt: skip
_FOREIGN = (  # not read by soundfile; named, not passed over
    ".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".aac", ".wma", ".asf", ".webm", ".mkv", ".mka", ".flv",
    ".avi", ".amr",
)  # fmt: skip
AUDIO_SUFFIXES = frozenset(_READABLE + _FOREIGN)
"""What counts as audio in a folder."""

_CLAIM = re.compile(r"^\s*(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_STREAMED_BYTES = 0x7FFFF000  # written, or more, by tools that cannot know the length
_MISSING = 0.1  # seconds that may be missing at the end, as for `asr transcribe`


def audio_seconds(path: Path) -> float:
    """Seconds of audio in a file: its header's promise, checked by reading its last sample.

    The check costs a fraction of a millisecond and finds files that were cut short. MP3 is taken at its
    header's word: seeking there makes the decoder print complaints about sound files.

    Raises:
        AsrError: missing, empty, not audio, no samples, or shorter than its header says; the sentence has
            no path in front, so that the caller can put the utterance's name there.
    """
    import soundfile

    try:
        if path.stat().st_size == 0:
            raise AsrError("not readable as audio (0 bytes)")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise AsrError(f"the audio file is missing ({path})") from error
    except (OSError, ValueError) as error:  # ValueError: a character that no path can have
        reason = getattr(error, "strerror", None) or error
        raise AsrError(f"the audio file cannot be opened ({path}: {reason})") from error
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:
        hint = "; convert it to WAV or FLAC" if path.suffix.lower() in AUDIO_SUFFIXES else ""
        raise AsrError(f"not readable as audio ({path.name}: {_plain(error)}){hint}") from error
    with file:
        if file.frames <= 0:
            raise AsrError(f"the audio has no samples ({path.name})")
        seconds = float(file.frames / file.samplerate)
        promised = seconds * _promise(file.extra_info)
        is_whole = promised <= seconds + _MISSING and (file.format == "MP3" or _has_last_sample(file))
    if not is_whole:
        raise AsrError(f"the audio is cut short: its header promises {promised:.2f} s, the end is not there")
    return seconds


def _promise(extra_info: str) -> float:
    """What a header promises by what there is, where libsndfile has quietly taken the size of the file."""
    found = _CLAIM.search(extra_info)
    promised, present = (int(found[1]), int(found[2])) if found else (0, 0)
    return promised / present if present and promised < _STREAMED_BYTES else 1.0


def _has_last_sample(file: Any) -> bool:
    import soundfile

    try:
        file.seek(file.frames - 1)
        return len(file.read(1)) == 1
    except soundfile.LibsndfileError:
        return False


def audio_files(folder: Path) -> dict[str, Path]:
    """Audio files directly in `folder` by name without suffix; of two with one name, the first in order.

    Hidden files are passed over. A folder that is not there has no files.
    """
    if not folder.is_dir():
        return {}
    found = (path for path in sorted(folder.iterdir(), reverse=True) if not path.name.startswith("."))
    return {path.stem: path for path in found if path.suffix.lower() in AUDIO_SUFFIXES}


def _plain(error: Exception) -> str:
    """libsndfile's reason without its prefix, which repeats the path."""
    return str(getattr(error, "error_string", error)).rstrip(".")
