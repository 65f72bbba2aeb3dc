"""What was heard in a set against what was said, and one way to decode against another."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from asr.config import DecodingConfig, writes_phones
from asr.files import write_bytes, write_text
from asr.records import Utterance
from asr.scoring.calibration import calibration
from asr.scoring.figures import Figures, PhoneFigures, figures, phone_figures
from asr.scoring.pairing import pair
from asr.scoring.report import comparison_text, text_report
from asr.scoring.significance import bootstrap_interval, compare
from asr.scoring.wer import Report, score
from recipes.evaluation import read_decoded, reference_of, references, transcripts
from recipes.recipe import Recipe


def score_decoded(
    recipe: Recipe, name: str, utterances: Sequence[Utterance], decoding: DecodingConfig
) -> tuple[Report, Figures | PhoneFigures]:
    """Score what step 08 wrote as `name`; write a report for people and one for programs.

    Args:
        decoding: how it was decoded: to words, or to phones, whose errors are then counted.
    """
    options, is_phones = recipe.config.scoring, writes_phones(recipe.config.units, decoding)
    heard, said = read_decoded(recipe.exp / "decode", name), reference_of(recipe, decoding)
    report = score(pair(references(utterances, said), transcripts(heard)), "phone" if is_phones else "word")
    sure = calibration(report, heard)
    interval = bootstrap_interval(report, replicates=options.bootstrap, seed=options.seed)
    found = phone_figures(report, interval) if is_phones else figures(report, interval, sure)
    write_text(_path(recipe, name, "txt"), text_report(report, interval, details=True, sure=sure))
    write_bytes(_path(recipe, name, "json"), msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return report, found


def read_figures(recipe: Recipe, name: str, decoding: DecodingConfig) -> Figures | PhoneFigures:
    """The figures that `score_decoded` wrote."""
    kind = PhoneFigures if writes_phones(recipe.config.units, decoding) else Figures
    return msgspec.json.decode(_path(recipe, name, "json").read_bytes(), type=kind)


def compare_ways(recipe: Recipe, name: str, way: str, reports: Mapping[str, Report]) -> str:
    """Whether the recipe's way to decode a set differs from another by more than chance: in a line.

    The same in words, with the interval of the difference, is written beside the reports. Both ways count
    errors of the same: of words, or of phones.
    """
    options = recipe.config.scoring
    found = compare(reports[way], reports[""], replicates=options.bootstrap, seed=options.seed)
    text = f"First: {name}{way}. Second: {name}.\n\n{comparison_text(found)}"
    write_text(_path(recipe, f"{name}{way}", "compared.txt"), text)
    low, high = found.ci95
    return (
        f"  {name} against {name}{way}: {found.difference:+.2f} points [{low:+.2f}, {high:+.2f}], "
        f"p = {found.mapsswe_p:.3g} (MAPSSWE), {found.bootstrap_p:.3g} (paired bootstrap)"
    )


def _path(recipe: Recipe, name: str, suffix: str) -> Path:
    return recipe.exp / "score" / f"{name}.{suffix}"
