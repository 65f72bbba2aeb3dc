"""Manifests: one utterance a line as JSON; choosing from them by a list of ids, and splitting them."""

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from asr.corpus.summary import named
from asr.errors import AsrError
from asr.files import atomic_path
from asr.records import Utterance

logger = logging.getLogger("asr")


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write utterances as JSON lines, in one step (see `asr.files.atomic_path`).

    Raises:
        AsrError: an id occurs twice (nothing is written then), or `path` cannot be written.
    """
    rows = list(utterances)
    twice = [utt_id for utt_id, count in Counter(row.utt_id for row in rows).items() if count > 1]
    if twice:
        raise AsrError(
            f"{path}: not written: every utt_id must be unique, found more than once: {named(twice)}"
        )
    encoder = msgspec.json.Encoder()
    with atomic_path(path) as partial, partial.open("wb") as file:
        file.writelines(encoder.encode(row) + b"\n" for row in rows)


def read_manifest(path: Path) -> list[Utterance]:
    """Read the utterances of a manifest, in the order of its lines; empty lines are passed over.

    Raises:
        AsrError: no such file; a line that is not an utterance, has an impossible time or repeats an id.
            The sentence begins with `file:line`.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise AsrError(f"{path}: the manifest cannot be read ({error.strerror})") from error
    decoder = msgspec.json.Decoder(Utterance)
    first_seen: dict[str, int] = {}
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _decoded(line, decoder, f"{path}:{number}")
        if row.utt_id in first_seen:
            raise AsrError(
                f"{path}:{number}: utt_id '{row.utt_id}' stands on line {first_seen[row.utt_id]} already; "
                "ids must be unique, remove or rename one of the two"
            )
        first_seen[row.utt_id] = number
        rows.append(row)
    return rows


def _decoded(line: bytes, decoder: msgspec.json.Decoder[Utterance], where: str) -> Utterance:
    try:
        row = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        problem = str(error).replace("`$.", "`")
        raise AsrError(f"{where}: not an utterance: {problem}; make the manifest again") from error
    if not row.utt_id:
        raise AsrError(f"{where}: the utt_id is empty; give every utterance an id")
    if row.start < 0 or row.duration <= 0:
        raise AsrError(
            f"{where}: utterance '{row.utt_id}' has start {row.start} and duration {row.duration} seconds; "
            "start ≥ 0 and duration > 0 are expected"
        )
    return row


def read_ids(path: Path) -> list[str]:
    """Read a list of utterance ids, one a line; empty lines and lines that begin with # are passed over.

    Raises:
        AsrError: no such file, not text, an id twice, or a line with more than one word; with `file:line`.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise AsrError(f"{path}: the list of ids cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise AsrError(f"{path}: the list of ids is not UTF-8 text ({error.reason})") from error
    ids: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        utt_id = line.strip()
        if not utt_id or utt_id.startswith("#"):
            continue
        if len(utt_id.split()) > 1:
            raise AsrError(f"{path}:{number}: one utterance id a line is expected, found '{utt_id}'")
        if utt_id in ids:
            raise AsrError(f"{path}:{number}: id '{utt_id}' stands on line {ids[utt_id]} already; remove one")
        ids[utt_id] = number
    return list(ids)


def select(utterances: Iterable[Utterance], ids: Iterable[str]) -> list[Utterance]:
    """The utterances whose ids are wanted, in the order of `ids`.

    Ids that no utterance has are named in a log warning; `missing_ids` lists them.
    """
    by_id = {row.utt_id: row for row in utterances}
    wanted = list(ids)
    missing = missing_ids(by_id.values(), wanted)
    if missing:
        logger.warning("%d of %d ids are not in the corpus: %s", len(missing), len(wanted), named(missing))
    return [by_id[utt_id] for utt_id in wanted if utt_id in by_id]


def missing_ids(utterances: Iterable[Utterance], ids: Iterable[str]) -> list[str]:
    """The ids that no utterance has, in the order of `ids`."""
    present = {row.utt_id for row in utterances}
    return [utt_id for utt_id in ids if utt_id not in present]


def split(
    utterances: Sequence[Utterance], fraction: float, seed: int
) -> tuple[list[Utterance], list[Utterance]]:
    """Hold out about `fraction` of the speech, so that no speaker is on both sides.

    Speakers are taken in the order of a hash of seed and name, each one that brings the held-out time nearer
    to `fraction` of all; with one speaker, utterances are taken in the same way. The result depends on the
    set of utterances, `fraction` and `seed`, not on their order; both sides keep the order given.

    Args:
        utterances: two or more.
        fraction: between 0 and 1.
        seed: another seed holds out others.

    Returns:
        (kept, held out), neither of them empty.

    Raises:
        AsrError: fewer than two utterances.
    """
    if len(utterances) < 2:
        raise AsrError(
            f"two utterances or more are needed to hold some out, found {len(utterances)}; "
            "name a file or folder for each of train, dev and test"
        )
    seconds: defaultdict[str, float] = defaultdict(float)
    by_speaker = len({row.speaker for row in utterances}) > 1
    groups = [row.speaker if by_speaker else row.utt_id for row in utterances]
    for row, group in sorted(zip(utterances, groups, strict=True), key=lambda pair: pair[0].utt_id):
        seconds[group] += row.duration
    held = _nearest(seconds, fraction * sum(seconds.values()), seed)
    kept_rows = [row for row, group in zip(utterances, groups, strict=True) if group not in held]
    held_rows = [row for row, group in zip(utterances, groups, strict=True) if group in held]
    return kept_rows, held_rows


def _nearest(seconds: dict[str, float], target: float, seed: int) -> set[str]:
    """Groups whose times add up to about `target`: at least one, and never all."""

    def drawn(group: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{group}".encode("utf-8", "surrogatepass")).digest()

    chosen: set[str] = set()
    total = 0.0
    for group in sorted(seconds, key=drawn):
        if len(chosen) + 1 < len(seconds) and abs(total + seconds[group] - target) < abs(total - target):
            chosen.add(group)
            total += seconds[group]
    return chosen or {min(seconds, key=lambda group: (seconds[group], group))}
