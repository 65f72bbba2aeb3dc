"""Train the model, or go on training it; `torchrun --nproc-per-node 2 …/06_train.py RECIPE` uses two GPUs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe, set_aside
from recipes.run import run_alone

SERVES = "model"
PARTS = ("features", "augment", "batching", "model", "intermediate", "training", "crf", "distillation")
CONTINUES = {"training": {"keep", "max_minutes", "patience"}}


def inputs(recipe: Recipe) -> list[Path]:
    names = ("corpus/train.jsonl", "corpus/dev.jsonl", "cmvn.json", "tokens.txt")
    own = [recipe.exp / name for name in names]
    return [*own, *recipe.unit_files, *recipe.intermediate_files, *recipe.start_files, *recipe.teacher_files]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "train"]


def begin(recipe: Recipe) -> None:
    """Keep what another configuration trained, once, beside the folder of the new training."""
    if (recipe.exp / "train").exists():
        previous = set_aside(recipe.exp / "train")
        print(f"06_train: begins anew; the earlier training is kept in {recipe.shown(previous)}", flush=True)


def run(recipe: Recipe) -> list[str]:
    from asr.corpus.manifest import read_manifest
    from asr.features.cmvn import CmvnStats
    from asr.training import train
    from asr.units.tokens import read_tokens
    from recipes.units import intermediate_units

    exp, folder = recipe.exp, recipe.exp / "train"
    end = train(
        recipe.config,
        read_manifest(exp / "corpus" / "train.jsonl"),
        read_manifest(exp / "corpus" / "dev.jsonl"),
        cmvn=CmvnStats.load(exp / "cmvn.json"),
        tokens=read_tokens(exp / "tokens.txt"),
        folder=folder,
        unit_files={path.name: path.read_bytes() for path in recipe.unit_files},
        intermediate_units=intermediate_units(recipe),
    )
    rate = "PER" if recipe.config.units.kind == "phones" else "WER"
    return [
        f"epoch {end.epoch}, update {end.step}, dev {rate} {end.wer:.2f} %; checkpoints, metrics.jsonl and "
        f"curve.png in {recipe.shown(folder)}"
    ]


if __name__ == "__main__":
    run_alone(__file__)
