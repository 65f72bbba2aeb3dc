"""The speakers of synthesised speech: accents of English crossed with voice variants of espeak-ng.

A variant changes the vocal tract (formants), the voice's breath and roughness and its register. It belongs
to one split only, in all accents: a voice of the test is not a trained voice with another accent.
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

VARIANTS = {
    "train": ("m1", "m3", "m4", "m7", "m8", "Andy", "max", "f1", "f2", "f4", "f5", "Annie"),
    "dev": ("Mike", "linda"),
    "test": ("m2", "m6", "f3", "Andrea"),
}
"""Voice variants of each split."""

SLOWEST, FASTEST = 145, 195  # words a minute, a voice's own pace
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
    """The speakers of `split` in a random order; each has a pace and a register of its own."""
    rng = np.random.default_rng([seed, list(VARIANTS).index(split)])
    speakers = [
        Voice(
            name=f"{tag}+{variant}",
            accent=accent,
            variant=variant,
            rate=int(rng.integers(SLOWEST, FASTEST, endpoint=True)),
            pitch=int(rng.integers(LOWEST, HIGHEST, endpoint=True)),
        )
        for tag, accent in ACCENTS.items()
        for variant in VARIANTS[split]
    ]
    return [speakers[i] for i in rng.permutation(len(speakers))]
