"""VCTK's layout, in its versions."""

from pathlib import Path

import pytest

from asr.corpus.vctk import read_vctk
from asr.errors import AsrError


def make(root: Path, make_audio, audio: str, suffixes: list[str]) -> Path:  # type: ignore[no-untyped-def]
    for speaker in ("p225", "p239"):
        for take in ("001", "002"):
            text = root / "txt" / speaker / f"{speaker}_{take}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("Please call Stella.\n")
            for index, suffix in enumerate(suffixes):
                make_audio(root / audio / speaker / f"{speaker}_{take}{suffix}", 0.1 + 0.1 * index)
    return root


@pytest.mark.parametrize(
    ("audio", "suffixes"),
    [("wav48_silence_trimmed", ["_mic1.flac", "_mic2.flac"]), ("wav48", [".wav"]), ("wav", [".flac"])],
)
def test_every_version_has_the_same_utterances(tmp_path, make_audio, audio, suffixes) -> None:  # type: ignore[no-untyped-def]
    rows, summary = read_vctk(make(tmp_path, make_audio, audio, suffixes))
    assert [row.utt_id for row in rows] == ["p225_001", "p225_002", "p239_001", "p239_002"]
    assert [row.speaker for row in rows] == ["p225", "p225", "p239", "p239"]
    assert {row.text for row in rows} == {"PLEASE CALL STELLA"}
    assert [row.duration for row in rows] == pytest.approx([0.1] * 4)  # the first microphone
    assert Path(rows[0].audio).is_absolute()
    assert summary.text() == "nothing skipped"


def test_a_list_opens_nothing_else(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    root = make(tmp_path, make_audio, "wav48", [".wav"])
    (root / "wav48" / "p225" / "p225_001.wav").write_bytes(b"")
    (root / "wav48" / "p239" / "p239_002.wav").unlink()
    rows, summary = read_vctk(root, {"p239_001", "p239_002"})
    assert [row.utt_id for row in rows] == ["p239_001"]
    assert [remark.name for remark in summary.skipped] == ["p239_002"]
    assert "p239_002.wav" in summary.skipped[0].reason


def test_a_folder_without_its_parts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "txt").mkdir()
    with pytest.raises(
        AsrError, match=r"VCTK's folder txt is expected here, and wav48_silence_trimmed, wav48"
    ):
        read_vctk(tmp_path)
