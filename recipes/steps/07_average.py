"""Average the chosen checkpoints into one model folder, mixed with the start model where asked."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = ("averaging",)


def inputs(recipe: Recipe) -> list[Path]:
    own = [recipe.exp / name for name in ("train", "cmvn.json", "tokens.txt")]
    start = recipe.start_files if recipe.config.averaging.start_share else []
    return [*own, *recipe.unit_files, *start]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "averaged" / name for name in ("bundle.json", "model.safetensors", "card.md")]


def run(recipe: Recipe) -> list[str]:
    from asr.features.cmvn import CmvnStats
    from asr.model.bundle import Bundle, save_bundle
    from asr.training import average_checkpoints
    from asr.units.tokens import read_tokens
    from recipes.start import held_near_start

    exp, config, averaging = recipe.exp, recipe.config, recipe.config.averaging
    weights, chosen = average_checkpoints(exp / "train", averaging.which, averaging.count)
    mean = std = None
    if config.features.cmvn == "global":
        mean, std = CmvnStats.load(exp / "cmvn.json").mean_std()
    files = {path.name: path.read_bytes() for path in recipe.unit_files}
    tokens = read_tokens(exp / "tokens.txt")
    weights, remark = held_near_start(recipe, weights, tokens)
    bundle = Bundle(config, tokens, mean, std, weights, unit_files=files)
    names = ", ".join(path.stem for path in chosen)
    origin = f"checkpoint {names}" if len(chosen) == 1 else f"mean of the checkpoints {names}"
    origin += remark
    save_bundle(exp / "averaged", bundle, card=f"{origin}\n")
    return [f"{origin}; {recipe.shown(exp / 'averaged')}"]


if __name__ == "__main__":
    run_alone(__file__)
