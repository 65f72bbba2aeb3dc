"""Formats that libsndfile does not read: what was written comes back, damage is a sentence."""

import io

import numpy as np
import pytest

from asr.errors import AsrError
from asr.features.audio import probe, read_audio, read_blocks

av = pytest.importorskip("av", reason="the extra 'media' is not installed")

SECONDS = 3.0
FORMATS = {"m4a": ("aac", 44100, "stereo"), "webm": ("libopus", 48000, "mono"), "mp4": ("aac", 16000, "mono")}
FRAMES = {"adts": ("aac", 16000, "mono"), "stereo": ("aac", 44100, "stereo")}
"""Without a container: such files may be joined."""


def tone(rate):
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(SECONDS * rate)) / rate)).astype(np.float32)


def encoded(suffix, video=False):
    codec, rate, layout = (FORMATS | FRAMES)[suffix]
    buffer = io.BytesIO()
    container = {"m4a": "ipod", "stereo": "adts"}.get(suffix, suffix)
    with av.open(buffer, "w", format=container) as file:
        pictures = file.add_stream("mpeg4", rate=5) if video else None
        stream = file.add_stream(codec, rate=rate)
        stream.layout = layout
        samples = np.tile(tone(rate), (stream.channels, 1))
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.rate, frame.pts = rate, 0
        packets = [*stream.encode(frame), *stream.encode(None)]
        if pictures:
            pictures.width = pictures.height = 64
            pictures.pix_fmt = "yuv420p"
            blank = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            packets = [*pictures.encode(blank), *pictures.encode(None), *packets]
        for packet in packets:
            file.mux(packet)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_sound_comes_back(tmp_path, suffix):
    path = tmp_path / f"http: talk.{suffix}"  # a name is never taken for an address
    path.write_bytes(encoded(suffix))
    waveform = read_audio(path, sample_rate=16000)
    assert abs(len(waveform) / 16000 - SECONDS) < 0.1
    spectrum = np.abs(np.fft.rfft(waveform[16000:32000]))
    assert spectrum.argmax() == 440
    assert abs(waveform[16000:32000]).max() == pytest.approx(0.3, abs=0.03)
    info = probe(path)
    assert (info.sample_rate, info.channels) == (
        FORMATS[suffix][1],
        {"mono": 1, "stereo": 2}[FORMATS[suffix][2]],
    )
    assert info.seconds == pytest.approx(len(waveform) / 16000, abs=0.001)


@pytest.mark.parametrize("suffix", FORMATS)
def test_blocks_segments_and_streams_equal_the_whole(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(encoded(suffix))
    rate = FORMATS[suffix][1]
    whole = read_audio(path, sample_rate=rate)
    np.testing.assert_array_equal(np.concatenate(list(read_blocks(path, rate, 0.7))), whole)
    segment = read_audio(path, sample_rate=rate, start=1.0, duration=0.5)
    np.testing.assert_array_equal(segment, whole[rate : rate + rate // 2])
    np.testing.assert_array_equal(read_audio(io.BytesIO(path.read_bytes()), sample_rate=rate), whole)


def test_the_sound_of_a_video(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(encoded("mp4", video=True))
    assert abs(len(read_audio(path, sample_rate=16000)) / 16000 - SECONDS) < 0.1


def test_joined_files_of_other_rates_and_channels(tmp_path):
    """What follows is made like the beginning."""
    path = tmp_path / "joined.aac"
    path.write_bytes(encoded("adts") + encoded("stereo"))
    waveform = read_audio(path, sample_rate=16000)
    assert abs(len(waveform) / 16000 - 2 * SECONDS) < 0.2
    for second in (1, 4):
        spectrum = np.abs(np.fft.rfft(waveform[second * 16000 : (second + 1) * 16000]))
        assert spectrum.argmax() == 440


def test_sound_that_ffmpeg_cannot_decode(tmp_path):
    """As protected files are."""
    path = tmp_path / "book.m4a"
    path.write_bytes(encoded("m4a").replace(b"mp4a", b"drms").replace(b"esds", b"free"))
    with pytest.raises(AsrError, match=r"book\.m4a: its sound is coded in a way that FFmpeg does not know"):
        read_audio(path, sample_rate=16000)


def test_what_is_damaged(tmp_path):
    whole = encoded("webm")
    path = tmp_path / "cut.webm"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AsrError, match=r"cut.webm: damaged: 1\.\d\d of an unknown number of seconds"):
        read_audio(path, sample_rate=16000)
    path.write_bytes(whole[:100])
    with pytest.raises(AsrError, match=r"cut.webm: not readable as audio \(FFmpeg: "):
        read_audio(path, sample_rate=16000)


def test_a_video_without_sound(tmp_path):
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    with pytest.raises(AsrError, match=r"silent\.mp4: there is no sound in it, only video"):
        read_audio(path, sample_rate=16000)
