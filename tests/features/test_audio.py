"""Reading sound: formats, rates, channels, segments, blocks, streams."""

import io
import logging
import os
import struct
import sys
import threading
import tracemalloc

import numpy as np
import pytest
import soundfile

from asr.errors import AsrError
from asr.features.audio import AudioInfo, probe, read_audio, read_blocks, resample

RATE = 16000
LOSSLESS = [
    ("WAV", "PCM_U8", 8),
    ("WAV", "PCM_16", 16),
    ("WAV", "PCM_24", 24),
    ("WAV", "PCM_32", 24),
    ("WAV", "FLOAT", 24),
    ("WAV", "DOUBLE", 24),
    ("WAVEX", "PCM_16", 16),
    ("RF64", "PCM_16", 16),
    ("W64", "PCM_16", 16),
    ("FLAC", "PCM_S8", 8),
    ("FLAC", "PCM_16", 16),
    ("FLAC", "PCM_24", 24),
    ("AIFF", "PCM_16", 16),
    ("AIFF", "PCM_24", 24),
    ("AU", "PCM_16", 16),
    ("CAF", "PCM_16", 16),
    ("NIST", "PCM_16", 16),
]
LOSSY = [
    ("OGG", "VORBIS", 20),
    ("OGG", "OPUS", 15),
    ("MP3", "MPEG_LAYER_III", 20),
    ("WAV", "ULAW", 30),
    ("WAV", "ALAW", 30),
    ("WAV", "IMA_ADPCM", 20),
]


def tone(seconds=2.0, rate=RATE, hertz=440.0):
    """A sine that swells and falls, (S,) float32, at most 0.5."""
    time = np.arange(round(seconds * rate)) / rate
    swell = np.sin(np.pi * np.arange(len(time)) / len(time))
    return (0.5 * swell * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def write(path, samples, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return path


def decibels(error, signal):
    """Power of `error` against that of `signal`."""
    return 10 * np.log10(
        np.square(error, dtype=np.float64).mean() / np.square(signal, dtype=np.float64).mean()
    )


def noise(seconds, rate=RATE):
    """Noise in which encoders find no two frames alike, (S,) float64."""
    samples = np.random.default_rng(0).standard_normal(round(seconds * rate))
    return 0.2 * np.convolve(samples, np.ones(5) / 5, "same")


@pytest.mark.parametrize("container,subtype,bits", LOSSLESS)
def test_lossless_formats(tmp_path, container, subtype, bits):
    samples = tone()
    path = write(tmp_path / "a.audio", samples, format=container, subtype=subtype)
    waveform = read_audio(path, sample_rate=RATE)
    assert waveform.dtype == np.float32 and waveform.shape == samples.shape
    np.testing.assert_allclose(waveform, samples, rtol=0, atol=2.0 ** (1 - bits))
    info = probe(path)
    assert info == AudioInfo(sample_rate=RATE, channels=1, seconds=2.0, format=container, subtype=subtype)


@pytest.mark.parametrize("container,subtype,ratio", LOSSY)
def test_lossy_formats(tmp_path, container, subtype, ratio):
    samples = tone()
    path = write(tmp_path / "a.audio", samples, format=container, subtype=subtype)
    waveform = read_audio(path, sample_rate=RATE)
    assert abs(len(waveform) - len(samples)) < 0.05 * RATE
    common = min(len(waveform), len(samples))
    assert decibels(waveform[:common] - samples[:common], samples) < -ratio
    assert probe(path).seconds == pytest.approx(len(waveform) / RATE)


def test_channels_are_averaged(tmp_path):
    channels = np.stack([tone(hertz=hertz) for hertz in (200, 300, 400, 500, 600, 700)], axis=1)
    waveform = read_audio(write(tmp_path / "a.wav", channels, subtype="FLOAT"), sample_rate=RATE)
    np.testing.assert_allclose(waveform, channels.mean(axis=1), atol=1e-6)
    assert probe(tmp_path / "a.wav").channels == 6


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_resampling_keeps_a_sine(tmp_path, rate):
    time = np.arange(rate) / rate
    path = write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 1000 * time), rate, subtype="FLOAT")
    waveform = read_audio(path, sample_rate=RATE)
    assert len(waveform) == RATE
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    middle = slice(500, -500)
    assert decibels(waveform[middle] - expected[middle], expected) < -90


