"""The language model of a recipe: how it is made, and the words that a decoder can read with it."""

import logging
from collections.abc import Sequence
from pathlib import Path

from asr.corpus.librispeech_text import MODELS, TEXT, fetch_text
from asr.corpus.manifest import read_manifest
from asr.errors import AsrError
from asr.files import write_text
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.lm.perplexity import perplexity
from asr.lm.pruning import prune
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
        return LanguageModel.open(language_sources(recipe)[0], verify=True)
    if settings.source in MODELS:
        return LanguageModel.from_arpa(
            fetch_text(MODELS[settings.source], recipe.corpus_root, corpus.mirrors)
        )
    if settings.source == "librispeech-lm-norm":
        texts = [fetch_text(TEXT, recipe.corpus_root, corpus.mirrors)]
    elif settings.source == "transcripts":
        texts = [_transcripts(recipe, "train")]
    else:
        texts = language_sources(recipe)
    built = build(
        list(map(str, texts)),
        settings.order,
        limit=settings.vocabulary or None,
        cutoffs=[0, *settings.cutoffs] if settings.order > 1 else [],
        folder=recipe.exp,
    )
    for discounts in built.discounts:
        if discounts.problem:
            logger.warning("%s", discounts.problem)
    return LanguageModel.from_model(prune(built.model, settings.prune) if settings.prune else built.model)


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
