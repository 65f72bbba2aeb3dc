"""Connectionist temporal classification: the loss, and how many frames a transcript needs."""

import itertools
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from asr.records import BLANK_ID


def ctc_loss(log_probs: Tensor, log_prob_lens: Tensor, targets: Tensor, target_lens: Tensor) -> Tensor:
    """−log p(target | features) of each row, summed over all alignments (Graves et al. 2006, eq. 3).

    Args:
        log_probs: (N, T', C), natural logarithms that sum to one over C.
        log_prob_lens: (N,), frames of each row.
        targets: (N, U), class ids, none of them the blank; what follows a row's length is ignored.
        target_lens: (N,).

    Returns:
        (N,), in nats; infinite for a row whose target needs more frames than it has (see `frames_needed`).
    """
    return F.ctc_loss(
        log_probs.float().transpose(0, 1),
        targets,
        log_prob_lens,
        target_lens,
        blank=BLANK_ID,
        reduction="none",
    )


def frames_needed(target: Sequence[int]) -> int:
    """The fewest output frames that can spell `target`: one a unit, and a blank between equal neighbours."""
    return len(target) + sum(a == b for a, b in itertools.pairwise(target))
