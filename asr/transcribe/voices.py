"""An utterance heard several times, each with its mel axis warped a little: the mean of what the model hears.

A warp makes the speaker's vocal tract shorter or longer (L. Lee and R. Rose, "A frequency warping approach to
speaker normalization", IEEE Transactions on Speech and Audio Processing 6(1), 1998). What the model is unsure
of changes with it and is smaller in the mean; what it is sure of stays.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Model: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""feats (N, T, F), feat_lens (N,) -> log_probs (N, T', C), log_prob_lens (N,)."""


def hear(model: Model, pieces: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Run the model on a batch of pieces, each with K warps.

    Args:
        model: on `device`.
        pieces: feats (T, K, F) of each of N pieces, on the CPU; K is the same for all.

    Returns:
        log_probs (N, T', C) and log_prob_lens (N,), as a model gives them; means over the warps where K > 1.
    """
    voices = pieces[0].shape[1]
    feats = torch.nn.utils.rnn.pad_sequence(list(pieces), batch_first=True).transpose(1, 2).flatten(0, 1)
    feat_lens = torch.tensor([len(piece) for piece in pieces]).repeat_interleave(voices)
    log_probs, log_prob_lens = model(feats.to(device), feat_lens.to(device))
    by_voice = log_probs.reshape(len(pieces), voices, *log_probs.shape[1:])
    return mean_log_probs(by_voice), log_prob_lens[::voices]


def mean_log_probs(log_probs: Tensor) -> Tensor:
    """Geometric mean of probabilities, (N, K, T', C) -> (N, T', C); every frame sums to one again.

    One voice stays as it is, to the last bit.
    """
    if log_probs.shape[1] == 1:
        return log_probs[:, 0]
    return log_probs.mean(dim=1).log_softmax(dim=-1)
