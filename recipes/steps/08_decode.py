"""Write what the model hears in dev and test: JSON lines with word times, and trn for sclite."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = ("corpus", "decoding")


def inputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / name for name in ("corpus/dev.jsonl", "corpus/test.jsonl", "averaged/bundle.json")]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "decode"]


def begin(recipe: Recipe) -> None:
    """Leave nothing of sets that are no longer asked for."""
    shutil.rmtree(recipe.exp / "decode", ignore_errors=True)


def run(recipe: Recipe) -> list[str]:
    from asr.transcribe import Recogniser
    from recipes.evaluation import decode_set, evaluation_sets, reference_of, references, write_decoded

    config = recipe.config
    is_beam = config.decoding.method == "beam"
    recogniser = Recogniser.load(
        recipe.exp / "averaged",
        config.training.device,
        beam=config.decoding.beam if is_beam else 0,
        top=config.decoding.top,
        nbest=config.decoding.nbest if is_beam else 1,
    )
    told, reference = [], reference_of(recipe)
    for name, utterances in evaluation_sets(recipe).items():
        heard, failed = decode_set(recogniser, utterances, name)
        write_decoded(recipe.exp / "decode", name, references(utterances, reference), heard)
        told.append(f"{name} {len(heard)} utterances" + (f", {failed} failed" if failed else ""))
    return [f"{'; '.join(told) or 'no dev and no test set'}; {recipe.shown(recipe.exp / 'decode')}"]


if __name__ == "__main__":
    run_alone(__file__)
