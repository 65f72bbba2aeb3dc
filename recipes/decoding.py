"""Decoding the sets of a recipe, each with the settings that are meant for it; dev by folds, where asked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from asr.config import DecodingConfig
from asr.model.bundle import Bundle
from asr.records import Hypothesis, Utterance
from asr.transcribe import Recogniser
from asr.transcribe.options import chosen_device
from recipes.evaluation import decode_set, dev_sets
from recipes.recipe import Recipe
from recipes.tuning import in_this_way, read_folds, tuned_decoding

Sets = Mapping[str, Sequence[Utterance]]


class Part(NamedTuple):
    """Utterances that are decoded with the same settings, by set."""

    decoding: DecodingConfig
    sets: Sets


class Decoded(NamedTuple):
    """What was heard in a set, in its order, and how many of its utterances failed."""

    heard: list[Hypothesis]
    failed: int


def parts_to_decode(recipe: Recipe, way: str, sets: Sets) -> list[Part]:
    """Which settings are meant for which utterances.

    Those found on all of dev for every set; where `tuning.folds` says so, a speaker of dev is read with those
    found on the others instead.

    Args:
        way: one of `recipes.tuning.ways_to_decode`.
        sets: as `recipes.evaluation.evaluation_sets` gives them, or any others that are not dev.
    """
    own = in_this_way(way, tuned_decoding(recipe))
    folds = read_folds(recipe) if own.method != "greedy" else []  # greedy decoding has no settings
    dev = set(dev_sets(recipe)) if folds else set()
    parts = [Part(own, {name: rows for name, rows in sets.items() if name not in dev})]
    for fold in folds:
        decoding = in_this_way(way, fold.tuned.settings(recipe.config.decoding))
        speakers = set(fold.speakers)
        held_out = {
            name: [row for row in rows if row.speaker in speakers]
            for name, rows in sets.items()
            if name in dev
        }
        parts.append(Part(decoding, {name: rows for name, rows in held_out.items() if rows}))
    return [part for part in parts if part.sets]


def decode_sets(recipe: Recipe, bundle: Bundle, way: str, sets: Sets, remark: str = "") -> dict[str, Decoded]:
    """Decode sets in one way, each utterance with the settings that are meant for it.

    Args:
        bundle: a model with what its search needs.
        way, sets: as for `parts_to_decode`.
        remark: what the progress bar says behind the name of a set.
    """
    device = chosen_device(recipe.config.training.device)
    heard: dict[str, dict[str, Hypothesis]] = {name: {} for name in sets}
    for part in parts_to_decode(recipe, way, sets):
        recogniser = Recogniser(bundle, device, part.decoding)
        for name, rows in part.sets.items():
            hyps, _ = decode_set(recogniser, rows, f"{name}{way}{remark}")
            heard[name].update((hyp.utt_id, hyp) for hyp in hyps)
    found = {}
    for name, rows in sets.items():
        hyps = [heard[name][row.utt_id] for row in rows if row.utt_id in heard[name]]
        found[name] = Decoded(hyps, len(rows) - len(hyps))
    return found
