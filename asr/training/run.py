"""From a configuration and manifests to a trained model: the rooms joined for training."""

import functools
import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import torch
from torch import Tensor

from asr.batching.check import Rejected, check_trainable, summarise
from asr.batching.dataset import SpeechDataset
from asr.config import Config, FeaturesConfig
from asr.errors import AsrError
from asr.features.augment import WaveformAugment
from asr.features.cmvn import CmvnStats
from asr.features.extract import FeatureExtractor
from asr.features.spec_augment import SpecAugment
from asr.model.acoustic import STRIDES, AcousticModel
from asr.model.ctc import ctc_loss
from asr.records import Utterance
from asr.training import distributed
from asr.training.checkpoint import Progress
from asr.training.criterion import Criterion, crf_criterion
from asr.training.depth import freeze, rate_factors
from asr.training.start import copy_weights, open_start, told_of_criterion
from asr.training.teachers import open_teachers
from asr.training.trainer import Trainer
from asr.units.kinds import Units, load_units

log = logging.getLogger("asr")

FREE_TO_CHANGE = {
    "training": {
        *("max_minutes", "threads", "device", "keep", "checkpoint_minutes", "patience", "tensorboard"),
        "start_from",  # the folder may move; what is in it counts
    },
    "batching": {"workers"},
}
"""Settings that a run may be continued with after a change; every other one makes another model."""

CACHE_BYTES = 1 << 30
"""Decoded audio kept in memory by all processes together: nine hours, which are then read only once."""


