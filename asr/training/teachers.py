"""Learning from what other models hear: their probabilities are targets beside the transcripts.

G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network", 2015 (temperature 1 here).
Teachers hear what the student hears, augmentation included, as is found best in L. Beyer et al., "Knowledge
distillation: a good teacher is patient and consistent", CVPR 2022. Several agree on when a unit is spoken
only as far as their spikes fall into the same frames (G. Kurata and K. Audhkhasi, "Guiding CTC posterior
spike timings for improved posterior fusion and knowledge distillation", Interspeech 2019).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.config import Config
from asr.errors import AsrError
from asr.features.cmvn import CmvnStats
from asr.files import file_digest
from asr.model.acoustic import AcousticModel
from asr.model.bundle import Bundle, load_bundle
from asr.model_folder import INDEX


class Teachers:
    """Models that are trained already, and how much they count.

    Args:
        models: at least one, where the student is; they go to evaluation mode.
        weight: share of the distance from them in a loss.
        digest: of all their files.
    """

    def __init__(self, models: Sequence[AcousticModel], weight: float, digest: str = "") -> None:
        self.models, self.weight, self.digest = [model.eval() for model in models], weight, digest

    def probs(self, feats: Tensor, feat_lens: Tensor) -> Tensor:
        """Mean of the teachers' probabilities, without a gradient: (N, T, F), (N,) -> (N, T', C)."""
        with torch.no_grad():
            log_probs = [model(feats, feat_lens)[0] for model in self.models]
            probs: Tensor = torch.stack(log_probs).float().exp().mean(dim=0)
        return probs

    def mixed(self, losses: Tensor, log_probs: Tensor, lens: Tensor, probs: Tensor) -> Tensor:
        """(N,) losses with the student's distance from the teachers at its share.

        Args:
            losses: (N,), of the transcripts, in nats.
            log_probs: (N, T', C), of the student.
            lens: (N,), frames of each row.
            probs: (N, T', C), of the teachers (`probs`).
        """
        return (1 - self.weight) * losses + self.weight * distances(probs, log_probs, lens)


def distances(probs: Tensor, log_probs: Tensor, lens: Tensor) -> Tensor:
    """Kullback-Leibler divergence Σ_t Σ_c p (log p - log q), summed over the frames of each row.

    Args:
        probs: (N, T', C), p.
        log_probs: (N, T', C), log q.
        lens: (N,), frames of each row; what is behind them counts for nothing.

    Returns:
        (N,), in nats, at least 0.
    """
    frames = torch.arange(log_probs.shape[1], device=log_probs.device)
    is_padding = frames >= lens.to(log_probs.device)[:, None]
    each = (torch.special.xlogy(probs, probs) - probs * log_probs).sum(dim=-1)
    total: Tensor = each.masked_fill(is_padding, 0.0).sum(dim=-1)
    return total


def open_teachers(
    config: Config, tokens: Sequence[str], cmvn: CmvnStats | None, device: torch.device
) -> Teachers | None:
    """The models of [distillation]; None where none is named.

    Args:
        config: of the student.
        tokens: of the student; number 0 is the blank.
        cmvn: statistics of its features, where they are global.
        device: where the student is trained.

    Raises:
        AsrError: a model is not there, is damaged, or hears or writes something else than the student.
    """
    settings = config.distillation
    if not settings.teachers:
        return None
    models, digests = [], []
    for name in settings.teachers:
        path = Path(name)
        try:
            bundle = load_bundle(path)
        except AsrError as error:
            raise AsrError(f"distillation.teachers: {error}") from error
        _check(config, tokens, cmvn, bundle, path)
        models.append(bundle.build_model().to(device))
        digests.append(file_digest(path / INDEX))
    return Teachers(models, settings.weight, " ".join(digests))


def _check(config: Config, tokens: Sequence[str], cmvn: CmvnStats | None, bundle: Bundle, path: Path) -> None:
    theirs, problem = bundle.config, ""
    if theirs.features != config.features:
        problem = "other [features]"
    elif theirs.model.subsampling != config.model.subsampling:
        problem = f"model.subsampling = {theirs.model.subsampling}, not {config.model.subsampling}"
    elif bundle.tokens != list(tokens):
        problem = f"other units ({len(bundle.tokens)} classes, or the same in another order)"
    elif bundle.cmvn_mean is not None and bundle.cmvn_std is not None and cmvn is not None:
        mean, std = cmvn.mean_std()
        if not (np.allclose(bundle.cmvn_mean, mean) and np.allclose(bundle.cmvn_std, std)):
            problem = "other statistics of features"
    if problem:
        raise AsrError(
            f"distillation.teachers: {path} was trained with {problem}; a teacher has the features and the "
            "units of the model that learns from it"
        )
