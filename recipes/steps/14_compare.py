"""Compare the model with the one that its training started from: errors before and after, paired tests."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import language_outputs, tuned_file
from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "start"
PARTS = ("corpus", "decoding", "tuning", "rescoring", "scoring")


def inputs(recipe: Recipe) -> list[Path]:
    names = ("corpus/dev.jsonl", "corpus/test.jsonl", "averaged/bundle.json", "decode", "tokens.txt")
    return [
        *(recipe.exp / name for name in names),
        *recipe.unit_files,
        *recipe.start_files,
        *([recipe.control] if recipe.control else []),
        *language_outputs(recipe),
        *tuned_file(recipe),
    ]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "compare"]


def begin(recipe: Recipe) -> None:
    """Leave nothing of sets that are no longer asked for."""
    shutil.rmtree(recipe.exp / "compare", ignore_errors=True)


def run(recipe: Recipe) -> list[str]:
    import msgspec

    from asr.files import write_bytes, write_text
    from recipes.comparison import compare_with_start, comparison_report
    from recipes.evaluation import label

    found, missing = compare_with_start(recipe)
    folder = recipe.exp / "compare"
    figures = {name: compared.comparison for name, compared in found.items()}
    write_bytes(folder / "compare.json", msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    write_text(folder / "compare.txt", comparison_report(recipe, found) or f"{missing}\n")
    lines = [compared.line(label(recipe, name)) for name, compared in found.items()]
    return [f"reports in {recipe.shown(folder)}", *lines, *([missing] if missing else [])]


if __name__ == "__main__":
    run_alone(__file__)
