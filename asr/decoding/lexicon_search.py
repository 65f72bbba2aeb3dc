"""CTC prefix beam search through a lexicon tree, with an n-gram model of words.

What is searched for is a sequence of words W with the largest

    log P(W | sound) + lm_weight · log P_LM(W </s>) + Σ bonus(w)

where P(W | sound) sums over all alignments whose units, repeats and blanks removed, spell W: by any spelling
of each word, with any number of boundary units before, between (at least one) and after the words. Without a
boundary unit the spellings follow each other, and units that can be cut into the same words in two ways
count twice (word pieces that mark where a word begins cannot).

A hypothesis is a node of the tree with a history, the words before it, and has two probabilities: of its
alignments that end with a blank, and with its last unit. They grow as in prefix beam search (see
`prefix_trie`), and have the language model in them as a factor: inside a word the look-ahead (Ortmanns, Ney
and Eiden 1996, "Language-model look-ahead for large vocabulary speech recognition"), the most that any word
below the node could contribute without context; where the word ends, its true contribution instead.

Hypotheses with one node and one state of the language model have the same future. With `recombine` they are
one hypothesis, and of two histories the one that is more probable at that moment is kept with its own
probability alone, so that a score is always one of these very words: summed over what was followed of their
alignments, never more than all. (Ney and Ortmanns 1999, "Dynamic programming search for continuous speech
recognition", keep the better likewise.) Without, every history is on its own: nothing but the beam loses
probability, more alternatives come out, and the beam has to be wider for the same best text.

Probabilities are scaled floats, not logarithms: every frame is divided by its largest class and its best
hypothesis. In each frame, first every hypothesis stays, with what its parent in the beam gives; then words
end; then prefixes grow. Of all candidates the best are kept by partition, not by sorting.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled, compiled_part
from asr.decoding.lexicon_tree import Tree
from asr.decoding.ngrams import END, Ngrams
from asr.records import BLANK_ID

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

NONE = -1
ROOT = 0
IMPOSSIBLE = 1e-290  # what is no more probable, compared with the best, counts as nothing
PREV, LABEL, STATE, NEXT, NODE = range(5)  # columns of histories


class Costs(NamedTuple):
    """What nodes and words contribute."""

    steps: Floats  # (M,) factor on the way to a node: its look-ahead over that of its parent
    closings: Floats  # (M,) factor that takes the look-ahead back where a word ends
    bonuses: Floats  # (L,) nats that each label adds beside the language model
    lm_ids: Ints  # (L,) the word of the language model
    lm_weight: float


class Histories(NamedTuple):
    """Sequences of words as a trie; row 0 is the empty one. A row exists once for (PREV, LABEL)."""

    rows: (
        Ints  # (H, 5) PREV, LABEL, STATE after it, NEXT row of its bucket, NODE where its word was heard best
    )
    lm: Floats  # (H,) log P_LM of the words
    gains: Floats  # (H,) factor of the last word: language model and bonus
    heard: Floats  # (H,) log-probability with which its word ended best
    buckets: Ints  # (power of 2,) first row of each bucket


class Slots(NamedTuple):
    """Hypotheses: first those of the beam in this frame, then those that a word's end makes."""

    nodes: Ints
    histories: Ints
    contexts: Ints  # with recombination the language model's state, else the history
    ends: Floats  # (slots, 2) probability of what ends with a blank, and with the last unit


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
    nodes: Ints  # NONE, or the node to which it grows


