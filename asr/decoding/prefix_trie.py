"""CTC prefix beam search: probabilities of sequences of units, summed over their alignments.

The recursion is Graves (2012), "Supervised Sequence Labelling with Recurrent Neural Networks", section 7.5,
in the form of Hannun et al. (2014), "First-Pass Large Vocabulary Continuous Speech Recognition using
Bi-Directional Recurrent DNNs", algorithm 1, without a language model. For a prefix l that ends with unit e,
in frame t with probabilities y_t:

    p_blank(l, t)       = y_t(blank) · (p_blank(l, t-1) + p_unit(l, t-1))
    p_unit(l, t)        = y_t(e) · p_unit(l, t-1)  +  what l's parent gives by growing
    l grows by u with     y_t(u) · p_blank(l, t-1)                        if u = e
                          y_t(u) · (p_blank(l, t-1) + p_unit(l, t-1))     otherwise

Prefixes are nodes of a trie in flat arrays, so that a node can carry more (the state of a language model)
and stays the same node when its prefix leaves the beam and comes back. Probabilities are not logarithms:
every frame is divided by its largest class and by the best prefix, and only the logarithms of these divisors
are added up. A sum then costs one addition, and is as exact as in logarithms for every prefix that is not
10^290 times less probable than the best.
"""

import math

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled, compiled_part
from asr.records import BLANK_ID

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ends = NDArray[np.float64]  # (beam, 2)
Trie = NDArray[np.int64]  # (nodes, 5)

# Columns of the trie, a row a node. Children of a node are a chain: CHILD of the parent, then SIBLING.
# PLACE is the prefix's place in the beam of this frame.
PARENT, UNIT, CHILD, SIBLING, PLACE = range(5)
NONE = -1
ROOT = 0  # the empty prefix; its UNIT is the blank, with which no prefix ends
IMPOSSIBLE = 1e-290  # what is no more probable, compared with the best, counts as nothing


def units_of(trie: Trie, node: int) -> list[int]:
    """The units of a prefix, read from its end to the root."""
    ids = []
    while node != ROOT:
        ids.append(int(trie[node, UNIT]))
        node = int(trie[node, PARENT])
    return ids[::-1]


@compiled
def search(log_probs: Floats, beam: int, top: int) -> tuple[Trie, Ints, Floats]:
    """Search one row.

    Args:
        log_probs: (T, C); every frame's largest is finite.
        beam: prefixes that are kept, at least 1.
        top: classes of a frame by which prefixes grow, from 1 to C.

    Returns:
        The trie, and of the last frame's beam, best first, the nodes and their log-probabilities.

    The beam is kept best first. `ends[i]` are the probabilities of the alignments of the prefix in place i
    that end with a blank and that end with its last unit.
    """
    probs, ranked = np.empty(log_probs.shape[1]), np.empty(top, np.int64)
    trie = np.empty((16 * beam, 5), np.int64)
    for column in range(trie.shape[1]):
        trie[ROOT, column] = NONE
    trie[ROOT, UNIT], trie[ROOT, PLACE] = BLANK_ID, 0
    nodes, new_nodes = np.empty(beam, np.int64), np.empty(beam, np.int64)
    ends, new_ends, stayed = np.empty((beam, 2)), np.empty((beam, 2)), np.empty((beam, 2))
    scores, candidates = np.empty(2 * beam), np.empty(2 * beam, np.int64)
    spare_scores, spare_candidates = np.empty(2 * beam), np.empty(2 * beam, np.int64)
    nodes[0], ends[0, 0], ends[0, 1] = ROOT, 1.0, 0.0
    scores[0], log_scale, last_scale = 1.0, 0.0, 0.0
    # Both are 1; written like this, because numba would compile the functions below for constants as well.
    width, num_nodes = min(1, beam), min(1, beam)
    for t in range(len(log_probs)):
        last_scale = log_scale + _rank(log_probs[t], probs, ranked)
        if num_nodes + beam > len(trie):
            trie = _enlarged(trie, num_nodes + beam)
        size = _stay(trie, nodes, ends, width, probs, stayed, scores, candidates)
        size = _grow(
            trie, nodes, ends, width, probs, ranked, scores, candidates, size, spare_scores, spare_candidates
        )
        num_nodes = _renew(
            trie, num_nodes, nodes, width, ranked, stayed, scores, candidates, size, new_nodes, new_ends
        )
        nodes, new_nodes, ends, new_ends, width = new_nodes, nodes, new_ends, ends, size
        log_scale = last_scale + math.log(scores[0])
    log_scores = np.empty(width)
    for i in range(width):
        log_scores[i] = math.log(scores[i]) + last_scale
    return trie, nodes[:width], log_scores


