"""The mean of the weights of several checkpoints, and of what was trained further and what it began with."""

from pathlib import Path
from typing import Literal

import torch

from asr.errors import AsrError
from asr.training.checkpoint import Tensors, best, checkpoints, load_checkpoint


def average_checkpoints(
    folder: Path, which: Literal["last", "best"], count: int
) -> tuple[Tensors, list[Path]]:
    """Average the model of the `count` last epochs, or of those with the lowest dev WER.

    Where training kept a running average of the weights (`training.ema`), that is what is averaged.

    Returns:
        The weights by name, float32, and the checkpoints that they come from, oldest first.

    Raises:
        AsrError: there is no checkpoint of a whole epoch, or one is damaged.
    """
    epochs = [path for path in checkpoints(folder) if path.stem.endswith("epoch")]
    if not epochs:
        raise AsrError(f"{folder}: no checkpoint of a whole epoch; run the training step to its end first")
    chosen = sorted(epochs[-count:] if which == "last" else best(epochs, count))
    sums: dict[str, torch.Tensor] = {}
    for path in chosen:
        for name, weight in evaluated_weights(load_checkpoint(path)[1]).items():
            sums[name] = sums[name] + weight.double() if name in sums else weight.double()
    return {name: (total / len(chosen)).float() for name, total in sums.items()}, chosen


def mix_with_start(weights: Tensors, start: Tensors, share: float) -> Tensors:
    """(1 - share) · weights + share · start: what was learnt from little speech, held near what was known.

    The straight line between both has models that do nearly as well on the new speech as `weights` and nearly
    as well on the old as `start` (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"; for speech
    recognition Vander Eeckt and Van hamme 2023, "Weight averaging: a simple yet effective method to overcome
    catastrophic forgetting").

    Args:
        weights: what was trained.
        start: what it began with, of the same names and shapes.
        share: from 0, which gives `weights` to the bit, to 1, which gives `start`.
    """
    if share in (0, 1):
        return dict(start if share else weights)
    return {
        name: ((1 - share) * weight.double() + share * start[name].double()).float()
        for name, weight in weights.items()
    }


def evaluated_weights(tensors: Tensors) -> Tensors:
    """The model in a checkpoint: the running average where there is one, else the weights themselves.

    The intermediate output (`asr.model.acoustic.IntermediateOutput`) has served its purpose and stays behind.
    Statistics that are no parameters (of Li-GRU's batch normalisation) have no running average of weights;
    they are the model's own.
    """
    weights = _part(tensors, "model.") | _part(tensors, "ema.")
    return {name: weight for name, weight in weights.items() if not name.startswith("intermediate.")}


def _part(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
