"""Write the manifests of train, dev and test, what was skipped, and what the corpus is made of."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import corpus_places, further_corpora, lists_of_ids
from recipes.recipe import Recipe
from recipes.run import run_alone

PARTS = ("corpus",)
SETS = ("train", "dev", "test")
WRITTEN = (*(f"{name}.jsonl" for name in SETS), "skipped.txt", "statistics.txt", "statistics.png")


def inputs(recipe: Recipe) -> list[Path]:
    further = [place for corpus in further_corpora(recipe) for place in corpus.places()]
    cutter = [recipe.cutter] if recipe.cutter else []
    return corpus_places(recipe) + further + lists_of_ids(recipe) + cutter


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "corpus" / name for name in WRITTEN]


def run(recipe: Recipe) -> list[str]:
    from asr.corpus.manifest import write_manifest
    from asr.corpus.statistics import corpus_statistics, draw_statistics, statistics_table
    from asr.files import write_text
    from recipes.corpora import prepare_corpora

    made, folder = prepare_corpora(recipe), recipe.exp / "corpus"
    rows = {"train": made.train, "dev": made.dev, "test": made.test}
    for name in SETS:
        write_manifest(folder / f"{name}.jsonl", rows[name])
    statistics = {name: corpus_statistics(rows[name]) for name in SETS if rows[name]}
    parts = statistics | {f"{name} in train": corpus_statistics(part) for name, part in made.also.items()}
    write_text(folder / "statistics.txt", statistics_table(parts) + "\n")
    draw_statistics(folder / "statistics.png", statistics)
    write_text(folder / "skipped.txt", made.summary.text(limit=None) + "\n")
    if made.summary.skipped or made.summary.warnings:
        logging.getLogger("asr").warning("%s", made.summary.text())
    counts = ", ".join(f"{name} {part.utterances} ({part.hours:.2f} h)" for name, part in parts.items())
    return [f"{counts}; {len(made.summary.skipped)} skipped; manifests in {recipe.shown(folder)}"]


if __name__ == "__main__":
    run_alone(__file__)
