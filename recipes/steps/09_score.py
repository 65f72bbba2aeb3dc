"""Compare what was heard with what was said: word or phone error rate with its interval, a report of each."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import tuned_file
from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = ("corpus", "decoding", "scoring")


def inputs(recipe: Recipe) -> list[Path]:
    names = ("corpus/dev.jsonl", "corpus/test.jsonl", "decode")
    return [*(recipe.exp / name for name in names), *recipe.unit_files, *tuned_file(recipe)]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "score"]


def begin(recipe: Recipe) -> None:
    """Leave nothing of sets that are no longer asked for."""
    shutil.rmtree(recipe.exp / "score", ignore_errors=True)


def run(recipe: Recipe) -> list[str]:
    from recipes.card import result_line
    from recipes.evaluation import evaluation_sets, label
    from recipes.scoring import compare_ways, score_decoded
    from recipes.tuning import how_dev_was_read, ways_to_decode

    lines, ways, held_out = [], ways_to_decode(recipe), how_dev_was_read(recipe)
    for name, utterances in evaluation_sets(recipe).items():
        reports = {}
        for way, decoding in ways.items():
            reports[way], found = score_decoded(recipe, f"{name}{way}", utterances, decoding)
            lines.append(result_line(label(recipe, name, way), found))
            if way and reports[way].unit == reports[""].unit:
                lines.append(compare_ways(recipe, name, way, reports))
    lines += [f"  {held_out}"] if held_out else []
    return [f"reports in {recipe.shown(recipe.exp / 'score')}", *lines]


if __name__ == "__main__":
    run_alone(__file__)
