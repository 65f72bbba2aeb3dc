"""From what a configuration says about the corpus to the utterances of train, dev and test."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from asr.corpus.folders import read_folder, read_ljspeech
from asr.corpus.kaldi import read_kaldi
from asr.corpus.librispeech import SUBSETS, find_subset, read_librispeech
from asr.corpus.manifest import missing_ids, read_ids, read_manifest, select, split
from asr.corpus.summary import Summary, named
from asr.corpus.tables import read_table
from asr.errors import AsrError
from asr.records import Utterance

T = TypeVar("T")

HELD_OUT = 0.1
"""Share of the speech that becomes dev, and then test, where own data names none."""

_OWN: dict[str, Callable[[Path], tuple[list[Utterance], Summary]]] = {
    "folder": read_folder,
    "table": read_table,
    "kaldi": read_kaldi,
    "ljspeech": read_ljspeech,
}


@dataclass
class Prepared:
    """The three parts of a corpus, no utterance in two of them, and what was left out on the way."""

    train: list[Utterance]
    dev: list[Utterance]
    test: list[Utterance]
    summary: Summary = field(default_factory=Summary)


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
    pool = _read(source, root, names["train"], _wanted_of_train(names, ids), summary)
    parts: dict[str, list[Utterance]] = {}
    for part in ("dev", "test"):
        if names[part]:
            found = _read(source, root, names[part], ids[part], summary)
            parts[part] = _listed(part, found, ids[part], summary)
            pool = _without(pool, parts[part], part, summary)
        else:
            parts[part] = [] if ids[part] is None else _listed(part, pool, ids[part], summary)
            pool = _without(pool, parts[part])
    pool = _listed("train", pool, ids["train"], summary)
    for part in ("dev", "test"):
        if source in _OWN and not names[part] and ids[part] is None:
            pool, parts[part] = split(pool, HELD_OUT, seed)
    if not pool:
        raise AsrError(f"{root}: no utterance is left for training; {summary.text(3)}")
    _warn_of_shared_speakers(pool, parts, summary)
    return Prepared(train=pool, dev=parts["dev"], test=parts["test"], summary=summary)


def _by_part(train: T, dev: T, test: T) -> dict[str, T]:
    return {"train": train, "dev": dev, "test": test}


def _names(
    source: str, train: Sequence[str], dev: Sequence[str], test: Sequence[str]
) -> dict[str, Sequence[str]]:
    """The names of each part, with what an empty one means for this source."""
    if source == "synthetic":
        return _by_part(train or ("train",), dev or ("dev",), test or ("test",))
    if train:
        return _by_part(train, dev, test)
    if source in _OWN and source != "table":
        return _by_part((".",), dev, test)
    what = "a table, such as recordings.csv" if source == "table" else "a subset, such as train-clean-100"
    raise AsrError(f"corpus.train is empty; name {what}, in the folder corpus.root")


def _wanted_of_train(names: dict[str, Sequence[str]], ids: dict[str, list[str] | None]) -> set[str] | None:
    """The ids that any part takes from the names of train; None where that is all of them."""
    if ids["train"] is None:
        return None
    return {
        utt_id
        for part, listed in ids.items()
        if part == "train" or not names[part]
        for utt_id in listed or ()
    }


def _read(
    source: str, root: Path, names: Sequence[str], only: Collection[str] | None, summary: Summary
) -> list[Utterance]:
    """Read all names of a part into one list with unique ids."""
    rows: dict[str, Utterance] = {}
    for name in names:
        found, told = _read_one(source, root, name, only)
        summary.extend(told)
        if not found:
            raise AsrError(f"{root / name}: no usable utterance; {told.text(3)}")
        for row in found:
            if row.utt_id in rows:
                summary.skip(row.utt_id, f"the id occurs twice; the first is kept ({rows[row.utt_id].audio})")
            else:
                rows[row.utt_id] = row
    return list(rows.values())


def _read_one(
    source: str, root: Path, name: str, only: Collection[str] | None
) -> tuple[list[Utterance], Summary]:
    if source == "folder":
        return read_folder(root / name, root)
    if source in _OWN:
        return _OWN[source](root / name)
    if source == "synthetic":
        manifest = root / f"{name}.jsonl"
        if not manifest.exists():
            raise AsrError(f"{manifest}: not there yet; run the recipe from its first step to synthesise it")
        return read_manifest(manifest), Summary()
    if source not in SUBSETS:
        known = ", ".join([*SUBSETS, "synthetic", *_OWN])
        raise AsrError(f"corpus.source is '{source}'; expected one of {known}")
    folder = find_subset(root, name)
    if folder is None:
        raise AsrError(
            f"{root / name}: no such folder; run the recipe from its first step to download it, or give the "
            "folder that holds it with --set corpus.root=DIR"
        )
    return read_librispeech(folder, only)


def _listed(part: str, rows: list[Utterance], ids: list[str] | None, summary: Summary) -> list[Utterance]:
    """The utterances on the list of a part, in its order; all where there is no list.

    Raises:
        AsrError: none of the ids is there.
    """
    if ids is None:
        return rows
    missing = missing_ids(rows, ids)
    if len(missing) == len(ids):
        raise AsrError(
            f"corpus.{part}_ids: none of its {len(ids)} ids is in the corpus, such as {named(ids, 3)}"
        )
    if missing:
        summary.warn(
            f"corpus.{part}_ids",
            f"{len(missing)} of {len(ids)} ids have no usable utterance: {named(missing)}",
        )
    return select(rows, [utt_id for utt_id in ids if utt_id not in set(missing)])


def _without(
    pool: list[Utterance], taken: list[Utterance], part: str = "", summary: Summary | None = None
) -> list[Utterance]:
    """`pool` without the recordings of `taken`; each is a remark where there is a summary."""
    places = {(row.audio, row.start) for row in taken}
    both = [row for row in pool if (row.audio, row.start) in places]
    if summary:
        for row in both:
            summary.skip(row.utt_id, f"left out of train, since the same audio is in {part}")
    return [row for row in pool if (row.audio, row.start) not in places] if both else pool


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