@compiled
def search(
    probs: Floats,
    top_probs: Floats,
    tops: NDArray[np.int64],
    largest: Floats,
    tree: Tree,
    ngrams: Ngrams,
    costs: Costs,
    start: int,
    most_words: int,
    beam: int,
    cutoff: float,
    recombine: bool,
) -> tuple[Histories, Ints, Floats, bool]:
    """Search one row.

    Args:
        probs, top_probs, tops, largest: the frames, see `scaled_frames`.
        tree: the root's unit is the boundary; NONE where there is none.
        start: the language model's state before the first word.
        most_words: most words that end at one node.
        beam: hypotheses that are kept, at least 1.
        cutoff: those less probable than this times the best are not kept.

    Returns:
        The histories; the rows of those with which a hypothesis can end here, each perhaps several times, and
        the logarithms of their scores with </s>; whether their words are whole. They are not where none in
        the beam is: then there is one, the most probable, without the word that it is in.
    """
    num_frames, top, boundary = len(probs), tops.shape[1], tree.units[ROOT]
    most_entered = beam * most_words * (top if boundary == NONE else 1)
    histories = _no_histories(beam, start)
    now, spare, new = _slots(beam), _slots(beam), _slots(beam + most_entered)
    table = _table(beam + most_entered)
    pool = Pool(
        np.empty(2 * beam + most_entered), np.empty(2 * beam + most_entered, np.int32),
        np.empty(2 * beam + most_entered, np.int32),
    )  # fmt: skip
    kids, siblings = np.empty(beam, np.int32), np.empty(beam, np.int32)
    now.nodes[0], now.histories[0], now.contexts[0] = ROOT, 0, start if recombine else 0
    now.ends[0, 0], now.ends[0, 1] = 1.0, 0.0
    width, num_histories, log_scale, is_whole = 1, 1, 0.0, True
    for t in range(num_frames):
        if num_histories + beam * most_words > len(histories.rows):
            histories = _enlarged(histories, num_histories + beam * most_words)
        _fill(table, now, width, t)
        _stay(tree, costs, table, t, now, new, width, probs[t], kids, siblings)
        num_slots, num_histories = _end_words(
            tree, ngrams, costs, histories, num_histories, table, t, now, new, width, top_probs[t], tops[t],
            log_scale + largest[t], recombine,
        )  # fmt: skip
        size, best = _grow(
            tree, costs, now, new, width, num_slots, top_probs[t], tops[t], kids, siblings, pool, beam, cutoff
        )
        if size == 0:  # nothing that the beam holds can go on: as if the frame were not there
            is_whole = False
            continue
        width = _renew(now, new, spare, pool, size, best, best * cutoff)
        log_scale += largest[t] + math.log(best)
        now, spare = spare, now
    if num_histories + beam * most_words > len(histories.rows):
        histories = _enlarged(histories, num_histories + beam * most_words)
    found, scores, size = np.empty(beam * most_words, np.int32), np.empty(beam * most_words), 0
    for i in range(width):
        node, score = now.nodes[i], now.ends[i, 0] + now.ends[i, 1]
        if node == ROOT:
            found[size], scores[size] = now.histories[i], math.log(score) + log_scale
            size += 1
        for entry in range(tree.entries[node], tree.entries[node + 1]):
            row, num_histories = _history(
                histories, num_histories, now.histories[i], tree.labels[entry], node, ngrams, costs
            )
            mass = score * costs.closings[node] * histories.gains[row]
            if mass > IMPOSSIBLE:
                found[size], scores[size] = row, math.log(mass) + log_scale
                _hear(histories, row, node, scores[size])
                size += 1
    if size == 0:
        best_place = 0
        for i in range(width):
            if now.ends[i, 0] + now.ends[i, 1] > now.ends[best_place, 0] + now.ends[best_place, 1]:
                best_place = i
        score = now.ends[best_place, 0] + now.ends[best_place, 1]
        found[0] = now.histories[best_place]
        scores[0] = math.log(score * costs.closings[now.nodes[best_place]]) + log_scale
        size, is_whole = 1, False
    for i in range(size):
        log_prob, _ = _advance(ngrams, histories.rows[found[i], STATE], END)
        scores[i] += _weighted(costs.lm_weight, log_prob)
    return histories, found[:size], scores[:size], is_whole


@compiled_part
def _no_histories(beam: int, start: int) -> Histories:
    num_buckets = 4096
    while num_buckets < 64 * beam:
        num_buckets *= 2
    size = 16 * beam + 256
    histories = Histories(
        np.empty((size, 5), np.int32), np.empty(size), np.empty(size), np.empty(size),
        np.full(num_buckets, NONE, np.int32),
    )  # fmt: skip
    histories.rows[0, PREV], histories.rows[0, LABEL], histories.rows[0, STATE] = NONE, NONE, start
    histories.rows[0, NEXT], histories.rows[0, NODE] = NONE, ROOT
    histories.lm[0], histories.gains[0], histories.heard[0] = 0.0, 1.0, 0.0
    return histories


