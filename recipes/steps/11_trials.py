"""Train every model of a study, some side by side; a run that has ended is not done again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe, set_aside
from recipes.run import run_alone

SERVES = "study"
PARTS = ("features", "augment", "batching", "model", "training", "crf", "study")
CONTINUES = {"study": {"grid", "grids"}}


def inputs(recipe: Recipe) -> list[Path]:
    names = ("corpus/train.jsonl", "corpus/dev.jsonl", "corpus/test.jsonl", "cmvn.json", "tokens.txt")
    return [recipe.exp / name for name in names]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "trials.json"]


def begin(recipe: Recipe) -> None:
    """Keep the runs of another configuration once, beside those to come."""
    if (recipe.exp / "trials").exists():
        set_aside(recipe.exp / "trials")


def run(recipe: Recipe) -> list[str]:
    import math

    import msgspec

    from asr.files import write_bytes
    from asr.units.tokens import read_tokens
    from recipes.card import commit
    from recipes.study.plan import best_rates, questions, searches, trials
    from recipes.study.workers import processors, run_trials

    config, now = recipe.config, commit()
    processes = config.study.processes or processors()
    asked = questions(config, len(read_tokens(recipe.exp / "tokens.txt")))
    searched = run_trials(recipe, searches(config, asked), now, processes)
    found = [(one.trial, math.inf if one.dev_cer is None else one.dev_cer) for one in searched]
    results = run_trials(recipe, trials(config, asked, best_rates(config, asked, found)), now, processes)
    write_bytes(recipe.exp / "trials.json", msgspec.json.encode([*searched, *results]))
    minutes = sum(result.seconds for result in results) / 60
    return [
        f"{len(results)} runs, {minutes:.0f} minutes of processor time; {recipe.shown(recipe.exp / 'trials')}"
    ]


if __name__ == "__main__":
    run_alone(__file__)
