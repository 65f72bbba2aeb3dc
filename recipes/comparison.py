"""A model that was trained further against the one that it started from, on the same speech."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from asr.config import writes_phones
from asr.corpus.librispeech import read_librispeech
from asr.model.bundle import Bundle, load_bundle
from asr.records import Hypothesis, Utterance
from asr.scoring.pairing import pair
from asr.scoring.report import comparison_text
from asr.scoring.significance import Comparison, compare
from asr.scoring.wer import Report, score
from asr.training.run import spread
from recipes.decoding import decode_sets
from recipes.evaluation import (
    evaluation_sets,
    label,
    read_decoded,
    reference_of,
    references,
    transcripts,
    write_decoded,
)
from recipes.places import is_rescored, language_files, takes_words
from recipes.recipe import Recipe
from recipes.tuning import bundle_to_decode


class Compared(NamedTuple):
    """One set: its paired test, `first` before and `second` after, and how many utterances it has."""

    comparison: Comparison
    unit: str
    utterances: int

    def line(self, name: str) -> str:
        """Such as `finetune: WER 41.20 % before, 30.10 % after, 26.9 % fewer errors [-13.0, -9.2], …`."""
        first, second, (low, high) = self.comparison.first, self.comparison.second, self.comparison.ci95
        share = f"{100 * abs(second - first) / first:.1f} % " if first else ""
        change = f"{share}{'fewer' if second < first else 'more'} errors" if second != first else "the same"
        p = self.comparison.mapsswe_p
        return (
            f"{name}: {'PER' if self.unit == 'phone' else 'WER'} {first:.2f} % before, {second:.2f} % after, "
            f"{change}, difference [{low:+.2f}, {high:+.2f}], "
            f"{'p < 0.001' if p < 0.001 else f'p = {p:.3f}'}, {self.utterances} utterances"
        )


def compare_with_start(recipe: Recipe) -> tuple[dict[str, Compared], str]:
    """Decode dev, test and the control set with both models, in the same way, and test the difference.

    The start model reads with the recipe's words, unless these are its own with some more: then with its own,
    so that what the new words do is part of the difference.

    What each model heard is written to compare/before and compare/after.

    Returns:
        what was found for each set, and why a set that was asked for is not among them; empty if all are.
    """
    assert recipe.start is not None
    ours, theirs = bundle_to_decode(recipe), load_bundle(recipe.start)
    if why := _not_comparable(recipe, ours, theirs):
        return {}, why
    theirs = replace(theirs, **_files_to_decode(recipe))
    sets, missing = evaluation_sets(recipe), ""
    control = _control_set(recipe)
    if control:
        sets["control"] = control
    elif recipe.config.scoring.control:
        missing = f"nothing is known of what was forgotten: {recipe.config.scoring.control} is not there"
    before = decode_sets(recipe, theirs, "", sets, " with the start model")
    after = decode_sets(recipe, ours, "", {"control": control}) if control else {}
    found = {}
    for name, utterances in sets.items():
        if name == "control":
            heard = after[name].heard
            _write(recipe, "after", name, utterances, heard)
        else:
            heard = read_decoded(recipe.exp / "decode", name)
        heard_before = before[name].heard
        _write(recipe, "before", name, utterances, heard_before)
        reports = [_report(recipe, utterances, each) for each in (heard_before, heard)]
        options = recipe.config.scoring
        comparison = compare(*reports, replicates=options.bootstrap, seed=options.seed)
        found[name] = Compared(comparison, reports[0].unit, len(utterances))
    return found, missing


def comparison_report(recipe: Recipe, found: dict[str, Compared]) -> str:
    """All of it in words."""
    return "\n".join(
        f"{compared.line(label(recipe, name))}\n{comparison_text(compared.comparison)}"
        for name, compared in found.items()
    )


def _files_to_decode(recipe: Recipe) -> dict[str, Path | None]:
    """Lexicon and language models that the start model gets, by their names in a `Bundle`."""
    files = language_files(recipe)
    if takes_words(recipe):
        return {"gru": files["gru"]} if is_rescored(recipe) else {}
    return {"lexicon": None, "lm": None, "gru": None, **files}


def _not_comparable(recipe: Recipe, ours: Bundle, theirs: Bundle) -> str:
    """Why the two models cannot be decoded alike; empty where they can."""
    if ours.tokens == theirs.tokens and ours.config.units == theirs.config.units:
        return ""
    decoding = recipe.config.decoding
    if decoding.method == "words" or any(writes_phones(one.config.units, decoding) for one in (ours, theirs)):
        return "not compared with the start model, whose units are others"
    return ""


def _control_set(recipe: Recipe) -> Sequence[Utterance]:
    if recipe.control is None:
        return []
    rows, _ = read_librispeech(recipe.control)
    return spread(rows, recipe.config.scoring.control_utterances)


def _report(recipe: Recipe, utterances: Sequence[Utterance], heard: Sequence[Hypothesis]) -> Report:
    is_phones = writes_phones(recipe.config.units, recipe.config.decoding)
    refs = references(utterances, reference_of(recipe, recipe.config.decoding))
    return score(pair(refs, transcripts(heard)), "phone" if is_phones else "word")


def _write(
    recipe: Recipe, which: str, name: str, utterances: Sequence[Utterance], heard: Sequence[Hypothesis]
) -> None:
    refs = references(utterances, reference_of(recipe, recipe.config.decoding))
    write_decoded(recipe.exp / "compare" / which, name, refs, heard)
