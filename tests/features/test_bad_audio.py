"""Every way in which a file is no sound, or not all of it: one sentence that says what to do."""

import io
import struct
import sys

import numpy as np
import pytest
import soundfile

from asr.errors import AsrError
from asr.features.audio import probe, read_audio, read_blocks

RATE = 16000
SECONDS = 10.0


def encoded(container, subtype=None, samples=None):
    if samples is None:
        rng = np.random.default_rng(0)
        samples = 0.1 * rng.standard_normal(round(SECONDS * RATE))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format=container, subtype=subtype)
    return buffer.getvalue()


def cut(container, fraction=0.6, subtype=None):
    whole = encoded(container, subtype)
    return whole[: int(len(whole) * fraction)]


def lying_wav(offset, layout, value):
    content = bytearray(encoded("WAV"))
    struct.pack_into(layout, content, offset, value)
    return bytes(content)


def lying_flac(frames):
    content = bytearray(encoded("FLAC"))
    content[21] = (content[21] & 0xF0) | (frames >> 32)
    content[22:26] = struct.pack(">I", frames & 0xFFFFFFFF)
    return bytes(content)


def holes(container):
    content = bytearray(encoded(container))
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    return bytes(content)


def numbers(*bad, subtype="FLOAT"):
    samples = np.full(RATE, 0.1, np.float64)
    samples[8000 : 8000 + len(bad)] = bad
    return encoded("WAV", subtype, samples)


M4A = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(1000)
NOISE = np.random.default_rng(1).bytes(5000)


@pytest.fixture(autouse=True)
def without_ffmpeg(monkeypatch):
    """As where the extra `media` is not installed; `test_ffmpeg` has it."""
    monkeypatch.setitem(sys.modules, "av", None)


TABLE = {
    "empty": (b"", r"not readable as audio \(0 bytes\)"),
    "text": (b"Hello, this is no sound.\n" * 50, "it holds text"),
    "short text": (b"404", "it holds text"),
    "text in another script": ("Привет\n".encode() * 200, "it holds text"),
    "web page": (b"<!DOCTYPE html><title>Not found</title>", "it holds text"),
    "random bytes": (NOISE, r"not readable as audio \(.*WAV, FLAC, OGG, Opus, MP3 and AIFF are; convert it"),
    "zeros": (bytes(5000), "not readable as audio"),
    "m4a": (
        M4A,
        r"MPEG-4 audio or video.*pip install 'asr\[media\]'.*ffmpeg -i \S+ -ac 1 -ar 16000 \S+\.wav$",
    ),
    "webm": (b"\x1aE\xdf\xa3" + bytes(1000), "WebM is not among the formats read here.*ffmpeg"),
    "wma": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(1000), "Windows Media.*ffmpeg"),
    "amr": (b"#!AMR\n" + NOISE, "AMR.*ffmpeg"),
    "zip": (b"PK\x03\x04" + NOISE, "a zip archive; unpack it first"),
    "cut header": (encoded("WAV")[:20], "not readable as audio"),
    "header alone": (encoded("WAV")[:44], "announces 320000 bytes of sound, the file holds none"),
    "cut WAV": (cut("WAV"), r"damaged: 6\.00 of 10\.00 seconds can be read.*fetch or export it again"),
    "cut 24-bit WAV": (cut("WAV", subtype="PCM_24"), r"damaged: 6\.00 of 10\.00 seconds"),
    "cut AIFF": (cut("AIFF"), r"damaged: 6\.00 of 10\.00 seconds"),
    "cut AU": (cut("AU"), r"damaged: 6\.00 of 10\.00 seconds"),
    "cut W64": (cut("W64"), r"damaged: 6\.00 of 10\.00 seconds"),
    "cut RF64": (cut("RF64"), r"damaged: 6\.00 of 10\.00 seconds"),
    "cut FLAC": (cut("FLAC"), r"damaged: 5\.\d\d of 10\.00 seconds can be read"),
    "cut 24-bit FLAC": (cut("FLAC", subtype="PCM_24"), r"damaged: 5\.\d\d of 10\.00 seconds"),
    "FLAC cut at once": (encoded("FLAC")[:300], r"damaged: 0\.00 of 10\.00 seconds"),
    "cut MP3": (cut("MP3"), r"damaged: [56]\.\d\d of 10\.\d\d seconds"),
    "hole in FLAC": (holes("FLAC"), r"damaged: [45]\.\d\d of 10\.00 seconds"),
    "WAV that says more": (lying_wav(40, "<I", 3_200_000), r"damaged: 10\.00 of 100\.00 seconds"),
    "WAV that says 0": (lying_wav(40, "<I", 0), "no sound although the file goes on.*not finished.*ffmpeg"),
    "FLAC that says more": (lying_flac(1_600_000), r"damaged: 10\.00 of 100\.00 seconds"),
    "FLAC that says days": (lying_flac(0xFFFFFFFFF), r"damaged: 10\.00 of \d+\.\d\d seconds"),
    "FLAC of unknown length, cut": (lying_flac(0)[:150_000], "of an unknown number of seconds can be read"),
    "WAV that says 0 and begins with silence": (
        bytes(silent_start := lying_wav(40, "<I", 0))[:44] + bytes(8) + silent_start[52:],
        "no sound although the file goes on",
    ),
    "cut Vorbis": (cut("OGG", 0.6, "VORBIS"), r"damaged: .*; 5\.\d\d seconds of it can be read"),
    "cut Opus": (cut("OGG", 0.6, "OPUS"), r"damaged: .*; \d\.\d\d seconds of it can be read"),
    "joined Opus": (
        2 * encoded("OGG", "OPUS"),
        r"joined in this file, .* first alone, 10\.00 s, would be",
    ),
    "rate 0": (lying_wav(24, "<I", 0), "not readable as audio"),
    "rate 1": (lying_wav(24, "<I", 1), "sample rate of 1 Hz; expected 1000 to 1000000 Hz"),
    "rate 2 GHz": (lying_wav(24, "<I", 2**31 - 1), "sample rate of 2147483647 Hz"),
    "no channels": (lying_wav(22, "<H", 0), "not readable as audio"),
    "unknown codec": (lying_wav(20, "<H", 0x0160), "not readable as audio.*ffmpeg"),
    "NaN": (numbers(np.nan), r"1 samples are not finite numbers, the first at 0\.500 s"),
    "infinity": (numbers(np.inf, -np.inf), "2 samples are not finite numbers"),
    "too large for float32": (numbers(1e300, subtype="DOUBLE"), "1 samples are not finite"),
}


