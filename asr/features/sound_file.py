"""Opening sound files and streams, and reading frames from them as they are; every failure is a sentence."""

import contextlib
import io
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.features.container import HEAD_BYTES, conversion, foreign_media, refusal
from asr.features.ffmpeg import DecodingError, FfmpegFile, open_ffmpeg
from asr.features.mp3 import counted_frames, told_frames
from asr.features.ogg import check_pages
from asr.files import write_error

Source: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A path, or a binary file-like object such as `sys.stdin.buffer`; it is read from its beginning."""

_SPOOL_BYTES = 1 << 26
_RATES = range(1_000, 1_000_001)
_UNKNOWN_FRAMES = 1 << 62  # libsndfile says 2^63 - 1 for a FLAC whose header does not give the length
_STREAMED_BYTES = 0x7FFFF000  # sox, ffmpeg and arecord write this or more where they cannot know the length
_CLAIM = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_LEAD_SECONDS = 10.0
_MP3_PADDING = 4 * 1152  # samples that encoder and decoder may leave out at the ends
_NEED_LEAD = ("MPEG_LAYER_III", "VORBIS")

log = logging.getLogger("asr")


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that `read` goes through without seeking.

    soundfile seeks to where it is after each read, so that writing may follow. In an MP3 this loses the
    decoder's state: the sound is wrong for some frames after each block. At the end of a FLAC it fails.
    """

    def seekable(self) -> bool:
        return False


@dataclass(frozen=True)
class Sound:
    """An open file.

    Attributes:
        file: a `soundfile.SoundFile` or an `FfmpegFile`.
        name: for sentences.
        total: frames that it should hold according to its header; None where the header does not say.
    """

    file: Any
    name: str
    total: int | None

    @property
    def rate(self) -> int:
        """Frames a second."""
        return int(self.file.samplerate)

    @property
    def channels(self) -> int:
        """Samples a frame."""
        return int(self.file.channels)

    def damaged(self, readable: int) -> AsrError:
        """The sentence for a file of which only `readable` frames can be read."""
        total = "an unknown number of" if self.total is None else f"{self.total / self.rate:.2f}"
        return AsrError(
            f"{self.name}: damaged: {readable / self.rate:.2f} of {total} seconds can be read; the file "
            "was cut short or changed: fetch or export it again"
        )

    def read(self, frames: int) -> tuple[NDArray[np.float32], bool]:
        """Up to `frames` frames (n, channels), and whether an error cut them short.

        soundfile raises without saying how many frames came before the error: the buffer is marked to see it.
        """
        buffer = np.empty((frames, self.channels), np.float32)
        buffer[:, 0] = np.nan
        try:
            return self.file.read(out=buffer), False
        except (soundfile.LibsndfileError, DecodingError):
            unread = np.isnan(buffer[:, 0])
            count = int(unread.argmax()) if unread.any() else frames
            return buffer[:count], count < frames

    def seek(self, first: int) -> None:
        """Go to a frame.

        An MP3 frame needs what the frames before it have left over, and libsndfile lands some samples off in
        the last page of a Vorbis file: both are entered earlier and decoded from there. Where the length is
        not known, libsndfile cannot seek and all is decoded.

        Raises:
            AsrError: the file ends or is damaged before this frame.
        """
        if first == 0:
            return
        lead = round(_LEAD_SECONDS * self.rate) if self.file.subtype in _NEED_LEAD else 0
        start = max(0, first - lead) if self.total is not None else 0
        try:
            self.file.seek(start)
        except soundfile.LibsndfileError as error:
            raise AsrError(
                f"{self.name}: damaged: what follows {first / self.rate:.2f} s cannot be reached; the file "
                "was cut short or changed: fetch or export it again"
            ) from error
        skipped = start + self._skip(first - start)
        if skipped < first and self.total is not None:
            raise self.damaged(skipped)
        if skipped < first:
            raise AsrError(
                f"{self.name}: segment from {first / self.rate:g} s: outside the file, which is "
                f"{skipped / self.rate:.2f} s long"
            )

    def _skip(self, frames: int) -> int:
        """Decode and drop up to `frames` frames; how many there were."""
        skipped = 0
        while skipped < frames:
            wanted = min(1 << 16, frames - skipped)
            got = len(self.read(wanted)[0])
            skipped += got
            if got < wanted:
                break
        return skipped