def test_resampling_leaves_no_alias():
    """10 kHz cannot be had at 16 kHz: it goes, instead of coming back as 6 kHz."""
    high = np.sin(2 * np.pi * 10_000 / 44_100 * np.arange(44_100)).astype(np.float32)
    assert decibels(resample(high, 44_100, RATE)[500:-500], high) < -90


@pytest.mark.parametrize(
    "rate,channels,message",
    [
        (44100, 2, "44.1 kHz stereo; resampling and mixing down"),
        (8000, 1, "8 kHz mono; resampling"),
        (RATE, 6, "16 kHz with 6 channels; mixing down"),
        (RATE, 1, None),
    ],
)
def test_what_is_changed_is_logged(tmp_path, caplog, rate, channels, message):
    path = write(tmp_path / "a.wav", np.tile(tone(0.1, rate)[:, None], channels), rate)
    with caplog.at_level(logging.INFO, logger="asr"):
        read_audio(path, sample_rate=RATE)
    expected = [f"{path}: 16 kHz mono expected by the model, the file has {message}"] if message else []
    assert [record.getMessage() for record in caplog.records] == expected


@pytest.mark.parametrize(
    "container,subtype,tolerance",
    [
        ("WAV", "PCM_16", 0),
        ("FLAC", "PCM_16", 0),
        ("OGG", "VORBIS", 1e-6),
        ("OGG", "OPUS", 2e-3),
        ("MP3", None, 1e-6),
    ],
)
def test_segments_are_slices(tmp_path, container, subtype, tolerance):
    path = write(tmp_path / "a.audio", noise(3.0), format=container, subtype=subtype)
    whole = read_audio(path, sample_rate=RATE)
    spans = [(first / 10, 0.1) for first in range(29)]
    for start, duration in [*spans, (0.0, 1.0), (1.23456, 0.7), (2.9, 0.1), (0.0, 3.0), (2.0, None)]:
        segment = read_audio(path, sample_rate=RATE, start=start, duration=duration)
        first = round(start * RATE)
        last = len(whole) if duration is None else first + round(duration * RATE)
        np.testing.assert_allclose(segment, whole[first:last], rtol=0, atol=tolerance)


def test_a_segment_at_another_rate(tmp_path):
    path = write(tmp_path / "a.flac", tone(3.0, 44100), 44100)
    segment = read_audio(path, sample_rate=RATE, start=1.0, duration=0.5)
    assert len(segment) == 8000
    whole = read_audio(path, sample_rate=RATE)
    np.testing.assert_allclose(segment[400:-400], whole[16400:23600], atol=1e-4)


def test_a_segment_may_end_a_little_late(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0))
    assert len(read_audio(path, sample_rate=RATE, start=0.5, duration=0.9)) == 8000


def peak_bytes(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def sparse_wav(path, seconds, rate=RATE):
    """A long WAV of silence that takes no room on the disk."""
    size = 2 * rate * seconds
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt ")
        file.write(
            struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16) + b"data" + struct.pack("<I", size)
        )
        file.truncate(44 + size)
    return path


def test_a_segment_of_hours_takes_the_memory_of_the_segment(tmp_path):
    path = sparse_wav(tmp_path / "long.wav", 3 * 3600)
    assert probe(path).seconds == 3 * 3600
    assert peak_bytes(lambda: read_audio(path, sample_rate=RATE, start=9000, duration=10)) < 3_000_000


