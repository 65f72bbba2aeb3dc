"""The speakers of synthesised speech: accents of English crossed with voice variants of espeak-ng.

A variant is a vocal tract (formants) with its own breath, roughness and register. Every accent and every
variant is heard in all splits, but no accent with the same variant in two of them.
"""

from dataclasses import dataclass

import numpy as np

ACCENTS = {
    "en-us": "gmw/en-US",
    "en-gb": "gmw/en",
    "en-gb-scotland": "gmw/en-GB-scotland",
    "en-gb-x-rp": "gmw/en-GB-x-rp",
    "en-gb-x-gbclan": "gmw/en-GB-x-gbclan",
    "en-gb-x-gbcwmd": "gmw/en-GB-x-gbcwmd",
    "en-029": "gmw/en-029",
}
"""Language tag of an accent to the name of its espeak-ng voice."""

VARIANTS = ("m1", "f1", "m3", "f2", "m4", "f3", "m6", "f4", "m7", "f5", "m8", "Annie", "Mike", "max")

HELD_OUT = {"test": (0, 1), "dev": (2,)}
"""Of each accent, the variants that speak in test and dev, counted from another one in every accent."""

SLOWEST, FASTEST = 115, 150  # words a minute by espeak-ng's count, a voice's own pace
LOWEST, HIGHEST = 35, 65  # espeak-ng's pitch scale of 0 to 99, a voice's own register


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Attributes:
        name: accent and variant, such as "en-gb-scotland+f2"; the speaker of its utterances.
        accent: name of the espeak-ng voice.
        variant: name of the espeak-ng voice variant.
        rate: words a minute.
        pitch: 0 to 99.
    """

    name: str
    accent: str
    variant: str
    rate: int
    pitch: int


def voices(split: str, *, seed: int) -> list[Voice]:
    """The speakers of `split` ("train", "dev" or "test") in a random order.

    The seed decides on the order and on the pace and register of each voice, not on who is in the split.
    """
    rng = np.random.default_rng([seed, ("train", "dev", "test").index(split)])
    speakers = [
        Voice(
            name=f"{tag}+{variant}",
            accent=accent,
            variant=variant,
            rate=int(rng.integers(SLOWEST, FASTEST, endpoint=True)),
            pitch=int(rng.integers(LOWEST, HIGHEST, endpoint=True)),
        )
        for row, (tag, accent) in enumerate(ACCENTS.items())
        for column, variant in enumerate(VARIANTS)
        if _split_of(row, column) == split
    ]
    return [speakers[i] for i in rng.permutation(len(speakers))]


def _split_of(row: int, column: int) -> str:
    place = (column - 2 * row) % len(VARIANTS)
    return next((split for split, places in HELD_OUT.items() if place in places), "train")