@compiled_part
def _rank(log_probs: Floats, probs: Floats, ranked: Ints) -> float:
    """Fill `probs` with one frame's probabilities over the largest, and `ranked` with its best classes.

    Returns:
        The logarithm of the largest.
    """
    largest: float = log_probs[0]
    for c in range(1, len(log_probs)):
        largest = max(largest, log_probs[c])
    size = 0
    for c in range(len(log_probs)):
        probs[c] = math.exp(log_probs[c] - largest)
        if size == len(ranked) and probs[c] <= probs[ranked[size - 1]]:
            continue
        at = min(size, len(ranked) - 1)
        while at > 0 and probs[c] > probs[ranked[at - 1]]:
            ranked[at] = ranked[at - 1]
            at -= 1
        ranked[at] = c
        size = min(size + 1, len(ranked))
    return largest


@compiled_part
def _stay(
    trie: Trie,
    nodes: Ints,
    ends: Ends,
    width: int,
    probs: Floats,
    stayed: Ends,
    scores: Floats,
    candidates: Ints,
) -> int:
    """Let every prefix of the beam stay: fill `stayed`, with what its parent in the beam gives by growing.

    Candidate j is the prefix in place j. Returns how many are possible.
    """
    size = 0
    for j in range(width):
        last, parent = trie[nodes[j], UNIT], trie[nodes[j], PARENT]
        stayed[j, 0] = (ends[j, 0] + ends[j, 1]) * probs[BLANK_ID]
        stayed[j, 1] = ends[j, 1] * probs[last]
        if parent != NONE and trie[parent, PLACE] != NONE:
            i = trie[parent, PLACE]
            grows = ends[i, 0] if trie[parent, UNIT] == last else ends[i, 0] + ends[i, 1]
            stayed[j, 1] += grows * probs[last]
        score = stayed[j, 0] + stayed[j, 1]
        if score > IMPOSSIBLE:
            scores[size], candidates[size] = score, j
            size += 1
    return size


@compiled_part
def _grow(
    trie: Trie,
    nodes: Ints,
    ends: Ends,
    width: int,
    probs: Floats,
    ranked: Ints,
    scores: Floats,
    candidates: Ints,
    size: int,
    spare_scores: Floats,
    spare_candidates: Ints,
) -> int:
    """Add prefixes that are new in this frame; keep the best, at most as many as the beam holds.

    Candidate beam + i·top + k is the prefix in place i, grown by the k-th best class. Candidates are
    collected to twice the beam before the worse half goes, so that few sorts are needed.

    Returns:
        How many candidates are left, best first.
    """
    beam, top = len(nodes), len(ranked)
    bound = IMPOSSIBLE  # what is not above it has no chance
    if size == beam:
        bound = scores[0]
        for j in range(1, size):
            bound = min(bound, scores[j])
    for k in range(top):
        u = ranked[k]
        if u == BLANK_ID:
            continue
        for i in range(width):
            score = (ends[i, 0] + ends[i, 1]) * probs[u]
            if score <= bound:
                break  # the beam is sorted
            if trie[nodes[i], UNIT] == u:
                score = ends[i, 0] * probs[u]
            if score <= bound or _is_in_beam(trie, nodes[i], u):
                continue
            scores[size], candidates[size] = score, beam + i * top + k
            size += 1
            if size == len(scores):
                _sort(scores, candidates, size, spare_scores, spare_candidates)
                size = beam
                bound = scores[size - 1]
    _sort(scores, candidates, size, spare_scores, spare_candidates)
    return min(size, beam)


