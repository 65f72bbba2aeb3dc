"""Numbers about a corpus, as a record, a table and a picture."""

import errno
from pathlib import Path

import msgspec
import pytest
from matplotlib.figure import Figure

from asr.corpus.statistics import corpus_statistics, draw_statistics, statistics_table
from asr.errors import AsrError
from asr.records import Utterance

ROWS = [
    Utterance(utt_id=str(index), audio="x", start=0, duration=duration, text=text, speaker=speaker)
    for index, (duration, text, speaker) in enumerate(
        [(1800.0, "A BAD DAY", "ann"), (0.4, "A", "ann"), (2.0, "", "bob"), (2.99, "BAD", "bob")]
    )
]


def test_statistics() -> None:
    found = corpus_statistics(ROWS)
    assert found.utterances == 4
    assert found.speakers == 2
    assert found.hours == pytest.approx(1805.39 / 3600)
    assert (found.shortest, found.longest) == (0.4, 1800.0)
    assert found.mean == pytest.approx(1805.39 / 4)
    assert (found.words, found.distinct_words) == (5, 3)
    assert list(found.characters.items()) == [("A", 5), ("D", 3), (" ", 2), ("B", 2), ("Y", 1)]
    assert found.histogram[:4] == [1, 0, 2, 0]
    assert len(found.histogram) == 1801 and found.histogram[1800] == 1
    assert msgspec.to_builtins(found)["words"] == 5


def test_statistics_of_nothing() -> None:
    found = corpus_statistics([])
    assert (found.utterances, found.hours, found.mean, found.histogram) == (0, 0.0, 0.0, [])


def test_the_table_has_a_line_for_each_part() -> None:
    table = statistics_table({"train": corpus_statistics(ROWS), "dev": corpus_statistics([])}).splitlines()
    assert table[0].split()[:3] == ["utterances", "speakers", "hours"]
    assert table[1].split() == "train 4 2 0.50 0.40 s 451.35 s 1800.00 s 5 3 13".split()  # noqa: SIM905
    assert table[2].split()[:4] == ["dev", "0", "0", "0.00"]
    assert len({line.index("utterances"[-1]) for line in table[:1]}) == 1
    assert all(not line.endswith(" ") for line in table)


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_picture(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / "new" / f"corpus.{suffix}"
    draw_statistics(path, {"train": corpus_statistics(ROWS[1:]), "dev": corpus_statistics([])})
    assert path.read_bytes().startswith(magic)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Figure, path: Path, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(AsrError, match=r"corpus\.png: cannot be written: the disk is full"):
        draw_statistics(tmp_path / "corpus.png", {"train": corpus_statistics(ROWS[1:])})
    assert list(tmp_path.iterdir()) == []
