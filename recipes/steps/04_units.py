"""Make the units, the model's classes: characters or pieces of words of the transcripts, or phones."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import CACHE, Recipe
from recipes.run import run_alone

PARTS = ("units",)


def inputs(recipe: Recipe) -> list[Path]:
    lexicon = recipe.beside(recipe.config.units.lexicon)
    return [*_manifests(recipe), *([lexicon] if lexicon else []), *recipe.start_files]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "tokens.txt", *recipe.unit_files]


def run(recipe: Recipe) -> list[str]:
    from asr.corpus.manifest import read_manifest
    from asr.files import write_bytes
    from asr.units.kinds import build_units
    from asr.units.tokens import write_tokens
    from recipes.start import start_units

    units = recipe.config.units
    train, *others = [read_manifest(path) for path in _manifests(recipe)]
    built = start_units(recipe, [row.text for row in train]) or build_units(
        units,
        [row.text for row in train],
        [row.text for rows in others for row in rows],
        lexicon=recipe.beside(units.lexicon),
        cache=CACHE,
    )
    for name, content in built.files.items():
        write_bytes(recipe.exp / name, content)
    write_tokens(recipe.exp / "tokens.txt", built.tokens)
    return [f"{built.told[0]}; {recipe.shown(recipe.exp / 'tokens.txt')}", *built.told[1:]]


def _manifests(recipe: Recipe) -> list[Path]:
    """Phones are needed of all that is said; the others are those of training."""
    parts = ("train", "dev", "test") if recipe.config.units.kind == "phones" else ("train",)
    return [recipe.exp / "corpus" / f"{part}.jsonl" for part in parts]


if __name__ == "__main__":
    run_alone(__file__)