def train(
    config: Config,
    train_utterances: Sequence[Utterance],
    dev_utterances: Sequence[Utterance],
    *,
    cmvn: CmvnStats | None,
    tokens: Sequence[str],
    folder: Path,
    unit_files: Mapping[str, bytes] | None = None,
    intermediate_units: Units | None = None,
) -> Progress:
    """Train a model, or go on training it.

    Args:
        config: the whole configuration.
        train_utterances: to learn from; those that CTC cannot learn from are named and left out.
        dev_utterances: to measure the errors on.
        cmvn: statistics of the training features, where `features.cmvn` is "global"; with
            `training.start_from` those of that model (`CmvnStats.of`), which its weights know.
        tokens: the units; number 0 is the blank.
        folder: for checkpoints, metrics.jsonl and curve.png.
        unit_files: contents by name of what the units need beside the tokens (`UnitsConfig.files`).
        intermediate_units: of the intermediate output, where it has others than the output.

    Returns:
        Where training ended.

    Raises:
        AsrError: nothing to train on, a dev transcript outside the units, an impossible setting, a start
            model or a teacher that does not fit, foreign checkpoints, a stop by signal, or what `Trainer.run`
            raises.
    """
    if config.training.threads:
        torch.set_num_threads(config.training.threads)
    device = distributed.choose_device(config.training.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise AsrError('training.device = "cuda": torch finds no CUDA device here; use "cpu" or "auto"')
    if device.type == "cpu" and config.training.precision != "float32":
        raise AsrError(f'training.precision = "{config.training.precision}" needs CUDA; use "float32" here')
    with distributed.process_group(device):
        trainer = make_trainer(
            config,
            train_utterances,
            dev_utterances,
            cmvn=cmvn,
            tokens=tokens,
            folder=folder,
            device=device,
            unit_files=unit_files,
            intermediate_units=intermediate_units,
        )
        return trainer.run()


def make_trainer(
    config: Config,
    train_utterances: Sequence[Utterance],
    dev_utterances: Sequence[Utterance],
    *,
    cmvn: CmvnStats | None,
    tokens: Sequence[str],
    folder: Path,
    device: torch.device,
    unit_files: Mapping[str, bytes] | None = None,
    intermediate_units: Units | None = None,
    change: Callable[[AcousticModel], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Trainer:
    """Build data sets, model and trainer.

    Args:
        config, train_utterances, dev_utterances, cmvn, tokens, folder, unit_files, intermediate_units: as for
            `train`.
        device: where the model is trained.
        change: does something to the new model before it is trained; checkpoints do not know of it.
        clock: as for `Trainer`.
    """
    unit_files = unit_files or {}
    start, teachers = open_start(config), open_teachers(config, tokens, cmvn, device)
    units = load_units(config.units, tokens, unit_files)
    extractor = make_extractor(config.features)
    frames = functools.partial(_output_frames, STRIDES[config.model.subsampling])
    halfway = (intermediate_units or units) if config.intermediate.layer else None
    kept, rejected = list(train_utterances), list[Rejected]()
    for written in (units, halfway) if halfway else (units,):
        kept, more = check_trainable(
            kept,
            lambda u: frames(extractor.num_frames(int(u.duration * config.features.sample_rate))),
            written.encode,
            min_seconds=config.batching.min_seconds,
            max_seconds=config.batching.max_seconds,
        )
        rejected += more
    if distributed.rank() == 0:
        for item in rejected:
            log.warning("%s; left out of training", item.reason)
        log.info(
            "training on %d utterances%s", len(kept), f"; left out: {summarise(rejected)}" if rejected else ""
        )
    augment = config.augment
    statistics = _statistics(cmvn, config.features.cmvn)
    train_set = SpeechDataset(
        kept,
        sample_rate=config.features.sample_rate,
        extractor=extractor,
        cmvn=statistics,
        encode=units.encode,
        encode_intermediate=halfway.encode if halfway else None,
        output_frames=frames,
        waveform_augment=WaveformAugment(
            speeds=augment.speeds,
            gain_db=augment.gain_db,
            noise=augment.noise,
            noise_snr_db=augment.noise_snr_db,
            lowpass=augment.lowpass,
            telephone=augment.telephone,
            reverb=augment.reverb,
            codec=augment.codec,
            clean_epochs=augment.clean_epochs,
            sample_rate=config.features.sample_rate,
        ),
        spec_augment=SpecAugment(
            frequency_masks=augment.frequency_masks,
            frequency_width=augment.frequency_width,
            time_masks=augment.time_masks,
            time_width=augment.time_width,
            time_ratio=augment.time_ratio,
            streams=1 + config.features.deltas,
        ),
        warp=augment.warp,
        seed=config.training.seed,
        cache_bytes=CACHE_BYTES // distributed.world(),
    )
    measured = [
        msgspec.structs.replace(utterance, text=units.reference(utterance.text))
        for utterance in spread(dev_utterances, config.training.dev_utterances)
    ]
    dev_set = evaluation_set(config.features, measured, cmvn)
    torch.manual_seed(config.training.seed)
    model = AcousticModel(
        num_bins=extractor.dim, num_classes=len(tokens), **msgspec.structs.asdict(config.model)
    )
    if start:
        told = copy_weights(model, tokens, config.units.kind, start[0])
        log.info("starts from %s: %s", config.training.start_from, told)
        log.info("%s", told_of_criterion(config, start[0].config))
    if halfway:
        model.add_intermediate(config.intermediate.layer, len(halfway.tokens))
    if change:
        change(model)
    if frozen := freeze(model, config.training.frozen):
        log.info("frozen: %s", ", ".join(frozen))
    return Trainer(
        model,
        train_set,
        dev_set,
        units.decode,
        _criterion(config, kept, units),
        unit="phone" if config.units.kind == "phones" else "word",
        training=config.training,
        batching=config.batching,
        folder=folder,
        fingerprint=fingerprint(
            config,
            [*kept, *dev_utterances],
            tokens,
            unit_files,
            start[1] if start else "",
            [halfway.encode(utterance.text) for utterance in kept] if halfway else [],
            teachers.digest if teachers else "",
        ),
        device=device,
        clock=clock,
        rate_factors=rate_factors(model, config.training.layer_decay),
        intermediate_weight=config.intermediate.weight if halfway else 0.0,
        teachers=teachers,
    )


def evaluation_set(
    features: FeaturesConfig, utterances: Sequence[Utterance], cmvn: CmvnStats | None
) -> SpeechDataset:
    """Utterances as they are, without augmentation, to measure errors on."""
    return SpeechDataset(
        utterances,
        sample_rate=features.sample_rate,
        extractor=make_extractor(features),
        cmvn=_statistics(cmvn, features.cmvn),
    )


def make_extractor(features: FeaturesConfig) -> FeatureExtractor:
    """The feature extractor of a configuration."""
    return FeatureExtractor(**features.extraction)


def fingerprint(
    config: Config,
    utterances: Sequence[Utterance],
    tokens: Sequence[str],
    unit_files: Mapping[str, bytes],
    start: str = "",
    intermediate: Sequence[Sequence[int]] = (),
    teachers: str = "",
) -> str:
    """A digest of everything that decides what is trained; where audio and start model lie does not count.

    Args:
        config, utterances, tokens, unit_files: as for `train`.
        start: digest of the model that the training starts from.
        intermediate: targets of the intermediate output, where there is one.
        teachers: digest of the models that are learnt from.
    """
    tree = msgspec.to_builtins(config)
    parts = {
        part: {key: value for key, value in tree[part].items() if key not in FREE_TO_CHANGE.get(part, ())}
        for part in ("features", "augment", "batching", "model", "training")
    }
    rows = [(u.utt_id, u.start, u.duration, u.text) for u in utterances]
    files = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(unit_files.items())}
    criterion = parts["training"].pop("criterion")
    everything = [parts, rows, list(tokens), *([files] if files else []), *([start] if start else [])]
    everything += [{criterion: tree["crf"]}] if criterion != "ctc" else []
    everything += [tree["intermediate"], intermediate] if intermediate else []
    everything += [tree["distillation"]["weight"], teachers] if teachers else []
    return hashlib.sha256(msgspec.json.encode(everything)).hexdigest()[:16]


def spread(utterances: Sequence[Utterance], count: int) -> Sequence[Utterance]:
    """`count` utterances at even distances, all of them for 0."""
    if not 0 < count < len(utterances):
        return utterances
    return [utterances[i * len(utterances) // count] for i in range(count)]


def _criterion(config: Config, utterances: Sequence[Utterance], units: Units) -> Criterion:
    """What [training] and [crf] ask for."""
    if config.training.criterion == "ctc":
        return ctc_loss
    targets = [units.encode(utterance.text) for utterance in utterances]
    return crf_criterion(targets, len(units.tokens), **msgspec.structs.asdict(config.crf))


def _output_frames(strides: tuple[int, int], frames: int) -> int:
    """T to T' of the model's front end."""
    for stride in strides:
        frames = -(-frames // stride)
    return frames


def _statistics(
    cmvn: CmvnStats | None, kind: Literal["global", "utterance", "none"]
) -> tuple[Tensor, Tensor] | Literal["utterance"] | None:
    if kind == "utterance":
        return "utterance"
    if kind == "none":
        return None
    if cmvn is None:
        raise AsrError('features.cmvn = "global" needs the statistics of the features step; run it first')
    mean, std = cmvn.mean_std()
    return torch.from_numpy(mean), torch.from_numpy(std)
