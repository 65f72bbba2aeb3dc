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

import numpy as np

from asr.lm.tables import BOS, EOS, Floats, Model, Table, normalised_backoffs, only


def prune(model: Model, threshold: float) -> Model:
    """Leave out every n-gram whose loss alone makes perplexity grow by less than `threshold`, relatively.

    An n-gram stays, whatever it is worth, while one that stays needs it as its context or suffix; words stay.
    The back-off weights are those that make all probabilities sum to one.

    Args:
        threshold: such as 1e-8; the higher, the smaller the model.
    """
    tables = list(model.tables)
    marginals = log_marginals(tables)
    needed = np.zeros(len(tables[-1].first_words), np.bool_)
    keeps = [needed] * len(tables)
    for n in range(len(tables) - 1, 0, -1):
        table, below = tables[n], tables[n - 1]
        keep = needed | (growths(table, below, marginals[n - 1]) >= threshold)
        keeps[n] = keep
        needed = np.zeros(len(below.first_words), np.bool_)
        needed[table.contexts[keep]] = True
        needed[table.suffixes[keep]] = True
    keeps[0] = np.ones(len(tables[0].first_words), np.bool_)
    below_keeps = [np.ones(1, np.bool_), *keeps[:-1]]
    kept = [only(*parts) for parts in zip(tables, keeps, below_keeps, strict=True)]
    return Model(model.vocabulary, normalised_backoffs(kept))


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
