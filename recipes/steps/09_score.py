"""Compare what was heard with what was said: word error rate with its interval, a report for each set."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = ("corpus", "scoring")


def inputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / name for name in ("corpus/dev.jsonl", "corpus/test.jsonl", "decode")]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "score"]


def begin(recipe: Recipe) -> None:
    """Leave nothing of sets that are no longer asked for."""
    shutil.rmtree(recipe.exp / "score", ignore_errors=True)


def run(recipe: Recipe) -> list[str]:
    import msgspec

    from asr.files import write_bytes, write_text
    from asr.scoring.calibration import calibration
    from asr.scoring.figures import figures
    from asr.scoring.pairing import pair
    from asr.scoring.report import text_report
    from asr.scoring.significance import bootstrap_interval
    from asr.scoring.wer import score
    from recipes.card import result_line
    from recipes.evaluation import evaluation_sets, label, read_decoded, references, transcripts

    options, folder = recipe.config.scoring, recipe.exp / "score"
    lines = []
    for name, utterances in evaluation_sets(recipe).items():
        heard = read_decoded(recipe.exp / "decode", name)
        report = score(pair(references(utterances), transcripts(heard)))
        sure = calibration(report, {hyp.utt_id: [word.confidence for word in hyp.words] for hyp in heard})
        interval = bootstrap_interval(report, replicates=options.bootstrap, seed=options.seed)
        write_text(folder / f"{name}.txt", text_report(report, interval, details=True, sure=sure))
        found = figures(report, interval, sure)
        write_bytes(folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        lines.append(result_line(label(recipe, name), found))
    return [f"reports in {recipe.shown(folder)}", *lines]


if __name__ == "__main__":
    run_alone(__file__)