@contextlib.contextmanager
def open_sound(source: Source) -> Iterator[Sound]:
    """Open a path, a named pipe or a stream.

    Raises:
        AsrError: missing, empty, a folder, not audio, or with a header that cannot be true.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            name = str(source)
            target = _check_path(Path(source), stack)
        else:
            name = str(getattr(source, "name", "audio stream")).replace("<stdin>", "standard input")
            target = _rewound(source, name, stack)
        file = _opened(target, name, stack)
        if file.samplerate not in _RATES:
            raise AsrError(
                f"{name}: its header gives a sample rate of {file.samplerate} Hz; expected {_RATES[0]} to "
                f"{_RATES[-1]} Hz; {conversion(name)}"
            )
        yield Sound(file, name, _frames(file, name, target))


def _opened(target: str | BinaryIO, name: str, stack: contextlib.ExitStack) -> Any:
    """The file by libsndfile; by FFmpeg what it does not know, where PyAV is installed."""
    try:
        return stack.enter_context(_Sequential(_for_soundfile(target)))
    except soundfile.LibsndfileError as error:
        head = _head(target)
        if foreign_media(head) is None:
            raise refusal(name, head, error.error_string) from error
        try:
            return stack.enter_context(open_ffmpeg(target, name))
        except ImportError:
            raise refusal(name, head, error.error_string) from error
    except TypeError as error:  # soundfile asks for the rate of a file called .raw
        raise AsrError(f"{name}: sound without a header is not read; {conversion(name)}") from error


def _check_path(path: Path, stack: contextlib.ExitStack) -> str | BinaryIO:
    """The path for libsndfile, or a copy of what a named pipe delivers."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            return _rewound(stack.enter_context(path.open("rb")), str(path), stack)
        with path.open("rb"):
            pass
    except IsADirectoryError as error:
        raise AsrError(f"{path}: this is a folder, an audio file was expected") from error
    except FileNotFoundError as error:
        raise AsrError(f"{path}: no such audio file") from error
    except OSError as error:
        raise AsrError(f"{path}: cannot be opened ({error.strerror})") from error
    if status.st_size == 0:
        raise AsrError(f"{path}: not readable as audio (0 bytes)")
    return str(path)


def _for_soundfile(target: str | BinaryIO) -> str | bytes | BinaryIO:
    """The bytes of a path: soundfile cannot encode a name that is not UTF-8, as old archives hold them."""
    return os.fsencode(target) if isinstance(target, str) and sys.platform != "win32" else target


def _rewound(stream: BinaryIO, name: str, stack: contextlib.ExitStack) -> BinaryIO:
    """The stream at its beginning; one that cannot seek is copied, to memory or a temporary file."""
    if not stream.seekable():
        spool = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))  # noqa: SIM115
        try:
            shutil.copyfileobj(stream, spool, 1 << 20)
        except OSError as error:
            raise write_error(Path(tempfile.gettempdir()), error) from error
        stream = spool  # type: ignore[assignment]  # it has what soundfile needs
    if stream.seek(0, io.SEEK_END) == 0:
        raise AsrError(f"{name}: not readable as audio (0 bytes)")
    stream.seek(0)
    return stream


def _head(target: str | BinaryIO) -> bytes:
    if isinstance(target, str):
        with Path(target).open("rb") as file:
            return file.read(HEAD_BYTES)
    target.seek(0)
    head = target.read(HEAD_BYTES)
    target.seek(0)
    return head


def _frames(file: Any, name: str, target: str | BinaryIO) -> int | None:
    """How many frames the file should hold; None where nothing tells it."""
    if isinstance(file, FfmpegFile):
        return None
    if file.format == "OGG":
        with _bytes_of(target) as stream:
            check_pages(stream, name, file.frames / file.samplerate)
    return _mp3_frames(file, name, target) if file.format == "MP3" else _announced_frames(file, name)


@contextlib.contextmanager
def _bytes_of(target: str | BinaryIO) -> Iterator[BinaryIO]:
    """The bytes of a file; a stream is left where it was."""
    if isinstance(target, str):
        with Path(target).open("rb") as file:
            yield file
        return
    position = target.tell()
    yield target
    target.seek(position)


def _mp3_frames(file: Any, name: str, target: str | BinaryIO) -> int | None:
    """The frames of an MP3 that tells its length; None where libsndfile guesses too much.

    Raises:
        AsrError: libsndfile would stop before the end.
    """
    with _bytes_of(target) as stream:
        told = told_frames(stream)
        counted = 0 if told else counted_frames(stream)
    if not told and counted > file.frames + _MP3_PADDING:
        raise AsrError(
            f"{name}: this MP3 does not tell its length, {counted / file.samplerate:.2f} s, of which "
            f"{file.frames / file.samplerate:.2f} s would be read; {conversion(name)}"
        )
    return int(file.frames) if told or counted >= file.frames else None


def _announced_frames(file: Any, name: str) -> int | None:
    """The frames that the header announces; libsndfile itself quietly takes the size of the file."""
    frames = int(file.frames)
    if frames >= _UNKNOWN_FRAMES:
        return None
    claim = _CLAIM.search(file.extra_info)
    if claim and int(claim[1]) < _STREAMED_BYTES:
        announced, present = int(claim[1]), int(claim[2])
        if frames == 0 or present == 0:
            raise AsrError(
                f"{name}: damaged: the header announces {announced} bytes of sound, the file holds none: "
                "fetch or export it again"
            )
        return max(frames, frames * announced // present)
    goes_on = "Exiting parser" in file.extra_info  # what follows the sound is no part of the format
    if not claim and frames == 0 and (goes_on or "Have 0 marker" in file.extra_info):
        raise AsrError(
            f"{name}: the header announces no sound although the file goes on, as when a recording was "
            f"not finished; {conversion(name)}"
        )
    if not claim and goes_on:
        log.warning(
            "%s: the header announces %.2f seconds; what follows them in the file is not read",
            name,
            frames / file.samplerate,
        )
    return frames
