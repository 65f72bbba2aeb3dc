"""A back-off n-gram model as a deterministic automaton: states are contexts, arcs are words.

The form for decoding and look-up: sorted arrays, searched by bisection. A state is a context from which the
model has something to say: it has arcs, or a back-off weight. A word leads to the longest context that is a
state, so a state is all that later probabilities depend on, and two histories with the same future share one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled, compiled_and_plain
from asr.lm.arpa import read_arpa
from asr.lm.binary import read_arrays, write_arrays
from asr.lm.packed import packed, unpacked
from asr.lm.tables import BOS, EOS, UNK, Model, Table, last_words


class Automaton(NamedTuple):
    """A back-off n-gram model as a deterministic automaton: states are contexts, arcs are words.

    S states, A arcs. Word ids: 0 = <unk>, 1 = <s>, 2 = </s>, then the others.
    """

    offsets: NDArray[np.int64]  # (S+1,) arcs of state s are offsets[s]:offsets[s+1]
    words: NDArray[np.int32]  # (A,) word ids, ascending within a state; state 0 has every word: words[w] == w
    log_probs: NDArray[np.float32]  # (A,) natural log
    targets: NDArray[np.int32]  # (A,) state after the word (the longest context that the model has)
    backoff_states: NDArray[np.int32]  # (S,) the next shorter context; -1 for state 0 (the empty context)
    backoff_log_probs: NDArray[np.float32]  # (S,) natural log


@compiled_and_plain
def advance(automaton: Automaton, state: int, word: int) -> tuple[float, int]:
    """Natural log P(word | state), with back-off, and the state after the word.

    Both compiled loops and Python may call it.
    """
    total = 0.0
    while state > 0:
        low = automaton.offsets[state]
        high = end = automaton.offsets[state + 1]
        while low < high:
            middle = (low + high) // 2
            if automaton.words[middle] < word:
                low = middle + 1
            else:
                high = middle
        if low < end and automaton.words[low] == word:
            return total + float(automaton.log_probs[low]), int(automaton.targets[low])
        total += float(automaton.backoff_log_probs[state])
        state = int(automaton.backoff_states[state])
    return total + float(automaton.log_probs[word]), int(automaton.targets[word])


@compiled
def sentence_log_probs(
    automaton: Automaton, start: int, end_id: int, ids: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Natural log-probability of every token of sentences.

    Args:
        start: the state at the beginning of a sentence.
        end_id: the id of </s>, after which the next sentence begins.
        ids: (K,) the sentences one after the other, each with its </s>.
    """
    found = np.empty(len(ids))
    state = start
    for k in range(len(ids)):
        found[k], state = advance(automaton, state, ids[k])
        if ids[k] == end_id:
            state = start
    return found


