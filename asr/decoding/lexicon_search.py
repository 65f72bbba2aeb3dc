"""CTC prefix beam search through a lexicon tree, with an n-gram model of words.

What is searched for is a sequence of words W with the largest

    log P(W | sound) + lm_weight · log P_LM(W </s>) + Σ bonus(w)

where P(W | sound) sums over all alignments whose units, repeats and blanks removed, spell W: by any spelling
of each word, with any number of boundary units before, between (at least one) and after the words. Without a
boundary unit the spellings follow each other, and units that can be cut into the same words in two ways
count twice (word pieces that mark where a word begins cannot).

A hypothesis is a node of the tree with a history, the words before it, and has two probabilities: of its
alignments that end with a blank, and with its last unit. They grow as in prefix beam search (see
`prefix_trie`), and have the language model in them as a factor: what the words before gave, and the
look-ahead of the node, the most that any word below it can give after them (see `look_ahead`).

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
from asr.decoding.look_ahead import BLOCK, LookAhead
from asr.decoding.ngrams import END, Ngrams
from asr.records import BLANK_ID

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

NONE = -1
ROOT = 0
MOST_PENDING = 60.0  # nats of the look-ahead at most, so that no probability underflows by it
IMPOSSIBLE = 1e-290  # what is no more probable, compared with the best, counts as nothing
PREV, LABEL, STATE, NEXT, NODE = range(5)  # columns of histories


class Costs(NamedTuple):
    """What words contribute."""

    bonuses: Floats  # (L,) nats that each label adds beside the language model
    lm_ids: Ints  # (L,) the word of the language model
    lm_weight: float


class Knowledge(NamedTuple):
    """What the search knows about words."""

    tree: Tree
    ngrams: Ngrams
    look_ahead: LookAhead
    costs: Costs
    start: int  # the language model's state before the first word
    most_words: int  # that end at one node


class Histories(NamedTuple):
    """Sequences of words as a trie; row 0 is the empty one. A row exists once for (PREV, LABEL)."""

    rows: Ints  # (H, 5) PREV, LABEL, STATE after it, NEXT row of the bucket, NODE where its word ended best
    lm: Floats  # (H,) log P_LM of the words
    gains: (
        Floats  # (H,) factor of the last word: language model, bonus, and the look-ahead of the root after it
    )
    aheads: Floats  # (H,) this look-ahead alone
    heard: Floats  # (H,) log-probability with which its word ended best
    buckets: Ints  # (power of 2,) first row of each bucket


class Slots(NamedTuple):
    """Hypotheses: first those of the beam in this frame, then those that a word's end makes."""

    nodes: Ints
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


