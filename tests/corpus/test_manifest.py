"""Manifests, lists of ids, choosing and splitting."""

import logging
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.corpus.manifest import missing_ids, read_ids, read_manifest, select, split, write_manifest
from asr.errors import AsrError
from asr.records import Utterance


def utterance(utt_id: str, speaker: str = "s", duration: float = 1.0) -> Utterance:
    return Utterance(
        utt_id=utt_id, audio=f"/a/{utt_id}.wav", start=0.0, duration=duration, text="A", speaker=speaker
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
utterances = st.builds(
    Utterance,
    utt_id=texts.filter(bool),
    audio=texts,
    start=st.floats(0, 1e6),
    duration=st.floats(0, 1e6, exclude_min=True),
    text=texts,
    speaker=texts,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.lists(utterances, unique_by=lambda row: row.utt_id, max_size=8))
def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path, rows: list[Utterance]) -> None:
    path = tmp_path / "train.jsonl"
    write_manifest(path, rows)
    assert read_manifest(path) == rows
    assert path.read_bytes().count(b"\n") == len(rows)


def test_an_id_twice_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with pytest.raises(AsrError, match=r"found more than once: a$"):
        write_manifest(path, [utterance("a"), utterance("b"), utterance("a")])
    assert list(tmp_path.iterdir()) == []


GOOD = '{"utt_id":"a","audio":"a.wav","start":0,"duration":1.5,"text":"A","speaker":"s"}'


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "m.jsonl:3: not an utterance"),
        ('{"utt_id":"b"}', "missing required field `audio`"),
        (GOOD.replace('"a"', '"b"').replace("1.5", '"x"'), "Expected `float`, got `str` - at `duration`"),
        (GOOD.replace('"a"', '"b"').replace("{", '{"colour":1,'), "unknown field `colour`"),
        (GOOD.replace('"a"', '"b"').replace("1.5", "0"), "start ≥ 0 and duration > 0 are expected"),
        (GOOD.replace('"a"', '"b"').replace("1.5", "1e999"), "m.jsonl:3: not an utterance"),
        (GOOD.replace('"a"', '""'), "m.jsonl:3: the utt_id is empty"),
        (GOOD, "m.jsonl:3: utt_id 'a' stands on line 1 already"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(f"{GOOD}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(AsrError, match=re.escape(sentence)):
        read_manifest(path)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(GOOD.encode().replace(b"a.wav", b"\xff\xfe"))
    with pytest.raises(AsrError, match=r"m\.jsonl:1: not an utterance"):
        read_manifest(path)


def test_a_missing_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"none\.jsonl: the manifest cannot be read \(No such file"):
        read_manifest(tmp_path / "none.jsonl")


def test_select_keeps_the_order_of_the_ids_and_names_what_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [utterance(name) for name in "abc"]
    with caplog.at_level(logging.WARNING, "asr"):
        assert [row.utt_id for row in select(rows, ["c", "x", "a", "y"])] == ["c", "a"]
    assert "2 of 4 ids are not in the corpus: x, y" in caplog.text
    assert missing_ids(rows, ["c", "x", "a", "y"]) == ["x", "y"]


def test_ids_are_read(tmp_path: Path) -> None:
    path = tmp_path / "train.ids"
    path.write_text("# a comment\nb-1\n\n a-2 \n")
    assert read_ids(path) == ["b-1", "a-2"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a\nb\na\n", ":3: id 'a' stands on line 1 already"),
        (b"a b\n", ":1: one utterance id a line is expected, found 'a b'"),
        (b"\xff\xfe\n", "not UTF-8"),
    ],
)
def test_a_wrong_list_of_ids_is_an_error(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "train.ids"
    path.write_bytes(content)
    with pytest.raises(AsrError, match=re.escape(sentence)):
        read_ids(path)
    with pytest.raises(AsrError, match="cannot be read"):
        read_ids(tmp_path / "none.ids")


speakers = st.lists(st.tuples(st.sampled_from("abcdefg"), st.floats(0.1, 30)), min_size=2, max_size=40)


@settings(deadline=None, max_examples=50)
@given(speakers, st.floats(0.05, 0.5), st.integers(0, 3), st.randoms(use_true_random=False))
def test_split_shares_no_speaker_and_ignores_order(
    drawn: list[tuple[str, float]], fraction: float, seed: int, random: object
) -> None:
    rows = [utterance(str(index), speaker, seconds) for index, (speaker, seconds) in enumerate(drawn)]
    kept, held = split(rows, fraction, seed)
    assert kept and held
    assert sorted([*kept, *held], key=lambda row: int(row.utt_id)) == rows
    if len({row.speaker for row in rows}) > 1:
        assert not {row.speaker for row in kept} & {row.speaker for row in held}
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {row.utt_id for row in split(shuffled, fraction, seed)[1]} == {row.utt_id for row in held}


def test_split_comes_near_the_fraction_and_follows_the_seed() -> None:
    rows = [utterance(f"{speaker}-{take}", str(speaker)) for speaker in range(50) for take in range(4)]
    held = [{row.speaker for row in split(rows, 0.1, seed)[1]} for seed in (1, 1, 2)]
    assert held[0] == held[1] != held[2]
    assert len(held[0]) == len(held[2]) == 5


def test_split_of_one_speaker_is_by_utterance() -> None:
    kept, held = split([utterance(str(index)) for index in range(20)], 0.1, 1)
    assert (len(kept), len(held)) == (18, 2)


def test_one_big_speaker_is_not_held_out() -> None:
    rows = [utterance("big", "big", 90), utterance("small", "small", 10)]
    assert all([row.utt_id for row in split(rows, 0.1, seed)[1]] == ["small"] for seed in range(10))


def test_one_utterance_cannot_be_split() -> None:
    with pytest.raises(AsrError, match="two utterances or more are needed to hold some out, found 1"):
        split([utterance("a")], 0.1, 1)
