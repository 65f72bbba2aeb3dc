"""What a shipped model is measured on beside dev and test: noise, a telephone line, other speech."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from asr.corpus.also import Also, read_also
from asr.corpus.summary import Summary
from asr.features.augment import WaveformAugment, rng_for
from asr.records import Utterance
from recipes.evaluation import Change
from recipes.recipe import Recipe


def changes_of_sound(recipe: Recipe) -> dict[str, Change]:
    """By what is said of them, the changes of `shipping`; those of training, with the same noises."""
    settings, rate = recipe.config.shipping, recipe.config.features.sample_rate
    changes = {f"noise at {snr:g} dB": _change(rate, settings.seed, snr_db=snr) for snr in settings.noise_db}
    return changes | ({"telephone line": _change(rate, settings.seed)} if settings.telephone else {})


def _change(sample_rate: int, seed: int, snr_db: float | None = None) -> Change:
    """Noise at a ratio, its kind drawn for each utterance; without a ratio, a telephone line."""
    is_noisy = snr_db is not None
    augment = WaveformAugment(
        speeds=(1.0,),
        gain_db=0.0,
        noise=float(is_noisy),
        noise_snr_db=(snr_db or 0.0, snr_db or 0.0),
        lowpass=0.0,
        telephone=float(not is_noisy),
        reverb=0.0,
        sample_rate=sample_rate,
    )

    def change(utt_id: str, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        changed: NDArray[np.float32] = augment(torch.from_numpy(samples), rng_for(seed, 0, utt_id)).numpy()
        return changed

    return change


def further_sets(recipe: Recipe) -> tuple[dict[str, list[Utterance]], list[str]]:
    """The sets of `shipping.sets` by name, and sentences on those that are not there.

    Raises:
        AsrError: one is there and cannot be read.
    """
    found: dict[str, list[Utterance]] = {}
    missing: list[str] = []
    for name, entry in recipe.config.shipping.sets.items():
        corpus = Also(
            name=name,
            source=entry.source,
            root=recipe.corpus_root / entry.root,
            train=entry.test,
            ids=recipe.beside(entry.ids),
            part="shipping.sets",
        )
        if all(place.exists() for place in corpus.places()):
            found[name] = read_also(corpus, Summary())
        else:
            missing.append(f"{name} ({entry.about or entry.source}): not there, so not measured")
    return found, missing


def of_whom(recipe: Recipe, name: str) -> str:
    """A further set as it is called in a card."""
    about: Mapping[str, str] = {key: entry.about for key, entry in recipe.config.shipping.sets.items()}
    return f"{name}, {about[name]}" if about.get(name) else name
