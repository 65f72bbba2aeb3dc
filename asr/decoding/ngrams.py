"""A back-off n-gram model of words as the decoder reads it: states are contexts, arcs are words."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

UNKNOWN, BEGIN, END = 0, 1, 2
"""The ids of <unk>, <s> and </s>; other words have greater ones."""


class Ngrams(NamedTuple):
    """S states, A arcs. State 0 is the empty context; it has an arc for every word, by id."""

    offsets: NDArray[np.int64]  # (S+1,) arcs of state s are offsets[s]:offsets[s+1]
    words: NDArray[np.int32]  # (A,) word ids, ascending within a state
    log_probs: NDArray[np.float32]  # (A,) natural log
    targets: NDArray[np.int32]  # (A,) state after the word
    backoff_states: NDArray[np.int32]  # (S,) the next shorter context; -1 for state 0
    backoff_log_probs: NDArray[np.float32]  # (S,) natural log


def no_ngrams(num_words: int) -> Ngrams:
    """A model to which every text is equally good: all log-probabilities are 0."""
    return Ngrams(
        offsets=np.array([0, num_words], np.int64),
        words=np.arange(num_words, dtype=np.int32),
        log_probs=np.zeros(num_words, np.float32),
        targets=np.zeros(num_words, np.int32),
        backoff_states=np.array([-1], np.int32),
        backoff_log_probs=np.zeros(1, np.float32),
    )


def log_prob_after(ngrams: Ngrams, state: int, word: int) -> float:
    """The natural log-probability of a word after a context, with back-off."""
    log_prob = 0.0
    while state > 0:
        begin, end = ngrams.offsets[state : state + 2]
        at = begin + np.searchsorted(ngrams.words[begin:end], word)
        if at < end and ngrams.words[at] == word:
            return log_prob + float(ngrams.log_probs[at])
        log_prob += float(ngrams.backoff_log_probs[state])
        state = int(ngrams.backoff_states[state])
    return log_prob + float(ngrams.log_probs[word])
