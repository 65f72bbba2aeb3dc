"""Readers of the user's own recordings: folders, tables, Kaldi, LJSpeech."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.corpus.folders import read_folder, read_lines, read_ljspeech
from asr.corpus.kaldi import read_kaldi
from asr.corpus.summary import Remark
from asr.corpus.tables import read_table
from asr.errors import AsrError
from asr.records import Utterance


def brief(utterances: list[Utterance]) -> list[tuple[str, str, str, float, float]]:
    return [(row.utt_id, row.text, row.speaker, row.start, round(row.duration, 3)) for row in utterances]


# a folder


def test_a_folder_of_audio_and_text(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    for name, text in {
        "ann/a/1.wav": "One, two.\nThree!",
        "bob/1.flac": "\ufeffIt's 5%",
        "my file.wav": "plain",
    }.items():
        make_audio(tmp_path / name)
        (tmp_path / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    make_audio(tmp_path / ".hidden" / "x.wav")
    (tmp_path / "notes.md").write_text("not speech")
    utterances, summary = read_folder(tmp_path)
    assert brief(utterances) == [
        ("ann-a-1", "ONE TWO THREE", "ann", 0.0, 0.5),
        ("bob-1", "IT'S FIVE PERCENT", "bob", 0.0, 0.5),
        ("my_file", "PLAIN", "unknown", 0.0, 0.5),
    ]
    assert utterances[2].audio == str((tmp_path / "my file.wav").resolve())
    assert summary.skipped == []
    assert summary.warnings == [
        Remark("speakers", "1 utterances name no speaker; theirs is called 'unknown'")
    ]


def test_what_is_wrong_in_a_folder_is_named_and_the_rest_goes_on(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    texts = {
        "good": b"fine",
        "empty": b" \n",
        "russian": "Привет".encode(),
        "latin1": b"caf\xe9",
        "phone": b"call 555-1234",
    }
    for name, text in texts.items():
        make_audio(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_bytes(text)
    make_audio(tmp_path / "lonely.wav")
    make_audio(tmp_path / "good.flac")
    for name, content in {"zero.wav": b"", "fake.wav": b"text", "phone.m4a": b"ftyp"}.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).with_suffix(".txt").write_text("words")
    (tmp_path / "alone.txt").write_text("words")
    utterances, summary = read_folder(tmp_path)
    assert [row.audio.rsplit("/")[-1] for row in utterances] == ["good.flac", "phone.wav"]
    reasons = dict(summary.skipped)
    assert reasons["good"].startswith("the id occurs twice; the first is kept")
    assert reasons["empty"] == "the transcript is empty"
    assert "CYRILLIC" in reasons["russian"]
    assert "not UTF-8 text" in reasons["latin1.wav"]
    assert reasons["lonely.wav"] == "the transcript is missing (lonely.txt is expected beside the audio)"
    assert reasons["zero"] == "not readable as audio (0 bytes)"
    assert "Format not recognised" in reasons["fake"]
    assert reasons["alone.txt"] == "no audio file beside this text"
    assert "convert it to WAV or FLAC" in reasons["phone"]
    assert len(summary.skipped) == 9


def test_a_folder_without_audio_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match="no audio files found"):
        read_folder(tmp_path)
    with pytest.raises(AsrError, match="no such folder; a folder of audio files"):
        read_folder(tmp_path / "none")


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are always text there")
def test_a_name_that_is_not_utf8_is_told(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    for name in ("good", os.fsdecode(b"caf\xe9")):
        make_audio(tmp_path / "new.wav").rename(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_text("words")
    utterances, summary = read_folder(tmp_path)
    assert [row.utt_id for row in utterances] == ["good"]
    assert [remark.name for remark in summary.skipped] == ["caf\N{REPLACEMENT CHARACTER}"]
    assert "is not UTF-8" in summary.skipped[0].reason


@pytest.mark.parametrize("name", ["cut.wav", "cut.aiff", "cut.au"])
def test_audio_that_was_cut_short_is_named(tmp_path: Path, make_audio, name: str) -> None:  # type: ignore[no-untyped-def]
    path = make_audio(tmp_path / name, 2.0)
    (tmp_path / "cut.txt").write_text("words")
    assert [row.duration for row in read_folder(tmp_path)[0]] == [2.0]
    os.truncate(path, path.stat().st_size // 2)
    utterances, summary = read_folder(tmp_path)
    assert utterances == []
    assert "cut short: its header promises 2.00 s" in summary.skipped[0].reason


# a table


def table(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'Audio, TEXT ,speaker\nwavs/x.wav,"Well, ""yes""\nindeed",ann\nwavs/y.wav,no,\n'),
        ("a.csv", "\ufeffaudio;text;speaker\r\nwavs/x.wav;Well, yes, indeed;ann\r\n\r\nwavs/y.wav;no;\r\n"),
        ("a.tsv", 'audio\ttext\tspeaker\nwavs/x.wav\tWell, "yes" indeed\tann\nwavs/y.wav\t"no"\t\n'),
        ("a.txt", "speaker\taudio\ttext\nann\twavs/x.wav\tWell yes indeed\n\twavs/y.wav\tno\n"),
    ],
)
def test_a_table(tmp_path: Path, make_audio, name: str, content: str) -> None:  # type: ignore[no-untyped-def]
    make_audio(tmp_path / "wavs" / "x.wav")
    make_audio(tmp_path / "wavs" / "y.wav")
    utterances, summary = read_table(table(tmp_path / name, content))
    assert brief(utterances) == [
        ("x", "WELL YES INDEED", "ann", 0.0, 0.5),
        ("y", "NO", "unknown", 0.0, 0.5),
    ]
    assert summary.skipped == []
    assert len(summary.warnings) == 1


def test_segments_of_long_files(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    audio = make_audio(tmp_path / "long.wav", 3.0)
    make_audio(tmp_path / "short.wav", 1.0)
    rows = [
        f"{audio},first,,0,1,",
        f"{audio},second,,1.25,,2",
        f"{audio},last,mine,2.5,,",
        f"{audio},a hair late,,2,1.02,",
        "short.wav,whole,,,,",
        f"{audio},no length,,1,0,",
        f"{audio},backwards,,2.1,,1",
        f"{audio},too far,,2.2,5,",
        f"{audio},outside,,3,,3.01",
        f"{audio},both,,0,1,1",
        f"{audio},words,,zero,,",
        f"{audio},negative,,-1,,",
        f"{audio},nan,,nan,,",
        ",nothing,,,,",
        "short.wav,one field too few,,,",
    ]
    path = table(tmp_path / "t.csv", "audio,text,id,start,duration,end\n" + "\n".join(rows) + "\n")
    utterances, summary = read_table(path)
    assert [(row.utt_id, row.start, round(row.duration, 3)) for row in utterances] == [
        ("long-00000000", 0.0, 1.0),
        ("long-00001250", 1.25, 0.75),
        ("mine", 2.5, 0.5),
        ("long-00002000", 2.0, 1.0),
        ("short", 0.0, 1.0),
    ]
    lines = {
        int(reason.rpartition(":")[2].rstrip(")")): reason
        for _, reason in summary.skipped
        if "t.csv:" in reason
    }
    lines |= {
        int(name.partition(":")[2]): reason for name, reason in summary.skipped if name.startswith("t.csv:")
    }
    assert sorted(lines) == list(range(7, 17))
    assert "has no length" in lines[7] and "has no length" in lines[8]
    assert "leaves the audio, which has 3.00 s" in lines[9] and "leaves the audio" in lines[10]
    assert lines[11] == "has a duration and an end; leave one of the two empty"
    assert lines[12] == "start in seconds expected, found 'zero'"
    assert "end > start ≥ 0 is expected" in lines[13] and "found 'nan'" in lines[14]
    assert lines[15] == "the audio column is empty"
    assert lines[16] == "6 fields expected as in the header, 5 found"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "the header lacks audio and text"),
        (
            "path,sentence\na,b\n",
            "the header lacks audio and text; expected columns audio, text and, where wanted, id",
        ),
        ("audio,text,text\n", "names a column twice"),
        ('audio,text\na.wav,"open\nb.wav,x\n', "t.csv:2: not a row of a table"),
    ],
)
def test_a_wrong_table_is_an_error(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(AsrError) as caught:
        read_table(table(tmp_path / "t.csv", content))
    assert sentence in str(caught.value)


def test_two_columns_need_no_header_where_the_first_is_audio(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    make_audio(tmp_path / "train" / "a.wav", 0.5)
    make_audio(tmp_path / "b.wav", 0.5)
    make_audio(tmp_path / "train" / "b.wav", 0.7)
    utterances, summary = read_table(table(tmp_path / "train.tsv", "a.wav\tGO\nb.wav\tO N E\nc.wav\tNO\n"))
    assert [(row.utt_id, row.text) for row in utterances] == [("a", "GO"), ("b", "O N E")]
    assert utterances[0].audio == str(tmp_path / "train" / "a.wav")  # in the folder of the table's name
    assert utterances[1].audio == str(tmp_path / "b.wav")  # beside the table comes first
    assert [remark.name for remark in summary.skipped] == ["c"]
    for content in ("none.wav\tGO\n", "a.wav\tGO\tann\n"):
        with pytest.raises(AsrError, match="the header lacks audio and text"):
            read_table(table(tmp_path / "train.tsv", content))


def test_a_missing_table_and_unused_columns_are_told(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"t\.csv: cannot be read \(No such file"):
        read_table(tmp_path / "t.csv")
    _, summary = read_table(table(tmp_path / "t.csv", "audio,text,age,mood\nnone.wav,x,1,2\n"))
    assert summary.warnings == [Remark("t.csv", "columns that are not used: age, mood")]
    assert summary.skipped[0].name == "none"


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(st.lists(st.lists(cells, min_size=3, max_size=4), max_size=4), st.sampled_from([",", "\t"]))
def test_any_table_is_read_or_told(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    header = delimiter.join(["audio", "text", "start"])
    content = "\n".join([header, *(delimiter.join(row) for row in rows)])
    try:
        utterances, summary = read_table(table(tmp_path / "t.csv", content))
    except AsrError:
        return
    assert utterances == [] and all(remark.name and remark.reason for remark in summary.skipped)


# Kaldi


def kaldi(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text(content, encoding="utf-8")
    return folder


def test_a_kaldi_folder_without_segments(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    make_audio(tmp_path / "WAVE" / "x y.wav")
    make_audio(tmp_path / "data" / "z.flac")
    folder = kaldi(
        tmp_path / "data",
        wav_scp=f"u1\tWAVE/x y.wav\nu2 z.flac\nu3 {tmp_path}/WAVE/x y.wav\n",
        text="u1\tHELLO  WORLD\nu2 two\nu3 three\n",
        utt2spk="u1 ann\nu2 bob\n",
    )
    utterances, summary = read_kaldi(folder)
    assert brief(utterances) == [
        ("u1", "HELLO WORLD", "ann", 0.0, 0.5),
        ("u2", "TWO", "bob", 0.0, 0.5),
        ("u3", "THREE", "unknown", 0.0, 0.5),
    ]
    assert summary.skipped == []


def test_a_kaldi_folder_with_segments(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    make_audio(tmp_path / "r.wav", 3.0)
    folder = kaldi(
        tmp_path,
        wav_scp="r r.wav\n",
        segments="a r 0.5 1.0\nb r 1.0 -1\nc r 1.0\nd q 0 1\ne r x 1\nf r 0 1\n",
        text="a one\nb two\nc three\nd four\ne five\ng seven\n",
    )
    utterances, summary = read_kaldi(folder)
    assert [(row.utt_id, row.start, row.duration) for row in utterances] == [("a", 0.5, 0.5), ("b", 1.0, 2.0)]
    reasons = dict(summary.skipped)
    assert reasons["c"] == "segments has 'r 1.0', expected RECORDING START END"
    assert reasons["d"] == "wav.scp has no path for recording 'q'"
    assert reasons["e"].startswith("segments has 'r x 1'")
    assert reasons["f"] == "the transcript is missing (no line in text)"
    assert reasons["g"] == "no line for it in segments"
    assert len(reasons) == 5


def test_commands_in_wav_scp_are_never_run(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    make_audio(tmp_path / "ok.wav")
    trap = tmp_path / "trap"
    folder = kaldi(
        tmp_path,
        wav_scp=f"a touch {trap} |\nb | touch {trap}\nc sph2pipe -f wav c.sph |\nd feats.ark:17\ne ok.wav\n"
        + f"long {'x' * 5000}\n",
        text="a one\nb two\nc three\nd four\ne five\nh eight\nlong none\n",
        utt2spk="e ann\nghost bob\n",
    )
    utterances, summary = read_kaldi(folder)
    assert [row.utt_id for row in utterances] == ["e"]
    assert not trap.exists()
    reasons = dict(summary.skipped)
    for utt_id in "abc":
        assert "commands are not run: write the audio to a file" in reasons[utt_id]
    assert "gives an archive for recording 'd'" in reasons["d"]
    assert reasons["h"] == "no line for it in wav.scp"
    assert (
        reasons["long"].startswith("the audio file is missing") and "nor from its parent" in reasons["long"]
    )
    assert reasons["ghost"] == "utt2spk names it, but text and audio do not"


def test_an_id_twice_in_kaldi_is_named(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    make_audio(tmp_path / "x.wav")
    folder = kaldi(tmp_path, wav_scp="a x.wav\n", text="a one\na two\nb\n")
    utterances, summary = read_kaldi(folder)
    assert [row.text for row in utterances] == ["ONE"]
    assert summary.skipped[0] == Remark("a", "the id occurs twice; the first is kept (text:2)")


def test_a_kaldi_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match="no such folder; a Kaldi data folder"):
        read_kaldi(tmp_path / "none")
    with pytest.raises(AsrError, match="text: cannot be read"):
        read_kaldi(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(*[st.text(st.sampled_from("ab1 .-|:\t\n"), max_size=30)] * 3)
def test_any_kaldi_folder_is_read_or_told(tmp_path: Path, scp: str, text: str, segments: str) -> None:
    utterances, summary = read_kaldi(kaldi(tmp_path / "k", wav_scp=scp, text=text, segments=segments))
    assert utterances == []
    told = {remark.name for remark in summary.skipped}
    assert {line.split()[0] for line in text.split("\n") if line.strip()} <= told


# LJSpeech


def test_ljspeech(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    for name in ("LJ1", "LJ2", "LJ3", "LJ9"):
        make_audio(tmp_path / "LJ" / "wavs" / f"{name}.wav")
    lines = [
        "LJ1|In 1455, he|In fourteen fifty-five, he",
        'LJ2|"Only 2"|',
        "LJ3|two fields",
        "LJ4|no|audio",
        "LJ5",
        "a|b|c|d",
        "",
    ]
    (tmp_path / "LJ" / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    utterances, summary = read_ljspeech(tmp_path / "LJ")
    assert brief(utterances) == [
        ("LJ1", "IN FOURTEEN FIFTY FIVE HE", "LJ", 0.0, 0.5),
        ("LJ2", "ONLY TWO", "LJ", 0.0, 0.5),
        ("LJ3", "TWO FIELDS", "LJ", 0.0, 0.5),
    ]
    reasons = dict(summary.skipped)
    assert reasons["metadata.csv:5"] == "1 fields between | found, 2 or 3 expected"
    assert reasons["metadata.csv:6"] == "4 fields between | found, 2 or 3 expected"
    assert reasons["LJ9"] == "no line in metadata.csv for LJ9.wav"
    assert reasons["LJ4"].startswith("the audio file is missing") and reasons["LJ4"].endswith(
        "(metadata.csv:4)"
    )
    with pytest.raises(AsrError, match=r"no such folder; a folder with metadata\.csv"):
        read_ljspeech(tmp_path / "none")


def test_an_ljspeech_id_twice_is_named(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    make_audio(tmp_path / "wavs" / "a.wav")
    (tmp_path / "metadata.csv").write_text("a|one|one\na|two|two\n")
    utterances, summary = read_ljspeech(tmp_path)
    assert [row.text for row in utterances] == ["ONE"]
    assert "the id occurs twice" in summary.skipped[0].reason


def test_lines_without_utf8_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"good\n\xff")
    with pytest.raises(AsrError, match=r"x: not UTF-8 text \(invalid start byte at byte 5\)"):
        read_lines(tmp_path / "x")
