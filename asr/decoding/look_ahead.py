"""What a hypothesis inside a word owes already: the best that its words can be worth in their context.

Without it a word's probability would come all at once at its end, and hypotheses inside improbable words
would crowd the beam (Ortmanns, Ney and Eiden 1996, "Language-model look-ahead for large vocabulary speech
recognition"). Exact for every context (Nolden, Ney and Schlüter 2011, "Exploiting sparseness of backing-off
language models for efficient look-ahead in LVCSR"): the words below a node that the context has an arc for
are few, and the others are worth what they are in the shorter context. So the arcs of each state are sorted
once as the spellings are, where the words below a node are neighbours (`arcs_by_spelling.py`).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled, compiled_borrowing, compiled_part
from asr.decoding.arcs_by_spelling import BLOCK, Arcs, arcs_by_spelling
from asr.decoding.lexicon_tree import NONE, ROOT, Tree, best_below
from asr.decoding.pairs import bucket_of
from asr.lm.automaton import Automaton
from asr.lm.tables import UNK

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

MOST_PENDING = 60.0
"""Nats of the look-ahead at most, so that no probability underflows by it."""
LONGEST = 64
"""Shorter contexts of one that are looked at; a model of a higher order is only looked ahead with less."""


class Costs(NamedTuple):
    """What words contribute, in nats."""

    bonuses: Floats  # (L,) that each label adds beside the language model
    lm_ids: Ints  # (L,) the word of the language model
    lm_weight: float
    spelled_word: float  # that a word adds which is spelled freely; -inf where none may be
    spelled_unit: float  # that each of its units adds, at most 0


class LookAhead(NamedTuple):
    """Scores in nats, weighted, with the bonus of the word, less the best of all words without context."""

    bases: Floats  # (M,) of each node without context, at most 0
    arcs: Arcs
    roots: Singles  # (S,) of the root after each state: the best of all words
    spelled: (
        Singles  # (S,) after each state, of a word that is spelled, before its units; (0,) if none may be
    )
    most_gain: float  # the greatest factor of a word times that of the root after it


class Cache(NamedTuple):
    """Look-aheads that were computed, each in the one place where it may be; a newer one takes the place."""

    keys: Ints  # (size, 4) node, state, and the arcs below the node: from, to, counted from the state's first
    values: Floats  # (size,) nats
    chain: Ints  # states from a context to shorter ones, while one is computed


def build_look_ahead(tree: Tree, automaton: Automaton, costs: Costs) -> LookAhead:
    """Sort the model's arcs by spelling, and find the best of all words after every state.

    Words without the model are left out of the contexts: they are worth what they are without one.
    """
    unigrams = automaton.log_probs[costs.lm_ids].astype(np.float64)
    impossible = ~np.isfinite(unigrams)
    values = np.where(
        impossible, -np.inf, costs.lm_weight * np.where(impossible, 0.0, unigrams) + costs.bonuses
    )
    best = best_below(tree, values)
    if not np.isfinite(best[ROOT]):
        best[:] = 0.0
    arcs = arcs_by_spelling(
        automaton, tree.spelled, costs.lm_ids, costs.bonuses - best[ROOT], costs.lm_weight
    )
    may_spell = costs.spelled_word > -math.inf
    roots, spelled = _best_after_states(
        automaton, arcs, costs.lm_weight, costs.spelled_word - float(best[ROOT]), may_spell
    )
    most_gain = math.exp(min(float(best[ROOT]) + float(roots.max()), MOST_PENDING))
    return LookAhead(best - best[ROOT], arcs, roots, spelled, most_gain)


@compiled
def _best_after_states(
    automaton: Automaton, arcs: Arcs, lm_weight: float, spelled_word: float, may_spell: bool
) -> tuple[Singles, Singles]:
    """`roots` and `spelled` of `LookAhead`. A state comes after the shorter one that it backs off to."""
    num_states = len(automaton.backoff_states)
    roots, spelled = np.zeros(num_states, np.float32), np.empty(num_states if may_spell else 0, np.float32)
    unknown = np.empty(len(spelled))  # log P(<unk> | state)
    for state in range(num_states):
        shorter, backoff = automaton.backoff_states[state], automaton.backoff_log_probs[state]
        if state > 0:
            best = best_of(arcs, arcs.offsets[state], arcs.offsets[state + 1])
            roots[state] = max(best, weighted(lm_weight, backoff) + roots[shorter])
        if may_spell:
            first = automaton.offsets[state]  # <unk> is the word 0: if the state has an arc for it, the first
            if first < automaton.offsets[state + 1] and automaton.words[first] == UNK:
                unknown[state] = automaton.log_probs[first]
            else:
                unknown[state] = backoff + unknown[shorter]
            spelled[state] = weighted(lm_weight, unknown[state]) + spelled_word
            roots[state] = max(roots[state], spelled[state])
    return roots, spelled


@compiled_part
def look_ahead_cache(beam: int) -> Cache:
    """An empty one."""
    size = 16384
    while size < 256 * beam and size < 2**18:
        size *= 2
    return Cache(np.full((size, 4), NONE, np.int32), np.empty(size), np.empty(LONGEST, np.int32))


@compiled_borrowing
def factor_of(score: float) -> float:
    """A look-ahead as a factor of probabilities."""
    return math.exp(min(max(score, -MOST_PENDING), MOST_PENDING))


@compiled_borrowing
def ahead_of(
    tree: Tree, automaton: Automaton, look: LookAhead, costs: Costs, cache: Cache, node: int, depth: int,
    state: int,
) -> float:  # fmt: skip
    """The factor of the look-ahead of a node after a context; M and more are nodes outside the lexicon.

    Args:
        depth: units from the root to the node.
    """
    if node == ROOT:
        return factor_of(look.roots[state])
    if node >= len(look.bases):
        return factor_of(look.spelled[state] + depth * costs.spelled_unit)
    value = _value_of(tree, automaton, look, costs, cache, node, state)
    if len(look.spelled) > 0:
        value = max(value, look.spelled[state] + depth * costs.spelled_unit)
    return factor_of(value)


@compiled_borrowing
def _value_of(
    tree: Tree, automaton: Automaton, look: LookAhead, costs: Costs, cache: Cache, node: int, state: int
) -> float:
    """The nats of a node of the lexicon: the best of the context's own arcs, and of the shorter context's.

    Other contexts have the same shorter one, so each is kept.
    """
    size, longest = 0, len(cache.chain)
    value = float(look.bases[node])
    while state > 0 and size < longest:
        at = bucket_of(node, state, len(cache.keys))
        if cache.keys[at, 0] == node and cache.keys[at, 1] == state:
            value = cache.values[at]
            break
        cache.chain[size] = state
        size += 1
        state = automaton.backoff_states[state]
    for k in range(size - 1, -1, -1):
        state = cache.chain[k]
        begin, end = _arcs_below(tree, look.arcs, cache, node, state)
        value += weighted(costs.lm_weight, automaton.backoff_log_probs[state])
        value = max(value, best_of(look.arcs, begin, end))
        at, first = bucket_of(node, state, len(cache.keys)), look.arcs.offsets[state]
        cache.keys[at, 0], cache.keys[at, 1], cache.values[at] = node, state, value
        cache.keys[at, 2], cache.keys[at, 3] = begin - first, end - first
    return value


@compiled_borrowing
def _arcs_below(tree: Tree, arcs: Arcs, cache: Cache, node: int, state: int) -> tuple[int, int]:
    """The arcs of a state with words below a node: among those below its parent, where these are known."""
    parent, first = tree.parents[node], arcs.offsets[state]
    at = bucket_of(parent, state, len(cache.keys))
    begin, end = first, arcs.offsets[state + 1]
    if cache.keys[at, 0] == parent and cache.keys[at, 1] == state:
        begin, end = first + cache.keys[at, 2], first + cache.keys[at, 3]
    begin = _lower(arcs.spellings, begin, end, tree.spans[node, 0])
    end = _lower(arcs.spellings, begin, end, tree.spans[node, 1])
    return begin, end


@compiled_borrowing
def weighted(weight: float, log_prob: float) -> float:
    """What cannot be cannot be with a weight of 0 either."""
    return weight * log_prob if log_prob > -np.inf else -np.inf


@compiled_borrowing
def best_of(arcs: Arcs, begin: int, end: int) -> float:
    """The best score of neighbouring arcs."""
    best = np.float32(-np.inf)
    while begin < end and begin % BLOCK != 0:
        best = max(best, arcs.scores[begin])
        begin += 1
    while begin + BLOCK <= end:
        best = max(best, arcs.peaks[begin // BLOCK])
        begin += BLOCK
    while begin < end:
        best = max(best, arcs.scores[begin])
        begin += 1
    return float(best)


@compiled_borrowing
def _lower(values: Ints, low: int, high: int, value: int) -> int:
    """The first place from low to high whose value is not below `value`."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low