@pytest.mark.parametrize("rate", [RATE, 8000])
def test_blocks_take_the_memory_of_a_block(tmp_path, rate):
    path = sparse_wav(tmp_path / "long.wav", 1200, rate)  # 77 MB as a waveform
    lengths = []
    peak = peak_bytes(lambda: lengths.extend(len(block) for block in read_blocks(path, RATE, 10.0)))
    assert sum(lengths) == 1200 * RATE
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "rate,seconds", [(RATE, 0.7), (RATE, 0.01), (44100, 0.7), (8000, 5.0), (11025, 50.0)]
)
@pytest.mark.parametrize("container", ["WAV", "FLAC", "MP3", "OGG"])
def test_blocks_joined_are_the_whole(tmp_path, rate, seconds, container):
    stereo = np.stack([noise(5.3, rate), tone(5.3, rate, 300)], axis=1)
    path = write(tmp_path / "a.audio", stereo, rate, format=container)
    blocks = list(read_blocks(path, RATE, seconds))
    assert {len(block) for block in blocks[:-1]} <= {round(seconds * RATE)}
    assert 0 < len(blocks[-1]) <= round(seconds * RATE)
    np.testing.assert_allclose(np.concatenate(blocks), read_audio(path, sample_rate=RATE), rtol=0, atol=1e-6)


def test_a_long_mp3_is_decoded_without_a_seam(tmp_path, monkeypatch):
    """soundfile alone, read in blocks, gives wrong samples after each block of some MP3 files."""
    path = write(tmp_path / "a.mp3", noise(5.0))
    expected = soundfile.read(path, dtype="float32")[0]
    monkeypatch.setattr("asr.features.audio._BLOCK_FRAMES", 10_000)
    np.testing.assert_allclose(read_audio(path, sample_rate=RATE), expected, rtol=0, atol=1e-6)


def test_blocks_are_the_readers_own(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0))
    kept = []
    for block in read_blocks(path, RATE, 0.3):
        kept.append(block.copy())
        block[:] = 9.0
    np.testing.assert_array_equal(np.concatenate(kept), read_audio(path, sample_rate=RATE))


def content(container="FLAC", seconds=1.0):
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(seconds), RATE, format=container)
    return buffer.getvalue()


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_streams(container):
    stream = io.BytesIO(content(container))
    expected = read_audio(stream, sample_rate=RATE)
    assert len(expected) == RATE
    assert probe(stream).seconds == 1.0  # the same stream again, from its beginning
    np.testing.assert_array_equal(np.concatenate(list(read_blocks(stream, RATE, 0.2))), expected)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_pipe_cannot_seek(container):
    sent = content(container)
    read_end, write_end = os.pipe()

    def send():
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(sent)

    thread = threading.Thread(target=send)
    thread.start()
    with os.fdopen(read_end, "rb") as pipe:
        waveform = read_audio(pipe, sample_rate=RATE)
    thread.join()
    np.testing.assert_array_equal(waveform, read_audio(io.BytesIO(sent), sample_rate=RATE))


def test_a_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(content()))
    thread.start()
    assert len(read_audio(tmp_path / "pipe", sample_rate=RATE)) == RATE
    thread.join()


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_streamed_wav_has_no_length(tmp_path, size):
    """What ffmpeg, arecord and sox write into a pipe: a size that means "unknown"."""
    streamed = bytearray(content("WAV"))
    streamed[4:8] = streamed[40:44] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(streamed)
    assert len(read_audio(tmp_path / "a.wav", sample_rate=RATE)) == RATE
    assert len(read_audio(io.BytesIO(streamed), sample_rate=RATE)) == RATE
    assert probe(tmp_path / "a.wav").seconds == 1.0


