"""A back-off n-gram model as tables, one an order: what estimation makes and what files hold.

P(w | h) is the n-gram's own probability where h w is in the tables, else backoff(h) · P(w | h'), h' being h
without its oldest word. Tables are closed: with an n-gram they hold its context (the n-gram without its
last word) and its suffix (without its first). Both are then indices, and algorithms are arithmetic on arrays.

A table is sorted by the last word, then the last but one, and so on to the first. N-grams with the same
suffix are then neighbours, and (suffix, first word) is an ascending key.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

UNK, BOS, EOS = 0, 1, 2
"""Ids of <unk>, <s> and </s>; the other words follow."""
SPECIAL = ("<unk>", "<s>", "</s>")
NEVER = -99 * np.log(10)
"""Log-probability of <s>, which is never predicted; ARPA files write it as -99."""

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


class Table(NamedTuple):
    """The M n-grams of one order n; order 1 has every word, at the index of its id."""

    first_words: Ints  # (M,) id of the oldest word
    suffixes: Ints  # (M,) index of w2…wn in the table of order n - 1; order 1: zeros
    contexts: Ints  # (M,) index of w1…w(n-1) in the table of order n - 1; order 1: zeros
    log_probs: Floats  # (M,) natural log
    backoffs: Floats  # (M,) natural log of the back-off weight; zeros in the highest order


class Model(NamedTuple):
    """A closed back-off model; `tables[n - 1]` has the n-grams of order n."""

    vocabulary: list[str]  # (V,) index = id
    tables: list[Table]

    @property
    def order(self) -> int:
        return len(self.tables)


def last_words(tables: list[Table]) -> list[Ints]:
    """The id of every n-gram's last word, an array an order."""
    found = [tables[0].first_words]
    for table in tables[1:]:
        found.append(found[-1][table.suffixes])
    return found


def keys_of(suffixes: Ints, first_words: Ints) -> NDArray[np.int64]:
    """(suffix, first word) as one integer, ascending in a table."""
    return (suffixes.astype(np.int64) << 32) | first_words


def find(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> Ints:
    """Index of every wanted key in the ascending `keys`; -1 where it is not there."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int32)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1).astype(np.int32)


def contexts_of(order: int, below: Table | None, suffixes: Ints, first_words: Ints) -> Ints:
    """Index of every n-gram's context in the table `below`, of order n - 1; -1 where it is not there.

    The context's suffix is the suffix's context: w2…w(n-1). Its index is known, and with the first word it is
    the context's key.
    """
    if below is None:
        return np.zeros(len(first_words), np.int32)
    if order == 2:
        return first_words
    middle = below.contexts[suffixes]
    return find(keys_of(below.suffixes, below.first_words), keys_of(middle, first_words))


def only(table: Table, kept: NDArray[np.bool_], kept_below: NDArray[np.bool_]) -> Table:
    """What is kept of a table, over the table below of which `kept_below` stays."""
    if kept.all() and kept_below.all():
        return table
    index = (np.cumsum(kept_below) - 1).astype(np.int32)
    return Table(
        first_words=table.first_words[kept],
        suffixes=index[table.suffixes[kept]],
        contexts=index[table.contexts[kept]],
        log_probs=table.log_probs[kept],
        backoffs=table.backoffs[kept],
    )


def normalised_backoffs(tables: list[Table]) -> list[Table]:
    """The same n-grams, with the back-off weights that make every context's probabilities sum to one.

    backoff(h) = (1 - Σ P(w | h)) / (1 - Σ P(w | h')), both sums over the words that h has in the table above.
    """
    found = []
    for table, above in zip(tables, [*tables[1:], None], strict=True):
        backoffs = np.zeros(len(table.first_words))
        if above is not None and len(above.first_words):
            size = len(backoffs)
            own = np.bincount(above.contexts, np.exp(above.log_probs), size)
            shorter = np.bincount(above.contexts, np.exp(table.log_probs[above.suffixes]), size)
            left, left_below = np.maximum(1 - own, 1e-12), np.maximum(1 - shorter, 1e-12)
            backoffs = np.where(own > 0, np.log(left / left_below), 0.0)
        found.append(table._replace(backoffs=backoffs))
    return found
