"""Where gradients vanish: how much of a gradient at one frame is left so many frames before it."""

import math
from typing import Any

import torch
from torch import Tensor

from asr.model.acoustic import AcousticModel
from asr.recurrent.layer import Layer, Recurrent
from asr.recurrent.unrolled import unroll

LAGS = 48
"""Frames of the model that are followed back, at most."""
LEAST = 1e-12
"""Norms below are taken for this; it is what float32 can tell apart with ease."""


def reach_of_gradients(model: AcousticModel, looked_at: list[Tensor]) -> list[list[float]]:
    """How far back in time gradients reach in each recurrent layer.

        g_k = ‖∂(v · h_T) / ∂s_{T−k}‖,    v drawn from the unit sphere

    h_T is the hidden state of the last step, s that of step T − k, with the LSTM's cell too. So g_0 = 1, and
    g_k falls with k where gradients vanish and grows where they explode. What is returned is the geometric
    mean over utterances and directions. The layers read what they read within the model.

    Args:
        model: left as it is; looked at in evaluation mode.
        looked_at: feats (T, F) of utterances.

    Returns:
        For each layer g_0, g_1, … up to `LAGS` or the shortest utterance.
    """
    was_training = model.training
    model.eval()
    inputs = [_layer_inputs(model, feats) for feats in looked_at]
    model.train(was_training)
    generator = torch.Generator().manual_seed(1)
    reach = []
    for number, recurrent in enumerate(model.layers):
        assert isinstance(recurrent, Recurrent)
        (layer,) = recurrent.layers
        assert isinstance(layer, Layer)
        layer.eval()
        norms = [_norms(layer, d, x[number], generator) for x in inputs for d in range(recurrent.directions)]
        layer.train(was_training)
        shortest = min(len(one) for one in norms)
        logs = torch.stack([one[:shortest] for one in norms]).clamp(min=LEAST).log()
        reach.append([math.exp(value) for value in logs.mean(0).tolist()])
    return reach


def lag_below(reach: list[float], share: float) -> float:
    """The lag in frames at which a gradient has fallen to `share`, between two frames on a logarithmic scale.

    Infinite where it has not, as far as it was followed.
    """
    for lag in range(1, len(reach)):
        if reach[lag] <= share:
            above, below = (math.log(max(value, LEAST)) for value in reach[lag - 1 : lag + 1])
            return lag - 1 + (above - math.log(share)) / (above - below)
    return math.inf


def _layer_inputs(model: AcousticModel, feats: Tensor) -> list[Tensor]:
    """(T', 2H), what each recurrent layer reads of an utterance (T, F)."""
    seen: list[Tensor] = []

    def look(module: torch.nn.Module, arguments: tuple[Any, ...]) -> None:
        seen.append(arguments[0][0])

    hooks = [layer.register_forward_pre_hook(look) for layer in model.layers]
    with torch.no_grad():
        model(feats[None], torch.tensor([len(feats)]))
    for hook in hooks:
        hook.remove()
    return seen


def _norms(layer: Layer, d: int, x: Tensor, generator: torch.Generator) -> Tensor:
    """(K,), g_0 to g_{K−1} of one direction over the last `LAGS` steps of one utterance."""
    steps = unroll(layer, d, x)
    v = torch.randn(layer.hidden_size, generator=generator)
    last = steps[-1][0, : layer.hidden_size]
    followed = steps[: -LAGS - 2 : -1]
    gradients = torch.autograd.grad(last @ (v / v.norm()), followed)
    return torch.stack([gradient.norm() for gradient in gradients])
