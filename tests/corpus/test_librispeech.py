"""LibriSpeech's layout, whole and in part, and the checks that every corpus shares."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.corpus.durations import audio_files, audio_seconds
from asr.corpus.librispeech import find_subset, read_librispeech
from asr.corpus.summary import Remark, Summary, named
from asr.errors import AsrError


@pytest.fixture
def subset(tmp_path: Path, make_audio) -> Path:  # type: ignore[no-untyped-def]
    """Two speakers, three chapters, five utterances: a part of test-other."""
    folder = tmp_path / "LibriSpeech" / "test-other"
    for chapter, texts in {
        "1688/10": ["HELLO", "IT'S TWO"],
        "1688/2": ["THREE"],
        "9/7": ["'TIS", "FIVE"],
    }.items():
        stem = chapter.replace("/", "-")
        lines = [f"{stem}-{index:04d} {text}" for index, text in enumerate(texts)]
        for index, line in enumerate(lines):
            make_audio(folder / chapter / f"{line.split()[0]}.flac", 0.25 * (index + 1))
        (folder / chapter / f"{stem}.trans.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_a_partial_subset_is_read_and_told(subset: Path) -> None:
    utterances, summary = read_librispeech(subset)
    assert [row.utt_id for row in utterances] == [
        "1688-10-0000", "1688-10-0001", "1688-2-0000", "9-7-0000", "9-7-0001",
    ]  # fmt: skip
    first = utterances[1]
    assert (first.text, first.speaker, first.start, first.duration) == ("IT'S TWO", "1688", 0.0, 0.5)
    assert first.audio == str((subset / "1688" / "10" / "1688-10-0001.flac").resolve())
    assert utterances[3].text == "'TIS"  # as published
    assert summary.skipped == []
    assert summary.warnings == [Remark("test-other", "5 of the 2939 utterances of the subset are here")]


def test_a_folder_of_another_name_is_no_part_of_anything(subset: Path) -> None:
    other = subset.rename(subset.with_name("mine"))
    assert len(read_librispeech(other)[0]) == 5
    assert read_librispeech(other)[1].warnings == []


def test_what_is_missing_is_named(subset: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    chapter = subset / "1688" / "10"
    (chapter / "1688-10-0000.flac").unlink()
    make_audio(chapter / "1688-10-0009.flac")
    (subset / "9" / "7" / "9-7.trans.txt").write_bytes(b"9-7-0000 \xff\n")
    utterances, summary = read_librispeech(subset)
    assert [row.utt_id for row in utterances] == ["1688-10-0001", "1688-2-0000"]
    skipped = dict(summary.skipped)
    assert skipped["1688-10-0000"].startswith("the audio file is missing")
    assert skipped["1688-10-0000"].endswith("(1688-10.trans.txt:1)")
    assert skipped["1688-10-0009"].startswith("no transcript line for")
    assert skipped["9-7-0000"].startswith("no transcript line for")
    assert any("cannot be read as UTF-8" in reason for reason in skipped.values())
    assert len(summary.skipped) == 5


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1688-2-0000", "the transcript is empty (1688-2.trans.txt:1)"),
        ("1688-2-0000 -", "the transcript has no words"),
        ("1688-2-0000 ''", "the transcript has no words"),
        ("1688-2-0000 ПРИВЕТ", "CYRILLIC CAPITAL LETTER PE"),
        ("1688-2-0000 CHAPTER 2", "holds digits ('2')"),
        ("1688-2-0000 ONE\n1688-2-0000 TWO", "the id occurs twice; the first is kept"),
    ],
)
def test_a_wrong_transcript_is_skipped(subset: Path, line: str, reason: str) -> None:
    (subset / "1688" / "2" / "1688-2.trans.txt").write_text(line + "\n", encoding="utf-8")
    utterances, summary = read_librispeech(subset)
    assert [remark.name for remark in summary.skipped] == ["1688-2-0000"]
    assert reason in summary.skipped[0].reason
    assert len(utterances) == 4 + ("twice" in reason)


def test_only_what_is_wanted_is_opened(subset: Path) -> None:
    for path in (subset / "9" / "7").glob("*.flac"):
        path.write_bytes(b"")
    utterances, summary = read_librispeech(subset, only={"1688-2-0000", "9-7-0001", "not-there"})
    assert [row.utt_id for row in utterances] == ["1688-2-0000"]
    assert [remark.name for remark in summary.skipped] == ["9-7-0001"]
    assert summary.warnings == []


def test_other_formats_of_audio_are_found(subset: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    (subset / "1688" / "2" / "1688-2-0000.flac").unlink()
    make_audio(subset / "1688" / "2" / "1688-2-0000.wav")
    assert len(read_librispeech(subset)[0]) == 5


def test_a_folder_without_transcripts_is_an_error(subset: Path) -> None:
    with pytest.raises(AsrError, match="no transcripts found; expected SPEAKER/CHAPTER"):
        read_librispeech(subset.parent)
    with pytest.raises(AsrError, match="no such folder"):
        read_librispeech(subset / "none")


def test_a_subset_is_found_in_both_places(subset: Path) -> None:
    assert find_subset(subset.parent, "test-other") == subset
    assert find_subset(subset.parent.parent, "test-other") == subset
    assert find_subset(subset, "test-other") is None


def test_bad_audio_is_told_apart(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    whole = make_audio(tmp_path / "whole.flac", 2.0)
    cut, empty, text = tmp_path / "cut.flac", tmp_path / "empty.wav", tmp_path / "text.wav"
    cut.write_bytes(whole.read_bytes()[:-200])
    empty.write_bytes(b"")
    text.write_text("this is no sound")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    expected = {
        "cut.flac": "the audio is cut short: its header promises 2.00 s",
        "empty.wav": "not readable as audio (0 bytes)",
        "text.wav": "not readable as audio (text.wav: Format not recognised); convert it to WAV or FLAC",
        "none.wav": "the audio has no samples (none.wav)",
        "missing.wav": "the audio file is missing",
    }
    for name, sentence in expected.items():
        with pytest.raises(AsrError) as caught:
            audio_seconds(tmp_path / name)
        assert sentence in str(caught.value)
    with pytest.raises(AsrError, match=r"cannot be opened .*null"):
        audio_seconds(tmp_path / "no\0path.wav")
    with pytest.raises(AsrError, match=r"cannot be opened .*Is a directory"):
        (tmp_path / "folder.wav").mkdir()
        (tmp_path / "folder.wav" / "x").write_text("x")
        audio_seconds(tmp_path / "folder.wav")


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "au"])
def test_durations_are_those_of_the_samples(tmp_path: Path, make_audio, suffix: str) -> None:  # type: ignore[no-untyped-def]
    path = make_audio(tmp_path / f"a.{suffix}", 0.7)
    samples, rate = soundfile.read(path)
    assert audio_seconds(path) == len(samples) / rate


def test_audio_files_by_name(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "b.OPUS", ".c.wav", "d.txt"):
        (tmp_path / name).touch()
    assert audio_files(tmp_path) == {"a": tmp_path / "a.flac", "b": tmp_path / "b.OPUS"}
    assert audio_files(tmp_path / "none") == {}


def test_a_summary_names_and_counts() -> None:
    summary, other = Summary(), Summary()
    for index in range(4):
        summary.skip(f"u{index}", "because")
    other.warn("speakers", "two are unknown")
    summary.extend(other)
    assert summary.text(2).splitlines() == [
        "4 skipped",
        "  u0: because",
        "  u1: because",
        "  … and 2 more",
        "1 warning",
        "  speakers: two are unknown",
    ]
    assert "u3: because" in summary.text(None)
    assert Summary().text() == "nothing skipped"
    assert named("abc", 2) == "a, b and 1 more"
