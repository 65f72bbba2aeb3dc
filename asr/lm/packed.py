"""An automaton in a third of its room: what follows from the rest is left out, and found again in a second.

Where states are numbered in the order of the arcs that first reach them (`automaton_of`), a bit for each arc
says whether it does: the k-th such arc leads to state k. Every other arc leads where the same word leads from
the next shorter context, and that is also the next shorter context of the state that an arc reaches first. So
of an arc its word and its probability are kept, of a state how many arcs it has and its back-off weight.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled
from asr.errors import AsrError
from asr.lm.binary import padded

if TYPE_CHECKING:
    from asr.lm.automaton import Automaton

HEAD_BYTES = 2048
"""More than the header of a file takes."""

Array = NDArray[Any]


def packed(automaton: "Automaton") -> dict[str, Array]:
    """The arrays to keep; probabilities are still float32.

    Raises:
        ValueError: the states are in another order than `automaton_of` gives.
    """
    own, num_words = own_arcs(automaton), int(automaton.offsets[1])
    if not np.array_equal(automaton.targets[own], np.arange(1, len(automaton.backoff_states))):
        raise ValueError("states in the order of their arcs expected")
    last = int(np.flatnonzero(own)[-1]) + 1 if own.any() else 0
    words = automaton.words[num_words:]  # the empty context has every word
    high = {"high_words": (words >> 16).astype(np.uint8)} if num_words > 1 << 16 else {}
    return {
        "counts": np.diff(automaton.offsets)[1:].astype(np.uint32 if high else np.uint16),
        "own": np.packbits(own[:last]),
        "words": (words & 0xFFFF).astype(np.uint16),
        **high,
        "log_probs": automaton.log_probs,
        "backoff_log_probs": automaton.backoff_log_probs,
    }


def unpacked(arrays: Mapping[str, Array], num_words: int, origin: str) -> dict[str, Array]:
    """The arrays of the automaton, by their names in it, from what `packed` gave.

    Args:
        num_words: V.

    Raises:
        AsrError: the arrays do not fit each other; the sentence begins with `origin`.
    """
    num_arcs, num_states = len(arrays["log_probs"]), len(arrays["backoff_log_probs"])
    offsets = np.concatenate([[0, num_words], num_words + np.cumsum(arrays["counts"], dtype=np.int64)])
    words = arrays["words"].astype(np.int32)
    if "high_words" in arrays:
        words |= arrays["high_words"].astype(np.int32) << 16
    words = np.concatenate([np.arange(num_words, dtype=np.int32), words])
    own = np.zeros(num_arcs, np.bool_)
    bits = np.unpackbits(arrays["own"])[:num_arcs].astype(np.bool_)
    own[: len(bits)] = bits
    fits = len(words) == num_arcs == offsets[-1] and len(offsets) == num_states + 1
    if not fits or own.sum() != num_states - 1 or words.max(initial=0) >= num_words:
        raise AsrError(f"{origin}: its arrays do not fit each other; get the language model again")
    targets, backoff_states = np.zeros(num_arcs, np.int32), np.full(num_states, -1, np.int32)
    if not _link(offsets, words, own, targets, backoff_states):
        raise AsrError(f"{origin}: an n-gram without its suffix; get the language model again")
    return {
        "offsets": offsets,
        "words": words,
        "log_probs": arrays["log_probs"],
        "targets": targets,
        "backoff_states": backoff_states,
        "backoff_log_probs": arrays["backoff_log_probs"],
    }


@compiled
def _link(
    offsets: NDArray[np.int64],
    words: NDArray[np.int32],
    own: NDArray[np.bool_],
    targets: NDArray[np.int32],
    backoff_states: NDArray[np.int32],
) -> bool:
    """Fill in where arcs lead and states back off; False where an arc has no shorter one."""
    num_states = 1
    for state in range(len(offsets) - 1):
        if state >= num_states:  # no arc leads there: nothing before it is known
            return False
        shorter = backoff_states[state]
        other = end = 0
        if shorter >= 0:
            other, end = offsets[shorter], offsets[shorter + 1]
        for arc in range(offsets[state], offsets[state + 1]):
            reached = 0
            if shorter == 0:
                reached = targets[words[arc]]
            elif shorter > 0:
                low, high = other, end
                while low < high:
                    middle = (low + high) // 2
                    if words[middle] < words[arc]:
                        low = middle + 1
                    else:
                        high = middle
                if low == end or words[low] != words[arc]:
                    return False
                reached, other = targets[low], low
            if own[arc]:
                backoff_states[num_states] = reached
                targets[arc] = num_states
                num_states += 1
            else:
                targets[arc] = reached
    return True


def own_arcs(automaton: "Automaton") -> NDArray[np.bool_]:
    """(A,) whether an arc leads to the state of its own context and word, not to that of a shorter n-gram."""
    own = np.zeros(len(automaton.words), np.bool_)
    first, last = 0, 1  # contexts of one length
    while first < last:
        arcs = slice(int(automaton.offsets[first]), int(automaton.offsets[last]))
        own[arcs] = automaton.targets[arcs] >= last
        first, last = last, last + int(own[arcs].sum())
    return own


def packed_bytes(words: list[str], num_arcs: int, num_states: int, num_own: int, bits: int) -> int:
    """Size of the file of a model, or a little more.

    Args:
        words: the vocabulary.
        num_arcs: A, n-grams of every order.
        num_states: S, contexts with the empty one.
        num_own: arcs up to the last one with a context of its own.
        bits: of a log-probability.
    """
    wide = len(words) > 1 << 16
    parts = (
        sum(len(word.encode()) + 1 for word in words),
        (num_states - 1) * (4 if wide else 2),
        num_own // 8 + 1,
        (num_arcs - len(words)) * (3 if wide else 2) + wide * 64,
        num_arcs * bits // 8,
        num_states * bits // 8,
    )
    return HEAD_BYTES + sum(padded(part) for part in parts)
