"""The sum over all paths of classes through an utterance, each weighed by what an n-gram of units says of it.

A path π chooses one class a frame; B(π), what CTC makes of it, is a sequence of units. The sum is

    Z = Σ_π  Π_t y_t(π_t) · p(B(π) </s>)

What a path has done before a frame matters only by its context k, which is its last unit v, for trigrams with
the one before it, and by whether it ended with v or with a blank. With u(k) and b(k) the sums over the paths
that ended so, and with k' = k·w the context after one more unit w,

    b'(k)  = y(∅) · (u(k) + b(k))
    u'(k') = y(w) · (u(k') + Σ_k p(w | k) g(k))      over all k with k·w = k'
    g(k)   = u(k) + b(k), but b(k) alone where w = v: between equal units there is a blank

and backwards likewise for what is still to come. Every unit may follow in every context. The contexts that
end alike and the units after them make a dense block, so the sum over k is a row times a matrix, which
processors do at their best: a trigram of 40 units takes 64,000 multiplications a frame and direction, and
none of it is pruned.

After every frame the sums are divided by their total, and the logarithms of the totals are added up, as in
LF-MMI (Povey et al. 2016). Floats of 32 bits are then enough for any number of frames.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_fast, compiled_part_fast

Floats = NDArray[Any]  # of one type, float32 or float64, in all arguments of a call

_ROWS, _LANES = 4, 16
"""Blocks are filled up with zeros to multiples of these: rows taken at a time, floats of a wide register."""

_NOTHING = 1e-30
"""Of a frame's total; less is zero. Much smaller numbers would take processors long and change nothing."""


class Blocks(NamedTuple):
    """p(w | context), laid out for the passes.

    Class 0, the blank, stands for <s> in contexts. Of K contexts, number k is the last unit for bigrams, and
    before · C + last for trigrams. In G groups, 1 or C, the contexts i · G + g of group g lead by the unit j
    to the contexts g · C + j.

    Attributes:
        forth: (G, I, J) p(j | i · G + g), zero where j repeats the last unit or is none; I and J fill C up.
        back: (G, I, J) the same with i and j exchanged.
        again: (K,) probability of the last unit once more.
        ends: (K,) probability of </s>.
    """

    forth: Floats
    back: Floats
    again: Floats
    ends: Floats


def make_blocks(probs: NDArray[np.float64], dtype: type[np.floating[Any]]) -> Blocks:
    """Lay an n-gram out.

    Args:
        probs: (C, C) p(w | v) or (C, C, C) p(w | u v); in contexts 0 is <s>, as the word after them </s>.
        dtype: of the numbers in the passes.
    """
    classes = len(probs)
    arcs = probs.reshape(-1, classes).copy()  # (K, C)
    ends = arcs[:, 0].copy()
    arcs[:, 0] = 0
    contexts = np.arange(len(arcs))
    again = arcs[contexts, contexts % classes]
    arcs[contexts, contexts % classes] = 0
    forth = arcs.reshape(classes, -1, classes).transpose(1, 0, 2)
    sides = [classes + -classes % side for side in (_ROWS, _LANES)]
    filled = [np.zeros((len(forth), *sides), dtype) for _ in range(2)]
    for block, content in zip(filled, (forth, forth.transpose(0, 2, 1)), strict=True):
        block[:, :classes, :classes] = content
    return Blocks(filled[0], filled[1], again.astype(dtype), ends.astype(dtype))


@compiled_fast
def sum_paths(log_probs: Floats, blocks: Blocks, occupation: Floats) -> float:
    """log Z of one utterance, and the share of each class in each frame, which is its gradient.

    Args:
        log_probs: (T', C), log y.
        blocks: of the n-gram, with numbers of the same type.
        occupation: (T', C), filled: the share in Z of the paths that have the class in the frame, which is
            d log Z / d log y. With (0, C) it is left out.
    """
    frames, classes = log_probs.shape
    probs = np.empty_like(log_probs)
    total = 0.0
    for t in range(frames):
        largest = log_probs[t].max()
        total += largest
        for c in range(classes):
            probs[t, c] = math.exp(log_probs[t, c] - largest)
    sums = np.empty((frames + 1, 2, len(blocks.ends)), log_probs.dtype)
    total += _forward(probs, blocks.forth, blocks.again, sums)
    at_end = 0.0
    for k in range(len(blocks.ends)):
        at_end += (sums[frames, 0, k] + sums[frames, 1, k]) * blocks.ends[k]
    if len(occupation):
        _backward(probs, blocks.back, blocks.again, blocks.ends, sums, occupation)
    return total + math.log(at_end)


