"""Further corpora for train: their ids, their lists, and what is said where one is not there."""

from dataclasses import replace
from pathlib import Path

import pytest

from asr.corpus.also import Also, drawn, fetch_also, read_also
from asr.corpus.manifest import write_manifest
from asr.corpus.prepare import prepare
from asr.corpus.summary import Remark, Summary
from asr.errors import AsrError
from asr.records import Utterance


def ids(rows: list[Utterance]) -> list[str]:
    return [row.utt_id for row in rows]


@pytest.fixture
def kaldi(tmp_path: Path, make_audio) -> Also:  # type: ignore[no-untyped-def]
    """Two speakers of two utterances, as wav.scp of speechocean762 names them, and one without audio."""
    root = tmp_path / "ocean"
    (root / "train").mkdir(parents=True)
    names = ["001", "002", "003", "004"]
    for name in names:
        make_audio(root / "WAVE" / f"{name}.flac", 0.1)
    names.append("005")
    for file, lines in {
        "wav.scp": [f"{name}\tWAVE/{name}.WAV" for name in names],
        "text": [f"{name}\tTake {int(name)}, please!" for name in names],
        "utt2spk": [f"{name} {'ann' if name < '003' else 'bob'}" for name in names],
    }.items():
        (root / "train" / file).write_text("".join(f"{line}\n" for line in lines))
    return Also("ocean", "kaldi", root, ("train",))


@pytest.fixture
def main(tmp_path: Path, make_audio) -> Path:  # type: ignore[no-untyped-def]
    """A table for each of train, dev and test."""
    root = tmp_path / "main"
    for part in ("train", "dev", "test"):
        make_audio(root / f"{part}.wav", 0.1)
        (root / f"{part}.csv").write_text(f"audio,text,id,speaker\n{part}.wav,a,{part},{part}\n")
    return root


def prepared(main: Path, *also: Also):  # type: ignore[no-untyped-def]
    parts = {part: [f"{part}.csv"] for part in ("train", "dev", "test")}
    return prepare(source="table", root=main, **parts, also=also)


def test_ids_and_speakers_get_a_prefix_and_texts_are_normalised(kaldi: Also) -> None:
    summary = Summary()
    rows = read_also(kaldi, summary)
    assert ids(rows) == ["ocean-001", "ocean-002", "ocean-003", "ocean-004"]
    assert [row.speaker for row in rows] == ["ocean-ann", "ocean-ann", "ocean-bob", "ocean-bob"]
    assert rows[0].text == "TAKE ONE PLEASE"
    assert rows[0].audio.endswith("WAVE/001.flac")  # wav.scp says .WAV
    assert [remark.name for remark in summary.skipped] == ["ocean-005"]


def test_a_list_and_speakers_choose(kaldi: Also, tmp_path: Path) -> None:
    wanted, summary = tmp_path / "ocean.ids", Summary()
    wanted.write_text("004\n002\n003\n006\n")
    assert ids(read_also(replace(kaldi, ids=wanted), summary)) == ["ocean-004", "ocean-002", "ocean-003"]
    assert summary.skipped == []  # 005 is not on the list, so of no concern
    missing = Remark("corpus.also.ocean.ids", "1 of 4 ids have no usable utterance: 006")
    assert summary.warnings == [missing]
    assert ids(read_also(replace(kaldi, ids=wanted, speakers=("bob",)), summary)) == [
        "ocean-004",
        "ocean-003",
    ]
    with pytest.raises(AsrError, match=r"corpus\.also\.ocean\.speakers: nobody of eve speaks in .*ocean"):
        read_also(replace(kaldi, speakers=("eve",)), summary)
    wanted.write_text("x\n")
    with pytest.raises(AsrError, match=r"corpus\.also\.ocean\.ids: none of its 1 ids is in the corpus"):
        read_also(replace(kaldi, ids=wanted), summary)


def test_train_gets_them_and_nobody_else(main: Path, kaldi: Also) -> None:
    parts = prepared(main, kaldi, replace(kaldi, name="other", speakers=("bob",)))
    assert ids(parts.train) == ["train", "ocean-001", "ocean-002", "ocean-003", "ocean-004"]
    assert (ids(parts.dev), ids(parts.test)) == (["dev"], ["test"])
    assert {name: len(rows) for name, rows in parts.also.items()} == {"ocean": 4, "other": 0}
    assert Remark("other-003", "left out, since train has the same audio already") in parts.summary.skipped


def test_what_dev_or_test_hold_never_comes_in_by_this_door(main: Path) -> None:
    parts = prepared(main, Also("again", "table", main, ("dev.csv", "train.csv", "test.csv")))
    assert ids(parts.train) == ["train"]
    assert parts.summary.skipped == [
        Remark("again-dev", "left out of train, since the same audio is in dev"),
        Remark("again-test", "left out of train, since the same audio is in test"),
        Remark("again-train", "left out, since train has the same audio already"),
    ]