class Cache(NamedTuple):
    """Look-aheads that were computed, each in the one place where it may be; a newer one takes the place."""

    nodes: Ints
    states: Ints
    values: Floats


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
    known: Knowledge,
    beam: int,
    cutoff: float,
    recombine: bool,
) -> tuple[Histories, Ints, Floats, bool]:
    """Search one row.

    Args:
        probs, top_probs, tops, largest: the frames, see `scaled_frames`.
        known: the root's unit in its tree is the boundary; NONE where there is none.
        beam: hypotheses that are kept, at least 1.
        cutoff: those less probable than this times the best are not kept.

    Returns:
        The histories; the rows of those with which a hypothesis can end here, each perhaps several times, and
        the logarithms of their scores with </s>; whether their words are whole. They are not where none in
        the beam is: then there is one, the most probable, without the word that it is in.
    """
    start, most_words = known.start, known.most_words
    most_entered = beam * most_words * (tops.shape[1] if known.tree.units[ROOT] == NONE else 1)
    cache, table = _cache(beam), _table(beam + most_entered)
    now, spare, new = _slots(beam), _slots(beam), _slots(beam + most_entered)
    pool = _pool(2 * beam + most_entered)
    kids, siblings = np.empty(beam, np.int32), np.empty(beam, np.int32)
    now.nodes[0], now.histories[0], now.contexts[0] = ROOT, 0, start if recombine else 0
    now.ends[0, 0], now.ends[0, 1], now.aheads[0] = 1.0, 0.0, _ahead(known, cache, ROOT, start)
    histories = _no_histories(beam, start)
    width, num_histories, log_scale, is_whole = 1, 1, math.log(now.aheads[0]), True
    for t in range(len(probs)):
        if num_histories + beam * most_words > len(histories.rows):
            histories = _enlarged(histories, num_histories + beam * most_words)
        _fill(table, now, width, t)
        _stay(known, table, t, now, new, width, probs[t], kids, siblings)
        num_slots, num_histories = _end_words(
            known, cache, histories, num_histories, table, t, now, new, width, top_probs[t], tops[t],
            log_scale + largest[t], recombine,
        )  # fmt: skip
        size, best = _grow(
            known, cache, histories, now, new, width, num_slots, top_probs[t], tops[t], kids, siblings, pool,
            beam, cutoff,
        )  # fmt: skip
        if size == 0:  # nothing that the beam holds can go on: as if the frame were not there
            is_whole = False
            continue
        width = _renew(known, cache, histories, now, new, spare, pool, size, best, best * cutoff)
        log_scale += largest[t] + math.log(best)
        now, spare = spare, now
    if num_histories + beam * most_words > len(histories.rows):
        histories = _enlarged(histories, num_histories + beam * most_words)
    found, scores, is_last = _finish(known, cache, histories, num_histories, now, width, log_scale)
    return histories, found, scores, is_whole and is_last


@compiled_part
def _finish(
    known: Knowledge, cache: Cache, histories: Histories, num_histories: int, now: Slots, width: int,
    log_scale: float,
) -> tuple[Ints, Floats, bool]:  # fmt: skip
    """Close the last words: rows of histories, scores with </s>, and whether any hypothesis ends here."""
    tree, most = known.tree, len(now.nodes) * known.most_words
    found, scores, size = np.empty(most, np.int32), np.empty(most), 0
    best, best_place = 0.0, 0
    for i in range(width):
        node, score = now.nodes[i], (now.ends[i, 0] + now.ends[i, 1]) / now.aheads[i]
        if score > best:
            best, best_place = score, i
        if node == ROOT:
            found[size], scores[size] = now.histories[i], math.log(score) + log_scale
            size += 1
        for entry in range(tree.entries[node], tree.entries[node + 1]):
            row, num_histories = _history(
                known, cache, histories, num_histories, now.histories[i], tree.labels[entry], node
            )
            mass = score * histories.gains[row] / histories.aheads[row]
            if mass > IMPOSSIBLE:
                found[size], scores[size] = row, math.log(mass) + log_scale
                _hear(histories, row, node, scores[size])
                size += 1
    is_last = size > 0
    if not is_last:
        found[0], scores[0], size = now.histories[best_place], math.log(best) + log_scale, 1
    for i in range(size):
        log_prob, _ = _advance(known.ngrams, histories.rows[found[i], STATE], END)
        scores[i] += _weighted(known.costs.lm_weight, log_prob)
    return found[:size], scores[:size], is_last


@compiled_part
def _no_histories(beam: int, start: int) -> Histories:
    num_buckets = 4096
    while num_buckets < 64 * beam:
        num_buckets *= 2
    size = 16 * beam + 256
    histories = Histories(
        np.empty((size, 5), np.int32), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
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
        np.empty((size, 5), np.int32), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        histories.buckets,
    )  # fmt: skip
    larger.rows[:old], larger.lm[:old], larger.heard[:old] = histories.rows, histories.lm, histories.heard
    larger.gains[:old], larger.aheads[:old] = histories.gains, histories.aheads
    return larger


@compiled_part
def _slots(size: int) -> Slots:
    return Slots(
        np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32), np.empty((size, 2)),
        np.empty(size),
    )  # fmt: skip


@compiled_part
def _pool(size: int) -> Pool:
    return Pool(np.empty(size), np.empty(size, np.int32), np.empty(size, np.int32))


