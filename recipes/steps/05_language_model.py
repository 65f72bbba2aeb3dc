"""Make the language model of words, or take the start model's; spell its words; train a GRU to rescore."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import is_rescored, language_files, language_outputs, language_sources, takes_words
from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = ("units", "language_model", "rescoring")


def inputs(recipe: Recipe) -> list[Path]:
    if not language_files(recipe):
        return []
    made = [recipe.exp / "tokens.txt", *recipe.unit_files, recipe.exp / "corpus" / "dev.jsonl"]
    models = (recipe.config.language_model, recipe.config.rescoring)
    return [*made, *dict.fromkeys(path for model in models for path in language_sources(recipe, model))]


def outputs(recipe: Recipe) -> list[Path]:
    return language_outputs(recipe)


def run(recipe: Recipe) -> list[str]:
    from asr.files import write_text
    from asr.units.spellings import format_spellings
    from recipes.language import foretold, make_model, spelled, train_gru_model, units_of
    from recipes.words import take_words

    files = language_files(recipe)
    if not files:
        return ["no language model; language_model.source can name one"]
    units, remarks = units_of(recipe), list[str]()
    if takes_words(recipe):
        model, spellings, remarks = take_words(recipe, units)
    else:
        model = make_model(recipe)
        spellings = spelled(model.vocabulary[3:], units)
        model.save(files["lm"], recipe.config.language_model.bits)
    write_text(files["lexicon"], format_spellings(spellings, units.tokens))
    size = f"{len(spellings)} spellings, {model.order}-gram with {len(model.automaton.words)} n-grams"
    told = f"{size}; {foretold(recipe, model)}; {recipe.shown(files['lm'].parent)}"
    return [told, *remarks, *([train_gru_model(recipe, files["gru"])] if is_rescored(recipe) else [])]


if __name__ == "__main__":
    run_alone(__file__)
