"""Make the exported model small, measure it as it is shipped, and write it where it is shipped from."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "shipping"
PARTS = ("corpus", "features", "scoring", "shipping")


def inputs(recipe: Recipe) -> list[Path]:
    names = ("corpus/train.jsonl", "corpus/dev.jsonl", "corpus/test.jsonl", "train", "model")
    lists = [recipe.beside(entry.ids) for entry in recipe.config.shipping.sets.values()]
    return [*(recipe.exp / name for name in names), *(path for path in lists if path)]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "shipping", *([recipe.shipping / "bundle.json"] if recipe.shipping else [])]


def begin(recipe: Recipe) -> None:
    """Leave nothing of sets that are no longer asked for."""
    shutil.rmtree(recipe.exp / "shipping", ignore_errors=True)


def run(recipe: Recipe) -> list[str]:
    from asr.compact import check_size
    from asr.corpus.manifest import read_manifest
    from recipes.card import result_line
    from recipes.evaluation import label
    from recipes.shipping import make_small, measure, ship
    from recipes.shipping_card import loss_line, shipping_card

    folder = make_small(recipe)
    found = measure(recipe, folder)
    train = read_manifest(recipe.exp / "corpus" / "train.jsonl")
    ship(recipe, folder, found, shipping_card(recipe, train, found))
    size = check_size(recipe.shipping, round(1e6 * recipe.config.shipping.megabytes))
    return [
        f"{size / 1e6:.2f} MB in {recipe.shown(recipe.shipping)}, with card.md",
        *(result_line(label(recipe, name), figures) for name, figures in found.sets.items()),
        *(f"  {loss_line(name, loss)}" for name, loss in found.losses.items()),
        *found.missing,
    ]


if __name__ == "__main__":
    run_alone(__file__)