@compiled_part
def _renew(
    trie: Trie,
    num_nodes: int,
    nodes: Ints,
    width: int,
    ranked: Ints,
    stayed: Ends,
    scores: Floats,
    candidates: Ints,
    size: int,
    new_nodes: Ints,
    new_ends: Ends,
) -> int:
    """Make the best candidates the new beam, scaled so that the best has probability 1.

    Returns:
        How many nodes the trie has now.
    """
    beam, top = len(nodes), len(ranked)
    for i in range(width):
        trie[nodes[i], PLACE] = NONE
    for place in range(size):
        candidate = candidates[place]
        if candidate < beam:
            node = nodes[candidate]
            new_ends[place, 0] = stayed[candidate, 0] / scores[0]
            new_ends[place, 1] = stayed[candidate, 1] / scores[0]
        else:
            parent, unit = nodes[(candidate - beam) // top], ranked[(candidate - beam) % top]
            new_ends[place, 0], new_ends[place, 1] = 0.0, scores[place] / scores[0]
            node = _child(trie, parent, unit)
            if node == NONE:
                node = num_nodes
                num_nodes += 1
                _add(trie, node, parent, unit)
        new_nodes[place] = node
        trie[node, PLACE] = place
    return num_nodes


@compiled_part
def _child(trie: Trie, node: int, unit: int) -> int:
    """The node of a prefix grown by `unit`; NONE where it has never been in the beam."""
    child: int = trie[node, CHILD]
    while child != NONE and trie[child, UNIT] != unit:
        child = trie[child, SIBLING]
    return child


@compiled_part
def _add(trie: Trie, node: int, parent: int, unit: int) -> None:
    """Make row `node` the prefix `parent` grown by `unit`, outside the beam."""
    trie[node, PARENT], trie[node, UNIT], trie[node, CHILD], trie[node, PLACE] = parent, unit, NONE, NONE
    trie[node, SIBLING], trie[parent, CHILD] = trie[parent, CHILD], node


@compiled_part
def _enlarged(trie: Trie, at_least: int) -> Trie:
    """The same trie with room for more nodes."""
    larger = np.empty((2 * at_least, trie.shape[1]), np.int64)
    for node in range(len(trie)):
        for column in range(trie.shape[1]):
            larger[node, column] = trie[node, column]
    return larger


@compiled_part
def _is_in_beam(trie: Trie, node: int, unit: int) -> bool:
    """Whether a prefix grown by `unit` is in the beam of this frame; `_stay` has counted it then."""
    child = _child(trie, node, unit)
    return bool(child != NONE and trie[child, PLACE] != NONE)


@compiled_part
def _sort(scores: Floats, candidates: Ints, size: int, spare_scores: Floats, spare_candidates: Ints) -> None:
    """Sort best first, equals in their order: neighbouring runs are merged until one is left.

    There are few runs: those that stay are nearly in order, and those grown by one class too.
    """
    runs = 2
    while runs > 1:
        start, runs = 0, 0
        while start < size:
            runs += 1
            middle = _run_end(scores, start, size)
            end = _run_end(scores, middle, size)
            a, b = start, middle
            for place in range(start, end):
                if b >= end or (a < middle and scores[a] >= scores[b]):
                    spare_scores[place], spare_candidates[place] = scores[a], candidates[a]
                    a += 1
                else:
                    spare_scores[place], spare_candidates[place] = scores[b], candidates[b]
                    b += 1
            start = end
        for place in range(size):
            scores[place], candidates[place] = spare_scores[place], spare_candidates[place]


@compiled_part
def _run_end(scores: Floats, start: int, size: int) -> int:
    """End of the scores from `start` on that do not rise."""
    end = min(start + 1, size)
    while end < size and scores[end] <= scores[end - 1]:
        end += 1
    return end
