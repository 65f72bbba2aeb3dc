"""Lengths of MP3 files, by their frames."""

import io

import numpy as np
import pytest
import soundfile

from asr.features.mp3 import counted_frames, told_frames


def encoded(rate, seconds=2.0, **options):
    buffer = io.BytesIO()
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate))
    soundfile.write(buffer, samples, rate, format="MP3", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000])
def test_told_and_counted_agree(rate):
    """MPEG 1, 2 and 2.5. The frame that tells the length is counted, but does not count itself."""
    file = io.BytesIO(encoded(rate))
    frame = 1152 if rate >= 32000 else 576
    told = told_frames(file)
    assert told is not None and counted_frames(file) == told + frame
    assert 2 * rate <= told <= 2 * rate + 5 * frame


def test_constant_bit_rate_tells_nothing():
    file = io.BytesIO(encoded(16000, compression_level=0.9, bitrate_mode="CONSTANT"))
    assert told_frames(file) is None
    counted = counted_frames(file)
    file.seek(0)
    assert counted == soundfile.info(file).frames


def test_what_is_around_the_sound_is_not_counted():
    plain = encoded(16000)
    expected = counted_frames(io.BytesIO(plain))
    head = b"ID3\x04\0\0\0\0\x02\x10" + b"\xff\xfb\x90\x00" * 68
    tail = b"APETAGEX" + np.random.default_rng(1).bytes(60_000) + b"TAG" + bytes(125)
    assert counted_frames(io.BytesIO(head + plain + tail)) == expected
    assert told_frames(io.BytesIO(head + plain)) == told_frames(io.BytesIO(plain))


def test_a_hole_is_stepped_over():
    plain = encoded(16000)
    middle = len(plain) // 2
    holed = plain[:middle] + b"\xff" * 3000 + plain[middle + 3000 :]
    whole, found = counted_frames(io.BytesIO(plain)), counted_frames(io.BytesIO(holed))
    assert 0.5 * whole < found < whole


def test_joined_files_do_not_believe_the_first():
    plain = encoded(16000)
    assert told_frames(io.BytesIO(plain * 2)) is None
    assert counted_frames(io.BytesIO(plain * 2)) == 2 * counted_frames(io.BytesIO(plain))


def test_fraunhofers_tag():
    """VBRI stands 32 bytes after the header of the first frame: version, delay, quality, bytes, frames."""
    plain = encoded(16000, compression_level=0.9, bitrate_mode="CONSTANT")
    tag = b"VBRI" + bytes(6) + len(plain).to_bytes(4, "big") + (123).to_bytes(4, "big")
    assert told_frames(io.BytesIO(plain[:36] + tag + plain[36 + len(tag) :])) == 123 * 576


NO_MP3 = [
    b"",
    b"ID3",
    b"ID3\x04\0\0\0\0\x7f\x7f",
    b"\xff",
    b"\xff\xfb\x90",
    bytes(9000),
    b"\xff" * 9000,
]


@pytest.mark.parametrize("content", NO_MP3, ids=lambda content: str(content[:12]))
def test_no_mp3(content):
    assert told_frames(io.BytesIO(content)) is None
    assert counted_frames(io.BytesIO(content)) == 0