@dataclass(frozen=True)
class LanguageModel:
    """A word n-gram model, ready to be asked.

    Attributes:
        vocabulary: the words; the index is the id. `<unk>`, `<s>` and `</s>` are the first three.
        automaton: the probabilities.
        order: the longest n-gram that the model may hold.
    """

    vocabulary: list[str]
    automaton: Automaton
    order: int

    @classmethod
    def from_model(cls, model: Model) -> "LanguageModel":
        """The same probabilities, in float32, as an automaton."""
        return cls(model.vocabulary, automaton_of(model), model.order)

    @classmethod
    def from_arpa(cls, path: str | Path) -> "LanguageModel":
        """Read an ARPA file (see `asr.lm.arpa.read_arpa`)."""
        return cls.from_model(read_arpa(path))

    @classmethod
    def load(cls, path: str | Path, verify: bool = False) -> "LanguageModel":
        """Open the compact form, in milliseconds: its arrays are mapped, and read as they are needed.

        A packed one is read whole, in a second for five million n-grams.

        Args:
            verify: read everything first and compare the checksums.

        Raises:
            AsrError: the file is something else, of another version, cut or damaged.
        """
        order, arrays, is_packed = read_arrays(Path(path), verify)
        vocabulary = arrays.pop("vocabulary").tobytes().decode().split("\n")
        whole = unpacked(arrays, len(vocabulary), str(path)) if is_packed else arrays
        return cls(vocabulary, Automaton(**whole), order)

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> "LanguageModel":
        """Open a model of any form: .arpa, .arpa.gz, else the compact form (see `load`)."""
        return cls.from_arpa(path) if str(path).endswith((".arpa", ".arpa.gz")) else cls.load(path, verify)

    def save(self, path: str | Path, bits: int = 32, *, is_packed: bool = False) -> None:
        """Write the compact form (see `asr.lm.binary`).

        Args:
            bits: of a log-probability: 32, or rounded to 16 or 8.
            is_packed: in a third of the room; opening it then takes a second for five million n-grams.
        """
        words = np.frombuffer("\n".join(self.vocabulary).encode(), np.uint8)
        arrays = packed(self.automaton) if is_packed else self.automaton._asdict()
        write_arrays(Path(path), self.order, {**arrays, "vocabulary": words}, bits, is_packed=is_packed)

    @property
    def start(self) -> int:
        """The state at the beginning of a sentence, after `<s>`."""
        return int(self.automaton.targets[BOS])

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of every word that a text may hold: not `<s>` and `</s>`, which nobody says."""
        ids = {word: index for index, word in enumerate(self.vocabulary)}
        del ids["<s>"], ids["</s>"]
        return ids

    def token_log_probs(self, ids: NDArray[np.int32]) -> NDArray[np.float64]:
        """Natural log-probability of every token of sentences.

        Args:
            ids: (K,) the sentences one after the other, each with its </s>.
        """
        found: NDArray[np.float64] = sentence_log_probs(self.automaton, self.start, EOS, ids)
        return found

    def score(self, words: Sequence[str]) -> float:
        """Natural log-probability of a sentence with its end; words outside the vocabulary count as <unk>."""
        ids = [self.ids.get(word, UNK) for word in words]
        return float(self.token_log_probs(np.array([*ids, EOS], np.int32)).sum())


def automaton_of(model: Model) -> Automaton:
    """The automaton of a closed model; its states are in the order of the arcs that first reach them."""
    tables, lasts = model.tables, last_words(model.tables)
    num_states = 1
    states = np.zeros(len(model.vocabulary), np.int32)  # of the n-grams of the order at hand, where they lead
    backoff_states, backoffs = [np.array([-1], np.int32)], [np.zeros(1)]
    words: list[NDArray[np.int32]] = []
    log_probs: list[NDArray[np.float64]] = []
    targets: list[NDArray[np.int32]] = []
    counts = [np.array([len(lasts[0])])]
    places = np.zeros(1, np.int32)  # of the n-grams of the order below among the arcs
    for n, table in enumerate(tables):
        shorter = np.zeros(len(table.first_words), np.int32) if n == 0 else states[table.suffixes]
        above = tables[n + 1] if n + 1 < len(tables) else None
        is_state, num_arcs = _states_of(table, above)
        order = _stable_order(places[table.contexts], len(places))  # arcs: by context, then by word
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        kept = order[is_state[order]]
        states = shorter.copy()
        states[kept] = np.arange(num_states, num_states + len(kept), dtype=np.int32)
        num_states += len(kept)
        backoff_states.append(shorter[kept])
        backoffs.append(table.backoffs[kept])
        counts.append(num_arcs[kept])
        words.append(lasts[n][order])
        log_probs.append(table.log_probs[order])
        targets.append(states[order])
    return Automaton(
        offsets=np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64),
        words=np.concatenate(words).astype(np.int32, copy=False),
        log_probs=np.concatenate(log_probs).astype(np.float32),
        targets=np.concatenate(targets).astype(np.int32, copy=False),
        backoff_states=np.concatenate(backoff_states).astype(np.int32, copy=False),
        backoff_log_probs=np.concatenate(backoffs).astype(np.float32),
    )


def _states_of(table: Table, above: Table | None) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which n-grams are states, and how many arcs each has."""
    size = len(table.first_words)
    if above is None:
        return np.zeros(size, np.bool_), np.zeros(size, np.int64)
    num_arcs = np.bincount(above.contexts, minlength=size)
    return (num_arcs > 0) | (table.backoffs != 0), num_arcs


def _stable_order(keys: NDArray[np.int32], num_keys: int) -> NDArray[np.int32]:
    """The order that sorts small integers and leaves equals as they are, so words ascend in every context."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=num_keys))[:-1]])
    return _place(keys, starts.astype(np.int64))


@compiled
def _place(keys: NDArray[np.int32], starts: NDArray[np.int64]) -> NDArray[np.int32]:
    order = np.empty(len(keys), np.int32)
    for i in range(len(keys)):
        order[starts[keys[i]]] = i
        starts[keys[i]] += 1
    return order