@compiled_part_fast
def _forward(probs: Floats, forth: Floats, again: Floats, sums: Floats) -> float:
    """Fill `sums` (T' + 1, 2, K), u and b after each frame; the log of all that they were divided by."""
    frames, classes = probs.shape
    groups = len(forth)
    given = np.zeros(forth.shape[:2], probs.dtype)
    reached = np.zeros((groups, forth.shape[2]), probs.dtype)
    repeated = np.empty(classes, probs.dtype)
    sums[0] = 0
    sums[0, 1, 0] = 1
    divided = 0.0
    for t in range(frames):
        units, blanks, new_units, new_blanks = sums[t, 0], sums[t, 1], sums[t + 1, 0], sums[t + 1, 1]
        for i in range(classes):
            for g in range(groups):
                given[g, i] = units[i * groups + g] + blanks[i * groups + g]
        _multiply(given, forth, reached)
        repeated[:] = 0
        for k in range(0, len(again), classes):
            for c in range(classes):
                repeated[c] += blanks[k + c] * again[k + c]
        for c in range(1, classes):
            reached[c % groups, c] += repeated[c]
        for g in range(groups):
            for c in range(classes):
                k = g * classes + c
                new_units[k] = probs[t, c] * (units[k] + reached[g, c])
                new_blanks[k] = probs[t, 0] * (units[k] + blanks[k])
        divided += _normalise(new_units, new_blanks)
    return divided


@compiled_part_fast
def _backward(
    probs: Floats, back: Floats, again: Floats, ends: Floats, sums: Floats, occupation: Floats
) -> None:
    """Fill `occupation` (T', C) from the sums of `_forward`, and what the frames after each have to give."""
    frames, classes = probs.shape
    groups = len(back)
    given = np.zeros(back.shape[:2], probs.dtype)
    reached = np.zeros((groups, back.shape[2]), probs.dtype)
    repeated, following = np.empty(classes, probs.dtype), np.empty_like(ends)
    units, blanks = ends.copy(), ends.copy()  # what follows u and b
    for t in range(frames - 1, -1, -1):
        _share(sums[t + 1, 0], sums[t + 1, 1], units, blanks, occupation[t])
        for g in range(groups):
            for c in range(classes):
                given[g, c] = probs[t, c] * units[g * classes + c]
        for c in range(classes):
            repeated[c] = given[c % groups, c]
        _multiply(given, back, reached)
        for i in range(classes):
            for g in range(groups):
                following[i * groups + g] = reached[g, i]
        for g in range(groups):
            for c in range(classes):
                k = g * classes + c
                other = following[k] + probs[t, 0] * blanks[k]
                units[k] = other + given[g, c]
                blanks[k] = other + again[k] * repeated[c]
        _normalise(units, blanks)


@compiled_part_fast
def _multiply(given: Floats, blocks: Floats, reached: Floats) -> None:
    """reached[g, j] = Σ_i given[g, i] blocks[g, i, j].

    Four rows of a block at a time: a sum that went through memory after each would wait for it each time.
    """
    groups, rows, width = blocks.shape
    for g in range(groups):
        reached[g] = 0
        for i in range(0, rows, _ROWS):
            a, b, c, d = given[g, i], given[g, i + 1], given[g, i + 2], given[g, i + 3]
            for j in range(width):
                first = a * blocks[g, i, j] + b * blocks[g, i + 1, j]
                reached[g, j] += first + (c * blocks[g, i + 2, j] + d * blocks[g, i + 3, j])


@compiled_part_fast
def _normalise(units: Floats, blanks: Floats) -> float:
    """Divide both by the sum of all; its logarithm."""
    zero, one = units.dtype.type(0), units.dtype.type(1)  # numbers of Python's own would make all wider
    total, nothing = zero, units.dtype.type(_NOTHING)
    for k in range(len(units)):
        total += units[k] + blanks[k]
    factor = one / total
    for k in range(len(units)):
        unit, blank = units[k] * factor, blanks[k] * factor
        units[k] = unit if unit > nothing else zero
        blanks[k] = blank if blank > nothing else zero
    return math.log(total)


@compiled_part_fast
def _share(units: Floats, blanks: Floats, after_units: Floats, after_blanks: Floats, shares: Floats) -> None:
    """shares (C,): of each class in one frame, from the sums before and after it."""
    classes = len(shares)
    blank = shares.dtype.type(0)
    shares[:] = 0
    for k in range(0, len(units), classes):
        for c in range(classes):
            shares[c] += units[k + c] * after_units[k + c]
    for k in range(len(blanks)):
        blank += blanks[k] * after_blanks[k]
    shares[0] = blank  # no context ends with a unit 0, so nothing was there
    total = shares.sum()
    for c in range(classes):
        shares[c] /= total
