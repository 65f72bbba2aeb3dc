"""Time what batches of equal, sorted and mixed lengths cost each cell of a study."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "study"
PARTS = ("features", "batching", "model", "study")


def inputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / name for name in ("corpus/train.jsonl", "tokens.txt")]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "lengths.json"]


def run(recipe: Recipe) -> list[str]:
    import msgspec

    from asr.corpus.manifest import read_manifest
    from asr.files import write_bytes
    from asr.units.tokens import read_tokens
    from recipes.study.lengths import time_lengths
    from recipes.study.plan import grid_of, questions

    config, path = recipe.config, recipe.exp / "lengths.json"
    classes, rounds = len(read_tokens(recipe.exp / "tokens.txt")), grid_of(config).rounds
    durations = [utterance.duration for utterance in read_manifest(recipe.exp / "corpus" / "train.jsonl")]
    cells = questions(config, classes)["cells"]
    timings = time_lengths(config, cells, durations, classes, rounds) if rounds else []
    write_bytes(path, msgspec.json.encode(timings))
    return [f"{len(timings)} timings, medians of {rounds}; {recipe.shown(path)}"]


if __name__ == "__main__":
    run_alone(__file__)
