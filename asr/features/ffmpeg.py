"""Sound that libsndfile does not read (m4a, mp4, webm, wma, amr …), decoded by FFmpeg through PyAV.

PyAV is the optional extra `media`: its wheels bring FFmpeg along, some of whose parts are under the GPL.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError

_TELL_LENGTH = ("mov", "matroska", "asf")
"""Containers that tell their length; that of bare AAC or AMR is FFmpeg's guess from the file's size."""
_MISSING_SECONDS = 0.5  # encoders pad, containers round


class DecodingError(Exception):
    """The file is damaged here; `readable` samples a channel came before."""


class FfmpegFile:
    """One audio stream, read once from its beginning: what `Sound` needs of a `soundfile.SoundFile`.

    Its length is not told: what the container says differs by the encoder's padding from what comes out.
    """

    def __init__(self, container: Any, name: str) -> None:
        """Find the first audio stream.

        Args:
            container: an open PyAV container.
            name: for sentences.

        Raises:
            AsrError: there is none, or FFmpeg cannot decode it.
        """
        import av

        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise AsrError(f"{name}: there is no sound in it, only {_others(container)}")
        if stream.codec_context is None:
            raise AsrError(
                f"{name}: its sound is coded in a way that FFmpeg does not know, or protected; export it as "
                "WAV or FLAC with a program that plays it"
            )
        self.samplerate, self.channels = int(stream.rate), int(stream.channels)
        self.format, self.subtype = container.format.name.split(",")[0].upper(), stream.codec.name.upper()
        seconds = stream.duration * stream.time_base if stream.duration is not None else container.duration
        is_told = container.format.name.startswith(_TELL_LENGTH) and seconds is not None
        if is_told and stream.duration is None:
            seconds = seconds / av.time_base
        self._least = float(seconds - _MISSING_SECONDS) * self.samplerate if is_told else 0.0
        self._layout = stream.layout
        self._blocks = self._decode(container, stream)
        self._rest = np.zeros((0, self.channels), np.float32)
        self._read = 0

    def read(self, out: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fill `out` (n, channels) from where the last call ended; returns the part of it that was filled.

        Raises:
            DecodingError: damage, or the end comes before what the container tells; what came before it is
                in `out`.
        """
        done = 0
        while done < len(out):
            if not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = block
            taken = min(len(self._rest), len(out) - done)
            out[done : done + taken] = self._rest[:taken]
            self._rest = self._rest[taken:]
            done += taken
            self._read += taken
        if done < len(out) and self._read < self._least:
            raise DecodingError
        return out[:done]

    def seek(self, frame: int) -> None:
        """Only the beginning can be reached, and only before anything was read."""
        if frame != 0 or self._read != 0:
            raise DecodingError

    def _decode(self, container: Any, stream: Any) -> Iterator[NDArray[np.float32]]:
        """Blocks of samples (n, channels). Where rate or channels change, as in AAC that was joined, what
        follows is made like the beginning."""
        import av

        resampler, setup = None, None
        try:
            for frame in container.decode(stream):
                found = (frame.format.name, frame.layout.name, frame.sample_rate)
                if found != setup:
                    yield from self._samples(resampler, None)
                    resampler = av.AudioResampler("flt", self._layout, self.samplerate)
                    setup = found
                yield from self._samples(resampler, frame)
            yield from self._samples(resampler, None)
        except av.FFmpegError as error:
            raise DecodingError from error

    def _samples(self, resampler: Any, frame: Any) -> Iterator[NDArray[np.float32]]:
        """What a resampler, where there is one, gives for a frame, or with None at its end."""
        for resampled in resampler.resample(frame) if resampler is not None else ():
            yield np.asarray(resampled.to_ndarray(), np.float32).reshape(-1, self.channels)


@contextlib.contextmanager
def open_ffmpeg(target: str | BinaryIO, name: str) -> Iterator[FfmpegFile]:
    """Open a path or a stream that can seek.

    Raises:
        ImportError: PyAV is not installed.
        AsrError: FFmpeg does not read it, or there is no sound in it.
    """
    import av

    with contextlib.ExitStack() as stack:
        # FFmpeg gets no name, which it might take for an address or a list of files.
        stream = stack.enter_context(Path(target).open("rb")) if isinstance(target, str) else target
        try:
            container = stack.enter_context(av.open(stream, metadata_errors="ignore"))
        except av.FFmpegError as error:
            raise AsrError(f"{name}: not readable as audio (FFmpeg: {error.strerror})") from error
        yield FfmpegFile(container, name)


def _others(container: Any) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "an empty container"
