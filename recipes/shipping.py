"""The model of a recipe made small, and measured as it is shipped."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from asr.compact import check_size, compact
from asr.files import write_bytes
from asr.model.bundle import Bundle, load_bundle, save_bundle
from asr.model.quantise import quantise
from asr.records import Utterance
from asr.scoring.figures import Figures, PhoneFigures, figures, phone_figures
from asr.scoring.pairing import pair
from asr.scoring.significance import Comparison, bootstrap_interval, compare
from asr.scoring.wer import Report, score
from asr.training.run import spread
from asr.transcribe import Recogniser
from asr.transcribe.options import chosen_device
from recipes.conditions import changes_of_sound, further_sets
from recipes.evaluation import (
    Change,
    decode_set,
    evaluation_sets,
    references,
    transcripts,
    write_decoded,
)
from recipes.recipe import Recipe

FOLDER = "shipping"
"""Of what is made on the way, in the experiment folder; the model lies in `model` below it."""


class Loss(NamedTuple):
    """What a set lost against the exported model: by rounded weights alone, and as it is shipped."""

    rounded: Comparison
    shipped: Comparison


class Measured(NamedTuple):
    """Figures of the shipped model.

    Attributes:
        sets: of dev and test.
        losses: of the same sets.
        changed: by set and what was done to its sound.
        further: of other speech.
        missing: sentences on what was not there.
    """

    sets: dict[str, Figures | PhoneFigures]
    losses: dict[str, Loss]
    changed: dict[tuple[str, str], Figures | PhoneFigures]
    further: dict[str, Figures | PhoneFigures]
    missing: list[str]


def make_small(recipe: Recipe) -> Path:
    """Write the compact folder, with a card that says nothing yet, and give its place.

    Raises:
        AsrError: it is larger than allowed, or what `compact` raises.
    """
    folder, settings = recipe.exp / FOLDER / "model", recipe.config.shipping
    exported = load_bundle(recipe.exp / "model")
    small = compact(exported, recipe.exp / FOLDER, lm_bytes=round(1e6 * settings.lm_megabytes))
    save_bundle(folder, small, "Not measured yet.\n")
    check_size(folder, round(1e6 * settings.megabytes))
    return folder


def measure(recipe: Recipe, folder: Path) -> Measured:
    """Decode every set with the model in `folder`; dev and test also with the exported one, and with its
    weights rounded alone."""
    exported = load_bundle(recipe.exp / "model")
    before = _Listener(recipe, exported, "exported.")
    rounded = _Listener(recipe, quantise(exported), "rounded.")
    listener = _Listener(recipe, load_bundle(folder), "")
    sets, losses, changed = {}, {}, {}
    chosen = evaluation_sets(recipe)
    for name, rows in chosen.items():
        shipped, sets[name] = listener.hear(name, rows)
        whole, less = before.hear(name, rows)[0], rounded.hear(name, rows)[0]
        losses[name] = Loss(*(listener.compared(whole, one) for one in (less, shipped)))
    for what, change in changes_of_sound(recipe).items():
        for name, rows in chosen.items():
            some = spread(rows, recipe.config.shipping.utterances)
            changed[name, what] = listener.hear(f"{name}, {what}", some, change)[1]
    others, missing = further_sets(recipe)
    further = {name: listener.hear(f"further, {name}", rows)[1] for name, rows in others.items()}
    return Measured(sets, losses, changed, further, missing)


class _Listener:
    """A model that hears sets, writes what it heard below the experiment folder, and is scored."""

    def __init__(self, recipe: Recipe, bundle: Bundle, prefix: str) -> None:
        self.recipe, self.prefix = recipe, prefix
        device = chosen_device(recipe.config.training.device)
        self.recogniser = Recogniser(bundle, device, bundle.config.decoding)
        self.is_phones = self.recogniser.writes_phones
        self.reference: Callable[[str], str] = self.recogniser.units.reference if self.is_phones else str

    def hear(
        self, name: str, rows: Sequence[Utterance], change: Change | None = None
    ) -> tuple[Report, Figures | PhoneFigures]:
        """Decode a set and score it."""
        heard, _ = decode_set(self.recogniser, rows, f"{self.prefix}{name}", change)
        place = f"{self.prefix}{name}".replace(", ", ".").replace(" ", "_")
        refs, options = references(rows, self.reference), self.recipe.config.scoring
        write_decoded(self.recipe.exp / FOLDER / "decode", place, refs, heard)
        report = score(pair(refs, transcripts(heard)), "phone" if self.is_phones else "word")
        interval = bootstrap_interval(report, replicates=options.bootstrap, seed=options.seed)
        return report, (phone_figures if self.is_phones else figures)(report, interval)

    def compared(self, first: Report, second: Report) -> Comparison:
        """A paired test with the recipe's options."""
        options = self.recipe.config.scoring
        return compare(first, second, replicates=options.bootstrap, seed=options.seed)


def hours_of_training(lines: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """Hours of audio that were learnt from, each time counted, and hours that it took, by metrics.jsonl."""
    audio = sum(line.get("audio", 0.0) for line in lines)
    return audio / 3600, max((line.get("seconds", 0.0) for line in lines), default=0.0) / 3600


def ship(recipe: Recipe, folder: Path, found: Measured, card: str) -> None:
    """Write the model that was measured to where it is shipped from, and all of its figures for programs."""
    assert recipe.shipping is not None
    told = found._asdict() | {"changed": {", ".join(place): one for place, one in found.changed.items()}}
    content = msgspec.json.format(msgspec.json.encode(told)) + b"\n"
    write_bytes(recipe.exp / FOLDER / "figures.json", content)
    save_bundle(recipe.shipping, load_bundle(folder), card)
