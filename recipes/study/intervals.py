"""How far a mean over a few seeds can be trusted."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.stats import t as student  # librosa, which the features need, brings scipy along


class Estimate(msgspec.Struct, frozen=True):
    """A mean and half the width of its 95 % interval; NaN where there are too few values for it."""

    mean: float
    half: float

    @property
    def differs(self) -> bool:
        """Whether 0 lies outside the interval."""
        return abs(self.mean) > self.half


def estimate(values: Sequence[float]) -> Estimate:
    """Student's interval (1908) of the mean of n values: mean ± t_{0.975, n−1} · s / √n.

    It says where the mean over ever more seeds would lie, if seeds scatter normally. What another test set
    or corpus would change is not in it.
    """
    n = len(values)
    if n < 2:
        return Estimate(values[0] if n else math.nan, math.nan)
    deviation = float(np.std(values, ddof=1))
    return Estimate(float(np.mean(values)), float(student.ppf(0.975, n - 1)) * deviation / math.sqrt(n))


def difference(first: dict[int, float], second: dict[int, float]) -> Estimate:
    """Of values by seed, second − first, paired: runs of one seed see the same examples in the same order.

    Seeds that only one of them has are left out.
    """
    return estimate([second[seed] - first[seed] for seed in sorted(first.keys() & second.keys())])
