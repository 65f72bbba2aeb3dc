"""The words that a recipe takes over from the model that its training starts from, and the new ones."""

import logging
from pathlib import Path

from asr.corpus.manifest import read_manifest
from asr.corpus.summary import named
from asr.errors import AsrError
from asr.files import write_bytes, write_text
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.lm.interpolate import interpolate
from asr.lm.listing import open_tables
from asr.model.bundle import GRU_FILES, Bundle, load_bundle
from asr.units.kinds import Units
from asr.units.spellings import Spelling, read_spellings, spell_words
from recipes.language import foretold, spelled
from recipes.places import language_files, takes_gru
from recipes.recipe import Recipe

logger = logging.getLogger("asr")

ORDER = 3
"""Of the n-gram of the transcripts, if that of the model is as long."""


def take_words(recipe: Recipe, units: Units) -> tuple[LanguageModel, list[Spelling], list[str]]:
    """Write the language models of the model that is trained further, as the configuration changes them.

    The n-gram is mixed with one of the recipe's own transcripts, by `language_model.transcripts_share`. So
    words that only these have get a probability, beside the many that the model knows.

    Returns:
        the n-gram, which is written; its words with their spellings, those of the model as they are there,
        and behind them the words of the transcripts that it lacks; and sentences for the user.

    Raises:
        AsrError: the model is damaged or has no language model, or no word of it can be spelled.
    """
    assert recipe.start is not None
    bundle, files = load_bundle(recipe.start, verify=True), language_files(recipe)
    if bundle.lm is None:
        raise AsrError(
            f"language_model.source: {recipe.start} has no language model (words.lm); name another source, "
            'such as "transcripts", or "none"'
        )
    text = _own_transcripts(recipe)
    model = _mixed(recipe, bundle.lm, text, files["lm"])
    if takes_gru(recipe) and bundle.gru is not None:
        for name in GRU_FILES:
            write_bytes(files["gru"] / name, (bundle.gru / name).read_bytes())
    known = _known(bundle, model, units)
    has = {word for word, _ in known}
    said = dict.fromkeys(text.read_text(encoding="utf-8").split())
    added, strange = spell_words((word for word in sorted(said) if word not in has), units)
    if strange:
        logger.warning(
            "%d words of the transcripts cannot be spelled in the units and are never read: %s",
            len(strange),
            named(strange),
        )
    new = list(dict.fromkeys(word for word, _ in added))
    share = recipe.config.language_model.transcripts_share
    told = f"  words of the model, of which {len(new)} are new from the transcripts"
    told += f": {named(new)}" if new else ""
    before = foretold(recipe, LanguageModel.open(bundle.lm))
    told += f"; the transcripts' share of the language model is {share:g}; without it, {before}"
    return model, [*known, *added], [told]


def _own_transcripts(recipe: Recipe) -> Path:
    """The transcripts of train as a text, a sentence a line, without those of further corpora."""
    path = recipe.exp / "language_model" / "own.txt"
    further = tuple(f"{name}-" for name in recipe.config.corpus.also)
    rows = read_manifest(recipe.exp / "corpus" / "train.jsonl")
    own = [row.text for row in rows if row.text and not row.utt_id.startswith(further)]
    write_text(path, "".join(f"{text}\n" for text in own))
    return path


def _mixed(recipe: Recipe, theirs: Path, text: Path, path: Path) -> LanguageModel:
    """Write the language model to `path`, and open it."""
    settings = recipe.config.language_model
    if not settings.transcripts_share or not text.stat().st_size:
        write_bytes(path, theirs.read_bytes())
        return LanguageModel.open(path)
    model, share = open_tables(theirs), settings.transcripts_share
    # So little text has no n-grams to estimate all discounts from; `build` then takes usual ones.
    own = build([str(text)], min(ORDER, model.order), folder=recipe.exp).model
    mixed = LanguageModel.from_model(interpolate([model, own], [1 - share, share]))
    mixed.save(path, settings.bits)
    return mixed


def _known(bundle: Bundle, model: LanguageModel, units: Units) -> list[Spelling]:
    """The words of the model: as they are spelled there, or in other units as those spell them."""
    if bundle.lexicon is not None and units.tokens[: len(bundle.tokens)] == bundle.tokens:
        return read_spellings(bundle.lexicon, units)
    return spelled(model.vocabulary[3:], units)
