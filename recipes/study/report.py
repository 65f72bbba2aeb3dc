"""RESULTS.md of a study, in words, tables and pictures, from what its steps left behind."""

import platform
from pathlib import Path

import torch

from asr.corpus.manifest import read_manifest
from asr.files import write_text
from asr.units.tokens import read_tokens
from recipes.recipe import Recipe
from recipes.study.lengths import Timing
from recipes.study.pictures import draw_curves, draw_gradients
from recipes.study.plan import grid_of, questions
from recipes.study.tables import Runs, errors_table, gradients_table, lengths_table, verdict
from recipes.study.trial import Result, scored_set
from recipes.study.workers import processors

CURVES, GRADIENTS, GATES = "curves.png", "gradients.png", "gates.png"

QUESTIONS = {
    "cells": (
        "Which cell, in equal time?",
        "Every model has as many parameters as the GRU, within 3 %, and {minutes:g} minutes of processor "
        "time on one thread. A cell that runs faster sees more speech; how fast it runs says as much about "
        "its kernels here as about the cell.",
    ),
    "epochs": (
        "Which cell, after equal updates?",
        "The same models after {epochs} epochs, whatever time they take: what a cell learns from the same "
        "speech. `minutes` is what it took.",
    ),
    "hidden": (
        "How much does the hidden size matter?",
        "GRUs of one depth, {minutes:g} minutes each. A larger one does fewer updates in them.",
    ),
    "layers": (
        "How much does depth matter?",
        "GRUs of equal numbers of parameters, {minutes:g} minutes each; a deeper one is narrower.",
    ),
    "gates": (
        "What does each gate contribute?",
        "The GRU without one of its gates, at the same hidden size; the parameters are those that have an "
        "effect. It runs in the same kernels, so it is no faster for what it lacks. r = 1: the candidate "
        "sees all of the state. z = 1: the state is the candidate. A constant z is learned for each unit and "
        "sees neither input nor state.",
    ),
    "matched": (
        "And with the parameters given back?",
        "The same, each made wider until it has as many parameters as the whole GRU.",
    ),
}


def runs_by_setting(results: list[Result]) -> Runs:
    """The runs of each setting; those that chose a learning rate (seed 0) are left out."""
    runs: Runs = {}
    for result in results:
        if result.trial.seed:
            runs.setdefault(result.trial.setting, []).append(result)
    return runs


def write_report(recipe: Recipe, results: list[Result], timings: list[Timing], folder: Path) -> str:
    """Draw the pictures and write RESULTS.md into `folder`; returns the first answer.

    Raises:
        AsrError: the folder cannot be written.
    """
    config, grid = recipe.config, grid_of(recipe.config)
    asked = questions(config, len(read_tokens(recipe.exp / "tokens.txt")))
    runs = runs_by_setting(results)
    frame_seconds = config.model.subsampling * config.features.frame_shift_ms / 1000
    draw_curves(folder / CURVES, asked, runs)
    draw_gradients(folder / GRADIENTS, asked["cells"], runs, "cells", frame_seconds)
    parts = [*_head(recipe, results), f"![learning curves]({CURVES})", ""]
    for table, (question, words) in QUESTIONS.items():
        if table in asked and len(asked[table]) > 1:
            parts += [f"## {question}", "", words.format(minutes=grid.minutes, epochs=grid.epochs), ""]
            parts += [errors_table(asked, table, runs), "", verdict(asked, table, runs), ""]
    if timings:
        parts += ["## What does variable length cost?", "", _LENGTHS, "", lengths_table(timings), ""]
    parts += ["## Where do gradients vanish?", "", _GRADIENTS, ""]
    parts += [
        gradients_table(asked["cells"], runs, "cells", frame_seconds),
        "",
        f"![gradients]({GRADIENTS})",
        "",
    ]
    if "gates" in asked:
        draw_gradients(folder / GATES, asked["gates"], runs, "gates", frame_seconds)
        parts += [gradients_table(asked["gates"], runs, "gates", frame_seconds), "", f"![gates]({GATES})", ""]
    write_text(folder / "RESULTS.md", "\n".join(parts).rstrip() + "\n")
    return verdict(asked, "cells", runs) if len(asked["cells"]) > 1 else f"{len(results)} runs"


_LENGTHS = (
    "Seconds of speech that one second of one processor trains on, forward and backward, with as much speech "
    "in each column: batches whose rows all have the mean length, rows of similar length together as in "
    "training, and rows mixed by chance. In brackets the change from equal lengths."
)
_GRADIENTS = (
    "A gradient that is 1 at the last state of an utterance, followed back through the states before it: "
    "after how many milliseconds a tenth of it is left, as the model was drawn and after training in equal "
    "time. Median over seeds, and their range. `>` : more than a tenth is left as far back as was looked."
)


def _head(recipe: Recipe, results: list[Result]) -> list[str]:
    """What was run, where, and how to read it."""
    config, grid, study = recipe.config, grid_of(recipe.config), recipe.config.study
    assert study is not None
    name, scored = scored_set(recipe.exp)
    train = read_manifest(recipe.exp / "corpus" / "train.jsonl")
    hours = sum(utterance.duration for utterance in train) / 3600
    used = f", of which {grid.utterances} are used" if grid.utterances else ""
    spent = sum(result.seconds for result in results) / 3600
    commits = ", ".join(sorted({result.commit for result in results}))
    rate = f"The learning rate is {config.training.learning_rate:g} for all."
    if grid.rates:
        tried = ", ".join(f"{one:g}" for one in grid.rates)
        rate = f"The learning rate of each cell is chosen among {tried} by dev CER, with a seed of its own."
    return [
        f"# Results of {recipe.name}, grid {study.grid}",
        "",
        f"Written by the recipe itself; {machine()}; commit {commits}:",
        "",
        f"    {recipe.portable_command()}",
        "",
        f"{len(results)} runs, {spent:.1f} hours of processor time "
        f"in training. {len(train)} training utterances ({hours:.2f} h){used}; errors are greedy, without a "
        f"language model, on the {len(scored)} utterances of {name}. {rate}",
        "",
        f"Each row is {grid.seeds} runs with the seeds 1 to {grid.seeds}; after ± stands half the 95 % "
        "interval of the mean over seeds (Student's t). Differences are paired by seed, and bold where the "
        "interval leaves 0 out; of twenty that are nothing, one is bold by chance. The intervals say what "
        "other seeds would change, not what other speech would.",
        "",
    ]


def machine() -> str:
    """Processor and versions, in words."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{processors()} processors ({model}), one thread a run, {versions}"
