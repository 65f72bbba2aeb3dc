"""Modified Kneser-Ney smoothing with interpolation: from counts to a back-off model.

Chen and Goodman (1999), "An empirical study of smoothing techniques for language modeling", section 3. With c
the adjusted counts of order n (occurrences in the highest order and after <s>, else the number of different
words before it), h a context and h' the same without its oldest word:

    P(w | h) = (c(hw) - D(c(hw))) / c(h·)  +  γ(h) P(w | h')        P of the empty context's h' is uniform
    γ(h)     = (Σ_w D(c(hw))) / c(h·)                               c(h·) = Σ_w c(hw)
    D(1), D(2), D(3+) = 1 - 2 Y n2/n1, 2 - 3 Y n3/n2, 3 - 4 Y n4/n3, Y = n1 / (n1 + 2 n2)

n1 to n4 being how many n-grams of the order have that count (their equation 26). As a back-off model γ is the
back-off weight, exactly. A cut-off takes n-grams out after the counting: their whole count then joins γ.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.lm.counting import Level
from asr.lm.tables import BOS, NEVER, Floats, Model, Table, contexts_of, only

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where the text is too small to estimate any."""


class Discounts(NamedTuple):
    """The discounts of one order, and why they were not estimated where they were not."""

    values: tuple[float, float, float]  # of n-grams counted once, twice, and more often
    problem: str = ""


def discounts_of(order: int, adjusted: NDArray[np.int32]) -> Discounts:
    """D1, D2 and D3+ of an order from its counts of counts; `FALLBACK`, and why, where they give none."""
    n1, n2, n3, n4 = (int(count) for count in np.bincount(np.minimum(adjusted, 5), minlength=5)[1:5])
    if not (n1 and n2 and n3):
        missing = next(name for name, count in (("once", n1), ("twice", n2), ("3 times", n3)) if not count)
        problem = f"none was counted {missing}"
    else:
        y = n1 / (n1 + 2 * n2)
        d1, d2, d3 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
        if 0 < d1 <= 1 and 0 < d2 <= 2 and 0 < d3 <= 3:
            return Discounts((d1, d2, d3))
        problem = f"{n1}, {n2}, {n3} and {n4} were counted once to 4 times"
    return Discounts(
        FALLBACK,
        f"{order}-grams: no discounts can be estimated, {problem}; using {', '.join(map(str, FALLBACK))}, "
        "more text would help",
    )


def estimate(
    levels: Sequence[Level], vocabulary: list[str], cutoffs: Sequence[int] = ()
) -> tuple[Model, list[Discounts]]:
    """Estimate a back-off model.

    Args:
        levels: the counts of every order, from 1.
        cutoffs: of order 1, 2, …: n-grams that occur this often or less are left out; 0 leaves none out, and
            the last holds for the higher orders too.

    Returns:
        The model, and the discounts of every order.

    Raises:
        AsrError: cut-offs that fall from one order to the next, which would leave n-grams without context.
    """
    limits = _cutoffs(cutoffs, len(levels))
    discounts = [discounts_of(n, level.adjusted) for n, level in enumerate(levels, 1)]
    below = _unigrams(levels[0], len(vocabulary), discounts[0].values)
    kept, kept_below = np.ones(len(vocabulary), np.bool_), np.ones(1, np.bool_)
    tables: list[Table] = []
    for n, level in enumerate(levels[1:], 2):
        contexts = contexts_of(n, below, level.suffixes, level.first_words)
        kept_above = level.raw > limits[n - 1]
        table, gammas = _interpolated(level, contexts, kept_above, below, discounts[n - 1].values)
        tables.append(only(below._replace(backoffs=gammas), kept, kept_below))
        below, kept, kept_below = table, kept_above, kept
    tables.append(only(below, kept, kept_below))
    return Model(vocabulary, tables), discounts


def _cutoffs(cutoffs: Sequence[int], order: int) -> list[int]:
    limits = [*cutoffs, *[cutoffs[-1] if cutoffs else 0] * (order - len(cutoffs))]
    if len(limits) > order:
        raise AsrError(f"{len(limits)} cut-offs were given for a model of order {order}; give one an order")
    if limits[0] != 0:
        raise AsrError(
            f"the cut-off of single words must be 0, found {limits[0]}; limit the vocabulary instead"
        )
    if limits != sorted(limits):
        raise AsrError(
            f"cut-offs must not fall from one order to the next, found {' '.join(map(str, limits))}: an "
            "n-gram cannot stay without its context"
        )
    return limits


def _unigrams(level: Level, num_words: int, discounts: tuple[float, float, float]) -> Table:
    """The words: interpolated with the uniform distribution over all of them but <s>."""
    counts = np.zeros(num_words, np.int64)
    counts[level.first_words] = level.adjusted
    discount = np.array([0.0, *discounts])[np.minimum(counts, 3)]
    total = counts.sum()
    probs = (counts - discount) / total + discount.sum() / total / (num_words - 1)
    log_probs = np.log(probs)
    log_probs[BOS] = NEVER
    none = np.zeros(num_words, np.int32)
    return Table(np.arange(num_words, dtype=np.int32), none, none, log_probs, np.zeros(num_words))


def _interpolated(
    level: Level,
    contexts: NDArray[np.int32],
    kept: NDArray[np.bool_],
    below: Table,
    discounts: tuple[float, float, float],
) -> tuple[Table, Floats]:
    """The table of an order, still with what is not kept, and the log back-off weights of its contexts."""
    size = len(below.first_words)
    totals = np.bincount(contexts, level.adjusted, size)
    discount = np.array([0.0, *discounts])[np.minimum(level.adjusted, 3)]
    left = np.bincount(contexts, np.where(kept, discount, level.adjusted), size)
    with np.errstate(invalid="ignore"):
        gammas = np.where(totals > 0, left / totals, 1.0)
    probs = (level.adjusted - discount) / totals[contexts]
    probs += gammas[contexts] * np.exp(below.log_probs[level.suffixes])
    table = Table(level.first_words, level.suffixes, contexts, np.log(probs), np.zeros(len(probs)))
    return table, np.log(gammas)
