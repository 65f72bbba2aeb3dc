"""The door of the room: a padded batch of log-probabilities becomes checked rows without padding."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asr.errors import AsrError

if TYPE_CHECKING:
    import torch

LogProbs: TypeAlias = "torch.Tensor | ArrayLike"
Lens: TypeAlias = "torch.Tensor | ArrayLike"


def checked_rows(log_probs: LogProbs, log_prob_lens: Lens) -> list[NDArray[np.float64]]:
    """Cut each row of a batch to its length, in float64. What lies beyond a row's length is never looked at.

    Args:
        log_probs: (N, T, C), a tensor on any device or an array.
        log_prob_lens: (N,) integers from 0 to T.

    Returns:
        N arrays (T_n, C), contiguous. They may share memory with `log_probs`: not to be written to.

    Raises:
        AsrError: the shapes do not fit together, lengths are no integers, or a frame has a NaN, +inf, or no
            possible class; the sentence names the row and the frame.
    """
    batch, lens = _array(log_probs), _array(log_prob_lens)
    if lens.size and lens.dtype.kind not in "iu":
        raise AsrError(f"lengths of log-probabilities: integers expected, found {lens.dtype}")
    if batch.ndim != 3 or batch.shape[2] == 0 or lens.shape != batch.shape[:1]:
        raise AsrError(
            "log-probabilities (N, T, C) and their lengths (N,) expected, "
            f"found the shapes {batch.shape} and {lens.shape}"
        )
    return [_checked_row(batch, row, int(length)) for row, length in enumerate(lens)]


def _checked_row(batch: NDArray[np.generic], row: int, length: int) -> NDArray[np.float64]:
    if not 0 <= length <= batch.shape[1]:
        raise AsrError(
            f"row {row} of the log-probabilities: a length from 0 to {batch.shape[1]} expected, "
            f"found {length}"
        )
    # writable, because numba would compile everything again for arrays that are not
    values = np.require(batch[row, :length], np.float64, ["C", "W"])
    # One sum finds NaN and +inf cheaply; -inf alone is a class that cannot be, and leaves the slow look.
    if np.isfinite(values.sum()):
        return values
    best = values.max(axis=1)
    wrong = np.flatnonzero(~np.isfinite(best))
    if wrong.size:
        frame = int(wrong[0])
        raise AsrError(
            f"row {row} of the log-probabilities: numbers with a largest one expected in every frame, "
            f"found {best[frame]} in frame {frame}; look for a loss or weights that are not finite"
        )
    return values


def _array(values: LogProbs) -> NDArray[np.generic]:
    """A tensor or an array-like as an array; a tensor leaves its graph, its device and half precision."""
    detach = getattr(values, "detach", None)
    if detach is None:
        return np.asarray(values)
    tensor: torch.Tensor = detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()  # numpy has no bfloat16
    return np.asarray(tensor.numpy())
