"""The whole configuration: read from TOML, changed by `part.key=value`, checked, written out."""

import itertools
import math
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from asr.config.learning import (
    AveragingConfig,
    BatchingConfig,
    CrfConfig,
    DistillationConfig,
    IntermediateConfig,
    ModelConfig,
    StudyConfig,
    TrainingConfig,
)
from asr.config.part import Part
from asr.config.shipping import ShippingConfig
from asr.config.speech import AugmentConfig, CorpusConfig, FeaturesConfig, SynthesisConfig, UnitsConfig
from asr.config.start import inherit
from asr.config.words import DecodingConfig, LanguageModelConfig, RescoringConfig, ScoringConfig, TuningConfig
from asr.errors import AsrError


class Config(Part, frozen=True, kw_only=True):
    """The whole configuration of a recipe; with `study` it is a comparison of many models."""

    corpus: CorpusConfig
    synthesis: SynthesisConfig = SynthesisConfig()
    features: FeaturesConfig = FeaturesConfig()
    augment: AugmentConfig = AugmentConfig()
    units: UnitsConfig = UnitsConfig()
    batching: BatchingConfig = BatchingConfig()
    model: ModelConfig = ModelConfig()
    intermediate: IntermediateConfig = IntermediateConfig()
    training: TrainingConfig = TrainingConfig()
    crf: CrfConfig = CrfConfig()
    distillation: DistillationConfig = DistillationConfig()
    averaging: AveragingConfig = AveragingConfig()
    language_model: LanguageModelConfig = LanguageModelConfig()
    rescoring: RescoringConfig = RescoringConfig()
    decoding: DecodingConfig = DecodingConfig()
    tuning: TuningConfig = TuningConfig()
    scoring: ScoringConfig = ScoringConfig()
    shipping: ShippingConfig = ShippingConfig()
    study: StudyConfig | None = None

    @property
    def intermediate_units(self) -> UnitsConfig | None:
        """Of the intermediate output, where they are not those of the output."""
        is_other = self.intermediate.layer and self.intermediate.units == "phones"
        return UnitsConfig(kind="phones") if is_other else None


def writes_phones(units: UnitsConfig, decoding: DecodingConfig) -> bool:
    """Whether what is recognised are phones, because no lexicon makes words of them."""
    return units.kind == "phones" and decoding.method in ("greedy", "beam")


def load_config(path: Path, settings: list[str] | None = None, root: Path | None = None) -> Config:
    """Read a configuration file and apply `key=value` settings such as `training.epochs=3`.

    Args:
        path: a TOML file.
        settings: changes, applied in order. A value is read as TOML; what is not TOML is taken as text.
        root: the repository, where a relative `training.start_from` and `distillation.teachers` count from;
            the current folder if not given.

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
    inherit(tree, root or Path())
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
    features, batching, augment, training = config.features, config.batching, config.augment, config.training
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
        (
            bool(config.model.layer_drop) and not config.model.residual,
            "model.residual where model.layer_drop is not 0, or nothing passes by a layer",
        ),
        (
            config.intermediate.layer > config.model.num_layers,
            "intermediate.layer ≤ model.num_layers",
        ),
        (
            config.intermediate.units == "phones" and config.units.kind == "phones",
            'intermediate.units = "own" where units.kind is "phones"',
        ),
        (
            any(one >= other for one, other in itertools.pairwise((*training.restarts, training.epochs))),
            "training.restarts from low to high, each below training.epochs; [] is none",
        ),
        (
            bool(training.restarts and training.max_minutes),
            "training.restarts = [] with training.max_minutes, which does not say when a cycle ends",
        ),
        (augment.noise_snr_db[0] > augment.noise_snr_db[1], "augment.noise_snr_db from low to high"),
        (
            config.averaging.start_share > 0 and not config.training.start_from,
            "averaging.start_share = 0 without training.start_from",
        ),
        *_word_problems(config),
        *_rescoring_problems(config),
        (
            config.decoding.method in config.decoding.also,
            f'decoding.also without "{config.decoding.method}", which is decoding.method already',
        ),
    ]
    study = config.study
    if study is not None:
        names = ", ".join(study.grids)
        gated = any(grid.gates for grid in study.grids.values())
        problems += [
            (
                bool(config.training.start_from),
                "no training.start_from in a study, whose models differ in size",
            ),
            (bool(config.distillation.teachers), "no distillation.teachers in a study"),
            (bool(config.shipping.folder), "no shipping.folder in a study, which makes no model"),
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
            model.source == "start" and not config.training.start_from,
            'training.start_from where language_model.source is "start"',
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
        (tuning.folds == 1, "tuning.folds of 2 or more, or 0 for none"),
        (
            bool(tuning.folds) and not (lists or tuning.beams or config.rescoring.source != "none"),
            "values to try in tuning, since it has folds",
        ),
    ]


def _rescoring_problems(config: Config) -> list[tuple[bool, str]]:
    """The GRU language model and what it looks at."""
    model, decoding = config.rescoring, config.decoding
    numbers = (*model.factors, *model.word_scores, decoding.gru_factor, decoding.gru_word_score)
    wants_files = model.source == "text"
    return [
        (
            model.source != "none" and decoding.method != "words",
            'decoding.method = "words", since rescoring has a source',
        ),
        (wants_files and not model.files, 'texts in rescoring.files, since its source is "text"'),
        (bool(model.files) and not wants_files, f'no rescoring.files, since its source is "{model.source}"'),
        (
            not (model.shares and model.factors and model.word_scores),
            "at least one value each in rescoring.shares, factors and word_scores",
        ),
        (not all(map(math.isfinite, numbers)), "finite numbers in rescoring and for the decoding's gru"),
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
