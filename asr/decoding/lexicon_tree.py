"""A lexicon as a prefix tree: words that begin alike share their first nodes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

ROOT = 0
LARGEST_PENDING = 60.0
"""Nats by which the look-ahead lowers a node at most. A bound, so that no probability underflows."""


class Tree(NamedTuple):
    """A prefix tree of M nodes in which E words end, in breadth-first order.

    The children of a node lie side by side, in the order of their units, so that one list of bounds does.
    """

    units: Ints  # (M,) the unit that leads to the node; of the root what the caller says
    parents: Ints  # (M,) -1 for the root
    children: Ints  # (M+1,) children of node n are the nodes children[n]:children[n+1]
    entries: Ints  # (M+1,) words that end at node n are labels[entries[n]:entries[n+1]]
    labels: Ints  # (E,) ascending within a node, each once


def build_tree(labels: Ints, units: Ints, offsets: NDArray[np.int64], root_unit: int) -> Tree:
    """Build the tree of E spellings: sort them, then number the nodes level by level.

    Args:
        labels: (E,) the word of each spelling; a word may have several, and a spelling several words.
        units: the spellings one after the other; every unit is at least 1.
        offsets: (E+1,) spelling e is units[offsets[e]:offsets[e+1]], of one unit or more.
        root_unit: what the root has for a unit.
    """
    lens = np.diff(offsets)
    rows = np.repeat(np.arange(len(lens)), lens)
    # Units as big-endian bytes, padded with zeros, compare as strings of bytes; which numpy sorts quickly.
    kind = ">u2" if units.max() < 2**16 else ">u4"
    spelled = np.zeros((len(lens), lens.max()), kind)
    spelled[rows, np.arange(len(units)) - offsets[rows]] = units
    order = np.argsort(labels, kind="stable")
    order = order[
        np.argsort(spelled.view(f"S{spelled.itemsize * spelled.shape[1]}")[order, 0], kind="stable")
    ]
    spelled, lens, labels = spelled[order], lens[order], labels[order]
    differs = np.column_stack([spelled[1:] != spelled[:-1], np.ones(len(lens) - 1, bool)])
    shared = np.concatenate(
        [[-1], differs.argmax(axis=1)]
    )  # units that a spelling shares with the one before

    level_units, level_parents = [np.array([root_unit])], [np.array([-1])]
    ends, num_nodes = np.zeros(len(lens), np.int64), 1
    for depth in range(spelled.shape[1]):
        longer = np.flatnonzero(lens > depth)
        is_new = shared[longer] <= depth
        first = longer[is_new]
        level_units.append(spelled[first, depth].astype(np.int64))
        level_parents.append(ends[first])
        ends[longer] = num_nodes - 1 + np.cumsum(is_new)
        num_nodes += len(first)
    parents = np.concatenate(level_parents)
    pairs = np.unique(np.column_stack([ends, labels]), axis=0)
    bounds = np.arange(num_nodes + 1)
    return Tree(
        units=np.concatenate(level_units).astype(np.int32),
        parents=parents.astype(np.int32),
        children=(np.searchsorted(parents[1:], bounds) + 1).astype(np.int32),
        entries=np.searchsorted(pairs[:, 0], bounds).astype(np.int32),
        labels=pairs[:, 1].astype(np.int32),
    )


def pending_scores(tree: Tree, scores: Floats) -> Floats:
    """What a hypothesis inside a word already owes to the words that it can become: the look-ahead.

    Args:
        scores: (L,) of each label, in nats: what its word will add where no context is known.

    Returns:
        (M,) the best score at or below each node less that of the root, from -LARGEST_PENDING to 0.
    """
    best = np.full(len(tree.units), -np.inf)
    np.maximum.at(best, np.repeat(np.arange(len(best)), np.diff(tree.entries)), scores[tree.labels])
    levels, begin, end = [], 1, int(tree.children[1])
    while begin < end:
        levels.append((begin, end))
        begin, end = end, int(tree.children[end])
    for begin, end in reversed(levels):
        np.maximum.at(best, tree.parents[begin:end], best[begin:end])
    if not np.isfinite(best[ROOT]):
        return np.zeros(len(best))
    pending: Floats = np.maximum(best - best[ROOT], -LARGEST_PENDING)
    return pending


def spelling_of(tree: Tree, node: int) -> list[int]:
    """The units from the root to a node."""
    units = []
    while node != ROOT:
        units.append(int(tree.units[node]))
        node = int(tree.parents[node])
    return units[::-1]
