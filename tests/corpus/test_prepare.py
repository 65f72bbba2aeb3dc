"""From a configuration's fields to train, dev and test."""

from pathlib import Path

import pytest

from asr.corpus.manifest import write_manifest
from asr.corpus.prepare import prepare
from asr.corpus.summary import Remark
from asr.errors import AsrError
from asr.records import Utterance


def ids(rows: list[Utterance]) -> list[str]:
    return [row.utt_id for row in rows]


def id_list(path: Path, *names: str) -> Path:
    path.write_text("\n".join(names) + "\n")
    return path


@pytest.fixture
def libri(tmp_path: Path, make_audio) -> Path:  # type: ignore[no-untyped-def]
    """train-clean-5 with three speakers of two utterances, dev-clean-2 with one."""
    root = tmp_path / "libri"
    for subset, speakers in {"train-clean-5": "123", "dev-clean-2": "9"}.items():
        for speaker in speakers:
            chapter = root / subset / speaker / "7"
            names = [f"{speaker}-7-000{index}" for index in range(2)]
            for name in names:
                make_audio(chapter / f"{name}.flac", 0.1)
            (chapter / f"{speaker}-7.trans.txt").write_text("".join(f"{name} HELLO\n" for name in names))
    return root


@pytest.fixture
def own(tmp_path: Path, make_audio) -> Path:  # type: ignore[no-untyped-def]
    """Twenty speakers of two utterances each."""
    for speaker in range(20):
        for take in range(2):
            path = make_audio(tmp_path / "own" / f"s{speaker:02d}" / f"{take}.wav", 0.1)
            path.with_suffix(".txt").write_text("hello")
    return tmp_path / "own"


def test_librispeech_by_names(libri: Path) -> None:
    parts = prepare(source="mini_librispeech", root=libri, train=["train-clean-5"], dev=["dev-clean-2"])
    assert ids(parts.train) == [f"{speaker}-7-000{take}" for speaker in "123" for take in range(2)]
    assert ids(parts.dev) == ["9-7-0000", "9-7-0001"]
    assert parts.test == []  # never split
    assert parts.summary.skipped == []
    assert [remark.name for remark in parts.summary.warnings] == ["dev-clean-2"]


def test_lists_of_ids(libri: Path, tmp_path: Path) -> None:
    for path in (libri / "train-clean-5" / "3").rglob("*.flac"):
        path.unlink()  # not on any list, so of no concern
    parts = prepare(
        source="mini_librispeech",
        root=libri,
        train=["train-clean-5"],
        dev=["dev-clean-2"],
        train_ids=id_list(tmp_path / "train.ids", "2-7-0001", "1-7-0000", "gone"),
        dev_ids=id_list(tmp_path / "dev.ids", "9-7-0001"),
        test_ids=id_list(tmp_path / "test.ids", "1-7-0001"),
    )
    assert (ids(parts.train), ids(parts.dev), ids(parts.test)) == (
        ["2-7-0001", "1-7-0000"],
        ["9-7-0001"],
        ["1-7-0001"],
    )
    assert parts.summary.skipped == []
    assert parts.summary.warnings == [
        Remark("corpus.train_ids", "1 of 3 ids have no usable utterance: gone"),
        Remark("test", "1 of its speakers are in train too (1), so its WER flatters"),
    ]


def test_a_list_for_dev_alone_takes_from_train(libri: Path, tmp_path: Path) -> None:
    dev = id_list(tmp_path / "dev.ids", "2-7-0000", "2-7-0001")
    parts = prepare(source="mini_librispeech", root=libri, train=["train-clean-5"], dev_ids=dev)
    assert ids(parts.dev) == ["2-7-0000", "2-7-0001"]
    assert ids(parts.train) == [f"{speaker}-7-000{take}" for speaker in "13" for take in range(2)]


def test_a_list_without_any_id_of_the_corpus_is_an_error(libri: Path, tmp_path: Path) -> None:
    wrong = id_list(tmp_path / "wrong.ids", "a", "b")
    with pytest.raises(AsrError, match=r"dev_ids: none of its 2 ids is in the corpus, such as a, b"):
        prepare(source="mini_librispeech", root=libri, train=["train-clean-5"], dev_ids=wrong)


def test_a_missing_subset_is_an_error(libri: Path) -> None:
    with pytest.raises(AsrError, match=r"dev-clean: no such folder; run the recipe from its first step"):
        prepare(source="librispeech", root=libri, train=["train-clean-5"], dev=["dev-clean"])


def test_own_data_is_split_by_speaker_the_same_way_every_time(own: Path) -> None:
    first, again, other = (prepare(source="folder", root=own, seed=seed) for seed in (1, 1, 2))
    speakers = [{row.speaker for row in rows} for rows in (first.train, first.dev, first.test)]
    assert [len(part) for part in speakers] == [16, 2, 2]
    assert len(set.union(*speakers)) == 20
    assert (first.train, first.dev, first.test) == (again.train, again.dev, again.test)
    assert ids(first.dev) != ids(other.dev)
    assert first.summary.text() == "nothing skipped"