@compiled_part
def _cache(beam: int) -> Cache:
    size = 4096
    while size < 128 * beam and size < 2**17:
        size *= 2
    return Cache(np.full(size, NONE, np.int32), np.empty(size, np.int32), np.empty(size))


@compiled_part
def _ahead(known: Knowledge, cache: Cache, node: int, state: int) -> float:
    """The factor of the look-ahead of a node after a context."""
    mixed = np.int64(node) * 2654435761 + np.int64(state) * 2246822519
    at = (mixed ^ (mixed >> 19)) & (len(cache.nodes) - 1)
    if cache.nodes[at] == node and cache.states[at] == state:
        return float(cache.values[at])
    look, backed_off, best, shorter = known.look_ahead, 0.0, -np.inf, state
    first, last = known.tree.spans[node, 0], known.tree.spans[node, 1]
    while shorter > 0:
        end = look.offsets[shorter + 1]
        begin = _lower(look.spellings, look.offsets[shorter], end, first)
        end = _lower(look.spellings, begin, end, last)
        best = max(best, backed_off + _best_of(look, begin, end))
        backed_off += known.costs.lm_weight * known.ngrams.backoff_log_probs[shorter]
        shorter = known.ngrams.backoff_states[shorter]
    best = max(best, backed_off + look.bases[node])
    value = math.exp(min(max(best, -MOST_PENDING), MOST_PENDING))
    cache.nodes[at], cache.states[at], cache.values[at] = node, state, value
    return value


