"""Write the model folder for everyone else, with the card that says what it was trained on and how well."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import language_outputs, tuned_file
from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = (
    *("corpus", "features", "augment", "batching", "model", "intermediate", "training", "crf"),
    *("distillation", "averaging"),
    *("language_model", "rescoring", "decoding", "tuning", "scoring"),
)


def inputs(recipe: Recipe) -> list[Path]:
    return [
        *(recipe.exp / "corpus" / f"{part}.jsonl" for part in ("train", "dev", "test")),
        recipe.exp / "averaged" / "bundle.json",
        recipe.exp / "score",
        *language_outputs(recipe),
        *tuned_file(recipe),
    ]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "model"]


def run(recipe: Recipe) -> list[str]:
    import msgspec

    from asr.corpus.manifest import read_manifest
    from asr.model.bundle import save_bundle
    from recipes.card import make_card
    from recipes.evaluation import evaluation_sets
    from recipes.scoring import read_figures
    from recipes.tuning import bundle_to_decode, tuned_decoding, ways_to_decode

    made, decoding, sets = bundle_to_decode(recipe), tuned_decoding(recipe), evaluation_sets(recipe)
    ways = ways_to_decode(recipe)
    results = {
        (name, way): read_figures(recipe, f"{name}{way}", how) for name in sets for way, how in ways.items()
    }
    data = {"train": read_manifest(recipe.exp / "corpus" / "train.jsonl")} | sets
    card = make_card(recipe, data, results, made, decoding)
    config = msgspec.structs.replace(recipe.portable_config(), decoding=decoding)
    gru = made.gru if decoding.gru_share else None  # nothing is rescored where that reads no better
    save_bundle(recipe.exp / "model", replace(made, config=config, gru=gru), card)
    return [f"{recipe.shown(recipe.exp / 'model')} with card.md"]


if __name__ == "__main__":
    run_alone(__file__)
