"""What changes while a model is being trained, and how it is saved and taken up again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from asr.errors import AsrError
from asr.training.checkpoint import (
    Progress,
    Tensors,
    checkpoint_path,
    load_newest,
    remove_old,
    save_checkpoint,
)


class State:
    """Model, optimiser, running average of the weights, loss scale, and the position in training.

    Args:
        model: on its device already; what is frozen in it stays as it is to the last bit.
        learning_rate, weight_decay: of AdamW (Loshchilov and Hutter 2019); biases and norms do not decay.
        ema: decay of the running average of the weights; 0 keeps none.
        scales_loss: whether half precision needs a scaled loss.
        folder: of the checkpoints; the newest sound one is taken up.
        fingerprint: of configuration and data.
        rate_factors: what the learning rate of each weight is multiplied by, by its name; 1 for all if None.
            The optimiser's groups carry it as "factor".

    Raises:
        AsrError: the folder holds checkpoints of another configuration.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float,
        weight_decay: float,
        ema: float,
        scales_loss: bool,
        folder: Path,
        fingerprint: str,
        rate_factors: Mapping[str, float] | None = None,
    ) -> None:
        self.model, self.folder = model, folder
        self._decay = ema
        learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.learning = list(learning.values())
        self._averages = {name: p.detach().clone() for name, p in learning.items()} if ema else {}
        self.optimiser = torch.optim.AdamW(
            _groups(learning, weight_decay, rate_factors or {}), lr=learning_rate, foreach=True
        )
        self.scaler = torch.amp.GradScaler(enabled=scales_loss)
        self.at = Progress(fingerprint=fingerprint)
        self._resume()

    def update_average(self) -> None:
        """Move the running average towards the weights."""
        if self._averages:
            # The first averages reach back only as far as there are updates.
            decay = min(self._decay, (1 + self.at.step) / (10 + self.at.step))
            averages = list(self._averages.values())
            with torch.no_grad():
                torch._foreach_mul_(averages, decay)
                torch._foreach_add_(averages, list(self.learning), alpha=1 - decay)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Put the running average, where there is one, in place of the weights for the time of the block."""
        parameters = dict(self.model.named_parameters())
        kept = {name: parameters[name].detach().clone() for name in self._averages}
        self._copy_weights(self._averages)
        try:
            yield
        finally:
            self._copy_weights(kept)

    def save(self, seconds: float, keep: int) -> None:
        """Write a checkpoint and remove those that are no longer needed (see `remove_old`)."""
        self.at = msgspec.structs.replace(self.at, seconds=seconds, scale=self._scale())
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"ema.{name}": tensor for name, tensor in self._averages.items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser.{name}.{key}"] = value
        save_checkpoint(checkpoint_path(self.folder, self.at), self.at, tensors)
        remove_old(self.folder, keep)

    def _resume(self) -> None:
        found = load_newest(self.folder)
        if found is None:
            return
        at, tensors = found
        if at.fingerprint != self.at.fingerprint:
            raise AsrError(
                f"{self.folder}: its checkpoints are of another configuration or other data; move the folder "
                "away to train anew, or go back to that configuration to go on"
            )
        self.at = at
        self.model.load_state_dict(_part(tensors, "model."))
        for name, average in self._averages.items():
            average.copy_(tensors[f"ema.{name}"])
        for name, parameter in self.model.named_parameters():
            stored = _part(tensors, f"optimiser.{name}.")
            if stored:
                self.optimiser.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device)
                    for key, value in stored.items()
                }
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(self.scaler.state_dict() | {"scale": at.scale})

    def _scale(self) -> float:
        return self.scaler.get_scale() if self.scaler.is_enabled() else self.at.scale

    def _copy_weights(self, weights: Tensors) -> None:
        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, weight in weights.items():
                parameters[name].copy_(weight)


def _groups(
    weights: Mapping[str, nn.Parameter], weight_decay: float, factors: Mapping[str, float]
) -> list[dict[str, object]]:
    """Weights that share a rate and a decay: of each rate the matrices, which decay, then the others."""
    rates = sorted({factors.get(name, 1.0) for name in weights}, reverse=True)
    groups: list[dict[str, object]] = []
    for rate in rates:
        alike = [(name, weight) for name, weight in weights.items() if factors.get(name, 1.0) == rate]
        matrices = [weight for name, weight in alike if _is_matrix(name, weight)]
        others = [weight for name, weight in alike if not _is_matrix(name, weight)]
        groups += [
            {"params": params, "weight_decay": decay, "factor": rate}
            for params, decay in ((matrices, weight_decay), (others, 0.0))
            if params
        ]
    return groups


def _part(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether this is a matrix: not a bias or a norm's scale, which have a row for each direction."""
    return parameter.dim() > 1 and "bias" not in name and "norm" not in name
