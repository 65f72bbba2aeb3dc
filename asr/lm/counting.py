"""Counting n-grams of a text larger than memory: sorted runs on disk, merged range by range.

Every token ends one n-gram of the full order, padded with <s> on its left, and from these all shorter ones
follow. A run is a stretch of the text whose n-grams are sorted and counted. Runs are merged over ranges of
last words: a range's rows of all runs fit into memory, and everything that ends with these words is among
them, so the range's counts of every order are final.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled
from asr.lm.sorting import Rows, first_differences, sorted_order
from asr.lm.tables import BOS, EOS
from asr.lm.vocabulary import Corpus, Vocabulary

RUN = 1 << 22
"""Tokens of a run, and rows that are merged at a time: about 150 MB of memory for order 4."""

Counts = NDArray[np.int32]


class Level(NamedTuple):
    """The M distinct n-grams of one order, sorted by the last word, then the last but one, and so on."""

    first_words: NDArray[np.int32]  # (M,) id of the oldest word
    suffixes: NDArray[np.int32]  # (M,) index in the level below of the n-gram without it; order 1: zeros
    raw: Counts  # (M,) occurrences
    adjusted: (
        Counts  # (M,) Kneser-Ney's: different words before it; occurrences in the highest order or after <s>
    )


def count_ngrams(
    corpus: Corpus, vocabulary: Vocabulary, order: int, folder: Path, run: int = RUN
) -> list[Level]:
    """Count the n-grams of every order up to `order`, one `Level` an order; order 1 has what occurs.

    Args:
        folder: where runs are kept meanwhile; twice the size of the distinct n-grams is needed.
        run: tokens of a run; the counts do not depend on it.
    """
    num_words = len(vocabulary.words)
    runs, by_word = _write_runs(corpus, vocabulary, order, folder, run)
    files = [_LevelFiles(folder, n) for n in range(1, order + 1)]
    sizes = [0] * order
    for rows, counts in _merged(runs, by_word, order, run, num_words):
        for n, level in enumerate(_levels(rows, counts, sizes)):
            files[n].append(level)
            sizes[n] += len(level.raw)
    for path in runs:
        path.unlink()
    return [file.read() for file in files]


def _write_runs(
    corpus: Corpus, vocabulary: Vocabulary, order: int, folder: Path, run: int
) -> tuple[list[Path], NDArray[np.int64]]:
    """The paths of the runs, and how many rows of them end with each word."""
    num_words = len(vocabulary.words)
    by_word = np.zeros(num_words, np.int64)
    history = np.full(max(order - 1, 1), BOS, np.int32)
    paths: list[Path] = []
    with corpus.path.open("rb") as file:
        while len(numbers := np.fromfile(file, np.int32, run)):
            rows, counts = _grouped(_rows(vocabulary.ids[numbers], order, history), None, num_words)
            by_word += np.bincount(rows[:, 0], minlength=num_words)
            paths.append(folder / f"run{len(paths)}")
            with paths[-1].open("wb") as out:
                out.write(np.column_stack([rows, counts]).data)
    return paths, by_word


@compiled
def _rows(ids: NDArray[np.int32], order: int, history: NDArray[np.int32]) -> Rows:
    """(M, order) the n-gram that every token ends, last word first; `history` goes from call to call."""
    rows = np.empty((len(ids), order), np.int32)
    for i in range(len(ids)):
        rows[i, 0] = ids[i]
        for k in range(1, order):
            rows[i, k] = history[k - 1]
        for k in range(order - 2, 0, -1):
            history[k] = history[k - 1]
        history[0] = ids[i]
        if ids[i] == EOS:
            history[:] = BOS
    return rows


def _grouped(rows: Rows, counts: Counts | None, num_words: int) -> tuple[Rows, Counts]:
    """Distinct rows, sorted, with the sums of their counts."""
    order = sorted_order(rows, num_words)
    rows = rows[order]
    starts = np.flatnonzero(first_differences(rows) < rows.shape[1])
    sums = np.diff(starts, append=len(rows)) if counts is None else np.add.reduceat(counts[order], starts)
    return rows[starts], sums.astype(np.int32)


def _merged(
    runs: list[Path], by_word: NDArray[np.int64], order: int, run: int, num_words: int
) -> Iterator[tuple[Rows, Counts]]:
    """Distinct n-grams of the full order with their counts, range of last words by range."""
    opened = [np.memmap(path, np.int32, "r").reshape(-1, order + 1) for path in runs]
    before = np.concatenate([[0], np.cumsum(by_word)])
    begins = [0] * len(opened)
    word = 0
    while word < num_words:
        # as many words as fit, and at least one
        end = max(word + 1, int(np.searchsorted(before, before[word] + run, "right")) - 1)
        pieces = []
        for i, rows in enumerate(opened):
            stop = int(np.searchsorted(rows[:, 0], end))
            pieces.append(rows[begins[i] : stop])
            begins[i] = stop
        joined = np.concatenate(pieces)
        if len(joined):
            yield _grouped(np.ascontiguousarray(joined[:, :order]), joined[:, order], num_words)
        word = end


def _levels(rows: Rows, counts: Counts, sizes: list[int]) -> Iterator[Level]:
    """The n-grams of every order that are in a range of rows; `sizes` are those of the ranges before."""
    order = rows.shape[1]
    sizes = list(sizes)
    differences = first_differences(rows)
    below = np.zeros(0, np.int32)
    for n in range(1, order + 1):
        starts = np.flatnonzero(differences < n)
        raw = np.add.reduceat(counts, starts)
        first_words = rows[starts, n - 1]
        if n == order:
            adjusted = raw
        else:
            before = np.add.reduceat((differences <= n).astype(np.int32), starts)
            adjusted = np.where(first_words == BOS, raw, before)
        real = np.ones(len(starts), np.bool_)  # not padded with more than one <s>
        if n > 1:
            real = (first_words != BOS) | (rows[starts, n - 2] != BOS)
        # every row's n-gram; for what is padded, the one before, which nobody asks for
        index = np.cumsum(np.bincount(starts[real], minlength=len(rows))) - 1 + sizes[n - 1]
        suffixes = below[starts[real]] if n > 1 else np.zeros(len(starts), np.int32)
        below = (rows[:, 0] if n == 1 else index).astype(np.int32)
        yield Level(first_words[real], suffixes, raw[real], adjusted[real].astype(np.int32))


class _LevelFiles:
    """The four arrays of a level, growing on disk."""

    def __init__(self, folder: Path, order: int) -> None:
        self._paths = [folder / f"order{order}-{name}" for name in Level._fields]

    def append(self, level: Level) -> None:
        for path, array in zip(self._paths, level, strict=True):
            with path.open("ab") as file:
                file.write(np.ascontiguousarray(array, np.int32).data)

    def read(self) -> Level:
        level = Level(*(np.fromfile(path, np.int32) for path in self._paths))
        for path in self._paths:
            path.unlink()
        return level
