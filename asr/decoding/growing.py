"""Growing inside a word, and choosing the next beam: parts of the lexicon search."""

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_borrowing
from asr.decoding.histories import STATE, Histories, Knowledge
from asr.decoding.hypotheses import IMPOSSIBLE, Memory, Slots, keep_best, offer
from asr.decoding.lexicon_tree import NONE, ROOT, child_of
from asr.decoding.look_ahead import Cache, ahead_of
from asr.decoding.spelled import Spelled, spelled_child
from asr.records import BLANK_ID

Floats = NDArray[np.float64]

OUTSIDE = -2  # the node of a candidate that is not in the lexicon, until it is in the beam


@compiled_borrowing
def grow(
    known: Knowledge, histories: Histories, memory: Memory, now: Slots, width: int, num_slots: int,
    top_probs: Floats, tops: NDArray[np.int64], bound: float, beam: int, cutoff: float,
) -> tuple[int, float]:  # fmt: skip
    """Collect the candidates: the slots, and what is new by growing inside a word. Keep the best.

    Returns:
        How many candidates are left, at most the beam, and the best score.
    """
    tree, new, pool, size, best = known.tree, memory.new, memory.pool, 0, 0.0
    for slot in range(num_slots):
        score = new.ends[slot, 0] + new.ends[slot, 1]
        if score > IMPOSSIBLE:
            size = offer(pool, size, score, slot, NONE, NONE)
            best = max(best, score)
    bound = max(bound, best * cutoff)
    if size >= beam:
        bound = max(bound, keep_best(pool, size, beam))
        size = beam
    most = top_probs[tops[0]]
    if tops[0] == BLANK_ID:
        most = top_probs[tops[1]] if len(tops) > 1 else 0.0
    for i in range(width):
        node, total = now.nodes[i], now.ends[i, 0] + now.ends[i, 1]
        if total * most <= bound:
            continue
        first, last = ROOT, ROOT  # children in the tree
        if node < len(tree.units):
            first, last = tree.children[node], tree.children[node + 1]
        by_class = len(known.spells) > 0 or last - first > 4 * len(tops)
        for k in range(len(tops) if by_class else last - first):
            unit = tops[k] if by_class else tree.units[first + k]
            score = (now.ends[i, 0] if unit == now.units[i] else total) * top_probs[unit]
            if score <= bound:
                continue  # the look-ahead only falls along a branch
            child = _grown(known, node, unit) if by_class else first + k
            if child == NONE or _is_in_beam(memory, now, i, unit):
                continue
            score *= _ahead_of_grown(known, histories, memory.cache, now, i, child) / now.aheads[i]
            if score <= bound:
                continue
            size = offer(pool, size, score, i, child, unit)
            if score > best:
                best = score
                bound = max(bound, best * cutoff)
            if size == 2 * beam:
                bound = max(bound, keep_best(pool, size, beam))
                size = beam
    if size > beam:
        keep_best(pool, size, beam)
        size = beam
    return size, best


@compiled_borrowing
def _grown(known: Knowledge, node: int, unit: int) -> int:
    """The child of a node by a unit; OUTSIDE where it is not in the lexicon, NONE where it may not be."""
    child = NONE
    if node < len(known.tree.units):
        child = child_of(known.tree, node, unit)
    if child == NONE and len(known.spells) > 0 and known.spells[unit]:
        return OUTSIDE
    return child


@compiled_borrowing
def _is_in_beam(memory: Memory, now: Slots, i: int, unit: int) -> bool:
    """Whether the child of hypothesis i by a unit is in the beam; `_stay` has given it its share then."""
    kid = memory.kids[i]
    while kid != NONE and now.units[kid] != unit:
        kid = memory.siblings[kid]
    return bool(kid != NONE)


@compiled_borrowing
def _ahead_of_grown(
    known: Knowledge, histories: Histories, cache: Cache, now: Slots, i: int, child: int
) -> float:
    """The factor of the look-ahead of a child of hypothesis i."""
    node = child if child != OUTSIDE else len(known.tree.units)  # outside, all nodes of one depth are equal
    state = histories.rows[now.histories[i], STATE]
    return ahead_of(
        known.tree, known.automaton, known.look_ahead, known.costs, cache, node, now.depths[i] + 1, state
    )


@compiled_borrowing
def renew(
    known: Knowledge, histories: Histories, spelled: Spelled, memory: Memory, now: Slots, spare: Slots,
    size: int, best: float, least: float,
) -> int:  # fmt: skip
    """Make the candidates that are not below `least` the beam, in `spare`, scaled to a best of 1.

    Returns:
        How many hypotheses it has.
    """
    new, pool, width = memory.new, memory.pool, 0
    for place in range(size):
        score, slot, node = pool.scores[place], pool.slots[place], pool.nodes[place]
        if score < least:
            continue
        if node == NONE:
            spare.nodes[width], spare.units[width] = new.nodes[slot], new.units[slot]
            spare.depths[width], spare.histories[width] = new.depths[slot], new.histories[slot]
            spare.contexts[width], spare.aheads[width] = new.contexts[slot], new.aheads[slot]
            spare.ends[width, 0], spare.ends[width, 1] = new.ends[slot, 0] / best, new.ends[slot, 1] / best
        else:
            unit = pool.units[place]
            spare.aheads[width] = _ahead_of_grown(known, histories, memory.cache, now, slot, node)
            if node == OUTSIDE:
                node = spelled_child(spelled, len(known.tree.units), now.nodes[slot], unit)
            spare.nodes[width], spare.units[width], spare.depths[width] = node, unit, now.depths[slot] + 1
            spare.histories[width], spare.contexts[width] = now.histories[slot], now.contexts[slot]
            spare.ends[width, 0], spare.ends[width, 1] = 0.0, score / best
        width += 1
    return width
