"""Prefixes that no word of the lexicon has: a trie that grows while a search spells words freely."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_borrowing, compiled_part
from asr.decoding.lexicon_tree import NONE
from asr.decoding.pairs import bucket_of

Ints = NDArray[np.int32]

PARENT, UNIT, NEXT = range(3)  # columns


class Spelled(NamedTuple):
    """Row k is node M + k, M being how many nodes the lexicon's tree has. A row exists once for its parent
    and unit; the parent may be a node of the tree."""

    rows: Ints  # (R, 3) PARENT, UNIT, NEXT row of the bucket
    used: Ints  # (1,) how many rows are in use
    buckets: Ints  # (power of 2,) first row of each bucket


@compiled_part
def nothing_spelled(size: int) -> Spelled:
    """No nodes, with room for `size`."""
    num_buckets = 64
    while num_buckets < size:
        num_buckets *= 2
    return Spelled(np.empty((size, 3), np.int32), np.zeros(1, np.int32), np.full(num_buckets, NONE, np.int32))


@compiled_part
def with_room_to_spell(spelled: Spelled, extra: int) -> Spelled:
    """The same nodes, and room for more."""
    used = spelled.used[0]
    if used + extra <= len(spelled.rows):
        return spelled
    larger = np.empty((2 * (used + extra), 3), np.int32)
    larger[:used] = spelled.rows[:used]
    return Spelled(larger, spelled.used, spelled.buckets)


@compiled_borrowing
def spelled_child(spelled: Spelled, num_tree_nodes: int, node: int, unit: int) -> int:
    """The node of a prefix with one more unit, made where there is none."""
    bucket = bucket_of(node, unit, len(spelled.buckets))
    row = spelled.buckets[bucket]
    while row != NONE:
        if spelled.rows[row, PARENT] == node and spelled.rows[row, UNIT] == unit:
            return int(num_tree_nodes + row)
        row = spelled.rows[row, NEXT]
    row = spelled.used[0]
    spelled.used[0] = row + 1
    spelled.rows[row, PARENT], spelled.rows[row, UNIT] = node, unit
    spelled.rows[row, NEXT] = spelled.buckets[bucket]
    spelled.buckets[bucket] = row
    return int(num_tree_nodes + row)
