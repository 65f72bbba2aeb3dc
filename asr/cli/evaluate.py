"""`asr evaluate`: decode test sets in LibriSpeech's layout and score them."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.decoding import (
    BeamOption,
    DecoderOption,
    DeviceOption,
    HotwordOption,
    LexiconOption,
    LmOption,
    LmWeightOption,
    ModelOption,
    hotwords_of,
)
from asr.cli.transcribe import check_writable, report
from asr.errors import AsrError
from asr.files import printable, write_text
from asr.progress import track

if TYPE_CHECKING:
    from asr.records import Utterance
    from asr.scoring.formats import Transcript
    from asr.transcribe import Recogniser


def evaluate(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Subsets such as LibriSpeech/dev-clean.")
    ],
    model: ModelOption = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to FILE as well.")
    ] = None,
    hyp: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what was heard: .trn, .jsonl, or else Kaldi text."),
    ] = None,
    decoder: DecoderOption = None,
    beam: BeamOption = None,
    lm: LmOption = None,
    lexicon: LexiconOption = None,
    lm_weight: LmWeightOption = None,
    hotword: HotwordOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Decode a test set in LibriSpeech's layout and score it.

    A model that writes phones is scored by its phone error rate, against the first pronunciation of each
    word. Several folders are scored as one set. An utterance that cannot be read is named on stderr; one that
    fails while it is decoded counts as deleted words. Either makes the exit status 1.

    \b
    Example:
      asr evaluate LibriSpeech/dev-clean --model exp/librispeech_4h/model --json dev.json --hyp dev.trn
    """
    hotwords = hotwords_of(hotword)
    utterances, skipped = _read(folders)
    for path in filter(None, (json_file, hyp)):
        if path.is_dir():
            raise AsrError(f"{path}: a file to write was expected, this is a folder; name a file in it")
        check_writable(path.parent)

    from asr.scoring.pairing import pair
    from asr.scoring.report import text_report
    from asr.scoring.significance import bootstrap_interval
    from asr.scoring.wer import score
    from asr.transcribe import Recogniser

    recogniser = Recogniser.load(
        model,
        device,
        decoder=decoder,
        beam=beam,
        nbest=1,
        lexicon=lexicon,
        lm=lm,
        lm_weight=lm_weight,
        hotwords=hotwords,
    )
    began = time.perf_counter()
    hyps = _decode(recogniser, utterances)
    seconds = time.perf_counter() - began
    if hyp is not None:
        _writer(hyp)(hyp, hyps)
    reference = recogniser.units.reference if recogniser.writes_phones else str
    refs = [_transcript(utterance, reference(utterance.text)) for utterance in utterances]
    scored = score(pair(refs, hyps), "phone" if recogniser.writes_phones else "word")
    options = recogniser.bundle.config.scoring
    interval = bootstrap_interval(scored, replicates=options.bootstrap, seed=options.seed)
    audio_seconds = sum(utterance.duration for utterance in utterances)
    typer.echo(text_report(scored, interval), nl=False)
    speed = audio_seconds / seconds
    typer.echo(f"\n{audio_seconds / 3600:.2f} hours in {seconds:.1f} s: {speed:.0f} × real time")
    if json_file is not None:
        (name, rate), *others = scored.rates.items()
        figures = {
            name: rate,
            "ci95": [interval.low, interval.high],
            **dict(others),
            f"{scored.unit}s": scored.total.words.length,
            "utterances": scored.total.utterances,
            "hours": audio_seconds / 3600,
            "xrt": speed,
            "model": "pretrained" if model is None else printable(str(model)),
        }
        write_text(json_file, json.dumps(figures, indent=2) + "\n")
    if skipped or len(hyps) < len(utterances):
        raise typer.Exit(1)


def _read(folders: "list[Path]") -> "tuple[list[Utterance], int]":
    """The utterances of all folders, and how many were skipped, each of them named on stderr."""
    from asr.corpus.librispeech import read_librispeech

    utterances: list[Utterance] = []
    skipped = 0
    for folder in folders:
        found, summary = read_librispeech(folder)
        utterances += found
        skipped += len(summary.skipped)
        if summary.skipped or summary.warnings:
            typer.echo(f"asr: {printable(f'{folder}: {summary.text()}')}", err=True)
    places: dict[str, str] = {}
    for utterance in utterances:
        if utterance.utt_id in places:
            raise AsrError(
                f"{utterance.utt_id}: this utterance was given twice: {places[utterance.utt_id]} and "
                f"{utterance.audio}; name each folder once"
            )
        places[utterance.utt_id] = utterance.audio
    if not utterances:
        raise AsrError(f"{', '.join(map(str, folders))}: not one utterance can be decoded")
    return utterances, skipped


def _decode(recogniser: "Recogniser", utterances: "list[Utterance]") -> "list[Transcript]":
    """What was heard; an utterance that fails is named on stderr and left out."""
    from asr.transcribe import Failure

    results = recogniser.transcribe_files(utterance.audio for utterance in utterances)
    hyps = []
    for utterance, result in zip(utterances, track(results, "decoding", total=len(utterances)), strict=True):
        if isinstance(result, Failure):
            report(result.reason)
        else:
            hyps.append(_transcript(utterance, result.text))
    return hyps


def _transcript(utterance: "Utterance", text: str) -> "Transcript":
    from asr.scoring.formats import Transcript

    return Transcript(
        utt_id=utterance.utt_id, text=text, speaker=utterance.speaker, seconds=utterance.duration
    )


def _writer(path: Path) -> "Callable[[Path, list[Transcript]], None]":
    from asr.scoring.formats import write_json_lines, write_kaldi_text, write_trn

    return {".trn": write_trn, ".jsonl": write_json_lines}.get(path.suffix, write_kaldi_text)