def flac_with_length(samples, frames):
    """A FLAC whose header says that it holds `frames` frames; 0 says that it does not know."""
    changed = bytearray(samples)
    changed[21] = (changed[21] & 0xF0) | (frames >> 32)
    changed[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    return bytes(changed)


def test_a_streamed_flac_has_no_length(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(content(seconds=10.0))
    expected = read_audio(path, sample_rate=RATE)
    path.write_bytes(flac_with_length(content(seconds=10.0), 0))
    assert probe(path).seconds == 10.0
    np.testing.assert_array_equal(read_audio(path, sample_rate=RATE), expected)
    np.testing.assert_array_equal(np.concatenate(list(read_blocks(path, RATE, 1.5))), expected)
    part = read_audio(path, sample_rate=RATE, start=7.25, duration=2.0)
    np.testing.assert_array_equal(part, expected[round(7.25 * RATE) : round(9.25 * RATE)])
    with pytest.raises(AsrError, match=r"outside the file, which is 10\.00 s long"):
        read_audio(path, sample_rate=RATE, start=11.0)


ID3 = b"ID3\x04\0\0\0\0\x02\x10" + bytes(272)


def mp3(samples, **options):
    """Encoded samples, and where the second frame begins."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="MP3", **options)
    encoded = buffer.getvalue()
    return encoded, encoded.index(encoded[:2], 4)


def test_an_mp3_of_constant_bit_rate_needs_no_length(tmp_path):
    encoded, _ = mp3(tone(3.0), compression_level=0.9, bitrate_mode="CONSTANT")
    assert b"Xing" not in encoded and b"Info" not in encoded
    path = tmp_path / "a.mp3"
    path.write_bytes(ID3 + encoded)
    waveform = read_audio(path, sample_rate=RATE)
    assert 3 * RATE <= len(waveform) < 3.2 * RATE
    assert probe(path).seconds == len(waveform) / RATE


def test_a_streamed_mp3_has_no_length(tmp_path):
    """An encoder that writes to a pipe cannot go back to the first frame, which tells the length."""
    samples = np.concatenate((np.zeros(RATE), noise(2.0)))
    encoded, second = mp3(samples)
    assert b"Xing" in encoded[:second]
    path = tmp_path / "a.mp3"
    path.write_bytes(ID3 + encoded)
    assert len(read_audio(path, sample_rate=RATE)) == 3 * RATE
    path.write_bytes(ID3 + encoded[second:])
    assert soundfile.info(path).duration > 6  # guessed from the bit rate of silence
    waveform = read_audio(path, sample_rate=RATE)
    assert 3 * RATE <= len(waveform) < 3.2 * RATE
    assert probe(path).seconds == len(waveform) / RATE
    part = read_audio(path, sample_rate=RATE, start=1.0, duration=0.5)
    np.testing.assert_array_equal(part, waveform[RATE : RATE + RATE // 2])
    np.testing.assert_array_equal(read_audio(io.BytesIO(encoded[second:]), sample_rate=RATE), waveform)


@pytest.mark.parametrize("count,message", [(1600, "all samples are zero"), (0, "holds no sound")])
def test_silence_is_a_warning(tmp_path, caplog, count, message):
    samples = np.zeros(count)
    path = write(tmp_path / "a.wav", samples)
    with caplog.at_level(logging.WARNING, logger="asr"):
        assert len(read_audio(path, sample_rate=RATE)) == len(samples)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(path) in caplog.text and message in caplog.text


@pytest.mark.parametrize("count", [1600, 0])
def test_silence_in_blocks_is_for_the_caller_to_remark_upon(tmp_path, caplog, count):
    path = write(tmp_path / "a.wav", np.zeros(count))
    assert sum(map(len, read_blocks(path, RATE, 1.0))) == count
    assert caplog.records == []


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are always text there")
@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
def test_a_name_that_is_not_utf8(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", np.full(1600, 0.1))
    strange = path.rename(tmp_path / os.fsdecode(b"caf\xe9" + suffix.encode()))
    assert probe(strange).seconds == 0.1
    assert len(read_audio(strange, sample_rate=RATE)) == 1600
    strange.write_bytes(b"")
    with pytest.raises(AsrError, match="0 bytes"):
        probe(strange)
