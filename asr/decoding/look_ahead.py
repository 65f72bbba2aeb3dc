"""What a hypothesis inside a word owes already: the best that its words can be worth in their context.

Without it a word's probability would come all at once at its end, and hypotheses inside improbable words
would crowd the beam (Ortmanns, Ney and Eiden 1996, "Language-model look-ahead for large vocabulary speech
recognition"). Exact for every context (Nolden, Ney and Schlüter 2011, "Exploiting sparseness of backing-off
language models for efficient look-ahead in LVCSR"): the words below a node that the context has an arc for
are few, and the others are worth what they are in the shorter context. So the arcs of each state are sorted
once as the spellings are, where the words below a node are neighbours.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled
from asr.decoding.lexicon_tree import ROOT, Tree, best_below
from asr.decoding.ngrams import UNKNOWN, Ngrams

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

BLOCK = 32
"""Arcs of which the best is kept, so that the best of thousands is found in tens of steps."""


class LookAhead(NamedTuple):
    """Scores in nats, weighted, with the bonus of the word, less the best of all words without context."""

    bases: Floats  # (M,) of each node without context, at most 0
    offsets: NDArray[np.int64]  # (S+1,) arcs of state s, but state 0, are offsets[s]:offsets[s+1]
    spellings: Ints  # (B,) the places of the spellings in their order, ascending within a state
    scores: NDArray[np.float32]  # (B,)
    peaks: NDArray[np.float32]  # (B / BLOCK,) best score of each block


def build_look_ahead(
    tree: Tree, ngrams: Ngrams, lm_ids: Ints, bonuses: Floats, lm_weight: float
) -> LookAhead:
    """Sort the model's arcs by spelling.

    Words without the model are left out of the contexts: they are worth what they are without one.

    Args:
        lm_ids, bonuses: (L,) of each label, the model's word and what is added for it.
    """
    unigrams = ngrams.log_probs[lm_ids].astype(np.float64)
    impossible = ~np.isfinite(unigrams)
    values = np.where(impossible, -np.inf, lm_weight * np.where(impossible, 0.0, unigrams) + bonuses)
    best = best_below(tree, values)
    if not np.isfinite(best[ROOT]):
        best[:] = 0.0
    offsets, spellings, scores = _sorted_arcs(
        ngrams, tree.spelled, lm_ids, bonuses - best[ROOT], float(lm_weight)
    )
    padded = np.full(-(-len(scores) // BLOCK) * BLOCK, -np.inf, np.float32)
    padded[: len(scores)] = scores
    return LookAhead(
        best - best[ROOT],
        offsets,
        spellings,
        scores,
        np.ascontiguousarray(padded.reshape(-1, BLOCK).max(axis=1)),
    )


@compiled
def _sorted_arcs(
    ngrams: Ngrams, spelled: Ints, lm_ids: Ints, bonuses: Floats, lm_weight: float
) -> tuple[NDArray[np.int64], Ints, NDArray[np.float32]]:
    """Offsets, spellings and scores of the arcs, by counting: the arcs of each word, then each state."""
    num_words, num_states = ngrams.offsets[1], len(ngrams.offsets) - 1
    num_arcs = len(ngrams.words)
    spellings_of = np.zeros(num_words, np.int64)
    for place in range(len(spelled)):
        word = lm_ids[spelled[place]]
        if word != UNKNOWN:
            spellings_of[word] += 1
    ends = np.zeros(num_words + 1, np.int64)
    offsets = np.zeros(num_states + 1, np.int64)
    for state in range(1, num_states):
        offsets[state + 1] = offsets[state]
        for arc in range(ngrams.offsets[state], ngrams.offsets[state + 1]):
            ends[ngrams.words[arc] + 1] += 1
            offsets[state + 1] += spellings_of[ngrams.words[arc]]
    for word in range(num_words):
        ends[word + 1] += ends[word]
    arcs, states = np.empty(num_arcs, np.int32), np.empty(num_arcs, np.int32)
    for state in range(1, num_states):
        for arc in range(ngrams.offsets[state], ngrams.offsets[state + 1]):
            word = ngrams.words[arc]
            arcs[ends[word]], states[ends[word]] = arc, state
            ends[word] += 1  # afterwards the end of this word's arcs, so the begin of the next word's
    spellings, scores = np.empty(offsets[num_states], np.int32), np.empty(offsets[num_states], np.float32)
    filled = offsets[:-1].copy()
    for place in range(len(spelled)):
        label = spelled[place]
        word = lm_ids[label]
        if word == UNKNOWN:
            continue
        for k in range(ends[word - 1], ends[word]):
            log_prob, at = ngrams.log_probs[arcs[k]], filled[states[k]]
            spellings[at] = place
            scores[at] = lm_weight * log_prob + bonuses[label] if log_prob > -np.inf else -np.inf
            filled[states[k]] += 1
    return offsets, spellings, scores
