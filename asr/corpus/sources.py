"""Reading what the names of a part mean: subsets, folders, tables, by source."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from asr.corpus.folders import read_folder, read_ljspeech
from asr.corpus.kaldi import read_kaldi
from asr.corpus.librispeech import SUBSETS, find_subset, read_librispeech
from asr.corpus.manifest import missing_ids, read_manifest, select
from asr.corpus.summary import Summary, named
from asr.corpus.tables import read_table
from asr.corpus.vctk import read_vctk
from asr.errors import AsrError
from asr.records import Utterance

_BY_ID: dict[str, Callable[[Path, Collection[str] | None], tuple[list[Utterance], Summary]]] = {
    "kaldi": read_kaldi,
    "ljspeech": read_ljspeech,
    "vctk": read_vctk,
}
OWN = ("folder", "table", *_BY_ID)
"""Sources that are there already: nothing is downloaded or made."""


def names_of_train(source: str, names: Sequence[str], key: str = "corpus") -> Sequence[str]:
    """The names of train, with what none means for this source.

    Args:
        source: as in `asr.config.CorpusConfig`.
        names: as configured.
        key: of the configuration, for the sentence.

    Raises:
        AsrError: the source needs a name.
    """
    if names:
        return names
    if source == "synthetic":
        return ("train",)
    if source in OWN and source != "table":
        return (".",)
    what = "a table, such as recordings.csv" if source == "table" else "a subset, such as train-clean-100"
    raise AsrError(f"{key}.train is empty; name {what}, in the folder {key}.root")


def read_names(
    source: str, root: Path, names: Sequence[str], only: Collection[str] | None, summary: Summary
) -> list[Utterance]:
    """Read all names of a part into one list with unique ids.

    Args:
        source: as in `asr.config.CorpusConfig`.
        root: folder of the corpus.
        names: subsets, files or folders below `root`.
        only: ids that are wanted; some sources then do not open the others.
        summary: takes what was skipped.

    Raises:
        AsrError: nothing at one of the names, or nothing usable.
    """
    rows: dict[str, Utterance] = {}
    for name in names:
        found, told = _read_one(source, root, name, only)
        summary.extend(told)
        if not found and (only is None or told.skipped):  # of a list, others may hold all
            raise AsrError(f"{root / name}: no usable utterance; {told.text(3)}")
        for row in found:
            if row.utt_id in rows:
                summary.skip(row.utt_id, f"the id occurs twice; the first is kept ({rows[row.utt_id].audio})")
            else:
                rows[row.utt_id] = row
    return list(rows.values())


def listed(key: str, rows: list[Utterance], ids: list[str] | None, summary: Summary) -> list[Utterance]:
    """The utterances on a list, in its order; all where there is no list. Ids without one are a warning.

    Raises:
        AsrError: none of the ids is there; the sentence begins with `key`.
    """
    if ids is None:
        return rows
    missing = missing_ids(rows, ids)
    if len(missing) == len(ids):
        raise AsrError(f"{key}: none of its {len(ids)} ids is in the corpus, such as {named(ids, 3)}")
    if missing:
        summary.warn(key, f"{len(missing)} of {len(ids)} ids have no usable utterance: {named(missing)}")
    return select(rows, [utt_id for utt_id in ids if utt_id not in set(missing)])


def without(
    pool: list[Utterance], taken: list[Utterance], why: str = "", summary: Summary | None = None
) -> list[Utterance]:
    """`pool` without the recordings of `taken`; each is a remark that says `why` where there is a summary."""
    places = {(row.audio, row.start) for row in taken}
    both = [row for row in pool if (row.audio, row.start) in places]
    if summary:
        for row in both:
            summary.skip(row.utt_id, why)
    return [row for row in pool if (row.audio, row.start) not in places] if both else pool


def _read_one(
    source: str, root: Path, name: str, only: Collection[str] | None
) -> tuple[list[Utterance], Summary]:
    if source == "folder":
        return read_folder(root / name, root)
    if source == "table":
        return read_table(root / name)
    if source in _BY_ID:
        return _BY_ID[source](root / name, only)
    if source == "synthetic":
        manifest = root / f"{name}.jsonl"
        if not manifest.exists():
            raise AsrError(f"{manifest}: not there yet; run the recipe from its first step to synthesise it")
        return read_manifest(manifest), Summary()
    if source not in SUBSETS:
        known = ", ".join([*SUBSETS, "synthetic", *OWN])
        raise AsrError(f"corpus.source is '{source}'; expected one of {known}")
    folder = find_subset(root, name)
    if folder is None:
        raise AsrError(
            f"{root / name}: no such folder; run the recipe from its first step to download it, or give the "
            "folder that holds it with --set corpus.root=DIR"
        )
    return read_librispeech(folder, only)
