"""A lexicon as a prefix tree: words that begin alike share their first nodes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_borrowing

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

ROOT = 0
NONE = -1


class Tree(NamedTuple):
    """A prefix tree of M nodes in which E words end, in breadth-first order.

    The children of a node lie side by side, in the order of their units, so that one list of bounds does.
    """

    units: Ints  # (M,) the unit that leads to the node; of the root what the caller says
    parents: Ints  # (M,) -1 for the root
    children: Ints  # (M+1,) children of node n are the nodes children[n]:children[n+1]
    entries: Ints  # (M+1,) words that end at node n are labels[entries[n]:entries[n+1]]
    labels: Ints  # (E,) ascending within a node, each once
    spans: Ints  # (M, 2) sorted, the spellings at and below node n stand from spans[n, 0] to spans[n, 1]
    spelled: Ints  # (E,) the label of each spelling in this order


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
    keys = spelled.view(f"S{spelled.itemsize * spelled.shape[1]}")[:, 0]
    order = np.argsort(labels, kind="stable")
    order = order[np.argsort(keys[order], kind="stable")]
    spelled, lens, labels = spelled[order], lens[order], labels[order]
    shared = _shared(spelled)
    once = (shared < spelled.shape[1]) | (np.diff(labels, prepend=-1) != 0)
    spelled, lens, labels, shared = spelled[once], lens[once], labels[once], shared[once]

    level_units, level_parents, level_firsts = [np.array([root_unit])], [np.array([-1])], [np.array([0])]
    ends, num_nodes = np.zeros(len(lens), np.int64), 1
    for depth in range(spelled.shape[1]):
        longer = np.flatnonzero(lens > depth)
        is_new = shared[longer] <= depth
        first = longer[is_new]
        level_units.append(spelled[first, depth].astype(np.int64))
        level_parents.append(ends[first])
        level_firsts.append(first)
        ends[longer] = num_nodes - 1 + np.cumsum(is_new)
        num_nodes += len(first)
    parents, firsts = np.concatenate(level_parents), np.concatenate(level_firsts)
    bounds = np.arange(num_nodes + 1)
    by_node = np.argsort(ends, kind="stable")
    tree = Tree(
        units=np.concatenate(level_units).astype(np.int32),
        parents=parents.astype(np.int32),
        children=(np.searchsorted(parents[1:], bounds) + 1).astype(np.int32),
        entries=np.searchsorted(ends[by_node], bounds).astype(np.int32),
        labels=labels[by_node].astype(np.int32),
        spans=np.column_stack([firsts, firsts]).astype(np.int32),
        spelled=labels.astype(np.int32),
    )
    sizes = np.diff(tree.entries)
    for begin, end in reversed(_levels(tree)):
        np.add.at(sizes, tree.parents[begin:end], sizes[begin:end])
    tree.spans[:, 1] += sizes
    return tree


def _shared(spelled: NDArray[np.generic]) -> Ints:
    """How many units each row shares with the one before; all of them where it is equal, -1 for the first."""
    differs = np.column_stack([spelled[1:] != spelled[:-1], np.ones(len(spelled) - 1, bool)])
    return np.concatenate([[-1], differs.argmax(axis=1)]).astype(np.int32)


def _levels(tree: Tree) -> list[tuple[int, int]]:
    """First node and end of every level below the root."""
    levels, begin, end = [], 1, int(tree.children[1])
    while begin < end:
        levels.append((begin, end))
        begin, end = end, int(tree.children[end])
    return levels


def best_below(tree: Tree, scores: Floats) -> Floats:
    """The best of the labels at and below each node.

    Args:
        scores: (L,) of each label.

    Returns:
        (M,)
    """
    best = np.full(len(tree.units), -np.inf)
    np.maximum.at(best, np.repeat(np.arange(len(best)), np.diff(tree.entries)), scores[tree.labels])
    for begin, end in reversed(_levels(tree)):
        np.maximum.at(best, tree.parents[begin:end], best[begin:end])
    return best


def spelling_of(tree: Tree, node: int) -> list[int]:
    """The units from the root to a node."""
    units = []
    while node != ROOT:
        units.append(int(tree.units[node]))
        node = int(tree.parents[node])
    return units[::-1]


@compiled_borrowing
def child_of(tree: Tree, node: int, unit: int) -> int:
    """The child by a unit; NONE where there is none."""
    low, high = tree.children[node], tree.children[node + 1]
    end = high
    while low < high:
        middle = (low + high) // 2
        if tree.units[middle] < unit:
            low = middle + 1
        else:
            high = middle
    return int(low) if low < end and tree.units[low] == unit else NONE
