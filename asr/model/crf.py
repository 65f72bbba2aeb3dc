"""CTC-CRF: CTC's paths, weighed by an n-gram of units and normalised over whole utterances.

Xiang and Ou (2019), "CRF-based single-stage acoustic modeling with CTC topology". With y the network's
outputs, p the n-gram and Z the sum over all paths of `asr.model.paths`,

    P(target | features) = Σ_{π: B(π) = target} Π_t y_t(π_t) · p(target </s>)  /  Z

CTC takes the units as independent of each other, given the features. Here the n-gram says which units follow
each other, and the network learns what tells the transcript from its likely rivals, which make up Z.
"""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from asr.model.ctc import ctc_loss
from asr.model.paths import Blocks, make_blocks, sum_paths


@dataclass(frozen=True)
class UnitSequences:
    """An n-gram of units, ready for the loss.

    Attributes:
        log_probs: (C,), (C, C) or (C, C, C): log p(w), p(w | v) or p(w | u v). The blank's number 0 stands
            for <s> in contexts, and for </s> as what follows them.
        blocks: the same, laid out for the sum over paths.
    """

    log_probs: NDArray[np.float64]
    blocks: Blocks

    @classmethod
    def of(cls, probs: NDArray[np.float64], dtype: type[np.floating[Any]] = np.float32) -> "UnitSequences":
        """From probabilities in the shape of `log_probs`; what cannot be a context is not looked at.

        Args:
            dtype: of the numbers that are computed with.
        """
        with np.errstate(divide="ignore"):
            log_probs = np.log(probs)
        return cls(
            log_probs, make_blocks(np.stack([probs] * len(probs)) if probs.ndim == 1 else probs, dtype)
        )

    def score(self, units: NDArray[np.int64]) -> float:
        """log p(units </s>) of classes (U,)."""
        order = self.log_probs.ndim
        padded = np.concatenate([np.zeros(order - 1, np.int64), units, [0]])
        grams = np.lib.stride_tricks.sliding_window_view(padded, order)
        return float(self.log_probs[tuple(grams.T)].sum())


def ctc_crf_loss(
    log_probs: Tensor,
    log_prob_lens: Tensor,
    targets: Tensor,
    target_lens: Tensor,
    *,
    sequences: UnitSequences,
    ctc_weight: float,
) -> Tensor:
    """−log P(target | features) of each row, and `ctc_weight` times its CTC loss.

    Args:
        log_probs, log_prob_lens, targets, target_lens: as for `ctc_loss`.
        sequences: the n-gram.
        ctc_weight: keeps the training stable; the authors take 0.1.

    Returns:
        (N,), in nats; infinite where `ctc_loss` is.
    """
    ctc = ctc_loss(log_probs, log_prob_lens, targets, target_lens)
    rows = zip(targets.cpu().numpy(), target_lens.tolist(), strict=True)
    scores = ctc.new_tensor([sequences.score(row[:length]) for row, length in rows])
    return log_sum_paths(log_probs, log_prob_lens, sequences) - scores + (1 + ctc_weight) * ctc


def log_sum_paths(log_probs: Tensor, log_prob_lens: Tensor, sequences: UnitSequences) -> Tensor:
    """log Z of each row.

    Args:
        log_probs: (N, T', C), on any device; the sum is made on the processor, rows side by side.
        log_prob_lens: (N,), frames of each row; what follows is not looked at and has no gradient.

    Returns:
        (N,), in nats.
    """
    wanted = torch.is_grad_enabled() and log_probs.requires_grad
    found: Tensor = _LogSum.apply(log_probs, log_prob_lens, sequences.blocks, wanted)  # type: ignore[no-untyped-call]
    return found


class _LogSum(torch.autograd.Function):
    """`log_sum_paths`; the gradient is found with the sum, so that its many numbers need not be kept."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, log_prob_lens: Tensor, blocks: Blocks, wanted: bool) -> Tensor:
        number = torch.from_numpy(blocks.ends).dtype
        values = log_probs.detach().to("cpu", number).numpy()
        lens = log_prob_lens.tolist()
        shares = np.zeros(values.shape if wanted else (len(lens), 0, values.shape[2]), values.dtype)

        def sum_row(row: int) -> float:
            length = lens[row]
            return sum_paths(np.ascontiguousarray(values[row, :length]), blocks, shares[row, :length])

        sums = _of_each_row(sum_row, lens)
        ctx.save_for_backward(torch.from_numpy(shares).to(log_probs.device))
        return torch.tensor(sums, dtype=number, device=log_probs.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_sums: Tensor) -> tuple[Tensor | None, ...]:
        (shares,) = ctx.saved_tensors
        return grad_sums[:, None, None] * shares, None, None, None


def _of_each_row(of_row: Callable[[int], float], lens: Sequence[int]) -> list[float]:
    """The function's value for each row, on as many threads as torch may use, long rows first."""
    order = sorted(range(len(lens)), key=lambda row: -lens[row])
    threads = torch.get_num_threads()
    values = map(of_row, order) if threads == 1 else _threads(threads).map(of_row, order)
    found = dict(zip(order, values, strict=True))
    return [found[row] for row in range(len(lens))]


@functools.cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="paths")