@compiled_part
def _enlarged(histories: Histories, at_least: int) -> Histories:
    """The same histories with room for more."""
    size, old = 2 * at_least, len(histories.rows)
    larger = Histories(
        np.empty((size, 5), np.int32), np.empty(size), np.empty(size), np.empty(size), histories.buckets
    )
    larger.rows[:old], larger.lm[:old] = histories.rows, histories.lm
    larger.gains[:old], larger.heard[:old] = histories.gains, histories.heard
    return larger


@compiled_part
def _slots(size: int) -> Slots:
    return Slots(
        np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32), np.empty((size, 2))
    )


@compiled_part
def _table(num_slots: int) -> Table:
    size = 64
    while size < 2 * num_slots:
        size *= 2
    return Table(
        np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32),
        np.full(size, NONE, np.int32),
    )  # fmt: skip


@compiled_part
def _place(table: Table, stamp: int, node: int, context: int) -> int:
    """The place in the table of a node with a context, or the free one where it belongs."""
    mask = len(table.nodes) - 1
    mixed = np.int64(node) * 2654435761 + np.int64(context) * 2246822519
    at = (mixed ^ (mixed >> 19)) & mask
    while table.stamps[at] == stamp and (table.nodes[at] != node or table.contexts[at] != context):
        at = (at + 1) & mask
    return int(at)


@compiled_part
def _put(table: Table, stamp: int, at: int, node: int, context: int, slot: int) -> None:
    table.nodes[at], table.contexts[at], table.slots[at], table.stamps[at] = node, context, slot, stamp


@compiled_part
def _fill(table: Table, now: Slots, width: int, stamp: int) -> None:
    """Put the beam of this frame into the table."""
    for j in range(width):
        at = _place(table, stamp, now.nodes[j], now.contexts[j])
        _put(table, stamp, at, now.nodes[j], now.contexts[j], j)


@compiled_part
def _add(new: Slots, slot: int, history: int, mass: float) -> None:
    """Let alignments that end with a unit come in: added to the same words, else the better stays."""
    if new.histories[slot] == history:
        new.ends[slot, 1] += mass
    elif mass > new.ends[slot, 0] + new.ends[slot, 1]:
        new.histories[slot], new.ends[slot, 0], new.ends[slot, 1] = history, 0.0, mass


@compiled_part
def _stay(
    tree: Tree,
    costs: Costs,
    table: Table,
    stamp: int,
    now: Slots,
    new: Slots,
    width: int,
    probs: Floats,
    kids: Ints,
    siblings: Ints,
) -> None:
    """Let every hypothesis stay, with what its parent in the beam gives by growing, by any class.

    `kids` and `siblings` chain the children of a hypothesis that are in the beam.
    """
    for j in range(width):
        kids[j] = NONE
    for j in range(width):
        node, history = now.nodes[j], now.histories[j]
        unit, parent = tree.units[node], tree.parents[node]
        total = now.ends[j, 0] + now.ends[j, 1]
        new.nodes[j], new.histories[j], new.contexts[j] = node, history, now.contexts[j]
        new.ends[j, 0] = total * probs[BLANK_ID]
        if node == ROOT:  # further boundaries change nothing
            new.ends[j, 1] = total * probs[unit] if unit != NONE else 0.0
            continue
        new.ends[j, 1] = now.ends[j, 1] * probs[unit]
        at = _place(table, stamp, parent, now.contexts[j])
        if table.stamps[at] != stamp:
            continue
        i = table.slots[at]
        siblings[j], kids[i] = kids[i], j
        grows = now.ends[i, 0] if tree.units[parent] == unit else now.ends[i, 0] + now.ends[i, 1]
        if grows > 0.0:
            _add(new, j, now.histories[i], grows * probs[unit] * costs.steps[node])


