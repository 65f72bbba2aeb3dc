"""Entropy pruning: leave out the n-grams that change the model least.

Stolcke (1998), "Entropy-based pruning of backoff language models". Without the n-gram h w, P(w | h) becomes
α'(h) P(w | h'), α' being the back-off weight that makes h sum to one again, and the model moves away from
itself by (his equation 5, with what the other words of h, which keep theirs, leave over):

    D = -P(h) · { P(w|h) [log P(w|h') + log α'(h) - log P(w|h)]  +  [log α'(h) - log α(h)] · left(h) }
    left(h) = 1 - Σ_v P(v | h) over the words v that h has       perplexity grows by the factor exp(D)

P(h) is the model's own probability of h. Kneser-Ney's lower orders are no estimate of frequencies, so this
P(h) is a rough one (Chelba et al., 2010, "Study on interaction between entropy pruning and Kneser-Ney
smoothing"): a model that is pruned hard is better estimated with cut-offs or a lower order.
"""

import math

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.lm.packed import packed_bytes
from asr.lm.tables import BOS, EOS, Floats, Model, Table, normalised_backoffs, only


def prune(model: Model, threshold: float) -> Model:
    """Leave out every n-gram whose loss alone makes perplexity grow by less than `threshold`, relatively.

    An n-gram stays, whatever it is worth, while one that stays needs it as its context or suffix; words stay.
    The back-off weights are those that make all probabilities sum to one.

    Args:
        threshold: such as 1e-8; the higher, the smaller the model.
    """
    return _without_the_others(model, _kept(model.tables, _losses(model.tables), threshold))


def prune_to(model: Model, most_bytes: int, bits: int = 8) -> tuple[Model, float]:
    """Leave out as few n-grams as it takes for the packed file (`asr.lm.packed`) not to be larger.

    Args:
        most_bytes: that the file may have.
        bits: of a log-probability in it.

    Returns:
        the model, and the threshold that `prune` needs for it; the model as it is, and 0, where it fits.

    Raises:
        AsrError: the words alone take more.
    """
    losses = _losses(model.tables)
    values = np.sort(np.concatenate([np.zeros(1), *losses]))
    if _bytes(model, _kept(model.tables, losses, 0.0), bits) <= most_bytes:
        return model, 0.0
    low, high = 0, len(values)  # values[low] is too low a threshold, and the last is not
    least = _bytes(model, _kept(model.tables, losses, np.inf), bits)
    if least > most_bytes:
        raise AsrError(
            f"a language model of {len(model.vocabulary)} words takes {least} bytes without one n-gram, and "
            f"{most_bytes} are allowed; allow more, or build it with fewer words"
        )
    while high - low > 1:
        middle = (low + high) // 2
        if _bytes(model, _kept(model.tables, losses, values[middle]), bits) <= most_bytes:
            high = middle
        else:
            low = middle
    threshold = float(values[high]) if high < len(values) else math.inf
    return _without_the_others(model, _kept(model.tables, losses, threshold)), threshold


def _losses(tables: list[Table]) -> list[Floats]:
    """What every n-gram of order 2, 3, … is worth (`growths`)."""
    marginals = log_marginals(tables)
    return [growths(tables[n], tables[n - 1], marginals[n - 1]) for n in range(1, len(tables))]


def _kept(tables: list[Table], losses: list[Floats], threshold: float) -> list[NDArray[np.bool_]]:
    """Which n-grams of each order stay: those that are worth it, and what they need."""
    needed = np.zeros(len(tables[-1].first_words), np.bool_)
    keeps = [needed] * len(tables)
    for n in range(len(tables) - 1, 0, -1):
        table = tables[n]
        keep = needed | (losses[n - 1] >= threshold)
        keeps[n] = keep
        needed = np.zeros(len(tables[n - 1].first_words), np.bool_)
        needed[table.contexts[keep]] = True
        needed[table.suffixes[keep]] = True
    keeps[0] = np.ones(len(tables[0].first_words), np.bool_)
    return keeps


def _without_the_others(model: Model, keeps: list[NDArray[np.bool_]]) -> Model:
    below_keeps = [np.ones(1, np.bool_), *keeps[:-1]]
    kept = [only(*parts) for parts in zip(model.tables, keeps, below_keeps, strict=True)]
    return Model(model.vocabulary, normalised_backoffs(kept))


def _bytes(model: Model, keeps: list[NDArray[np.bool_]], bits: int) -> int:
    """Size of the packed file of what is kept, or a little more."""
    contexts = [
        np.bincount(table.contexts[keep], minlength=1).astype(np.bool_).sum()
        for table, keep in zip(model.tables[1:], keeps[1:], strict=True)
    ]
    # arcs of the highest order lead to no context of their own, if there are any
    num_own = sum(int(keep.sum()) for keep in keeps[: len(keeps) - 1 or 1])
    num_arcs = sum(int(keep.sum()) for keep in keeps)
    return packed_bytes(model.vocabulary, num_arcs, 1 + int(sum(contexts)), num_own, bits)


def log_marginals(tables: list[Table]) -> list[Floats]:
    """Natural log of every n-gram's probability as a stretch of text; <s> is as frequent as </s>."""
    words = tables[0].log_probs.copy()
    words[BOS] = words[EOS]
    found = [words]
    for table in tables[1:]:
        found.append(found[-1][table.contexts] + table.log_probs)
    return found


def growths(table: Table, below: Table, log_contexts: Floats) -> Floats:
    """(M,) by how much perplexity grows, relatively, where one n-gram of `table` is left out.

    Args:
        table, below: an order of a normalised model, and the order below it.
        log_contexts: natural log P(h) of the n-grams of `below`.
    """
    log_short = below.log_probs[table.suffixes]
    probs, shorts = np.exp(table.log_probs), np.exp(log_short)
    size = len(below.first_words)
    left = np.maximum(1 - np.bincount(table.contexts, probs, size), 0.0)[table.contexts]
    left_short = np.maximum(1 - np.bincount(table.contexts, shorts, size), 0.0)[table.contexts]
    log_weights = np.log(left + probs) - np.log(left_short + shorts)
    moved = probs * (log_short + log_weights - table.log_probs)
    moved += (log_weights - below.backoffs[table.contexts]) * left
    growth: Floats = np.expm1(-np.exp(log_contexts[table.contexts]) * moved)
    return growth
