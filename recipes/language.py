"""The language model of a recipe: how it is made, and the words that a decoder can read with it."""

import json
import logging
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from asr.config import LanguageModelConfig, RescoringConfig
from asr.corpus.librispeech_text import MODELS, TEXT, fetch_text
from asr.corpus.manifest import read_manifest
from asr.errors import AsrError
from asr.files import file_digest, write_text
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.lm.perplexity import perplexity
from asr.lm.pruning import prune
from asr.training.gru_trainer import GruTraining, Report
from asr.training.language_model import train_gru
from asr.units.kinds import Units, load_units
from asr.units.spellings import Spelling, spell_words
from asr.units.tokens import read_tokens
from recipes.places import language_sources
from recipes.recipe import Recipe

logger = logging.getLogger("asr")


def make_model(recipe: Recipe) -> LanguageModel:
    """Open, download or estimate the model that the configuration names.

    Raises:
        AsrError: a file that cannot be read or downloaded, or a text that no model can be estimated from.
    """
    settings, corpus = recipe.config.language_model, recipe.config.corpus
    if settings.source == "file":
        return LanguageModel.open(language_sources(recipe, settings)[0], verify=True)
    if settings.source in MODELS:
        return LanguageModel.from_arpa(
            fetch_text(MODELS[settings.source], recipe.corpus_root, corpus.mirrors)
        )
    built = build(
        _texts(recipe, settings),
        settings.order,
        limit=settings.vocabulary or None,
        cutoffs=[0, *settings.cutoffs] if settings.order > 1 else [],
        folder=recipe.exp,
    )
    for discounts in built.discounts:
        if discounts.problem:
            logger.warning("%s", discounts.problem)
    return LanguageModel.from_model(prune(built.model, settings.prune) if settings.prune else built.model)


def train_gru_model(recipe: Recipe, folder: Path) -> str:
    """Train the GRU language model, go on with it, or train it anew where its text or settings changed.

    Checkpoints lie in `folder`.training, with a note on what they are of.

    Returns:
        What was done, in words.

    Raises:
        AsrError: what `train_gru` raises.
    """
    settings, texts = recipe.config.rescoring, _texts(recipe, recipe.config.rescoring)
    checkpoints = folder.with_name(f"{folder.name}.training")
    facts = msgspec.to_builtins(settings)
    for name in ("source", "files", "minutes", "shares", "factors", "word_scores"):
        del facts[name]
    note = json.dumps([facts, *(file_digest(Path(text)) for text in texts)])
    known = checkpoints / "of.json"
    if not known.is_file() or known.read_text() != note:
        shutil.rmtree(checkpoints, ignore_errors=True)
        write_text(known, note)
    dev = _transcripts(recipe, "dev")
    end = train_gru(
        texts,
        folder,
        training=GruTraining(
            seed=settings.seed,
            epochs=settings.epochs,
            max_minutes=settings.minutes,
            learning_rate=settings.learning_rate,
        ),
        embedding_size=settings.embedding_size,
        hidden_size=settings.hidden_size,
        num_layers=settings.num_layers,
        dropout=settings.dropout,
        limit=settings.vocabulary or None,
        held_out=[str(dev)] if dev.stat().st_size else [],
        report=_tell,
    )
    return f"GRU language model: {_told(end)}; {recipe.shown(folder)}"


def _tell(report: Report) -> None:
    logger.info("GRU language model: %s", _told(report))


def _told(report: Report) -> str:
    told = f"epoch {report.epoch}, update {report.step}, {report.seconds / 60:.1f} minutes"
    return told if math.isnan(report.perplexity) else f"{told}, dev perplexity {report.perplexity:.1f}"


def _texts(recipe: Recipe, settings: LanguageModelConfig | RescoringConfig) -> list[str]:
    """The texts that a model is made of."""
    if settings.source == "librispeech-lm-norm":
        return [str(fetch_text(TEXT, recipe.corpus_root, recipe.config.corpus.mirrors))]
    if settings.source == "transcripts":
        return [str(_transcripts(recipe, "train"))]
    return [str(path) for path in language_sources(recipe, settings)]


def spelled(words: Sequence[str], units: Units) -> list[Spelling]:
    """The words of a language model in the units of an acoustic model.

    Words that cannot be spelled are counted and named in a warning, and left out.

    Raises:
        AsrError: not one word can be spelled.
    """
    found, strange = spell_words(words, units)
    named = ", ".join(strange[:10]) + (", …" if len(strange) > 10 else "")
    if not found:
        raise AsrError(
            f"language model: not one of its {len(words)} words ({named}) can be spelled with the units "
            f"{' '.join(units.tokens[1:])[:200]}; write its text as the transcripts are written"
        )
    if strange:
        logger.warning(
            "%d of %d words of the language model cannot be spelled in the units and are left out: %s",
            len(strange),
            len(words),
            named,
        )
    return found


def units_of(recipe: Recipe) -> Units:
    """The units that step 04 made."""
    files = {path.name: path.read_bytes() for path in recipe.unit_files}
    return load_units(recipe.config.units, read_tokens(recipe.exp / "tokens.txt"), files)


def foretold(recipe: Recipe, model: LanguageModel) -> str:
    """How well the model foretells the dev transcripts, in words."""
    text = _transcripts(recipe, "dev")
    if not text.stat().st_size:
        return "no dev transcripts to foretell"
    found = perplexity(model, [str(text)])
    share = 100 * found.num_unknown / found.num_words
    return f"dev perplexity {found.with_unknown:.1f}, {share:.2f} % of its words unknown"


def _transcripts(recipe: Recipe, part: str) -> Path:
    """The transcripts of train or dev as a text, a sentence a line."""
    path = recipe.exp / "language_model" / f"{part}.txt"
    utterances = read_manifest(recipe.exp / "corpus" / f"{part}.jsonl")
    write_text(path, "".join(f"{utterance.text}\n" for utterance in utterances if utterance.text))
    return path
