"""Write RESULTS.md of a study: tables with intervals, learning curves, gradients through time."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "study"
PARTS = ("corpus", "features", "model", "training", "study")


def inputs(recipe: Recipe) -> list[Path]:
    names = ("corpus/train.jsonl", "corpus/dev.jsonl", "corpus/test.jsonl", "tokens.txt")
    return [recipe.exp / name for name in (*names, "trials.json", "lengths.json")]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "report"]


def run(recipe: Recipe) -> list[str]:
    import msgspec

    from recipes.study.lengths import Timing
    from recipes.study.report import write_report
    from recipes.study.trial import Result

    results = msgspec.json.decode((recipe.exp / "trials.json").read_bytes(), type=list[Result])
    timings = msgspec.json.decode((recipe.exp / "lengths.json").read_bytes(), type=list[Timing])
    answer = write_report(recipe, results, timings, recipe.exp / "report")
    return [f"RESULTS.md and its pictures in {recipe.shown(recipe.exp / 'report')}", answer]


if __name__ == "__main__":
    run_alone(__file__)
