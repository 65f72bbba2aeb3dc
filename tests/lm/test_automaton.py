"""The automaton against the definition of a back-off model, read from a dictionary of n-grams."""

import math

import numpy as np
import pytest

from asr.compiled import compiled
from asr.lm.automaton import LanguageModel, advance
from asr.lm.tables import NEVER, Model, Table

WORDS = ["<unk>", "<s>", "</s>", "A", "B"]


def table(first_words, suffixes, contexts, probs, backoffs):
    return Table(
        np.array(first_words, np.int32),
        np.array(suffixes, np.int32),
        np.array(contexts, np.int32),
        np.log(probs),
        np.log(backoffs),
    )


@pytest.fixture
def model():
    """Order 3: bigrams `A </s>`, `<s> A`, `A A`, `A B` and the trigram `<s> A B`; `B` is no context."""
    ones = np.ones(5)
    unigrams = table(range(5), [0] * 5, [0] * 5, [0.1, 1, 0.2, 0.4, 0.3], [1, 0.5, 1, 0.25, 1])
    unigrams.log_probs[1] = NEVER
    bigrams = table([3, 1, 3, 3], [2, 3, 3, 4], [3, 1, 3, 3], [0.1, 0.8, 0.2, 0.6], [1, 0.75, 1, 1])
    trigrams = table([1], [3], [1], [0.9], ones[:1])
    return LanguageModel.from_model(Model(WORDS, [unigrams, bigrams, trigrams]))


def test_a_sentence_worked_by_hand(model):
    # <s> A: 0.8; <s> A B: 0.9; B </s>: B is no context, so P(</s>) = 0.2
    assert model.score(["A", "B"]) == pytest.approx(math.log(0.8 * 0.9 * 0.2), abs=1e-6)
    # <s> A A: backoff(<s> A) P(A A) = 0.75 * 0.2; A <unk>: backoff(A) P(<unk>) = 0.25 * 0.1; then P(</s>)
    assert model.score(["A", "A", "C"]) == pytest.approx(
        math.log(0.8 * 0.75 * 0.2 * 0.25 * 0.1 * 0.2), abs=1e-6
    )


def test_states_are_the_contexts_that_have_something_to_say(model):
    automaton = model.automaton
    # the empty context, <s>, A, <s> A
    assert len(automaton.backoff_states) == 4
    assert automaton.backoff_states.tolist() == [-1, 0, 0, 2]
    assert automaton.offsets.tolist() == [0, 5, 6, 9, 10]
    assert automaton.words.tolist() == [0, 1, 2, 3, 4, 3, 2, 3, 4, 4]
    assert automaton.targets.tolist() == [0, 1, 0, 2, 0, 3, 0, 2, 0, 0]


def test_compiled_loops_and_python_advance_alike(model):
    @compiled
    def ask(automaton, state, word):
        return advance(automaton, state, word)

    for state in range(4):
        for word in range(5):
            assert ask(model.automaton, state, word) == pytest.approx(advance(model.automaton, state, word))
