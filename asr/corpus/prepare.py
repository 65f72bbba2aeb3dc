"""From what a configuration says about the corpus to the utterances of train, dev and test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from asr.corpus.also import Also, drawn, read_also
from asr.corpus.manifest import read_ids, split
from asr.corpus.sources import OWN, listed, names_of_train, read_names, without
from asr.corpus.summary import Summary, named
from asr.errors import AsrError
from asr.records import Utterance

T = TypeVar("T")

HELD_OUT = 0.1
"""Share of the speech that becomes dev, and then test, where own data names none."""


@dataclass
class Prepared:
    """The three parts of a corpus, no utterance in two of them, and what was left out on the way.

    Attributes:
        also: what train got of each further corpus, by its name; empty for one that is not there.
    """

    train: list[Utterance]
    dev: list[Utterance]
    test: list[Utterance]
    summary: Summary = field(default_factory=Summary)
    also: dict[str, list[Utterance]] = field(default_factory=dict)


def prepare(
    *,
    source: str,
    root: Path,
    train: Sequence[str] = (),
    dev: Sequence[str] = (),
    test: Sequence[str] = (),
    train_ids: Path | None = None,
    dev_ids: Path | None = None,
    test_ids: Path | None = None,
    also: Sequence[Also] = (),
    seed: int = 1,
) -> Prepared:
    """Read the parts of a corpus.

    A part is what its names hold (subsets, folders or files below `root`, by source), restricted to its list
    of ids where there is one. A part with a list but no names is taken out of the names of train. Own data
    whose train has no names is all of `root`; where it has neither names nor a list for dev or test, a tenth
    of the speech of train becomes each of them, split by speaker (`asr.corpus.manifest.split`). The corpora
    `librispeech` and `mini_librispeech` are never split: a part without names is empty.

    Args:
        source: as in `asr.config.CorpusConfig`.
        root: folder of the corpus.
        train, dev, test: names; relative paths below `root`.
        train_ids, dev_ids, test_ids: files with one id a line.
        also: further corpora, whose utterances come behind the others in train.
        seed: of the split.

    Returns:
        the parts, and a summary that names everything that was skipped. What dev or test hold is taken out
        of train; speakers that train shares with them, and ids that are not in the corpus, are warnings.

    Raises:
        AsrError: nothing at one of the names, a part that was asked for and has no utterance, and what the
            readers raise.
    """
    summary = Summary()
    names = _names(source, train, dev, test)
    ids = _by_part(*(read_ids(path) if path else None for path in (train_ids, dev_ids, test_ids)))
    pool = read_names(source, root, names["train"], _wanted_of_train(names, ids), summary)
    parts: dict[str, list[Utterance]] = {}
    for part in ("dev", "test"):
        if names[part]:
            found = read_names(source, root, names[part], ids[part], summary)
            parts[part] = listed(f"corpus.{part}_ids", found, ids[part], summary)
            pool = without(pool, parts[part], _shared(part), summary)
        else:
            has_list = ids[part] is not None
            parts[part] = listed(f"corpus.{part}_ids", pool, ids[part], summary) if has_list else []
            pool = without(pool, parts[part])
    pool = listed("corpus.train_ids", pool, ids["train"], summary)
    for part in ("dev", "test"):
        if source in OWN and not names[part] and ids[part] is None:
            pool, parts[part] = split(pool, HELD_OUT, seed)
    if not pool:
        raise AsrError(f"{root}: no utterance is left for training; {summary.text(3)}")
    added: dict[str, list[Utterance]] = {}
    for corpus in also:
        rows = read_also(corpus, summary)
        for part in ("dev", "test"):
            rows = without(rows, parts[part], _shared(part), summary)
        rows = without(rows, pool, "left out, since train has the same audio already", summary)
        added[corpus.name] = drawn(corpus, rows, summary)
        pool = pool + added[corpus.name]
    _warn_of_shared_speakers(pool, parts, summary)
    return Prepared(train=pool, dev=parts["dev"], test=parts["test"], summary=summary, also=added)


def _shared(part: str) -> str:
    return f"left out of train, since the same audio is in {part}"


def _by_part(train: T, dev: T, test: T) -> dict[str, T]:
    return {"train": train, "dev": dev, "test": test}


def _names(
    source: str, train: Sequence[str], dev: Sequence[str], test: Sequence[str]
) -> dict[str, Sequence[str]]:
    """The names of each part, with what an empty one means for this source."""
    if source == "synthetic":
        return _by_part(train or ("train",), dev or ("dev",), test or ("test",))
    return _by_part(names_of_train(source, train), dev, test)


def _wanted_of_train(names: dict[str, Sequence[str]], ids: dict[str, list[str] | None]) -> set[str] | None:
    """The ids that any part takes from the names of train; None where that is all of them."""
    if ids["train"] is None:
        return None
    return {
        utt_id
        for part, wanted in ids.items()
        if part == "train" or not names[part]
        for utt_id in wanted or ()
    }


def _warn_of_shared_speakers(
    train: list[Utterance], parts: dict[str, list[Utterance]], summary: Summary
) -> None:
    known = {row.speaker for row in train} - {"unknown"}
    for part, rows in parts.items():
        shared = sorted(known & {row.speaker for row in rows})
        if shared:
            summary.warn(
                part, f"{len(shared)} of its speakers are in train too ({named(shared)}), so its WER flatters"
            )
