"""From an automaton back to tables, so that a model in its compact form can be pruned and written as ARPA."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.lm.arpa import read_arpa
from asr.lm.automaton import LanguageModel
from asr.lm.packed import own_arcs
from asr.lm.tables import Ints, Model, Table, find, keys_of, last_words


def open_tables(path: Path) -> Model:
    """Read a model of any form: .arpa, .arpa.gz, else the compact form.

    Raises:
        AsrError: as for `LanguageModel.open`.
    """
    if path.name.endswith((".arpa", ".arpa.gz")):
        return read_arpa(path)
    return model_of(LanguageModel.load(path, verify=True))


def model_of(lm: LanguageModel) -> Model:
    """The tables of a model, with the probabilities in float32 that the automaton has."""
    automaton, own = lm.automaton, own_arcs(lm.automaton)
    tables: list[Table] = []
    indices = np.zeros(len(automaton.backoff_states), np.int32)  # of a state in the table of its order
    first, last = 0, 1
    for _ in range(lm.order):
        arcs = slice(int(automaton.offsets[first]), int(automaton.offsets[last]))
        counts = np.diff(automaton.offsets[first : last + 1])
        contexts: Ints = np.repeat(indices[first:last], counts)
        suffixes, first_words = _suffixes(tables, contexts, automaton.words[arcs])
        order = np.argsort(keys_of(suffixes, first_words), kind="stable")
        states, is_state = automaton.targets[arcs][order], own[arcs][order]
        backoffs = np.zeros(len(order))
        backoffs[is_state] = automaton.backoff_log_probs[states[is_state]]
        tables.append(
            Table(
                first_words[order],
                suffixes[order],
                contexts[order],
                automaton.log_probs[arcs][order].astype(np.float64),
                backoffs,
            )
        )
        indices[states[is_state]] = np.flatnonzero(is_state)
        first, last = last, last + int(is_state.sum())
    return Model(lm.vocabulary, tables)


def _suffixes(tables: list[Table], contexts: Ints, words: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Of every n-gram, which is a context and a word: its suffix in the last table, and its first word."""
    if not tables:
        return np.zeros(len(words), np.int32), words.astype(np.int32)
    below = tables[-1]
    if len(tables) == 1:
        return words.astype(np.int32), contexts
    # the suffix is the context's suffix, followed by the same word
    known = keys_of(below.contexts, last_words(tables)[-1])
    order = np.argsort(known)
    found = find(known[order], keys_of(below.suffixes[contexts], words))
    return order[found].astype(np.int32), below.first_words[contexts]
