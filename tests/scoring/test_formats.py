from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.records import Hypothesis, Word
from asr.scoring.formats import (
    Transcript,
    detect_format,
    read_transcripts,
    speaker_of,
    write_ctm,
    write_json_lines,
    write_kaldi_text,
    write_trn,
)

WORDS = st.lists(st.text("ABÉ你'-.:%1é", min_size=1, max_size=5), max_size=5).map(" ".join)
IDS = st.from_regex(r"[a-z0-9]{1,3}-[a-z0-9é_.]{1,4}", fullmatch=True)
SPEAKERS = st.just("") | st.text("xy", min_size=1)
TRANSCRIPTS = st.lists(
    st.builds(Transcript, utt_id=IDS, text=WORDS, speaker=SPEAKERS, seconds=st.none() | st.floats(0, 99)),
    max_size=6,
    unique_by=lambda transcript: transcript.utt_id,
)


def written(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> Path:
    path = tmp_path_factory.getbasetemp() / "transcripts"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(transcripts: list[Transcript]) -> list[tuple[str, str]]:
    return [(transcript.utt_id, transcript.text) for transcript in transcripts]


@settings(max_examples=40)
@given(TRANSCRIPTS)
def test_json_lines_come_back_whole(
    tmp_path_factory: pytest.TempPathFactory, transcripts: list[Transcript]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    write_json_lines(path, transcripts)
    assert read_transcripts(path) == transcripts


@settings(max_examples=40)
@given(TRANSCRIPTS)
def test_kaldi_text_comes_back_sorted(
    tmp_path_factory: pytest.TempPathFactory, transcripts: list[Transcript]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.text"
    write_kaldi_text(path, transcripts)
    assert texts(read_transcripts(path)) == sorted(texts(transcripts), key=lambda entry: entry[0].encode())


@settings(max_examples=40)
@given(TRANSCRIPTS)
def test_trn_comes_back_with_the_speaker_in_the_id(
    tmp_path_factory: pytest.TempPathFactory, transcripts: list[Transcript]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.trn"
    write_trn(path, transcripts)
    back = read_transcripts(path)
    assert [transcript.text for transcript in back] == [transcript.text for transcript in transcripts]
    for transcript, found in zip(transcripts, back, strict=True):
        assert found.utt_id.endswith(transcript.utt_id)
        assert speaker_of(found.utt_id) == (transcript.speaker or speaker_of(transcript.utt_id))


def test_trn_is_what_sclite_reads(tmp_path: Path) -> None:
    write_trn(
        tmp_path / "ref.trn",
        [
            Transcript(utt_id="cmh_sa01", text="SHE HAD  YOUR DARK SUIT", speaker="cmh"),
            Transcript(utt_id="84-121123-0003", text=""),
            Transcript(utt_id="hello", text="HELLO"),
            Transcript(utt_id="1-2", text="(BREATH) HELL-", speaker="anna"),
        ],
    )
    assert (tmp_path / "ref.trn").read_text() == (
        "SHE HAD YOUR DARK SUIT (cmh_sa01)\n"
        " (84-121123-0003)\n"
        "HELLO (unknown-hello)\n"
        "(BREATH) HELL- (anna-1-2)\n"
    )


def test_ctm_is_what_sclite_reads(tmp_path: Path) -> None:
    words = [
        Word(text="YES", start=11.34, end=11.54, confidence=0.98765),
        Word(text="É", start=0.04, end=0.04, confidence=1.0),
    ]
    hypotheses = [
        Hypothesis(utt_id="b", text="YES É", score=-1.0, words=words),
        Hypothesis(utt_id="a", text="", score=0.0),
        Hypothesis(utt_id="B", text="NO", score=0.0, words=[Word(text="NO", start=0, end=1, confidence=0.5)]),
    ]
    write_ctm(tmp_path / "hyp.ctm", hypotheses)
    assert (tmp_path / "hyp.ctm").read_text(encoding="utf-8") == (
        "B 1 0.000 1.000 NO 0.5000\n;; a: no words\nb 1 0.040 0.000 É 1.0000\nb 1 11.340 0.200 YES 0.9877\n"
    )


@pytest.mark.parametrize("word", ["{", "{A", "A{B}", "@", "\\", "A\\B", "A*", "<ALT>"])
def test_words_that_sclite_would_misread_are_refused(tmp_path: Path, word: str) -> None:
    heard = Word(text=word, start=0.0, end=1.0, confidence=1.0)
    with pytest.raises(AsrError, match=r"s-1: the word .* means something else to sclite"):
        write_trn(tmp_path / "x.trn", [Transcript(utt_id="s-1", text=f"A {word} B")])
    with pytest.raises(AsrError, match=r"s-1: the word .* means something else to sclite"):
        write_ctm(tmp_path / "x.ctm", [Hypothesis(utt_id="s-1", text=word, score=0.0, words=[heard])])
    assert list(tmp_path.iterdir()) == []


def test_a_trn_line_that_would_be_a_comment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"s-1: .* for a comment"):
        write_trn(tmp_path / "x.trn", [Transcript(utt_id="s-1", text=";; A")])


def test_ids_that_would_break_a_line_are_refused(tmp_path: Path) -> None:
    spaced = Transcript(utt_id="my file", text="A")
    for write in (write_trn, write_kaldi_text):
        with pytest.raises(AsrError, match=r'white space.* was expected, found ".*my file"'):
            write(tmp_path / "x", [spaced])
    with pytest.raises(AsrError, match="white space"):
        write_ctm(tmp_path / "x", [Hypothesis(utt_id="my file", text="", score=0.0)])
    with pytest.raises(AsrError, match="parentheses"):
        write_trn(tmp_path / "x", [Transcript(utt_id="a-(b)", text="A")])
    write_json_lines(tmp_path / "x", [spaced])
    assert read_transcripts(tmp_path / "x") == [spaced]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("84-1-0 HELLO WORLD\n84-1-1\n", [("84-1-0", "HELLO WORLD"), ("84-1-1", "")]),
        ("84-1-0\tHELLO\tWORLD  \r\n\r\n", [("84-1-0", "HELLO\tWORLD")]),
        ("HELLO (WORLD) (84-1-0)\n(84-1-1)", [("84-1-0", "HELLO (WORLD)"), ("84-1-1", "")]),
        (";; made by hand\nHELLO(84-1-0)\n", [("84-1-0", "HELLO")]),
        ("\ufeffa ÉTÉ \u2028 DEUX\n", [("a", "ÉTÉ \u2028 DEUX")]),
        ('{"audio": "in/84-1-0.tar.flac", "text": "A B", "score": -1, "words": []}', [("84-1-0.tar", "A B")]),
        ('{ "text": "", "utt_id": "u", "audio": "x.wav"}\n', [("u", "")]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_formats_are_known_by_their_content(
    tmp_path_factory: pytest.TempPathFactory, content: str, expected: list[tuple[str, str]]
) -> None:
    assert texts(read_transcripts(written(tmp_path_factory, content))) == expected


def test_a_manifest_gives_speaker_and_length(tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_text(
        '{"utt_id":"u","audio":"/a/u.flac","start":0.0,"duration":2.5,"text":"A","speaker":"bob"}\n'
        '{"utt_id":"v","text":"B","speaker":null}\n'
    )
    assert read_transcripts(path) == [
        Transcript(utt_id="u", text="A", speaker="bob", seconds=2.5),
        Transcript(utt_id="v", text="B"),
    ]


def test_most_lines_decide_the_format() -> None:
    assert detect_format(["A (a-1)", "B (a-2)", "C"]) == "trn"
    assert detect_format(["a-1 A", "a-2 B (laughter)", "a-3 C"]) == "text"
    assert detect_format(['{"utt_id": "a"', '{"utt_id": "b", "text": ""}', "x"]) == "jsonl"
    assert detect_format(["{ A / B } C (a-1)"]) == "trn"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("A (a-1)\n\nB\nC (a-2)\n", r":3: a trn line was expected"),
        ("A (a-1)\nUH { A / @ } (a-2)\nB (a-3)\n", r":2: .*alternatives"),
        ("A (a-1)\nA @ B (a-2)\n", r":2: .*alternatives"),
        ("a A\nb B\n\na C\n", r":4: the id a stands in line 1 already"),
        ('{"utt_id": "a", "text": "A"}\n{"utt_id": "b", "text": \n', r":2: expected .*utt_id"),
        ('{"utt_id": "a", "text": "A"}\n{"utt_id": "b"}\n', r":2: .*missing required field `text`"),
        ('{"utt_id": "a", "text": 7}\n', r":1: .*Expected `str`"),
        ('{"utt_id": "a", "text": "\\ud800"}\n', r":1: expected"),
        ('{"text": "A"}\n', r':1: expected "utt_id" or "audio"'),
        (b"a A\nb \xff\n", r":2: UTF-8 text was expected, the byte 0xff was found"),
        ("a A\n".encode("utf-16"), r":1: UTF-8 text was expected"),
    ],
)
def test_damaged_lines_are_named(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes, sentence: str
) -> None:
    path = written(tmp_path_factory, content)
    with pytest.raises(AsrError, match=str(path) + sentence):
        read_transcripts(path)


def test_every_damaged_line_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "many.trn"
    path.write_text("".join(f"A (a-{i})\n" for i in range(20)) + "B\n" * 13)
    with pytest.raises(AsrError) as caught:
        read_transcripts(path)
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"{path}:21: ")
    assert lines[9].startswith(f"{path}:30: ")
    assert lines[10:] == ["and 3 more lines"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"gone: .*No such file"):
        read_transcripts(tmp_path / "gone")
    with pytest.raises(AsrError, match="directory"):
        read_transcripts(tmp_path)


@pytest.mark.parametrize(
    ("utt_id", "speaker"),
    [
        ("84-121123-0003", "84"),
        ("p225_001", "p225"),
        ("p225_001-mic1", "p225_001"),
        ("hello", "unknown"),
        ("-x", "unknown"),
    ],
)
def test_speakers_are_found_as_sclite_finds_them(utt_id: str, speaker: str) -> None:
    assert speaker_of(utt_id) == speaker