@pytest.mark.parametrize("case", TABLE)
def test_bad_file(tmp_path, case):
    content, words = TABLE[case]
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    for read in (
        lambda: read_audio(path, sample_rate=RATE),
        lambda: read_audio(path, sample_rate=8000),
        lambda: list(read_blocks(path, RATE, 1.0)),
    ):
        with pytest.raises(AsrError, match=words) as caught:
            read()
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", TABLE)
def test_bad_stream(case):
    content, words = TABLE[case]
    with pytest.raises(AsrError, match=words.replace(r"\S+ -ac 1 -ar 16000 \S+", ".*")) as caught:
        read_audio(io.BytesIO(content), sample_rate=RATE)
    assert str(caught.value).startswith("audio stream: ")


@pytest.mark.parametrize(
    "case",
    [
        name
        for name in TABLE
        if "FLAC" not in name and name not in ("NaN", "infinity", "too large for float32", "cut MP3")
    ],
)
def test_bad_file_is_seen_without_decoding(tmp_path, case):
    content, words = TABLE[case]
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(AsrError, match=words):
        probe(tmp_path / "bad.wav")


@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_what_comes_before_the_damage(tmp_path, container):
    """A segment before the damage is there, one after it is not; blocks give what there is, then say it."""
    path = tmp_path / "a.audio"
    path.write_bytes(encoded(container))
    whole = read_audio(path, sample_rate=RATE)
    path.write_bytes(cut(container))
    segment = read_audio(path, sample_rate=RATE, start=2.0, duration=3.0)
    np.testing.assert_array_equal(segment, whole[2 * RATE : 5 * RATE])
    with pytest.raises(AsrError, match=r"damaged: [56]\.\d\d of 10\.00 seconds"):
        read_audio(path, sample_rate=RATE, start=5.0, duration=2.0)
    with pytest.raises(AsrError, match=r"damaged: .*8\.00"):
        read_audio(path, sample_rate=RATE, start=8.0, duration=2.0)
    blocks = []
    reader = read_blocks(path, RATE, 1.0)
    with pytest.raises(AsrError, match=r"damaged: [56]\.\d\d of 10\.00 seconds"):
        while True:
            blocks.append(next(reader))
    assert len(blocks) == 5
    np.testing.assert_array_equal(np.concatenate(blocks), whole[: 5 * RATE])


def test_an_mp3_that_would_be_read_in_part(tmp_path):
    """Varying bit rate and no length, as from an encoder that writes to a pipe; and two files joined."""
    samples = np.concatenate((0.1 * np.random.default_rng(0).standard_normal(RATE), np.zeros(2 * RATE)))
    encoded_mp3 = encoded("MP3", samples=samples)
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded_mp3)
    assert len(read_audio(path, sample_rate=RATE)) == 3 * RATE
    first = encoded_mp3.index(encoded_mp3[:2], 4)
    joined = encoded("MP3") * 2
    for content, seconds in [(encoded_mp3[first:], 3), (joined, 20)]:
        path.write_bytes(content)
        with pytest.raises(AsrError, match=rf"does not tell its length, {seconds}\.\d\d s.*ffmpeg"):
            read_audio(path, sample_rate=RATE)
        with pytest.raises(AsrError, match="does not tell its length"):
            probe(io.BytesIO(content))