@compiled_part
def _end_words(
    tree: Tree,
    ngrams: Ngrams,
    costs: Costs,
    histories: Histories,
    num_histories: int,
    table: Table,
    stamp: int,
    now: Slots,
    new: Slots,
    width: int,
    top_probs: Floats,
    tops: NDArray[np.int64],
    log_scale: float,
    recombine: bool,
) -> tuple[int, int]:
    """Let words end: by the boundary, or where there is none by the first unit of the next word.

    Returns:
        How many slots and histories there are now.
    """
    boundary, num_slots = tree.units[ROOT], width
    for i in range(width):
        node = now.nodes[i]
        total = now.ends[i, 0] + now.ends[i, 1]
        for entry in range(tree.entries[node], tree.entries[node + 1]):
            if boundary != NONE and total * top_probs[boundary] <= IMPOSSIBLE:
                break
            row, num_histories = _history(
                histories, num_histories, now.histories[i], tree.labels[entry], node, ngrams, costs
            )
            factor = costs.closings[node] * histories.gains[row]
            if total * factor <= IMPOSSIBLE:
                continue
            context = histories.rows[row, STATE] if recombine else row
            if boundary != NONE:
                mass = total * factor * top_probs[boundary]
                num_slots = _enter(table, stamp, new, num_slots, ROOT, context, row, mass)
                _hear(histories, row, node, math.log(mass) + log_scale)
                continue
            _hear(histories, row, node, math.log(total * factor) + log_scale)
            for unit in tops:
                child = _child(tree, ROOT, unit)
                if child != NONE:
                    ends = now.ends[i, 0] if unit == tree.units[node] else total
                    mass = ends * factor * top_probs[unit] * costs.steps[child]
                    num_slots = _enter(table, stamp, new, num_slots, child, context, row, mass)
    return num_slots, num_histories


@compiled_part
def _enter(
    table: Table, stamp: int, new: Slots, num_slots: int, node: int, context: int, history: int, mass: float
) -> int:
    """Bring alignments to a node with a context, in a new slot where there is none. Returns the slots."""
    if mass <= IMPOSSIBLE:
        return num_slots
    at = _place(table, stamp, node, context)
    if table.stamps[at] == stamp:
        _add(new, table.slots[at], history, mass)
        return num_slots
    _put(table, stamp, at, node, context, num_slots)
    new.nodes[num_slots], new.histories[num_slots], new.contexts[num_slots] = node, history, context
    new.ends[num_slots, 0], new.ends[num_slots, 1] = 0.0, mass
    return num_slots + 1


@compiled_part
def _history(
    histories: Histories, size: int, prev: int, label: int, node: int, ngrams: Ngrams, costs: Costs
) -> tuple[int, int]:
    """The row of a history followed by a word, made where there is none, and how many rows there are now."""
    mixed = np.int64(prev) * 2654435761 + np.int64(label) * 2246822519
    bucket = (mixed ^ (mixed >> 19)) & (len(histories.buckets) - 1)
    row = histories.buckets[bucket]
    while row != NONE:
        if histories.rows[row, PREV] == prev and histories.rows[row, LABEL] == label:
            return row, size
        row = histories.rows[row, NEXT]
    log_prob, state = _advance(ngrams, histories.rows[prev, STATE], costs.lm_ids[label])
    histories.rows[size, PREV], histories.rows[size, LABEL], histories.rows[size, STATE] = prev, label, state
    histories.rows[size, NEXT], histories.rows[size, NODE] = histories.buckets[bucket], node
    histories.buckets[bucket] = size
    histories.lm[size] = histories.lm[prev] + log_prob
    histories.gains[size] = math.exp(_weighted(costs.lm_weight, log_prob) + costs.bonuses[label])
    histories.heard[size] = -np.inf
    return size, size + 1


@compiled_part
def _weighted(weight: float, log_prob: float) -> float:
    """What cannot be cannot be with a weight of 0 either."""
    return weight * log_prob if log_prob > -np.inf else -np.inf


@compiled_part
def _hear(histories: Histories, row: int, node: int, score: float) -> None:
    """Note the spelling of the last word where it ends more probably than before."""
    if score > histories.heard[row]:
        histories.heard[row], histories.rows[row, NODE] = score, node


@compiled_part
def _advance(ngrams: Ngrams, state: int, word: int) -> tuple[float, int]:
    """The natural log-probability of a word after a context, with back-off, and the context after it."""
    log_prob = 0.0
    while state > 0:
        low, high = ngrams.offsets[state], ngrams.offsets[state + 1]
        end = high
        while low < high:
            middle = (low + high) // 2
            if ngrams.words[middle] < word:
                low = middle + 1
            else:
                high = middle
        if low < end and ngrams.words[low] == word:
            return log_prob + ngrams.log_probs[low], ngrams.targets[low]
        log_prob += ngrams.backoff_log_probs[state]
        state = ngrams.backoff_states[state]
    return log_prob + ngrams.log_probs[word], ngrams.targets[word]


