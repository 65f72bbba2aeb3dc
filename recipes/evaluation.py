"""The sets that a recipe is measured on: which they are, decoding them, what was said in them."""

import io
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.config import DecodingConfig, writes_phones
from asr.corpus.librispeech import SUBSETS, find_subset
from asr.corpus.manifest import read_manifest
from asr.errors import AsrError
from asr.features.audio import probe, read_audio
from asr.files import write_bytes
from asr.progress import track
from asr.records import Hypothesis, Utterance
from asr.scoring import formats
from asr.transcribe import Failure, Recogniser
from asr.units.kinds import load_units
from asr.units.tokens import read_tokens
from recipes.recipe import Recipe

Change: TypeAlias = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]
"""(utterance id, samples (S,)) -> samples (S,)."""


def evaluation_sets(recipe: Recipe) -> dict[str, list[Utterance]]:
    """The utterances of dev and test, by set: "dev" and "test", or the official subsets by their names.

    Sets without utterances are left out.
    """
    corpus = recipe.config.corpus
    sets: dict[str, list[Utterance]] = {}
    for part, names in (("dev", corpus.dev), ("test", corpus.test)):
        rows = read_manifest(recipe.exp / "corpus" / f"{part}.jsonl")
        if corpus.source not in SUBSETS or not names:
            sets[part] = rows
            continue
        for name in names:
            folder = find_subset(recipe.corpus_root, name)
            sets[name] = [row for row in rows if folder and Path(row.audio).is_relative_to(folder.resolve())]
    return {name: rows for name, rows in sets.items() if rows}


def dev_sets(recipe: Recipe) -> tuple[str, ...]:
    """Names of the sets of `evaluation_sets` that are dev."""
    corpus = recipe.config.corpus
    return corpus.dev if corpus.source in SUBSETS and corpus.dev else ("dev",)


def label(recipe: Recipe, name: str, way: str = "") -> str:
    """How a result is headed: the recipe's name, that of the set where it is not simply "test", and the way
    to decode it where it is not the recipe's own (see `recipes.tuning.ways_to_decode`)."""
    return recipe.name if name + way == "test" else f"{recipe.name} {name}{way}"


def reference_of(recipe: Recipe, decoding: DecodingConfig) -> Callable[[str], str]:
    """What should be heard where a text is spoken: the text, or its phones where `decoding` writes phones."""
    if not writes_phones(recipe.config.units, decoding):
        return str
    files = {path.name: path.read_bytes() for path in recipe.unit_files}
    return load_units(recipe.config.units, read_tokens(recipe.exp / "tokens.txt"), files).reference


def references(utterances: Sequence[Utterance], reference: Callable[[str], str]) -> list[formats.Transcript]:
    """What was said, as `reference_of` writes it."""
    return [
        formats.Transcript(
            utt_id=row.utt_id, text=reference(row.text), speaker=row.speaker, seconds=row.duration
        )
        for row in utterances
    ]


def transcripts(heard: Sequence[Hypothesis]) -> list[formats.Transcript]:
    """What was heard."""
    return [formats.Transcript(utt_id=hyp.utt_id, text=hyp.text) for hyp in heard]


def decode_set(
    recogniser: Recogniser, utterances: Sequence[Utterance], name: str, change: Change | None = None
) -> tuple[list[Hypothesis], int]:
    """Transcribe utterances, each a file or a segment of one, as `asr transcribe` does.

    Args:
        change: of the sound, before it is heard.

    Returns:
        what was heard, in the order given, and the number of those that failed: each is named in a warning
        and left out.
    """
    reasons: dict[str, str] = {}
    results = recogniser.transcribe_files(
        as_source(row, recogniser.sample_rate, reasons, change) for row in utterances
    )
    heard: list[Hypothesis] = []
    for row, result in zip(utterances, track(results, f"decoding {name}", len(utterances)), strict=True):
        if isinstance(result, Failure):
            logging.getLogger("asr").warning(
                "%s: not decoded: %s", row.utt_id, reasons.get(row.utt_id, result.reason)
            )
        else:
            heard.append(
                Hypothesis(utt_id=row.utt_id, text=result.text, score=result.score, words=result.words)
            )
    return heard, len(utterances) - len(heard)


def as_source(
    utterance: Utterance, sample_rate: int, reasons: dict[str, str], change: Change | None = None
) -> str | io.BytesIO:
    """The audio file, or where the utterance is only a part of it or changed, that as a file in memory.

    The part is empty where it cannot be read, and `reasons` says why.
    """
    stream = io.BytesIO()
    stream.name = utterance.utt_id  # for what is said about it
    try:
        whole = probe(utterance.audio).seconds
        if change is None and utterance.start == 0 and abs(whole - utterance.duration) < 1 / 100:
            return utterance.audio
        samples = read_audio(
            utterance.audio, sample_rate=sample_rate, start=utterance.start, duration=utterance.duration
        )
    except AsrError as error:
        reasons[utterance.utt_id] = str(error)
        return stream
    if change is not None:
        samples = change(utterance.utt_id, samples)
    soundfile.write(stream, samples, sample_rate, format="WAV", subtype="FLOAT")
    stream.seek(0)
    return stream


def write_decoded(
    folder: Path, name: str, refs: Sequence[formats.Transcript], heard: Sequence[Hypothesis]
) -> None:
    """Write NAME.jsonl with word times, and for sclite NAME.hyp.trn, NAME.ref.trn and NAME.ctm."""
    speakers = {row.utt_id: row.speaker for row in refs}
    lines = b"".join(msgspec.json.encode(hyp) + b"\n" for hyp in heard)
    write_bytes(folder / f"{name}.jsonl", lines)
    hyps = [
        formats.Transcript(utt_id=hyp.utt_id, text=hyp.text, speaker=speakers[hyp.utt_id]) for hyp in heard
    ]
    formats.write_trn(folder / f"{name}.hyp.trn", hyps)
    formats.write_trn(folder / f"{name}.ref.trn", refs)
    formats.write_ctm(folder / f"{name}.ctm", heard)


def read_decoded(folder: Path, name: str) -> list[Hypothesis]:
    """What `write_decoded` wrote to NAME.jsonl."""
    return msgspec.json.Decoder(Hypothesis).decode_lines((folder / f"{name}.jsonl").read_bytes())
