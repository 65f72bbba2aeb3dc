"""Hypotheses in flat arrays: those of a frame, where to find one, and the best of those that follow."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_borrowing, compiled_part
from asr.decoding.lexicon_tree import NONE
from asr.decoding.look_ahead import Cache, look_ahead_cache
from asr.decoding.pairs import bucket_of

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

IMPOSSIBLE = 1e-290
"""What is no more probable, compared with the best, counts as nothing."""


class Slots(NamedTuple):
    """Hypotheses: first those of the beam in this frame, then those that a word's end makes."""

    nodes: Ints
    units: Ints  # that lead to the nodes
    depths: Ints  # of the nodes: units since the word began
    histories: Ints
    contexts: Ints  # with recombination the language model's state, else the history
    ends: Floats  # (slots, 2) probability of what ends with a blank, and with the last unit
    aheads: Floats  # factor of the look-ahead, which is in the probabilities


class Table(NamedTuple):
    """Where a node with a context is among the slots: a hash table with open addressing."""

    nodes: Ints
    contexts: Ints
    slots: Ints
    stamps: Ints  # the frame in which the place was filled; what is older is free


class Pool(NamedTuple):
    """Candidates for the next beam."""

    scores: Floats
    slots: Ints  # the slot itself, or the hypothesis that grows
    nodes: Ints  # NONE, or the node to which it grows; one outside the lexicon has no number yet
    units: Ints  # by which it grows


class Memory(NamedTuple):
    """What the search writes to in every frame."""

    new: Slots
    table: Table
    cache: Cache
    pool: Pool
    kids: Ints  # (beam,) of each hypothesis the first child in the beam, else NONE
    siblings: Ints  # (beam,) the next child of the same parent


@compiled_part
def empty_slots(size: int) -> Slots:
    """Room for hypotheses."""
    return Slots(
        np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32),
        np.empty(size, np.int32), np.empty(size, np.int32), np.empty((size, 2)), np.empty(size),
    )  # fmt: skip


@compiled_part
def empty_memory(beam: int, most_entered: int) -> Memory:
    """Room for what the beam gives in a frame.

    Args:
        most_entered: new hypotheses that ends of words can make.
    """
    return Memory(
        empty_slots(beam + most_entered), _empty_table(beam + most_entered), look_ahead_cache(beam),
        _empty_pool(2 * beam + most_entered), np.empty(beam, np.int32), np.empty(beam, np.int32),
    )  # fmt: skip


@compiled_part
def _empty_pool(size: int) -> Pool:
    """Room for candidates."""
    return Pool(np.empty(size), np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32))


@compiled_part
def _empty_table(num_slots: int) -> Table:
    """Twice as large as what will be in it."""
    size = 64
    while size < 2 * num_slots:
        size *= 2
    return Table(
        np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32),
        np.full(size, NONE, np.int32),
    )  # fmt: skip


@compiled_borrowing
def place_in(table: Table, stamp: int, node: int, context: int) -> int:
    """The place in the table of a node with a context, or the free one where it belongs."""
    at = bucket_of(node, context, len(table.nodes))
    while table.stamps[at] == stamp and (table.nodes[at] != node or table.contexts[at] != context):
        at = (at + 1) & (len(table.nodes) - 1)
    return at


@compiled_borrowing
def put(table: Table, stamp: int, at: int, node: int, context: int, slot: int) -> None:
    """Fill a place of the table."""
    table.nodes[at], table.contexts[at], table.slots[at], table.stamps[at] = node, context, slot, stamp


@compiled_borrowing
def add_mass(new: Slots, slot: int, history: int, mass: float) -> None:
    """Let alignments that end with a unit come in: added to the same words, else the better stays."""
    if new.histories[slot] == history:
        new.ends[slot, 1] += mass
    elif mass > new.ends[slot, 0] + new.ends[slot, 1]:
        new.histories[slot], new.ends[slot, 0], new.ends[slot, 1] = history, 0.0, mass


@compiled_borrowing
def offer(pool: Pool, place: int, score: float, slot: int, node: int, unit: int) -> int:
    """Put a candidate at a place of the pool; returns the place after it."""
    pool.scores[place], pool.slots[place] = score, slot
    pool.nodes[place], pool.units[place] = node, unit
    return place + 1


@compiled_borrowing
def keep_best(pool: Pool, size: int, keep: int) -> float:
    """Bring the best `keep` candidates to the front, in no order (Hoare's selection). Returns their least."""
    low, high = 0, size - 1
    scores = pool.scores
    while low < high:
        a, b, c = scores[low], scores[(low + high) // 2], scores[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while scores[i] > pivot:
                i += 1
            while scores[j] < pivot:
                j -= 1
            if i <= j:
                _swap(pool, i, j)
                i, j = i + 1, j - 1
        if keep - 1 <= j:
            high = j
        elif keep - 1 >= i:
            low = i
        else:
            break
    least = scores[0]
    for place in range(1, keep):
        least = min(least, scores[place])
    return float(least)


@compiled_borrowing
def _swap(pool: Pool, i: int, j: int) -> None:
    pool.scores[i], pool.scores[j] = pool.scores[j], pool.scores[i]
    pool.slots[i], pool.slots[j] = pool.slots[j], pool.slots[i]
    pool.nodes[i], pool.nodes[j] = pool.nodes[j], pool.nodes[i]
    pool.units[i], pool.units[j] = pool.units[j], pool.units[i]