@compiled_part
def _child(tree: Tree, node: int, unit: int) -> int:
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


@compiled_part
def _grow(
    tree: Tree,
    costs: Costs,
    now: Slots,
    new: Slots,
    width: int,
    num_slots: int,
    top_probs: Floats,
    tops: NDArray[np.int64],
    kids: Ints,
    siblings: Ints,
    pool: Pool,
    beam: int,
    cutoff: float,
) -> tuple[int, float]:
    """Collect the candidates: the slots, and what is new by growing inside a word. Keep the best.

    Returns:
        How many candidates are left, at most the beam, and the best score.
    """
    size, best, most = 0, 0.0, top_probs[tops[0]]
    if tops[0] == BLANK_ID and len(tops) > 1:
        most = top_probs[tops[1]]
    for slot in range(num_slots):
        score = new.ends[slot, 0] + new.ends[slot, 1]
        if score > IMPOSSIBLE:
            size = _offer(pool, size, score, slot, NONE)
            best = max(best, score)
    bound = max(IMPOSSIBLE, best * cutoff)  # what is not above it has no chance
    if size >= beam:
        bound = max(bound, _keep_best(pool, size, beam))
        size = beam
    for i in range(width):
        node, total = now.nodes[i], now.ends[i, 0] + now.ends[i, 1]
        if total * most <= bound:
            continue
        first, last = tree.children[node], tree.children[node + 1]
        is_wide = last - first > 4 * len(tops)  # then rather look for the classes than at the children
        for k in range(len(tops) if is_wide else last - first):
            child = _child(tree, node, tops[k]) if is_wide else first + k
            if child == NONE:
                continue
            unit = tree.units[child]
            score = total * top_probs[unit] * costs.steps[child]
            if score <= bound:
                continue
            if unit == tree.units[node]:
                score = now.ends[i, 0] * top_probs[unit] * costs.steps[child]
                if score <= bound:
                    continue
            kid = kids[i]
            while kid != NONE and now.nodes[kid] != child:
                kid = siblings[kid]
            if kid != NONE:
                continue  # it is in the beam and has had this
            size = _offer(pool, size, score, i, child)
            if score > best:
                best = score
                bound = max(bound, best * cutoff)
            if size == 2 * beam:
                bound = max(bound, _keep_best(pool, size, beam))
                size = beam
    if size > beam:
        _keep_best(pool, size, beam)
        size = beam
    return size, best


@compiled_part
def _offer(pool: Pool, size: int, score: float, slot: int, node: int) -> int:
    pool.scores[size], pool.slots[size], pool.nodes[size] = score, slot, node
    return size + 1


@compiled_part
def _keep_best(pool: Pool, size: int, keep: int) -> float:
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
                scores[i], scores[j] = scores[j], scores[i]
                pool.slots[i], pool.slots[j] = pool.slots[j], pool.slots[i]
                pool.nodes[i], pool.nodes[j] = pool.nodes[j], pool.nodes[i]
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


@compiled_part
def _renew(now: Slots, new: Slots, spare: Slots, pool: Pool, size: int, best: float, least: float) -> int:
    """Make the candidates that are not below `least` the beam, in `spare`, scaled to a best of 1.

    Returns:
        How many hypotheses it has.
    """
    width = 0
    for place in range(size):
        score, slot, node = pool.scores[place], pool.slots[place], pool.nodes[place]
        if score < least:
            continue
        if node == NONE:
            spare.nodes[width], spare.histories[width] = new.nodes[slot], new.histories[slot]
            spare.contexts[width] = new.contexts[slot]
            spare.ends[width, 0], spare.ends[width, 1] = new.ends[slot, 0] / best, new.ends[slot, 1] / best
        else:
            spare.nodes[width], spare.histories[width] = node, now.histories[slot]
            spare.contexts[width] = now.contexts[slot]
            spare.ends[width, 0], spare.ends[width, 1] = 0.0, score / best
        width += 1
    return width
