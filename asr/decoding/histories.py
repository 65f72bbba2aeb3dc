"""The words before a hypothesis, with what they are worth: a trie that grows while a search reads words."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled_borrowing, compiled_part
from asr.decoding.lexicon_tree import NONE, ROOT, Tree
from asr.decoding.look_ahead import Costs, LookAhead, factor_of, weighted
from asr.decoding.pairs import bucket_of
from asr.lm.automaton import Automaton, advance
from asr.lm.tables import UNK

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

PREV, LABEL, STATE, NEXT, NODE = range(5)  # columns


class Knowledge(NamedTuple):
    """What the search knows about words."""

    tree: Tree
    automaton: Automaton
    look_ahead: LookAhead
    costs: Costs
    start: int  # the language model's state before the first word
    most_words: int  # that end at one node, at least 1
    spells: NDArray[np.bool_]  # (C,) classes with which words outside the lexicon may be spelled; else (0,)


class Histories(NamedTuple):
    """Sequences of words as a trie; row 0 is the empty one. A row exists once for (PREV, LABEL).

    A label from L on is a word that was spelled freely: L + the node of its prefix.
    """

    rows: Ints  # (H, 5) PREV, LABEL, STATE after it, NEXT row of the bucket, NODE where its word ended best
    lm: Floats  # (H,) log P_LM of the words
    gains: Floats  # (H,) factor of the last word: language model, bonus, look-ahead of the root after it
    aheads: Floats  # (H,) this look-ahead alone
    heard: Floats  # (H,) log-probability with which its word ended best
    used: Ints  # (1,) how many rows are in use
    buckets: Ints  # (power of 2,) first row of each bucket


@compiled_part
def no_words(beam: int, known: Knowledge) -> Histories:
    """The empty history alone."""
    num_buckets = 4096
    while num_buckets < 64 * beam:
        num_buckets *= 2
    size = 16 * beam + 256
    histories = Histories(
        np.empty((size, 5), np.int32), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        np.ones(1, np.int32), np.full(num_buckets, NONE, np.int32),
    )  # fmt: skip
    histories.rows[0, PREV], histories.rows[0, LABEL], histories.rows[0, STATE] = NONE, NONE, known.start
    histories.rows[0, NEXT], histories.rows[0, NODE] = NONE, ROOT
    histories.lm[0], histories.gains[0], histories.heard[0] = 0.0, 1.0, 0.0
    histories.aheads[0] = factor_of(known.look_ahead.roots[known.start])
    return histories


@compiled_part
def with_room(histories: Histories, extra: int) -> Histories:
    """The same histories, and room for more."""
    used = histories.used[0]
    if used + extra <= len(histories.rows):
        return histories
    size = 2 * (used + extra)
    larger = Histories(
        np.empty((size, 5), np.int32), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        histories.used, histories.buckets,
    )  # fmt: skip
    larger.rows[:used], larger.lm[:used] = histories.rows[:used], histories.lm[:used]
    larger.gains[:used], larger.aheads[:used] = histories.gains[:used], histories.aheads[:used]
    larger.heard[:used] = histories.heard[:used]
    return larger


@compiled_borrowing
def num_labels_at(known: Knowledge, node: int) -> int:
    """How many words end at a node: those of the lexicon, or where there is none the one that is spelled."""
    if node == ROOT:
        return 0
    if node < len(known.tree.units):
        num_labels = known.tree.entries[node + 1] - known.tree.entries[node]
        if num_labels > 0:
            return int(num_labels)
    return 1 if len(known.spells) > 0 else 0


@compiled_borrowing
def label_at(known: Knowledge, node: int, k: int) -> int:
    """The k-th of these words."""
    if node < len(known.tree.units) and known.tree.entries[node] < known.tree.entries[node + 1]:
        return int(known.tree.labels[known.tree.entries[node] + k])
    return len(known.costs.bonuses) + node


@compiled_borrowing
def followed(known: Knowledge, histories: Histories, prev: int, label: int, node: int, depth: int) -> int:
    """The row of a history and a word after it, which ends at a node; made where there is none."""
    bucket = bucket_of(prev, label, len(histories.buckets))
    row = histories.buckets[bucket]
    while row != NONE:
        if histories.rows[row, PREV] == prev and histories.rows[row, LABEL] == label:
            return int(row)
        row = histories.rows[row, NEXT]
    row = histories.used[0]
    histories.used[0] = row + 1
    costs = known.costs
    if label < len(costs.bonuses):
        word, bonus = costs.lm_ids[label], costs.bonuses[label]
    else:
        word, bonus = np.int32(UNK), costs.spelled_word + depth * costs.spelled_unit
    log_prob, state = advance(known.automaton, histories.rows[prev, STATE], word)
    histories.rows[row, PREV], histories.rows[row, LABEL], histories.rows[row, STATE] = prev, label, state
    histories.rows[row, NEXT], histories.rows[row, NODE] = histories.buckets[bucket], node
    histories.buckets[bucket] = row
    histories.lm[row] = histories.lm[prev] + log_prob
    histories.aheads[row] = factor_of(known.look_ahead.roots[state])
    histories.gains[row] = math.exp(weighted(costs.lm_weight, log_prob) + bonus) * histories.aheads[row]
    histories.heard[row] = -np.inf
    return int(row)


@compiled_borrowing
def hear(histories: Histories, row: int, node: int, score: float) -> None:
    """Note the spelling of the last word where it ends more probably than before."""
    if score > histories.heard[row]:
        histories.heard[row], histories.rows[row, NODE] = score, node
