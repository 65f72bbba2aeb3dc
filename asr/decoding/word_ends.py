"""Ends of words: parts of the lexicon search."""

import math

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_borrowing, compiled_part
from asr.decoding.histories import STATE, Histories, Knowledge, followed, hear, label_at, num_labels_at
from asr.decoding.hypotheses import IMPOSSIBLE, Memory, Slots, add_mass, place_in, put
from asr.decoding.lexicon_tree import NONE, ROOT, child_of
from asr.decoding.look_ahead import ahead_of, weighted
from asr.lm.automaton import advance
from asr.lm.tables import EOS

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-7  # times the worst that surely stays: what is no more probable changes nothing that counts


@compiled_borrowing
def end_words(
    known: Knowledge, histories: Histories, memory: Memory, stamp: int, now: Slots, width: int,
    top_probs: Floats, tops: NDArray[np.int64], bound: float, log_scale: float, recombine: bool,
) -> int:  # fmt: skip
    """Let words end: by the boundary, or where there is none by the first unit of the next word.

    Returns:
        How many slots there are now.
    """
    num_slots, boundary = width, known.tree.units[ROOT]
    prob = top_probs[boundary] if boundary != NONE else 1.0
    least = max(IMPOSSIBLE, bound * NEGLIGIBLE) / max(known.look_ahead.most_gain, IMPOSSIBLE)
    for i in range(width):
        node, total = now.nodes[i], now.ends[i, 0] + now.ends[i, 1]
        if total * prob <= least:
            continue
        for k in range(num_labels_at(known, node)):
            label = label_at(known, node, k)
            row = followed(known, histories, now.histories[i], label, node, now.depths[i])
            factor = histories.gains[row] / now.aheads[i]
            if total * factor <= IMPOSSIBLE:
                continue
            hear(histories, row, node, math.log(total * factor) + log_scale)
            context = histories.rows[row, STATE] if recombine else row
            if boundary == NONE:
                num_slots = _begin_words(
                    known, histories, memory, stamp, now, i, num_slots, context, row, factor, top_probs, tops
                )
                continue
            num_slots = _enter(
                memory, stamp, num_slots, ROOT, boundary, context, row, histories.aheads[row],
                total * factor * prob,
            )  # fmt: skip
    return num_slots


@compiled_borrowing
def _begin_words(
    known: Knowledge, histories: Histories, memory: Memory, stamp: int, now: Slots, i: int, num_slots: int,
    context: int, row: int, factor: float, top_probs: Floats, tops: NDArray[np.int64],
) -> int:  # fmt: skip
    """Let words begin where hypothesis i has ended one, without a boundary. Returns the slots."""
    for unit in tops:
        child = child_of(known.tree, ROOT, unit)
        if child == NONE:
            continue
        ends = now.ends[i, 0] if unit == now.units[i] else now.ends[i, 0] + now.ends[i, 1]
        ahead = ahead_of(
            known.tree, known.automaton, known.look_ahead, known.costs, memory.cache, child, 1,
            histories.rows[row, STATE],
        )  # fmt: skip
        mass = ends * factor * top_probs[unit] * (ahead / histories.aheads[row])
        num_slots = _enter(memory, stamp, num_slots, child, unit, context, row, ahead, mass)
    return num_slots


@compiled_borrowing
def _enter(
    memory: Memory, stamp: int, num_slots: int, node: int, unit: int, context: int, history: int,
    ahead: float, mass: float,
) -> int:  # fmt: skip
    """Bring alignments to a node with a context, in a new slot where there is none. Returns the slots."""
    if mass <= IMPOSSIBLE:
        return num_slots
    new, table = memory.new, memory.table
    at = place_in(table, stamp, node, context)
    if table.stamps[at] == stamp:
        add_mass(new, table.slots[at], history, mass)
        return num_slots
    put(table, stamp, at, node, context, num_slots)
    new.nodes[num_slots], new.units[num_slots] = node, unit
    new.depths[num_slots] = 0 if node == ROOT else 1
    new.histories[num_slots], new.contexts[num_slots] = history, context
    new.ends[num_slots, 0], new.ends[num_slots, 1], new.aheads[num_slots] = 0.0, mass, ahead
    return num_slots + 1


@compiled_part
def finish(
    known: Knowledge, histories: Histories, now: Slots, width: int, log_scale: float
) -> tuple[Ints, Floats, bool]:
    """Close the last words: rows of histories, scores with </s>, and whether any hypothesis ends here."""
    most = len(now.nodes) * known.most_words
    found, scores, size = np.empty(most, np.int32), np.empty(most), 0
    best, best_place = 0.0, 0
    for i in range(width):
        node, score = now.nodes[i], (now.ends[i, 0] + now.ends[i, 1]) / now.aheads[i]
        if score > best:
            best, best_place = score, i
        if node == ROOT:
            found[size], scores[size] = now.histories[i], math.log(score) + log_scale
            size += 1
        for k in range(num_labels_at(known, node)):
            label = label_at(known, node, k)
            row = followed(known, histories, now.histories[i], label, node, now.depths[i])
            mass = score * histories.gains[row] / histories.aheads[row]
            if mass > IMPOSSIBLE:
                found[size], scores[size] = row, math.log(mass) + log_scale
                hear(histories, row, node, scores[size])
                size += 1
    is_last = size > 0
    if not is_last:
        found[0], scores[0], size = now.histories[best_place], math.log(best) + log_scale, 1
    for i in range(size):
        log_prob, _ = advance(known.automaton, histories.rows[found[i], STATE], EOS)
        scores[i] += weighted(known.costs.lm_weight, log_prob)
    return found[:size], scores[:size], is_last
