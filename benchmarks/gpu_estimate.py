"""What the training of a model would take on one GPU, by its sizes and what is assumed of the GPU.

Nothing here is measured on a GPU: `benchmarks/recipe_steps.py` says so beside every figure.
"""

import math

import msgspec
import torch
from torch import Tensor

from asr.batching.loader import load_batches
from asr.config import Config
from asr.model.acoustic import AcousticModel
from asr.training.run import make_extractor
from asr.training.trainer import Trainer

CUDA_BYTES = 1_000_000_000
"""What CUDA and its libraries take for themselves."""


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU by what is assumed of it.

    Attributes:
        teraflops: the rate at which it multiplies the few rows of a step, in 10¹² operations a second. The
            default is under 2 % of an A100's peak in bfloat16 (312).
        microseconds: what a frame of a recurrent layer takes besides, however small it is.
    """

    name: str = "NVIDIA A100"
    teraflops: float = 5.0
    microseconds: float = 10.0


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What training takes on a GPU; sizes in bytes.

    Attributes:
        operations: floating-point operations for a second of audio.
        steps: frames that recurrent layers take one after the other for a second of audio.
        epoch_hours: hours of an epoch.
        state: weights, gradients, moments and average of the optimiser, in float32.
        kept: what a full batch keeps for the backward pass, in the precision of the model that was looked at.
        memory: all of it.
    """

    gpu: Gpu
    operations: float
    steps: float
    epoch_hours: float
    state: int
    kept: int
    memory: int


def estimate(trainer: Trainer, config: Config, gpu: Gpu, hours: float) -> Estimate:
    """What an epoch of so many hours of speech takes.

    Args:
        trainer: with the model, and speech whose lengths are like those of the whole.
        config: the whole configuration.
    """
    shift = config.features.frame_shift_ms
    operations = 6 * multiplications(trainer.model, make_extractor(config.features).dim, shift)
    steps = steps_a_second(trainer, shift)
    a_second = operations / (1e12 * gpu.teraflops) + steps * gpu.microseconds / 1e6
    parameters = sum(weight.numel() for weight in trainer.model.parameters())
    state = 4 * parameters * (5 if config.training.ema else 4)
    longest = config.batching.seconds / min(config.augment.speeds)
    kept = round(longest * kept_for_backward(trainer, shift))
    return Estimate(
        gpu=gpu,
        operations=operations,
        steps=steps,
        epoch_hours=hours * a_second,
        state=state,
        kept=kept,
        memory=state + kept + CUDA_BYTES,
    )


def multiplications(model: AcousticModel, num_bins: int, frame_shift_ms: float) -> float:
    """Products of a weight and a number in a forward pass over a second of audio; an addition goes with each.

    Training does three times as many: the gradient of the weights takes as many, and that of the inputs.
    """
    front, rate, bins, found = model.front_end, 1000 / frame_shift_ms, num_bins, 0.0
    for convolution, stride in zip((front.first, front.second), front.strides, strict=True):
        rate, bins = rate / stride, math.ceil(bins / 2)
        found += convolution.weight.numel() * rate * bins
    matrices = [
        weight
        for name, weight in model.named_parameters()
        if weight.dim() in (2, 3) and "bias" not in name and "norm" not in name
    ]
    return found + rate * sum(weight.numel() for weight in matrices)


def steps_a_second(trainer: Trainer, frame_shift_ms: float) -> float:
    """Frames that the layers take one after the other, forward and backward, for a second of audio.

    The rows of a batch, and the two directions of a layer, are taken side by side.
    """
    seconds, batches = _batches(trainer)
    longest = sum(max(seconds[row] for row in rows) for rows in batches)
    rate = 1000 / frame_shift_ms / math.prod(trainer.model.front_end.strides)
    return 2 * len(trainer.model.layers) * rate * longest / sum(seconds)


def kept_for_backward(trainer: Trainer, frame_shift_ms: float) -> float:
    """Bytes that a second of audio in the largest batch of an epoch keeps from forward to backward pass."""
    seconds, batches = _batches(trainer)
    largest = max(batches, key=lambda rows: len(rows) * max(seconds[row] for row in rows))
    batch = next(load_batches(trainer.train_set, [largest], 1, 0))
    weights = {weight.untyped_storage().data_ptr() for weight in trainer.model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    trainer.model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        results = trainer.model(batch.feats.to(trainer.device), batch.feat_lens)
    del results
    return sum(found.values()) / (batch.feats.shape[0] * batch.feats.shape[1] * frame_shift_ms / 1000)


def _batches(trainer: Trainer) -> tuple[list[float], list[list[int]]]:
    """Seconds of each utterance, and the batches of an epoch that is not in order of length."""
    seconds = [utterance.duration for utterance in trainer.train_set.utterances]
    epoch = trainer.batching.shortest_first
    return seconds, [rows for update in trainer.sampler.updates(epoch) for rows in update]
