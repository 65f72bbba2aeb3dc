"""Cepstral mean and variance normalisation: statistics gathered in one pass, and their use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.errors import AsrError
from asr.files import write_bytes

STD_FLOOR = 1e-2
"""Smallest standard deviation: a feature that hardly changes must not be blown up."""


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON on disk."""

    count: int
    sum: list[float]
    sum_squares: list[float]


@dataclass
class CmvnStats:
    """Number of frames, sum (F,) and sum of squares (F,) of features, in float64.

    Float64 keeps 1e-9 of the variance after a year of speech. Processes gather their own and merge them.
    """

    count: int
    sum: NDArray[np.float64]
    sum_squares: NDArray[np.float64]

    @classmethod
    def empty(cls, dim: int) -> "CmvnStats":
        """Statistics of no frames of F = `dim` features."""
        return cls(0, np.zeros(dim), np.zeros(dim))

    @classmethod
    def of(cls, mean: NDArray[np.float32], std: NDArray[np.float32]) -> "CmvnStats":
        """Statistics with this mean (F,) and standard deviation (F,), as of a single frame."""
        wide = mean.astype(np.float64)
        return cls(1, wide, std.astype(np.float64) ** 2 + wide**2)

    def accumulate(self, feats: Tensor | NDArray[np.float32]) -> None:
        """Add the frames of one utterance, (T, F).

        Raises:
            ValueError: another F, or features that are not finite.
        """
        frames = torch.as_tensor(feats).detach().to(torch.float64)
        if frames.ndim != 2 or frames.shape[1] != len(self.sum):
            raise ValueError(f"feats (T, {len(self.sum)}) expected, found {tuple(frames.shape)}")
        total, squares = frames.sum(0).numpy(), frames.square().sum(0).numpy()
        if not np.isfinite(squares).all():
            raise ValueError("features are not finite")
        self.count += len(frames)
        self.sum += total
        self.sum_squares += squares

    def merge(self, other: "CmvnStats") -> "CmvnStats":
        """The statistics of both, new."""
        if len(self.sum) != len(other.sum):
            raise ValueError(
                f"statistics of {len(self.sum)} and of {len(other.sum)} features cannot be merged"
            )
        return CmvnStats(self.count + other.count, self.sum + other.sum, self.sum_squares + other.sum_squares)

    def mean_std(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean (F,) and standard deviation (F,), at least `STD_FLOOR`, both float32.

        Raises:
            AsrError: no frames were accumulated.
        """
        if self.count == 0:
            raise AsrError(
                "feature statistics: not one frame of speech to take the mean of; expected at least one "
                "training utterance longer than a frame"
            )
        mean = self.sum / self.count
        variance = np.maximum(self.sum_squares / self.count - mean**2, STD_FLOOR**2)
        return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write as JSON; `load` gives the same numbers to the last bit."""
        stored = _Stored(self.count, self.sum.tolist(), self.sum_squares.tolist())
        write_bytes(path, msgspec.json.format(msgspec.json.encode(stored), indent=1) + b"\n")

    @classmethod
    def load(cls, path: Path) -> "CmvnStats":
        """Read what `save` wrote.

        Raises:
            AsrError: no such file, or not such statistics, or impossible ones.
        """
        again = "run the features step of the recipe again"
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
        except OSError as error:
            raise AsrError(
                f"{path}: feature statistics cannot be read ({error.strerror}); {again}"
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AsrError(f"{path}: damaged feature statistics: {error}; {again}") from error
        problem = _impossible(stored.count, stored.sum, stored.sum_squares)
        if problem:
            raise AsrError(f"{path}: damaged feature statistics: {problem}; {again}")
        return cls(stored.count, np.array(stored.sum), np.array(stored.sum_squares))


def _impossible(count: int, total: Sequence[float], squares: Sequence[float]) -> str:
    """What is wrong with stored statistics; empty if they are possible."""
    if len(total) != len(squares) or not total:
        return f"{len(total)} sums and {len(squares)} sums of squares"
    if count < 0:
        return f"a count of {count} frames"
    sums, powers = np.array(total), np.array(squares)
    # by Cauchy and Schwarz; the slack is for rounding
    if np.any(sums**2 > count * powers * (1 + 1e-9) + 1e-12):
        return "sums larger than their sums of squares allow"
    return ""


def apply_cmvn(
    feats: Tensor, mean: Tensor | NDArray[np.float32], std: Tensor | NDArray[np.float32]
) -> Tensor:
    """(feats − mean) / std: feats (T, F), mean (F,), std (F,) -> (T, F)."""
    return (feats - torch.as_tensor(mean)) / torch.as_tensor(std)


def utterance_cmvn(feats: Tensor) -> Tensor:
    """Normalise an utterance by its own mean and standard deviation: (T, F) -> (T, F).

    Silence gives zeros: the standard deviation is at least `STD_FLOOR`.
    """
    if len(feats) == 0:
        return feats
    std, mean = torch.std_mean(feats, dim=0, correction=0)
    return (feats - mean) / std.clamp_(min=STD_FLOOR)
