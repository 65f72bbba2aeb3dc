"""Make the units, the model's classes: characters or pieces of words of the transcripts, or phones."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import CACHE, Recipe
from recipes.run import run_alone

PARTS = ("units", "intermediate")


def inputs(recipe: Recipe) -> list[Path]:
    lexicon = recipe.beside(recipe.config.units.lexicon)
    return [*_manifests(recipe), *([lexicon] if lexicon else []), *recipe.start_files]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "tokens.txt", *recipe.unit_files, *recipe.intermediate_files]


def run(recipe: Recipe) -> list[str]:
    from asr.corpus.manifest import read_manifest
    from asr.units.kinds import build_units
    from recipes.start import start_units
    from recipes.units import write_units

    units, halfway = recipe.config.units, recipe.config.intermediate_units
    train, *others = [[row.text for row in read_manifest(path)] for path in _manifests(recipe)]
    built = start_units(recipe, train) or build_units(
        units,
        train,
        [text for texts in others for text in texts],
        lexicon=recipe.beside(units.lexicon),
        cache=CACHE,
    )
    told = write_units(built, recipe.exp, recipe)
    if halfway:
        built = build_units(halfway, train, [], lexicon=None, cache=CACHE)
        lines = write_units(built, recipe.exp / "intermediate", recipe)
        told += [f"intermediate output: {line}" for line in lines]
    return told


def _manifests(recipe: Recipe) -> list[Path]:
    """Phones are needed of all that is said; the others are those of training."""
    parts = ("train", "dev", "test") if recipe.config.units.kind == "phones" else ("train",)
    return [recipe.exp / "corpus" / f"{part}.jsonl" for part in parts]


if __name__ == "__main__":
    run_alone(__file__)
