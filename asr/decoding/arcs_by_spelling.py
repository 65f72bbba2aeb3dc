"""The arcs of an n-gram model in the order of the spellings of their words."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled
from asr.lm.automaton import Automaton
from asr.lm.tables import UNK

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

BLOCK = 32
"""Arcs of which the best is kept, so that the best of thousands is found in tens of steps."""


class Arcs(NamedTuple):
    """B arcs: of each state, one for every spelling of every word that it has an arc for."""

    offsets: NDArray[np.int64]  # (S+1,) arcs of state s, but state 0, are offsets[s]:offsets[s+1]
    spellings: Ints  # (B,) the places of the spellings in their order, ascending within a state
    scores: NDArray[np.float32]  # (B,) nats
    peaks: NDArray[np.float32]  # (B / BLOCK,) best score of each block


def arcs_by_spelling(
    automaton: Automaton, spelled: Ints, lm_ids: Ints, bonuses: Floats, lm_weight: float
) -> Arcs:
    """Sort the arcs of all states but the empty context. Words unknown to the model are left out.

    Args:
        spelled: (E,) the label of each spelling, in the order of the spellings.
        lm_ids, bonuses: (L,) of each label, the model's word, and nats that are added.
    """
    offsets, spellings, scores = _sorted_arcs(automaton, spelled, lm_ids, bonuses, lm_weight)
    padded = np.full(-(-len(scores) // BLOCK) * BLOCK, -np.inf, np.float32)
    padded[: len(scores)] = scores
    return Arcs(offsets, spellings, scores, np.ascontiguousarray(padded.reshape(-1, BLOCK).max(axis=1)))


@compiled
def _sorted_arcs(
    automaton: Automaton, spelled: Ints, lm_ids: Ints, bonuses: Floats, lm_weight: float
) -> tuple[NDArray[np.int64], Ints, NDArray[np.float32]]:
    """Offsets, spellings and scores of the arcs, by counting: the arcs of each word, then each state."""
    num_words, num_states = automaton.offsets[1], len(automaton.offsets) - 1
    num_arcs = len(automaton.words)
    spellings_of = np.zeros(num_words, np.int64)
    for place in range(len(spelled)):
        word = lm_ids[spelled[place]]
        if word != UNK:
            spellings_of[word] += 1
    ends = np.zeros(num_words + 1, np.int64)
    offsets = np.zeros(num_states + 1, np.int64)
    for state in range(1, num_states):
        offsets[state + 1] = offsets[state]
        for arc in range(automaton.offsets[state], automaton.offsets[state + 1]):
            ends[automaton.words[arc] + 1] += 1
            offsets[state + 1] += spellings_of[automaton.words[arc]]
    for word in range(num_words):
        ends[word + 1] += ends[word]
    arcs, states = np.empty(num_arcs, np.int32), np.empty(num_arcs, np.int32)
    for state in range(1, num_states):
        for arc in range(automaton.offsets[state], automaton.offsets[state + 1]):
            word = automaton.words[arc]
            arcs[ends[word]], states[ends[word]] = arc, state
            ends[word] += 1  # afterwards the end of this word's arcs, so the begin of the next word's
    spellings, scores = np.empty(offsets[num_states], np.int32), np.empty(offsets[num_states], np.float32)
    filled = offsets[:-1].copy()
    for place in range(len(spelled)):
        label = spelled[place]
        word = lm_ids[label]
        if word == UNK:
            continue
        for k in range(ends[word - 1], ends[word]):
            log_prob, at = automaton.log_probs[arcs[k]], filled[states[k]]
            spellings[at] = place
            scores[at] = lm_weight * log_prob + bonuses[label] if log_prob > -np.inf else -np.inf
            filled[states[k]] += 1
    return offsets, spellings, scores
