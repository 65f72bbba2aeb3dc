"""Further corpora for training: fetched where that is wanted, read, and their ids made unique by a prefix."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from asr.corpus.librispeech import SUBSETS, fetch, find_subset
from asr.corpus.manifest import read_ids
from asr.corpus.published import by_hand, fetch_published
from asr.corpus.sources import listed, names_of_train, read_names
from asr.corpus.summary import Summary, named
from asr.errors import AsrError
from asr.records import Utterance


@dataclass(frozen=True)
class Also:
    """A further corpus of a recipe.

    Attributes:
        name: begins the ids of its utterances, `NAME-ID`.
        source, train, speakers, archive, optional, minutes, seed: as in `asr.config.AlsoConfig`.
        root: its folder.
        ids: file with one of its own ids a line; None for all.
        part: of the configuration, in which it is described under its name.
    """

    name: str
    source: str
    root: Path
    train: tuple[str, ...] = ()
    ids: Path | None = None
    speakers: tuple[str, ...] = ()
    archive: str = ""
    optional: bool = False
    minutes: float = 0.0
    seed: int = 1
    part: str = "corpus.also"

    @property
    def key(self) -> str:
        """The part of the configuration that describes it."""
        return f"{self.part}.{self.name}"

    def is_fetched(self) -> bool:
        """Whether the download step sees to it that it is there."""
        return not self.optional and (self.source in SUBSETS or bool(self.archive))

    def places(self) -> list[Path]:
        """The folders that make it up, there or not."""
        if self.source not in SUBSETS:
            return [self.root]
        names = names_of_train(self.source, self.train, self.key)
        return [find_subset(self.root, name) or self.root / name for name in names]


def fetch_also(corpus: Also, mirrors: Sequence[str] = ()) -> None:
    """Download a further corpus unless it is there.

    Raises:
        AsrError: it cannot be had; the sentence begins with the part of the configuration.
    """
    try:
        if corpus.source in SUBSETS:
            fetch(corpus.source, corpus.root, names_of_train(corpus.source, corpus.train), mirrors)
        else:
            fetch_published(corpus.archive, corpus.root, mirrors)
    except AsrError as error:
        raise AsrError(f"{corpus.key}: {error}; {_choices(corpus)}") from error


def read_also(corpus: Also, summary: Summary) -> list[Utterance]:
    """Read what train gets of a further corpus.

    Args:
        corpus: an optional one that is not there has no utterances, and the summary says so.
        summary: takes what was skipped.

    Returns:
        utterances with ids `NAME-ID` and speakers `NAME-SPEAKER`, in the order of the list of ids where there
        is one. LibriSpeech's speakers keep their numbers, since they may speak in the other subsets too.

    Raises:
        AsrError: it is not there and not optional; no speaker or no id of the lists is in it; what the
            readers raise.
    """
    names = names_of_train(corpus.source, corpus.train, corpus.key)
    missing = [place for place in corpus.places() if not place.exists()]
    if missing and corpus.optional:
        summary.warn(corpus.key, f"trained without it, since it is optional and {missing[0]} is not there")
        return []
    if missing:
        raise AsrError(f"{corpus.key}: {missing[0]} is not there; {_how_to_get(corpus)}{_choices(corpus)}")
    ids = read_ids(corpus.ids) if corpus.ids else None
    told = Summary()
    try:
        rows = read_names(corpus.source, corpus.root, names, None if ids is None else set(ids), told)
    except AsrError as error:
        raise AsrError(f"{corpus.key}: {error}") from error
    rows = listed(f"{corpus.key}.ids", rows, ids, told)
    rows = [row for row in rows if not corpus.speakers or row.speaker in corpus.speakers]
    if not rows:
        raise AsrError(f"{corpus.key}.speakers: nobody of {named(corpus.speakers)} speaks in {corpus.root}")
    for remark in told.skipped:
        summary.skip(f"{corpus.name}-{remark.name}", remark.reason)
    for remark in told.warnings:
        summary.warn(remark.name if remark.name.startswith(corpus.key) else corpus.key, remark.reason)
    return [_renamed(row, corpus) for row in rows]


def drawn(corpus: Also, rows: Sequence[Utterance], summary: Summary) -> list[Utterance]:
    """At most `corpus.minutes` of utterances; all where that is 0.

    Speakers take turns, in an order that the seed decides, and so do the utterances of each. One that no
    longer fits is passed over. The choice depends on seed and ids, not on the order of `rows`, which stays.

    Args:
        summary: takes a warning where there is less than was asked for.

    Raises:
        AsrError: not even one utterance is as short.
    """
    if not corpus.minutes or not rows:
        return list(rows)
    limit, total = 60 * corpus.minutes, sum(row.duration for row in rows)
    if total < limit:
        told = f"{corpus.minutes:g} minutes asked for, {total / 60:.1f} are there and all taken"
        summary.warn(f"{corpus.key}.minutes", told)
        return list(rows)
    chosen, seconds = set[str](), 0.0
    for row in _turns(rows, corpus.seed):
        if seconds + row.duration <= limit:
            chosen.add(row.utt_id)
            seconds += row.duration
    if not chosen:
        raise AsrError(f"{corpus.key}.minutes: no utterance is as short as {limit:.1f} s; give more minutes")
    return [row for row in rows if row.utt_id in chosen]


def _turns(rows: Sequence[Utterance], seed: int) -> list[Utterance]:
    """Of each speaker the first utterance, then of each the second, …; first by a hash of seed and name."""

    def order(name: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()

    by_speaker: defaultdict[str, list[Utterance]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: order(row.utt_id)):
        by_speaker[row.speaker].append(row)
    turns = [
        (turn, order(speaker), row) for speaker, own in by_speaker.items() for turn, row in enumerate(own)
    ]
    return [row for _, _, row in sorted(turns, key=lambda each: each[:2])]


def _renamed(row: Utterance, corpus: Also) -> Utterance:
    is_known = row.speaker != "unknown" and corpus.source not in SUBSETS
    speaker = f"{corpus.name}-{row.speaker}" if is_known else row.speaker
    return replace(row, utt_id=f"{corpus.name}-{row.utt_id}", speaker=speaker)


def _how_to_get(corpus: Also) -> str:
    if corpus.source == "synthetic":
        return "synthesise it with the first step of the recipe quickstart, "
    return f"{by_hand(corpus.archive, corpus.root)}, " if corpus.archive else ""


def _choices(corpus: Also) -> str:
    return (
        f"give its folder with --set {corpus.key}.root=DIR, or train without it with "
        f"--set {corpus.key}.optional=true"
    )
