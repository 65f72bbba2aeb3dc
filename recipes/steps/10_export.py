"""Write the model folder for everyone else, with the card that says what it was trained on and how well."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import is_tuned, language_files
from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = (
    *("corpus", "features", "augment", "batching", "model", "training", "averaging"),
    *("language_model", "decoding", "tuning", "scoring"),
)


def inputs(recipe: Recipe) -> list[Path]:
    return [
        *(recipe.exp / "corpus" / f"{part}.jsonl" for part in ("train", "dev", "test")),
        recipe.exp / "averaged" / "bundle.json",
        recipe.exp / "score",
        *language_files(recipe).values(),
        *([recipe.exp / "tuned" / "tuned.json"] if is_tuned(recipe) else []),
    ]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "model"]


def run(recipe: Recipe) -> list[str]:
    import msgspec

    from asr.config import writes_phones
    from asr.corpus.manifest import read_manifest
    from asr.model.bundle import save_bundle
    from asr.scoring.figures import Figures, PhoneFigures
    from recipes.card import make_card
    from recipes.evaluation import evaluation_sets
    from recipes.tuning import bundle_to_decode, tuned_decoding

    made, decoding, sets = bundle_to_decode(recipe), tuned_decoding(recipe), evaluation_sets(recipe)
    kind = PhoneFigures if writes_phones(recipe.config.units, recipe.config.decoding) else Figures
    results = {
        name: msgspec.json.decode((recipe.exp / "score" / f"{name}.json").read_bytes(), type=kind)
        for name in sets
    }
    data = {"train": read_manifest(recipe.exp / "corpus" / "train.jsonl")} | sets
    card = make_card(recipe, data, results, made, decoding)
    config = msgspec.structs.replace(recipe.portable_config(), decoding=decoding)
    save_bundle(recipe.exp / "model", replace(made, config=config), card)
    return [f"{recipe.shown(recipe.exp / 'model')} with card.md"]


if __name__ == "__main__":
    run_alone(__file__)
