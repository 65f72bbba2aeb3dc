"""Weights as whole numbers of 8 bits: a quarter of the room that float32 takes.

Every row of a matrix, which makes one output, has a step s of its own, and a weight w is kept as the nearest
multiple of it:

    s = max |w| / 127        q = round(w / s), from -127 to 127        w' = s q,    |w' - w| ≤ s / 2

Matrices are those of the recurrent layers, the projection and the output. Convolutions, biases and norms are
a hundredth of a model; they stay as they are.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.model.bundle import Bundle

LARGEST = 127
STEP = ".step"
"""What the name of a matrix has behind it where its steps are kept."""


def quantise(bundle: "Bundle") -> "Bundle":
    """The same model with weights that `save_bundle` keeps in 8 bits.

    The weights of the bundle are those that `load_bundle` will give: decoding with it is what decoding with
    the folder will be. Quantising what was quantised before changes nothing.
    """
    return replace(bundle, weights=restored(in_int8(bundle.weights), "the model"), is_quantised=True)


def in_int8(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices (..., R, K) as int8, and their steps (..., R) as float32 under the name with `STEP` behind it.

    The other weights are left as they are.
    """
    kept: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if not is_matrix(name, weight):
            kept[name] = weight
            continue
        steps = _rounded(weight.detach().float().abs().amax(-1) / LARGEST)
        rows = weight.detach().float() / steps.clamp(min=torch.finfo(torch.float32).tiny)[..., None]
        kept[name], kept[name + STEP] = rows.round().clamp(-LARGEST, LARGEST).to(torch.int8), steps
    return kept


def restored(weights: Mapping[str, Tensor], origin: str) -> dict[str, Tensor]:
    """What `in_int8` gave, in float32; weights without int8 come back as they are.

    Raises:
        AsrError: a matrix without its steps; the sentence begins with `origin`.
    """
    whole: dict[str, Tensor] = {}
    steps = {name + STEP for name, weight in weights.items() if weight.dtype == torch.int8}
    for name, weight in weights.items():
        if weight.dtype == torch.int8:
            step = weights.get(name + STEP)
            if step is None or step.shape != weight.shape[:-1]:
                raise AsrError(
                    f"{origin}: {name} is kept in 8 bits and a step for each row expected as {name}{STEP}, "
                    f"found {'none' if step is None else tuple(step.shape)}; export the model again"
                )
            whole[name] = weight.float() * step.float()[..., None]
        elif name not in steps:
            whole[name] = weight
    return whole


def _rounded(steps: Tensor) -> Tensor:
    """Steps of 16 bits: their products with whole numbers up to 127 are exact in float32, so that quantising
    again finds the same steps."""
    mantissas, exponents = torch.frexp(steps)
    return torch.ldexp((mantissas * 2**16).round() / 2**16, exponents)


def is_matrix(name: str, weight: Tensor) -> bool:
    """Whether a weight is a matrix (R, K), or one for each direction (D, R, K)."""
    return "weight" in name.rpartition(".")[2] and weight.dim() in (2, 3) and weight.is_floating_point()
