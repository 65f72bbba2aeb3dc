"""CTC prefix beam search through a lexicon tree, with an n-gram model of words.

What is searched for is a sequence of words W with the largest

    log P(W | sound) + lm_weight · log P_LM(W </s>) + Σ bonus(w)

where P(W | sound) sums over all alignments whose units, repeats and blanks removed, spell W: by any spelling
of each word, with any number of boundary units before, between (at least one) and after the words. Without a
boundary unit the spellings follow each other, and units that can be cut into the same words in two ways
count twice (word pieces that mark where a word begins cannot). `docs/decoding.md` follows it by hand.

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

Where words may be spelled freely, a prefix may leave the tree (see `spelled`), and ends as a word with the
probability of <unk> and a price for each unit. A node where words of the lexicon end is no other word.

Probabilities are scaled floats, not logarithms: every frame is divided by its largest class and its best
hypothesis. In each frame, first every hypothesis stays, with what its parent in the beam gives; then words
end; then prefixes grow. Of all candidates the best are kept by partition, not by sorting.
"""

import math

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled, compiled_borrowing
from asr.decoding.frames import Frames
from asr.decoding.growing import grow, renew
from asr.decoding.histories import Histories, Knowledge, no_words, with_room
from asr.decoding.hypotheses import (
    IMPOSSIBLE,
    Memory,
    Slots,
    add_mass,
    empty_memory,
    empty_slots,
    place_in,
    put,
)
from asr.decoding.lexicon_tree import NONE, ROOT
from asr.decoding.spelled import PARENT, Spelled, nothing_spelled, with_room_to_spell
from asr.decoding.word_ends import end_words, finish
from asr.records import BLANK_ID

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@compiled
def search(
    frames: Frames, known: Knowledge, beam: int, cutoff: float, recombine: bool
) -> tuple[Histories, Spelled, Ints, Floats, bool]:
    """Search one row.

    Args:
        known: the root's unit in its tree is the boundary; NONE where there is none.
        beam: hypotheses that are kept, at least 1.
        cutoff: those less probable than this times the best are not kept.

    Returns:
        The histories; the prefixes outside the lexicon; the rows of the histories with which a hypothesis can
        end here, each perhaps several times, and the logarithms of their scores with </s>; whether their
        words are whole. They are not where none in the beam is: then there is one, the most probable,
        without the word that it is in.
    """
    most_ended = beam * known.most_words
    most_entered = most_ended * (frames.tops.shape[1] if known.tree.units[ROOT] == NONE else 1)
    memory = empty_memory(beam, most_entered)
    now, spare = empty_slots(beam), empty_slots(beam)
    histories = no_words(beam, known)
    spelled = nothing_spelled(16 * beam if len(known.spells) > 0 else 1)
    _begin(known, histories, now, recombine)
    width, log_scale, is_whole = 1, math.log(now.aheads[0]), True
    for t in range(len(frames.probs)):
        if frames.sizes[t] == 0:
            _wait(now, width, frames.probs[t])
            log_scale += frames.largest[t]
            continue
        tops, top_probs = frames.tops[t, : frames.sizes[t]], frames.top_probs[t]
        histories = with_room(histories, most_ended)
        _stay(known, spelled, memory, t, now, width, frames.probs[t])
        bound = _bound_of(memory.new, width, beam, cutoff)
        num_slots = end_words(
            known, histories, memory, t, now, width, top_probs, tops, bound,
            log_scale + frames.largest[t], recombine,
        )  # fmt: skip
        size, best = grow(
            known, histories, memory, now, width, num_slots, top_probs, tops, bound, beam, cutoff
        )
        if size == 0:  # nothing that the beam holds can go on: as if the frame were not there
            is_whole = False
            continue
        if len(known.spells) > 0:
            spelled = with_room_to_spell(spelled, beam)
        width = renew(known, histories, spelled, memory, now, spare, size, best, best * cutoff)
        log_scale += frames.largest[t] + math.log(best)
        now, spare = spare, now
    histories = with_room(histories, most_ended)
    found, scores, is_last = finish(known, histories, now, width, log_scale)
    return histories, spelled, found, scores, is_whole and is_last


@compiled_borrowing
def _begin(known: Knowledge, histories: Histories, now: Slots, recombine: bool) -> None:
    """Make the empty text, before any unit, the only hypothesis."""
    now.nodes[0], now.units[0], now.depths[0] = ROOT, known.tree.units[ROOT], 0
    now.histories[0], now.contexts[0] = 0, known.start if recombine else 0
    now.ends[0, 0], now.ends[0, 1], now.aheads[0] = 1.0, 0.0, histories.aheads[0]


@compiled_borrowing
def _wait(now: Slots, width: int, probs: Floats) -> None:
    """Let every hypothesis stay in a frame in which nothing else is worth a look."""
    for j in range(width):
        total, unit = now.ends[j, 0] + now.ends[j, 1], now.units[j]
        goes_on = total if now.nodes[j] == ROOT else now.ends[j, 1]
        now.ends[j, 0] = total * probs[BLANK_ID]
        now.ends[j, 1] = goes_on * probs[unit] if unit != NONE else 0.0


@compiled_borrowing
def _stay(
    known: Knowledge, spelled: Spelled, memory: Memory, stamp: int, now: Slots, width: int, probs: Floats
) -> None:
    """Let every hypothesis stay, with what its parent in the beam gives by growing, by any class.

    Slot j is the hypothesis in place j. `kids` and `siblings` then chain those that are in the beam.
    """
    tree, new, table = known.tree, memory.new, memory.table
    for j in range(width):
        memory.kids[j] = NONE
        at = place_in(table, stamp, now.nodes[j], now.contexts[j])
        put(table, stamp, at, now.nodes[j], now.contexts[j], j)
    for j in range(width):
        node, unit = now.nodes[j], now.units[j]
        total = now.ends[j, 0] + now.ends[j, 1]
        new.nodes[j], new.units[j], new.depths[j] = node, unit, now.depths[j]
        new.histories[j], new.contexts[j], new.aheads[j] = now.histories[j], now.contexts[j], now.aheads[j]
        new.ends[j, 0] = total * probs[BLANK_ID]
        if node == ROOT:  # further boundaries change nothing
            new.ends[j, 1] = total * probs[unit] if unit != NONE else 0.0
            continue
        new.ends[j, 1] = now.ends[j, 1] * probs[unit]
        is_in_tree = node < len(tree.units)
        parent = tree.parents[node] if is_in_tree else spelled.rows[node - len(tree.units), PARENT]
        at = place_in(table, stamp, parent, now.contexts[j])
        if table.stamps[at] != stamp:
            continue
        i = table.slots[at]
        memory.siblings[j], memory.kids[i] = memory.kids[i], j
        grows = now.ends[i, 0] if now.units[i] == unit else now.ends[i, 0] + now.ends[i, 1]
        if grows > 0.0:
            add_mass(new, j, now.histories[i], grows * probs[unit] * (now.aheads[j] / now.aheads[i]))


@compiled_borrowing
def _bound_of(new: Slots, width: int, beam: int, cutoff: float) -> float:
    """What a new hypothesis has to exceed: the worst of a full beam of those that stay, or the cutoff."""
    best, worst = 0.0, np.inf
    for j in range(width):
        score = new.ends[j, 0] + new.ends[j, 1]
        best, worst = max(best, score), min(worst, score)
    return max(IMPOSSIBLE, best * cutoff, worst if width == beam else 0.0)
