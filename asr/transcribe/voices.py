"""An utterance heard with several voices, its mel axis warped a little for each: the clearest one counts.

Which warp suits a speaker depends on the length of the vocal tract, and the model itself can say (L. Lee and
R. Rose, "A frequency warping approach to speaker normalization", IEEE Transactions on Speech and Audio
Processing 6(1), 1998): it is the one under which what it hears is the most probable.
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
        log_probs (N, T', C) and log_prob_lens (N,), as a model gives them: of each piece's clearest warp.
    """
    voices = pieces[0].shape[1]
    feats = torch.nn.utils.rnn.pad_sequence(list(pieces), batch_first=True).transpose(1, 2).flatten(0, 1)
    feat_lens = torch.tensor([len(piece) for piece in pieces]).repeat_interleave(voices)
    log_probs, log_prob_lens = model(feats.to(device), feat_lens.to(device))
    by_voice, lens = log_probs.reshape(len(pieces), voices, *log_probs.shape[1:]), log_prob_lens[::voices]
    return by_voice[torch.arange(len(pieces)), clearest(by_voice, lens)], lens


def clearest(log_probs: Tensor, log_prob_lens: Tensor) -> Tensor:
    """The voice whose most probable path is more probable than those of the others; the first of equals.

    Args:
        log_probs: (N, K, T', C).
        log_prob_lens: (N,), the same for all voices.

    Returns:
        (N,) numbers from 0 to K - 1.
    """
    frames = torch.arange(log_probs.shape[2], device=log_probs.device)
    is_padding = frames >= log_prob_lens.to(log_probs.device)[:, None, None]
    return log_probs.amax(dim=-1).masked_fill(is_padding, 0.0).sum(dim=-1).argmax(dim=1)