def test_own_data_of_one_speaker_is_split_by_utterance_and_says_so(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    for index in range(10):
        make_audio(tmp_path / "LJ" / "wavs" / f"{index}.wav", 0.1)
    (tmp_path / "LJ" / "metadata.csv").write_text("".join(f"{index}|hello|hello\n" for index in range(10)))
    parts = prepare(source="ljspeech", root=tmp_path / "LJ")
    assert [len(part) for part in (parts.train, parts.dev, parts.test)] == [8, 1, 1]
    flatters = "1 of its speakers are in train too (LJ), so its WER flatters"
    assert parts.summary.warnings == [Remark("dev", flatters), Remark("test", flatters)]


def test_own_parts_by_name_never_share_audio(own: Path) -> None:
    (own / "all.csv").write_text(
        "audio,text,id,speaker\n" + "".join(f"s{n:02d}/0.wav,a,u{n},s{n}\n" for n in range(6))
    )
    (own / "dev.tsv").write_text("audio\ttext\ns01/0.wav\ta\ns02/0.wav\ta\n")
    (own / "test.csv").write_text("audio,text\ns01/0.wav,a\ns03/0.wav,a\nnone.wav,a\n")
    parts = prepare(source="table", root=own, train=["all.csv"], dev=["dev.tsv"], test=["test.csv"])
    assert ids(parts.train) == ["u0", "u4", "u5"]
    assert ids(parts.dev) == ["s01-0", "s02-0"]
    told = dict(parts.summary.skipped)
    assert told["u1"] == "left out of train, since the same audio is in dev"
    assert told["u3"] == "left out of train, since the same audio is in test"
    assert told["none"].startswith("the audio file is missing")


def test_several_names_make_one_part(own: Path) -> None:
    parts = prepare(source="folder", root=own, train=["s00", "s01", "s02"], dev=["s03"], test=["s04"])
    assert ids(parts.train) == ["s00-0", "s00-1", "s01-0", "s01-1", "s02-0", "s02-1"]
    assert (ids(parts.dev), ids(parts.test)) == (["s03-0", "s03-1"], ["s04-0", "s04-1"])
    again = prepare(source="folder", root=own, train=["s00", "s00"], dev=["s03"], test=["s04"])
    assert ids(again.train) == ["s00-0", "s00-1"]
    assert [remark.reason.partition(";")[0] for remark in again.summary.skipped] == [
        "the id occurs twice"
    ] * 2


def test_kaldi_folders(tmp_path: Path, make_audio) -> None:  # type: ignore[no-untyped-def]
    for part in ("train", "dev", "test"):
        make_audio(tmp_path / part / "x.wav", 0.1)
        (tmp_path / part / "wav.scp").write_text(f"{part} x.wav\n")
        (tmp_path / part / "text").write_text(f"{part} hello\n")
    parts = prepare(source="kaldi", root=tmp_path, train=["train"], dev=["dev"], test=["test"])
    assert (ids(parts.train), ids(parts.dev), ids(parts.test)) == (["train"], ["dev"], ["test"])


def test_synthetic_parts_are_manifests(tmp_path: Path) -> None:
    rows = {
        part: Utterance(utt_id=part, audio=f"/{part}.flac", start=0, duration=1, text="A", speaker=part)
        for part in ("train", "dev", "test")
    }
    with pytest.raises(AsrError, match=r"train\.jsonl: not there yet; run the recipe from its first step"):
        prepare(source="synthetic", root=tmp_path)
    for part, row in rows.items():
        write_manifest(tmp_path / f"{part}.jsonl", [row])
    parts = prepare(source="synthetic", root=tmp_path)
    assert (parts.train, parts.dev, parts.test) == ([rows["train"]], [rows["dev"]], [rows["test"]])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("librispeech", "corpus.train is empty; name a subset, such as train-clean-100"),
        ("table", "corpus.train is empty; name a table, such as recordings.csv"),
        ("radio", "corpus.train is empty"),
    ],
)
def test_train_must_be_named(tmp_path: Path, source: str, sentence: str) -> None:
    with pytest.raises(AsrError, match=sentence):
        prepare(source=source, root=tmp_path)


def test_an_unknown_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        AsrError, match=r"corpus\.source is 'radio'; expected one of librispeech, mini_librispeech"
    ):
        prepare(source="radio", root=tmp_path, train=["x"])


def test_nothing_usable_is_an_error_with_the_first_reasons(tmp_path: Path, own: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for index in range(5):
        (bad / f"{index}.wav").write_bytes(b"")
        (bad / f"{index}.txt").write_text("hello")
    with pytest.raises(AsrError, match=r"bad: no usable utterance; 5 skipped\n  0: not readable as audio"):
        prepare(source="folder", root=bad)
    with pytest.raises(AsrError, match="no utterance is left for training"):
        prepare(source="folder", root=own, train=["s00"], dev=["s00"], test=["s01"])
