"""card.md of a shipped model: how it does, and where it fails."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from asr.model.bundle import Bundle, load_bundle
from asr.records import Utterance
from asr.scoring.figures import Figures, PhoneFigures
from asr.scoring.significance import Comparison
from recipes.card import result_line
from recipes.conditions import of_whom
from recipes.evaluation import label
from recipes.recipe import Recipe
from recipes.shipping import Loss, Measured, hours_of_training

FEW = 25
"""Speakers that a table names; of more it gives quartiles."""


def shipping_card(recipe: Recipe, train: Sequence[Utterance], found: Measured) -> str:
    """The card as Markdown: that of the exported model, and what is true of the shipped one.

    Args:
        recipe: that made the model.
        train: what it was trained on.
        found: what was measured with the model as it is shipped.
    """
    exported = load_bundle(recipe.exp / "model")
    parts = [
        ("As it is shipped", _shipped(recipe, exported, found)),
        ("Noise and telephone", _changed(recipe, found)),
        ("Other speech", _further(recipe, found)),
        ("Speakers", _speakers(found.sets | found.further)),
        ("What it is not good for", [f"- {sentence}" for sentence in recipe.config.shipping.not_for]),
        ("Training", _training(recipe.exp / "train" / "metrics.jsonl")),
        ("Licenses", _licenses(recipe, train)),
    ]
    told = "".join(f"\n## {title}\n\n" + "\n".join(lines) + "\n" for title, lines in parts if lines)
    return exported.card.rstrip() + "\n" + told


def loss_line(name: str, loss: Loss) -> str:
    """Such as `dev-clean: 28.10 % before, +0.05 [-0.10, +0.20] by 8-bit weights (p = 0.412), …`."""
    changes = (("by 8-bit weights", loss.rounded), ("as shipped", loss.shipped))
    told = ", ".join(f"{_change(one)} {what} ({_probability(one.mapsswe_p)})" for what, one in changes)
    return f"{name}: {loss.shipped.first:.2f} % before, {told}"


def _change(one: Comparison) -> str:
    low, high = one.ci95
    return f"{one.difference:+.2f} [{low:+.2f}, {high:+.2f}]"


def _probability(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _licenses(recipe: Recipe, train: Sequence[Utterance]) -> list[str]:
    names = recipe.config.corpus.also
    counts = Counter(
        next((name for name in names if row.utt_id.startswith(f"{name}-")), recipe.config.corpus.source)
        for row in train
    )
    licenses = recipe.config.shipping.licenses
    lines = [f"- {name}, {n} utterances: {licenses.get(name, 'not stated')}" for name, n in counts.items()]
    return [*lines, *(f"- {name}: {told}" for name, told in licenses.items() if name not in counts)]


def _training(path: Path) -> list[str]:
    lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    audio, wall = hours_of_training([line for line in lines if line["event"] == "update"])
    return [
        f"{audio:.1f} hours of audio were learnt from, repetitions counted, in {wall:.1f} hours, "
        f"{audio / wall if wall else 0:.0f} × real time."
    ]


def _shipped(recipe: Recipe, exported: Bundle, found: Measured) -> list[str]:
    room = f"{recipe.config.shipping.lm_megabytes:g} MB"
    told = ["What is said above is true of the model before it was made small, what follows of this folder."]
    told += ["Matrices have 8 bits a weight and a step a row."]
    told += [f"The n-grams fit into {room} and have probabilities of 8 bits."] if exported.lm else []
    told += ["Nothing is rescored, since a GRU language model takes too much room."] if exported.gru else []
    results = [f"- {result_line(label(recipe, name), figures)}" for name, figures in found.sets.items()]
    losses = [f"- {loss_line(name, loss)}" for name, loss in found.losses.items()]
    how = "Differences from the exported model, in points, with the 95 % interval and MAPSSWE's p:"
    return [" ".join(told), "", *results, "", how, "", *losses]


def _speakers(sets: Mapping[str, Figures | PhoneFigures]) -> list[str]:
    lines: list[str] = []
    for name, figures in sets.items():
        rates = _rates(figures)
        if len(rates) > FEW:
            low, middle, high = np.percentile(list(rates.values()), [25, 50, 75])
            told = f"{len(rates)} speakers, a quarter below {low:.1f} %, half below {middle:.1f} %, three "
            told += f"quarters below {high:.1f} %, the worst {max(rates.values()):.1f} %"
        else:
            ranked = sorted(rates, key=lambda who: rates[who])
            told = ", ".join(f"{who} {rates[who]:.1f}" for who in ranked)
        lines += [f"- {name}: {told}"] if rates else []
    return lines


def _rates(figures: Figures | PhoneFigures) -> dict[str, float]:
    """Error rate of each speaker who says anything, in percent."""
    if isinstance(figures, PhoneFigures):
        return {who: rate for who, rate in figures.by_speaker.items() if rate is not None}
    return {who: group.wer for who, group in figures.by_speaker.items() if group.wer is not None}


def _changed(recipe: Recipe, found: Measured) -> list[str]:
    if not found.changed:
        return []
    lines = [f"- {result_line(', '.join(place), figures)}" for place, figures in found.changed.items()]
    seed = recipe.config.shipping.seed
    return [
        *lines,
        "",
        f"Noise is white, pink or like many voices, drawn for each utterance with the seed {seed}; the "
        "telephone line passes 300 to 3400 Hz in 8 bits.",
    ]


def _further(recipe: Recipe, found: Measured) -> list[str]:
    lines = [f"- {result_line(of_whom(recipe, name), figures)}" for name, figures in found.further.items()]
    return [*lines, *(f"- {sentence}" for sentence in found.missing)]
