"""A model of few words as one array: the probability of every word in every context, back-off worked out."""

import numpy as np

from asr.lm.tables import Floats, Model


def dense_probs(model: Model) -> Floats:
    """P(w | h) of all contexts h that are as long as they can be.

    A shorter context is the one with <s> in front of it as often as needed: models have no n-gram with two of
    them, so what comes out is what the shorter context gives.

    Args:
        model: closed, of order n.

    Returns:
        (V,) * n, the last index the word and those before it its context, oldest first. Contexts that cannot
        be, such as those with </s>, have what back-off gives them.
    """
    size = len(model.vocabulary)
    below = model.tables[0]
    words = below.first_words[:, None]  # (M, n), of each n-gram
    found: Floats = np.exp(below.log_probs)
    for table in model.tables[1:]:
        backoffs = np.ones((size,) * found.ndim)
        backoffs[tuple(words.T)] = np.exp(below.backoffs)
        found = backoffs[..., None] * found
        words = np.column_stack([table.first_words, words[table.suffixes]])
        found[tuple(words.T)] = np.exp(table.log_probs)
        below = table
    return found