def test_a_speaker_of_librispeech_is_known_again(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    for subset, chapter in {"train-clean-5": "7", "dev-clean-2": "8", "train-clean-100": "9"}.items():
        folder = tmp_path / subset / "19" / chapter
        make_audio(folder / f"19-{chapter}-0000.flac", 0.1)
        (folder / f"19-{chapter}.trans.txt").write_text(f"19-{chapter}-0000 HELLO\n")
    also = Also("more", "librispeech", tmp_path, ("train-clean-100",))
    parts = prepare(
        source="mini_librispeech", root=tmp_path, train=["train-clean-5"], dev=["dev-clean-2"], also=[also]
    )
    assert [(row.utt_id, row.speaker) for row in parts.train] == [
        ("19-7-0000", "19"),
        ("more-19-9-0000", "19"),
    ]
    assert (
        Remark("dev", "1 of its speakers are in train too (19), so its WER flatters")
        in parts.summary.warnings
    )


def test_one_that_is_not_there_is_a_sentence_or_a_remark(main: Path, kaldi: Also, tmp_path: Path) -> None:
    gone = replace(kaldi, root=tmp_path / "speechocean762", archive="speechocean762")
    with pytest.raises(AsrError) as caught:
        prepared(main, gone)
    assert str(caught.value) == (
        f"corpus.also.ocean: {gone.root} is not there; download "
        "https://www.openslr.org/resources/101/speechocean762.tar.gz (0.5 GB) and unpack it in "
        f"{tmp_path}, give its folder with --set corpus.also.ocean.root=DIR, or train without it with --set "
        "corpus.also.ocean.optional=true"
    )
    parts = prepared(main, replace(gone, optional=True))
    assert (ids(parts.train), parts.also) == (["train"], {"ocean": []})
    reason = f"trained without it, since it is optional and {gone.root} is not there"
    assert parts.summary.warnings == [Remark("corpus.also.ocean", reason)]


def test_only_what_is_wanted_and_published_is_fetched(kaldi: Also, tmp_path: Path) -> None:
    gone = replace(kaldi, root=tmp_path / "gone")
    assert not kaldi.is_fetched()  # no archive is named
    assert replace(gone, archive="LJSpeech-1.1").is_fetched()
    assert not replace(gone, archive="LJSpeech-1.1", optional=True).is_fetched()
    assert Also("x", "librispeech", tmp_path, ("train-clean-360",)).is_fetched()
    fetch_also(replace(kaldi, archive="speechocean762"))  # there already
    with pytest.raises(AsrError, match=r"^corpus\.also\.ocean: speechocean762: no checksum is published"):
        fetch_also(replace(gone, archive="speechocean762"))
    with pytest.raises(
        AsrError, match=r"^corpus\.also\.ocean: no archive is called 'LJ'; known are LJSpeech"
    ):
        fetch_also(replace(gone, archive="LJ"))


def test_synthesised_speech_can_be_added(main: Path, tmp_path: Path) -> None:
    made = Also("made", "synthetic", tmp_path / "made")
    with pytest.raises(
        AsrError, match=r"made is not there; synthesise it with the first step of the recipe q"
    ):
        prepared(main, made)
    row = Utterance(utt_id="s1", audio="/s1.flac", start=0, duration=1, text="A", speaker="en")
    write_manifest(tmp_path / "made" / "train.jsonl", [row])
    assert ids(prepared(main, made).train) == ["train", "made-s1"]


def test_a_name_is_needed_where_nothing_says_what_all_is(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"^corpus\.also\.x\.train is empty; name a subset"):
        read_also(Also("x", "librispeech", tmp_path), Summary())


def spoken(speakers: int, each: int, seconds: float = 6.0) -> list[Utterance]:
    return [
        Utterance(
            utt_id=f"{s}-{n}", audio=f"{s}-{n}.wav", start=0.0, duration=seconds, text="A", speaker=f"{s}"
        )
        for s in range(speakers)
        for n in range(each)
    ]


def some(rows: list[Utterance], minutes: float, seed: int = 1) -> list[Utterance]:
    return drawn(Also("old", "kaldi", Path("old"), minutes=minutes, seed=seed), rows, Summary())


def test_some_minutes_are_whole_utterances_of_all_speakers() -> None:
    rows = spoken(10, 50)
    chosen = some(rows, 2.05)  # 20 utterances, and not the half of another
    assert len(chosen) == 20
    assert {
        speaker: [row.speaker for row in chosen].count(speaker) for speaker in "0123456789"
    } == dict.fromkeys("0123456789", 2)
    assert chosen == [row for row in rows if row in chosen]  # in the order given
    assert {row.utt_id for row in some(rows[::-1], 2.05)} == {row.utt_id for row in chosen}
    assert {row.utt_id for row in some(rows, 2.05, seed=2)} != {row.utt_id for row in chosen}
    assert set(ids(some(rows, 1.0))) < set(ids(chosen))  # fewer minutes are a part of more
    assert some(rows, 0) == rows


def test_what_does_not_fit_is_passed_over() -> None:
    rows = spoken(1, 1, seconds=100) + spoken(3, 2, seconds=10)[2:]
    assert [row.duration for row in some(rows, 0.5)] == [10, 10, 10]
    with pytest.raises(AsrError, match=r"corpus\.also\.old\.minutes: no utterance is as short as 6\.0 s"):
        some(rows, 0.1)


def test_less_than_was_asked_for_is_told(kaldi: Also, main: Path) -> None:
    made = prepared(main, replace(kaldi, minutes=1.0))
    assert len(made.also["ocean"]) == 4
    told = "1 minutes asked for, 0.0 are there and all taken"
    assert Remark("corpus.also.ocean.minutes", told) in made.summary.warnings
    made = prepared(main, replace(kaldi, minutes=0.25 / 60))
    assert [row.speaker for row in made.also["ocean"]] == ["ocean-ann", "ocean-bob"]
    assert made.train[1:] == made.also["ocean"]