@compiled_part
def _lower(values: Ints, low: int, high: int, value: int) -> int:
    """The first place from low to high whose value is not below `value`."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled_part
def _best_of(look: LookAhead, begin: int, end: int) -> float:
    """The best score of neighbouring arcs."""
    best = np.float32(-np.inf)
    while begin < end and begin % BLOCK != 0:
        best = max(best, look.scores[begin])
        begin += 1
    while begin + BLOCK <= end:
        best = max(best, look.peaks[begin // BLOCK])
        begin += BLOCK
    while begin < end:
        best = max(best, look.scores[begin])
        begin += 1
    return float(best)


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
    known: Knowledge,
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
    tree = known.tree
    for j in range(width):
        kids[j] = NONE
    for j in range(width):
        node, history = now.nodes[j], now.histories[j]
        unit, parent = tree.units[node], tree.parents[node]
        total = now.ends[j, 0] + now.ends[j, 1]
        new.nodes[j], new.histories[j], new.contexts[j] = node, history, now.contexts[j]
        new.aheads[j] = now.aheads[j]
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
            _add(new, j, now.histories[i], grows * probs[unit] * (now.aheads[j] / now.aheads[i]))


@compiled_part
def _end_words(
    known: Knowledge,
    cache: Cache,
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
    tree, num_slots = known.tree, width
    boundary = tree.units[ROOT]
    for i in range(width):
        node = now.nodes[i]
        total = now.ends[i, 0] + now.ends[i, 1]
        for entry in range(tree.entries[node], tree.entries[node + 1]):
            if boundary != NONE and total * top_probs[boundary] <= IMPOSSIBLE:
                break
            row, num_histories = _history(
                known, cache, histories, num_histories, now.histories[i], tree.labels[entry], node
            )
            factor, state = histories.gains[row] / now.aheads[i], histories.rows[row, STATE]
            if total * factor <= IMPOSSIBLE:
                continue
            context = state if recombine else row
            _hear(histories, row, node, math.log(total * factor) + log_scale)
            if boundary != NONE:
                mass, ahead = total * factor * top_probs[boundary], histories.aheads[row]
                num_slots = _enter(table, stamp, new, num_slots, ROOT, context, row, ahead, mass)
                continue
            for unit in tops:
                child = _child(tree, ROOT, unit)
                if child != NONE:
                    ends = now.ends[i, 0] if unit == tree.units[node] else total
                    ahead = _ahead(known, cache, child, state)
                    mass = ends * factor * top_probs[unit] * (ahead / histories.aheads[row])
                    num_slots = _enter(table, stamp, new, num_slots, child, context, row, ahead, mass)
    return num_slots, num_histories


@compiled_part
def _enter(
    table: Table, stamp: int, new: Slots, num_slots: int, node: int, context: int, history: int, ahead: float,
    mass: float,
) -> int:  # fmt: skip
    """Bring alignments to a node with a context, in a new slot where there is none. Returns the slots."""
    if mass <= IMPOSSIBLE:
        return num_slots
    at = _place(table, stamp, node, context)
    if table.stamps[at] == stamp:
        _add(new, table.slots[at], history, mass)
        return num_slots
    _put(table, stamp, at, node, context, num_slots)
    new.nodes[num_slots], new.histories[num_slots], new.contexts[num_slots] = node, history, context
    new.ends[num_slots, 0], new.ends[num_slots, 1], new.aheads[num_slots] = 0.0, mass, ahead
    return num_slots + 1


@compiled_part
def _history(
    known: Knowledge, cache: Cache, histories: Histories, size: int, prev: int, label: int, node: int
) -> tuple[int, int]:
    """The row of a history followed by a word, made where there is none, and how many rows there are now."""
    mixed = np.int64(prev) * 2654435761 + np.int64(label) * 2246822519
    bucket = (mixed ^ (mixed >> 19)) & (len(histories.buckets) - 1)
    row = histories.buckets[bucket]
    while row != NONE:
        if histories.rows[row, PREV] == prev and histories.rows[row, LABEL] == label:
            return row, size
        row = histories.rows[row, NEXT]
    costs = known.costs
    log_prob, state = _advance(known.ngrams, histories.rows[prev, STATE], costs.lm_ids[label])
    histories.rows[size, PREV], histories.rows[size, LABEL], histories.rows[size, STATE] = prev, label, state
    histories.rows[size, NEXT], histories.rows[size, NODE] = histories.buckets[bucket], node
    histories.buckets[bucket] = size
    histories.lm[size] = histories.lm[prev] + log_prob
    gain = math.exp(_weighted(costs.lm_weight, log_prob) + costs.bonuses[label])
    histories.aheads[size] = _ahead(known, cache, ROOT, state)
    histories.gains[size] = gain * histories.aheads[size]
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
    known: Knowledge,
    cache: Cache,
    histories: Histories,
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
    tree, size, best, most = known.tree, 0, 0.0, top_probs[tops[0]]
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
        state = histories.rows[now.histories[i], STATE]
        first, last = tree.children[node], tree.children[node + 1]
        is_wide = last - first > 4 * len(tops)  # then rather look for the classes than at the children
        for k in range(len(tops) if is_wide else last - first):
            child = _child(tree, node, tops[k]) if is_wide else first + k
            if child == NONE:
                continue
            unit = tree.units[child]
            score = (now.ends[i, 0] if unit == tree.units[node] else total) * top_probs[unit]
            if score <= bound:
                continue  # the look-ahead only falls along a branch
            score *= _ahead(known, cache, child, state) / now.aheads[i]
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
def _renew(
    known: Knowledge, cache: Cache, histories: Histories, now: Slots, new: Slots, spare: Slots, pool: Pool,
    size: int, best: float, least: float,
) -> int:  # fmt: skip
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
            spare.contexts[width], spare.aheads[width] = new.contexts[slot], new.aheads[slot]
            spare.ends[width, 0], spare.ends[width, 1] = new.ends[slot, 0] / best, new.ends[slot, 1] / best
        else:
            spare.nodes[width], spare.histories[width] = node, now.histories[slot]
            spare.contexts[width] = now.contexts[slot]
            state = histories.rows[now.histories[slot], STATE]
            spare.aheads[width] = _ahead(known, cache, node, state)
            spare.ends[width, 0], spare.ends[width, 1] = 0.0, score / best
        width += 1
    return width
