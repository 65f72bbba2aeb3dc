"""Do the parts of a model fit each other: configuration, tokens, normalisation and weights?"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.config import CMUDICT, Config
from asr.errors import AsrError
from asr.model.acoustic import AcousticModel
from asr.model_folder import compare_weights

BLANK_TOKEN = "<blank>"


def untrained_model(config: Config, num_classes: int) -> AcousticModel:
    """The model that a configuration describes, with whatever weights; C = `num_classes`."""
    model = config.model
    return AcousticModel(
        num_bins=_feature_dim(config),
        num_classes=num_classes,
        subsampling=model.subsampling,
        channels=model.channels,
        cell=model.cell,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        bidirectional=model.bidirectional,
        dropout=model.dropout,
        residual=model.residual,
        layer_drop=model.layer_drop,
    )


def _feature_dim(config: Config) -> int:
    """F: what `FeatureExtractor.dim` is for this configuration."""
    features = config.features
    static = features.num_bins if features.kind == "fbank" else features.num_ceps
    return static * (features.deltas + 1)


def check_tokens(tokens: list[str], origin: str) -> None:
    """The blank first, every token once, no token empty or of two lines.

    Raises:
        AsrError: otherwise, as the other checks do; the sentence begins with `origin`.
    """
    if not tokens or tokens[0] != BLANK_TOKEN:
        found = tokens[0] if tokens else "nothing"
        raise AsrError(f"{origin}: the first token must be {BLANK_TOKEN}, {found!r} was found")
    if len(set(tokens)) < len(tokens) or not all(tokens) or any("\n" in token for token in tokens):
        raise AsrError(f"{origin}: tokens must be different from each other and not empty")


def check_unit_files(config: Config, files: Mapping[str, bytes], origin: str) -> None:
    """Exactly the files that units of the configured kind need, or those of their compact form.

    Raises:
        AsrError: one is missing, or one is there that they have no use for.
    """
    needed = config.units.compact_files if CMUDICT in files else config.units.files
    wrong = set(needed) ^ set(files)
    if wrong:
        name = min(wrong)
        wanted, found = ("it", "none") if name in needed else ("no such file", "it")
        raise AsrError(
            f'{origin}: {name}: units of the kind "{config.units.kind}" have {wanted}, {found} was found; '
            "export the model again"
        )


def check_cmvn(
    config: Config, mean: NDArray[np.float32] | None, std: NDArray[np.float32] | None, origin: str
) -> None:
    """Statistics (F,) and (F,) if, and only if, the configuration asks for global ones."""
    wanted, dim = config.features.cmvn == "global", _feature_dim(config)
    if wanted != (mean is not None) or wanted != (std is not None):
        found = "none" if mean is None or std is None else "statistics"
        raise AsrError(
            f'{origin}: features.cmvn is "{config.features.cmvn}", {found} of the corpus were found'
        )
    if mean is None or std is None:
        return
    if mean.shape != (dim,) or std.shape != (dim,):
        raise AsrError(
            f"{origin}: {dim} means and deviations were expected, {mean.size} and {std.size} found"
        )
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        raise AsrError(
            f"{origin}: means must be finite and deviations above zero; compute the statistics again"
        )


def check_weights(config: Config, num_classes: int, weights: Mapping[str, Tensor], origin: str) -> None:
    """The names and shapes of the model that is configured, finite values."""
    with torch.device("meta"):  # shapes without memory, and without drawing random numbers
        expected = untrained_model(config, num_classes).state_dict()
    compare_weights(expected, weights, origin)
