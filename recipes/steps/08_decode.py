"""Tune the decoder on dev where that is asked for, and write what the model hears in dev and test."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import is_tuned, language_outputs, tuned_file
from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = ("corpus", "decoding", "tuning", "rescoring")


def inputs(recipe: Recipe) -> list[Path]:
    made = [recipe.exp / name for name in ("corpus/dev.jsonl", "corpus/test.jsonl", "averaged/bundle.json")]
    return made + language_outputs(recipe)


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "decode", *tuned_file(recipe)]


def begin(recipe: Recipe) -> None:
    """Leave nothing of sets that are no longer asked for."""
    shutil.rmtree(recipe.exp / "decode", ignore_errors=True)


def run(recipe: Recipe) -> list[str]:
    from recipes.decoding import decode_sets
    from recipes.evaluation import evaluation_sets, reference_of, references, write_decoded
    from recipes.tuning import bundle_to_decode, tune_on_dev, ways_to_decode

    bundle, sets, told = bundle_to_decode(recipe), evaluation_sets(recipe), []
    found = tune_on_dev(recipe, bundle) if is_tuned(recipe) else []
    for way, decoding in ways_to_decode(recipe).items():
        said = reference_of(recipe, decoding)
        for name, (heard, failed) in decode_sets(recipe, bundle, way, sets).items():
            write_decoded(recipe.exp / "decode", f"{name}{way}", references(sets[name], said), heard)
            told.append(f"{name}{way} {len(heard)} utterances" + (f", {failed} failed" if failed else ""))
    return [f"{'; '.join(told) or 'no dev and no test set'}; {recipe.shown(recipe.exp / 'decode')}", *found]


if __name__ == "__main__":
    run_alone(__file__)
