"""A model that is made small and shipped, and what is told of it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from asr.config.part import Natural, Part, PositiveFloat
from asr.config.speech import Name, Source


class FurtherSetConfig(Part, frozen=True, kw_only=True):
    """Speech of another kind that a shipped model is measured on, where it is there.

    source, ids: as in `corpus.also`.
    root: its folder; a relative one counts from `corpus.root`.
    test: names of subsets, files or folders below `root`; empty: `root` itself.
    about: who speaks how, such as "English read by Mandarin speakers".
    """

    source: Source
    root: str
    test: tuple[str, ...] = ()
    ids: str = ""
    about: str = ""


class ShippingConfig(Part, frozen=True, kw_only=True):
    """A compact model folder, measured as it is.

    folder: where it goes, such as asr/pretrained/model; a relative one counts from the repository. Empty:
        nothing is shipped.
    megabytes: million bytes that the folder may have.
    lm_megabytes: of these, for the language model.
    noise_db: signal-to-noise ratios at which dev and test are heard again, in the noises of training.
    telephone: hear them again through a telephone line.
    utterances: of dev and test that are heard again so, evenly spread; 0 takes all.
    seed: of the noise.
    sets: further speech, by name.
    licenses: of the data, by the name of a corpus or a text.
    not_for: sentences on what the model is not good for.
    """

    folder: str = ""
    megabytes: PositiveFloat = 20.0
    lm_megabytes: PositiveFloat = 12.0
    noise_db: tuple[Annotated[float, Meta(ge=-20, le=60)], ...] = (20.0, 10.0, 5.0)
    telephone: bool = True
    utterances: Natural = 0
    seed: Natural = 1
    sets: dict[Name, FurtherSetConfig] = msgspec.field(default_factory=dict)
    licenses: dict[str, str] = msgspec.field(default_factory=dict)
    not_for: tuple[str, ...] = ()
