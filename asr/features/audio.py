"""Sound files to waveforms: any format, rate and number of channels that soundfile reads, whole or in parts.

A waveform is float32 (S,), mono, at the rate that was asked for. Whatever is wrong with a file becomes one
sentence (`AsrError`) that names it; a part of a damaged file is never handed out as if it were the whole.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.features.sound_file import Sound, open_sound
from asr.features.sound_file import Source as Source

OVERSHOOT_SECONDS = 0.5
"""A segment may end this much after its file, as in Kaldi's extract-segments; it is cut there."""
MISSING_SECONDS = 0.1
"""So much may be missing at the end before a file counts as damaged: encoders pad, tools round."""

_QUALITY = "HQ"  # soxr's; librosa calls it soxr_hq
_BLOCK_FRAMES = 1 << 20
_CHANNELS = {1: "mono", 2: "stereo"}

log = logging.getLogger("asr")


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What a file's header says; `seconds` is its length, `format` and `subtype` are libsndfile's names."""

    sample_rate: int
    channels: int
    seconds: float
    format: str
    subtype: str


def probe(path: Source) -> AudioInfo:
    """Look at a file without decoding it, unless its header does not give the length.

    Raises:
        AsrError: no such file, or it is not readable as audio, or it is shorter than its header says.
    """
    with open_sound(path) as sound:
        total = sound.total
        if total is None:
            total = sum(len(block) for block in _mono_blocks(sound, 0, None))
        elif (total - sound.file.frames) / sound.rate > MISSING_SECONDS:
            raise sound.damaged(sound.file.frames)
        return AudioInfo(
            sample_rate=sound.rate,
            channels=sound.channels,
            seconds=total / sound.rate,
            format=sound.file.format,
            subtype=sound.file.subtype,
        )


def read_audio(
    path: Source, *, sample_rate: int, start: float = 0.0, duration: float | None = None
) -> NDArray[np.float32]:
    """Read a file, or a segment of it, as a waveform.

    Only the segment is decoded. Integer samples are scaled to [-1, 1), channels are averaged, other rates
    are resampled by soxr at its high quality. A file without sound, or with nothing but zeros, is logged.

    Args:
        path: any file that soundfile reads, or a binary stream.
        sample_rate: of the result, in Hz.
        start: where the segment begins, in seconds.
        duration: its length in seconds; None reads to the end. It may end up to `OVERSHOOT_SECONDS` after
            the file, and is cut there.

    Returns:
        waveform (S,), float32 and finite.

    Raises:
        AsrError: the file is missing, empty, not audio, damaged, shorter than its header says; it holds
            samples that are not numbers; the segment is outside.
    """
    with open_sound(path) as sound:
        first, count = _segment(sound, start, duration)
        _log_conversion(sound, sample_rate)
        blocks = list(_mono_blocks(sound, first, count))
        waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
        if not waveform.any():
            nothing = "all samples are zero" if len(waveform) else "the file holds no sound"
            log.warning("%s: %s", sound.name, nothing)
        return resample(waveform, sound.rate, sample_rate)


def read_blocks(path: Source, sample_rate: int, seconds: float) -> Iterator[NDArray[np.float32]]:
    """Read a file of any length in bounded memory; the blocks joined equal `read_audio` of the whole.

    Sound that is missing or nothing but zeros is left to the caller to remark upon.

    Args:
        path: any file that soundfile reads, or a binary stream.
        sample_rate: of the result, in Hz.
        seconds: length of a block; the last one is shorter.

    Yields:
        waveform (S,), float32.

    Raises:
        AsrError: as `read_audio`. From a damaged file, what comes before the damage is yielded first.
    """
    size = max(1, round(seconds * sample_rate))
    pending = np.zeros(0, np.float32)
    with open_sound(path) as sound:
        _log_conversion(sound, sample_rate)
        frames = min(_BLOCK_FRAMES, max(4096, math.ceil(seconds * sound.rate)))
        blocks = _mono_blocks(sound, 0, sound.total, frames)
        for waveform in _resample_stream(blocks, sound.rate, sample_rate):
            pending = np.concatenate((pending, waveform)) if len(pending) else waveform
            while len(pending) >= size:
                yield pending[:size].copy()
                pending = pending[size:]
    if len(pending):
        yield pending


def resample(waveform: NDArray[np.float32], rate: int, sample_rate: int) -> NDArray[np.float32]:
    """Waveform (S,) at `rate` Hz -> (about S · sample_rate / rate,) at `sample_rate` Hz, by soxr."""
    if rate == sample_rate or not len(waveform):
        return waveform
    return np.asarray(soxr.resample(waveform, rate, sample_rate, quality=_QUALITY), np.float32)


def _resample_stream(
    blocks: Iterator[NDArray[np.float32]], rate: int, sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    if rate == sample_rate:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality=_QUALITY)
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _segment(sound: Sound, start: float, duration: float | None) -> tuple[int, int | None]:
    """First frame and number of frames; None for as many as there are."""
    span = f"{sound.name}: segment from {start:g} s"
    if duration is not None:
        span += f" for {duration:g} s"
    if not (0 <= start < math.inf) or (duration is not None and not 0 < duration < math.inf):
        raise AsrError(f"{span}: the start must be 0 or more, the duration more than 0")
    first = round(start * sound.rate)
    wanted = None if duration is None else round(duration * sound.rate)
    if sound.total is None:
        return first, wanted
    last = sound.total if wanted is None else first + wanted
    if (first and first >= sound.total) or last > sound.total + OVERSHOOT_SECONDS * sound.rate:
        raise AsrError(f"{span}: outside the file, which is {sound.total / sound.rate:.2f} s long")
    return first, min(last, sound.total) - first


def _mono_blocks(
    sound: Sound, first: int, count: int | None, block_frames: int = _BLOCK_FRAMES
) -> Iterator[NDArray[np.float32]]:
    """Frames `first` to `first + count` at the file's own rate, channels averaged, each block checked."""
    sound.seek(first)
    done, broken = 0, False
    while (count is None or done < count) and not broken:
        wanted = block_frames if count is None else min(block_frames, count - done)
        samples, broken = sound.read(wanted)
        waveform = _mix_down(sound, samples, first + done)
        done += len(waveform)
        if len(waveform):
            yield waveform
        if len(waveform) < wanted:
            break
    missing = (count - done) / sound.rate if count is not None else 0.0
    if missing > MISSING_SECONDS or (count is None and broken):
        raise sound.damaged(first + done)
    if missing > 0:
        log.warning("%s: the last %.3f seconds are missing", sound.name, missing)


def _mix_down(sound: Sound, samples: NDArray[np.float32], first: int) -> NDArray[np.float32]:
    """Average the channels (n, channels) -> (n,); `first` says where the block is, for the sentence."""
    with np.errstate(invalid="ignore", over="ignore"):
        if sound.channels == 1:
            mono = samples[:, 0]
        else:
            mono = samples @ np.full(sound.channels, 1 / sound.channels, np.float32)
        finite = np.isfinite(mono)
    if not finite.all():
        raise AsrError(
            f"{sound.name}: {np.count_nonzero(~finite)} samples are not finite numbers, the first at "
            f"{(first + int(finite.argmin())) / sound.rate:.3f} s: export the file again"
        )
    return mono


def _log_conversion(sound: Sound, sample_rate: int) -> None:
    steps = ["resampling"] * (sound.rate != sample_rate) + ["mixing down"] * (sound.channels != 1)
    if steps and log.isEnabledFor(logging.INFO):
        log.info(
            "%s: %g kHz mono expected by the model, the file has %g kHz %s; %s",
            sound.name,
            sample_rate / 1000,
            sound.rate / 1000,
            _CHANNELS.get(sound.channels, f"with {sound.channels} channels"),
            " and ".join(steps),
        )
