"""Compare what was heard with what was said: word or phone error rate with its interval, a report of each."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

SERVES = "model"
PARTS = ("corpus", "scoring")


def inputs(recipe: Recipe) -> list[Path]:
    names = ("corpus/dev.jsonl", "corpus/test.jsonl", "decode")
    return [*(recipe.exp / name for name in names), *recipe.unit_files]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "score"]


def begin(recipe: Recipe) -> None:
    """Leave nothing of sets that are no longer asked for."""
    shutil.rmtree(recipe.exp / "score", ignore_errors=True)


def run(recipe: Recipe) -> list[str]:
    import msgspec

    from asr.config import writes_phones
    from asr.files import write_bytes, write_text
    from asr.scoring.calibration import calibration
    from asr.scoring.figures import figures, phone_figures
    from asr.scoring.pairing import pair
    from asr.scoring.report import text_report
    from asr.scoring.significance import bootstrap_interval
    from asr.scoring.wer import score
    from recipes.card import result_line
    from recipes.evaluation import evaluation_sets, label, read_decoded, reference_of, references, transcripts

    config, folder, lines, reference = recipe.config, recipe.exp / "score", [], reference_of(recipe)
    options, is_phones = config.scoring, writes_phones(config.units, config.decoding)
    for name, utterances in evaluation_sets(recipe).items():
        heard = read_decoded(recipe.exp / "decode", name)
        pairs = pair(references(utterances, reference), transcripts(heard))
        report = score(pairs, "phone" if is_phones else "word")
        sure = calibration(report, heard)
        interval = bootstrap_interval(report, replicates=options.bootstrap, seed=options.seed)
        write_text(folder / f"{name}.txt", text_report(report, interval, details=True, sure=sure))
        found = phone_figures(report, interval) if is_phones else figures(report, interval, sure)
        write_bytes(folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        lines.append(result_line(label(recipe, name), found))
    return [f"reports in {recipe.shown(folder)}", *lines]


if __name__ == "__main__":
    run_alone(__file__)
