"""Collect the units of the training transcripts: the classes of the model."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

PARTS = ()


def inputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "corpus" / "train.jsonl"]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "tokens.txt"]


def run(recipe: Recipe) -> list[str]:
    from asr.corpus.manifest import read_manifest
    from asr.units.characters import CharacterUnits
    from asr.units.tokens import write_tokens

    utterances = read_manifest(recipe.exp / "corpus" / "train.jsonl")
    units = CharacterUnits.build(utterance.text for utterance in utterances)
    path = recipe.exp / "tokens.txt"
    write_tokens(path, units.tokens)
    return [f"{len(units.tokens)} classes, {''.join(units.tokens[1:])} and the blank; {recipe.shown(path)}"]


if __name__ == "__main__":
    run_alone(__file__)
