"""`asr info`: what an audio file or a model folder holds."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.transcribe import report
from asr.errors import AsrError
from asr.files import printable
from asr.pretrained import pretrained_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr.config import Config, DecodingConfig
    from asr.model.bundle import Bundle


def info(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|MODEL...", help="Audio files and model folders; else the model that comes with asr."
        ),
    ] = None,
) -> None:
    """Show the facts of audio files and model folders, or of the model that comes with asr.

    A model is loaded and checked as a whole; its card says on what it was trained and how well it does.

    \b
    Examples:
      asr info
      asr info meeting.wav
      asr info exp/librispeech_4h/model
    """
    failed = shown = 0
    for path in paths or [pretrained_model()]:
        try:
            facts, text = _model(path) if os.path.isdir(path) else (_audio(path), "")  # noqa: PTH112
        except AsrError as error:
            report(str(error))
            failed += 1
            continue
        typer.echo("\n" * (shown > 0) + printable(str(path)))
        shown += 1
        width = max(map(len, facts))
        for name, fact in facts.items():
            typer.echo(f"  {name:<{width}}  {fact}")
        if text:
            typer.echo(f"\n{text.strip()}")
    if failed:
        raise typer.Exit(1 if shown else 2)


def _audio(path: Path) -> dict[str, str]:
    from asr.features.audio import probe

    found = probe(path)
    return {
        "length": f"{found.seconds:.3f} seconds",
        "sample rate": f"{found.sample_rate} Hz",
        "channels": str(found.channels),
        "format": f"{found.format}, {found.subtype}",
    }


def _model(path: Path) -> tuple[dict[str, str], str]:
    """The facts of a model, and its card."""
    from asr.model.bundle import load_bundle

    bundle = load_bundle(path, verify=True)
    parameters = sum(weight.numel() for weight in bundle.build_model().parameters())
    facts = {
        "parameters": f"{parameters:,}" + (", in 8 bits" if bundle.is_quantised else ""),
        "layers": _layers(bundle.config),
        "units": _units(bundle.config.units.kind, bundle.tokens),
        "features": _features(bundle.config),
        "trained on": _training_data(bundle.config),
        **_words(bundle),
        "decoding": _decoding(bundle.config),
    }
    return facts, bundle.card


def _words(bundle: "Bundle") -> dict[str, str]:
    """The lexicon and the language model, where there are such; they are checked against the model."""
    if bundle.lexicon is None and bundle.lm is None:
        return {}
    from asr.transcribe.words import open_words
    from asr.units.kinds import load_units

    units = load_units(bundle.config.units, bundle.tokens, bundle.unit_files)
    spellings, lm = open_words(units, bundle.lexicon, bundle.lm)
    words = len({word for word, _ in spellings})
    facts = {"lexicon": f"{words:,} words, {len(spellings):,} spellings"}
    if lm is not None:
        facts["language model"] = (
            f"{lm.order}-gram of {len(lm.ids):,} words, {len(lm.automaton.words):,} n-grams"
        )
    if bundle.gru is not None:
        facts["rescored with"] = _gru(bundle.gru)
    return facts


def _gru(folder: Path) -> str:
    from asr.lm.gru_folder import load_gru

    model = load_gru(folder)
    parameters = sum(weight.numel() for weight in model.network.parameters())
    return f"GRU language model of {len(model.vocabulary):,} words, {parameters:,} parameters"


def _units(kind: str, tokens: "Sequence[str]", most: int = 80) -> str:
    more = f" and {len(tokens) - most} more" if len(tokens) > most else ""
    return f"{len(tokens)} with the blank, {kind}: {' '.join(tokens[1:most])}{more}"


def _layers(config: "Config") -> str:
    model = config.model
    direction = "bidirectional" if model.bidirectional else "forward"
    return (
        f"{model.num_layers} × {model.hidden_size} {model.cell}, {direction}, on 2 convolutions that make "
        f"{model.subsampling} frames one"
    )


def _features(config: "Config") -> str:
    features = config.features
    size = features.num_bins if features.kind == "fbank" else features.num_ceps
    deltas = f", {features.deltas} × deltas" if features.deltas else ""
    return (
        f"{size} {features.kind}{deltas}, every {features.frame_shift_ms:g} ms at {features.sample_rate} Hz, "
        f"{features.cmvn} normalisation"
    )


def _training_data(config: "Config") -> str:
    own = f"{config.corpus.source} {', '.join(config.corpus.train)}".strip()
    return ", ".join([own, *sorted(config.corpus.also)])


def _decoding(config: "Config") -> str:
    return _search(config.decoding) + config.decoding.told_warps


def _search(decoding: "DecodingConfig") -> str:
    if decoding.method == "greedy":
        return "greedy"
    search = f"beam {decoding.beam}, top {decoding.top}"
    if decoding.method == "beam":
        return search
    return (
        f"words, {search}, language model × {decoding.lm_weight:g}, word score {decoding.word_score:g}, "
        f"blank score {decoding.blank_score:g}"
        + (
            f", {decoding.gru_nbest} best rescored, GRU's share {decoding.gru_share:g}"
            if decoding.gru_share
            else ""
        )
    )
