"""From listed n-grams to tables: sorted, checked, and closed under suffixes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.lm.sorting import Rows, first_differences, sorted_order
from asr.lm.tables import Floats, Ints, Model, Table, contexts_of, find, keys_of


class Section(NamedTuple):
    """The n-grams of one order as a file lists them."""

    rows: Rows  # (M, n) ids, last word first
    log_probs: Floats  # (M,) natural log
    backoffs: Floats  # (M,) natural log
    first_line: int  # line of the file in which n-gram 0 is


def closed_model(name: str, vocabulary: list[str], sections: list[Section]) -> Model:
    """The model of the n-grams of a file; suffixes that are not listed get their backed-off probability.

    Args:
        name: of the file, for sentences.
        sections: of order 1, every word at the index of its id, and then of each order above.

    Raises:
        AsrError: an n-gram that is listed twice or without its context.
    """
    needed: Rows | None = None
    completed: list[tuple[Section, NDArray[np.int64]]] = []
    for section in sections[::-1]:
        complete, lines = _completed(name, vocabulary, section, needed)
        completed.append((complete, lines))
        needed = complete.rows[:, :-1]
    tables: list[Table] = []
    for n, (section, lines) in enumerate(completed[::-1], 1):
        tables.append(_table(name, vocabulary, n, section, lines, tables))
    return Model(vocabulary, tables)


def _completed(
    name: str, vocabulary: list[str], section: Section, needed: Rows | None
) -> tuple[Section, NDArray[np.int64]]:
    """A section, sorted, with the rows that it lacks (as NaN), and every row's line; -1 of what was added."""
    lines = section.first_line + np.arange(len(section.rows))
    rows, log_probs, backoffs = section.rows, section.log_probs, section.backoffs
    if needed is not None and rows.shape[1] > 1:
        extra = np.ascontiguousarray(
            needed[first_differences(np.ascontiguousarray(needed)) < needed.shape[1]]
        )
        rows = np.concatenate([rows, extra])
        log_probs = np.concatenate([log_probs, np.full(len(extra), np.nan)])
        backoffs = np.concatenate([backoffs, np.zeros(len(extra))])
        lines = np.concatenate([lines, np.full(len(extra), -1)])
    order = sorted_order(rows, len(vocabulary))
    rows, log_probs, backoffs, lines = rows[order], log_probs[order], backoffs[order], lines[order]
    again = first_differences(rows) == rows.shape[1]  # what is listed comes before what is needed
    twice = np.flatnonzero(again & (lines >= 0))
    if len(twice):
        at = twice[0]
        shown = _shown(vocabulary, rows[at])
        raise AsrError(f"{name}:{lines[at]}: the n-gram {shown} is in line {lines[at - 1]} already")
    fresh = ~again
    return Section(rows[fresh], log_probs[fresh], backoffs[fresh], section.first_line), lines[fresh]


def _table(
    name: str, vocabulary: list[str], n: int, section: Section, lines: NDArray[np.int64], lower: list[Table]
) -> Table:
    rows, log_probs = section.rows, section.log_probs
    first_words = np.ascontiguousarray(rows[:, -1])
    if n == 1:
        none = np.zeros(len(rows), np.int32)
        return Table(first_words, none, none, log_probs, section.backoffs)
    suffixes: Ints = rows[:, 0]
    for column in range(1, n - 1):
        below = lower[column]
        suffixes = find(keys_of(below.suffixes, below.first_words), keys_of(suffixes, rows[:, column]))
    below = lower[-1]
    contexts = contexts_of(n, below, suffixes, first_words)
    orphans = np.flatnonzero(contexts < 0)
    if len(orphans):
        at = orphans[0]
        shown, context = _shown(vocabulary, rows[at]), _shown(vocabulary, rows[at, 1:])
        raise AsrError(
            f"{name}:{lines[at]}: the n-gram {shown} needs its context {context}, which is not among the "
            f"{n - 1}-grams"
        )
    backed_off = below.backoffs[contexts] + below.log_probs[suffixes]
    # sums of logarithms that were rounded may come out above 0
    log_probs = np.where(np.isnan(log_probs), np.minimum(backed_off, 0.0), log_probs)
    return Table(first_words, np.ascontiguousarray(suffixes), contexts, log_probs, section.backoffs)


def _shown(vocabulary: list[str], row: Rows) -> str:
    return f"'{' '.join(vocabulary[word] for word in row[::-1])}'"
