"""Sorting n-grams by radix: rows (M, n) of word ids, column 0 the last word, column n - 1 the first."""

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled

Rows = NDArray[np.int32]

_DIGIT = 11  # bits by which a pass sorts: its 2048 counters stay in the nearest cache


@compiled
def sorted_order(rows: Rows, num_words: int) -> NDArray[np.int64]:
    """The order that sorts rows by column 0, then 1, and so on; equal rows stay as they are.

    Args:
        rows: (M, n) ids below `num_words`.
    """
    size, width = rows.shape
    order, other = np.arange(size), np.empty(size, np.int64)
    for column in range(width - 1, -1, -1):
        shift = 0
        while shift == 0 or (num_words - 1) >> shift:
            starts = np.zeros((1 << _DIGIT) + 1, np.int64)
            for i in range(size):
                starts[((rows[i, column] >> shift) & ((1 << _DIGIT) - 1)) + 1] += 1
            for digit in range(1, len(starts)):
                starts[digit] += starts[digit - 1]
            for i in range(size):
                digit = (rows[order[i], column] >> shift) & ((1 << _DIGIT) - 1)
                other[starts[digit]] = order[i]
                starts[digit] += 1
            order, other = other, order
            shift += _DIGIT
    return order


@compiled
def first_differences(rows: Rows) -> NDArray[np.int64]:
    """(M,) the first column in which a row differs from the row before; n where it does not, 0 for row 0."""
    size, width = rows.shape
    found = np.zeros(size, np.int64)
    for i in range(1, size):
        column = 0
        while column < width and rows[i, column] == rows[i - 1, column]:
            column += 1
        found[i] = column
    return found