def test_a_segment_of_a_cut_mp3(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(cut("MP3"))
    assert len(read_audio(path, sample_rate=RATE, start=2.0, duration=3.0)) == 3 * RATE
    with pytest.raises(AsrError, match=r"damaged: [56]\.\d\d of 10\.\d\d seconds"):
        read_audio(path, sample_rate=RATE, start=8.0, duration=1.0)


def test_a_few_missing_samples_are_a_warning(tmp_path, caplog):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded("WAV")[:-600])
    assert len(read_audio(path, sample_rate=RATE)) == SECONDS * RATE - 300
    assert f"{path}: the last 0.019 seconds are missing" in caplog.text


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_file_without_its_last_page_is_a_warning(tmp_path, caplog, subtype):
    """As of a recording that goes on; a tag behind the end is none."""
    whole, path = encoded("OGG", subtype), tmp_path / "a.ogg"
    path.write_bytes(whole + b"TAG" + bytes(125))
    assert len(read_audio(path, sample_rate=RATE)) == SECONDS * RATE
    assert not caplog.text
    path.write_bytes(whole[: whole.rindex(b"OggS")])
    assert 0 < len(read_audio(path, sample_rate=RATE)) < SECONDS * RATE
    assert f"{path}: it has no end after" in caplog.text


def test_more_than_the_header_says_is_a_warning(tmp_path, caplog):
    path = tmp_path / "a.wav"
    path.write_bytes(lying_wav(40, "<I", 100_000))
    assert len(read_audio(path, sample_rate=RATE)) == 50_000
    assert "announces 3.12 seconds; what follows them in the file is not read" in caplog.text


@pytest.mark.parametrize(
    "start,duration,words",
    [
        (-0.1, 1.0, "start must be 0 or more"),
        (0.0, 0.0, "duration more than 0"),
        (0.0, -1.0, "duration more than 0"),
        (float("nan"), None, "must be"),
        (0.0, float("inf"), "must be"),
        (10.0, None, r"from 10 s: outside the file, which is 10\.00 s long"),
        (12.0, 1.0, r"from 12 s for 1 s: outside the file"),
        (9.0, 1.6, "outside the file"),
    ],
)
def test_impossible_segments(tmp_path, start, duration, words):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded("WAV"))
    with pytest.raises(AsrError, match=words) as caught:
        read_audio(path, sample_rate=RATE, start=start, duration=duration)
    assert str(caught.value).startswith(f"{path}: segment from")


def test_missing_file(tmp_path):
    with pytest.raises(AsrError, match=r"none\.wav: no such audio file"):
        read_audio(tmp_path / "none.wav", sample_rate=RATE)


def test_folder(tmp_path):
    with pytest.raises(AsrError, match="this is a folder, an audio file was expected"):
        probe(tmp_path)


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(AsrError, match=r"cannot be opened \(Not a directory\)"):
        read_audio(tmp_path / "a" / "b.wav", sample_rate=RATE)


def test_unreadable(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded("WAV"))

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)  # permissions do not stop root
    with pytest.raises(AsrError, match=r"a\.wav: cannot be opened \(Permission denied\)"):
        read_audio(path, sample_rate=RATE)


def test_raw_samples(tmp_path):
    (tmp_path / "a.raw").write_bytes(NOISE)
    with pytest.raises(AsrError, match="sound without a header is not read; convert it first: ffmpeg"):
        read_audio(tmp_path / "a.raw", sample_rate=RATE)


def test_the_command_can_be_typed(tmp_path):
    path = tmp_path / "my talk's sound.m4a"
    path.write_bytes(M4A)
    with pytest.raises(AsrError) as caught:
        read_audio(path, sample_rate=RATE)
    import shlex

    command = shlex.split(str(caught.value).split("convert it first: ")[1])
    assert command == ["ffmpeg", "-i", str(path), "-ac", "1", "-ar", "16000", "my talk's sound.wav"]


def test_a_full_disk_while_a_pipe_is_copied(monkeypatch):
    class Pipe(io.BytesIO):
        name = "<stdin>"

        def seekable(self):
            return False

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(AsrError, match="the disk is full"):
        read_audio(Pipe(b"abc"), sample_rate=RATE)


def test_standard_input_has_a_name():
    class Pipe(io.BytesIO):
        name = "<stdin>"

        def seekable(self):
            return False

    with pytest.raises(AsrError, match="standard input: not readable as audio: it holds text"):
        read_audio(Pipe(b"hello"), sample_rate=RATE)
    with pytest.raises(AsrError, match=r"standard input: not readable as audio \(0 bytes\)"):
        read_audio(Pipe(b""), sample_rate=RATE)
