"""Estimated probabilities: by hand, against the readable reference, and as distributions."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.lm.automaton import LanguageModel, advance
from asr.lm.build import build
from asr.lm.kneser_ney import FALLBACK, discounts_of
from tests.lm.reference import Reference

SENTENCES = st.lists(
    st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=12
)


def probs_after(model, history):
    """P(w | history) of all words, <s> in front of the history where it begins a sentence."""
    automaton, state = model.automaton, 0
    for word in history:
        _, state = advance(automaton, state, model.vocabulary.index(word))
    return np.exp([advance(automaton, state, word)[0] for word in range(len(model.vocabulary))])


def test_a_bigram_worked_by_hand(written):
    """Text `A B`, `A A`: too small for discounts, so they are 0.5, 1 and 1.5.

    Words after how many different words: A after <s> and A: 2; B after A: 1; </s> after A and B: 2. Sum 5,
    and of 4 words each gets γ/4 with γ = (1 + 0.5 + 1) / 5 = 0.5.
    """
    built = build([written(["A B", "A A"])], 2)
    assert [discounts.values for discounts in built.discounts] == [FALLBACK, FALLBACK]
    assert "more text would help" in built.discounts[0].problem
    model = LanguageModel.from_model(built.model)
    assert model.vocabulary == ["<unk>", "<s>", "</s>", "A", "B"]
    unk, end, a, b = 0.5 / 4, 1 / 5 + 0.5 / 4, 1 / 5 + 0.5 / 4, 0.5 / 5 + 0.5 / 4
    assert probs_after(model, []) == pytest.approx([unk, 0, end, a, b], abs=1e-7)
    # after A: B, A and </s> once each: (1 - 0.5) / 3, and γ = 1.5 / 3
    assert probs_after(model, ["A"])[2:] == pytest.approx([1 / 6 + end / 2, 1 / 6 + a / 2, 1 / 6 + b / 2])
    # after <s>: A twice: (2 - 1) / 2, and γ = 1 / 2
    assert probs_after(model, ["<s>"])[3] == pytest.approx(1 / 2 + a / 2)
    assert model.score(["A", "B"]) == pytest.approx(
        math.log((1 / 2 + a / 2) * (1 / 6 + b / 2) * (0.5 + end / 2))
    )


def test_discounts_by_hand():
    """n1 to n4 = 10, 5, 2, 1: Y = 1/2."""
    counts = np.repeat([1, 2, 3, 4, 7], [10, 5, 2, 1, 3]).astype(np.int32)
    assert discounts_of(2, counts).values == pytest.approx(
        (1 - 0.5, 2 - 3 * 0.5 * 2 / 5, 3 - 4 * 0.5 * 1 / 2)
    )
    assert discounts_of(2, counts).problem == ""
    assert "none was counted twice" in discounts_of(2, counts[counts != 2]).problem


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("limit", [None, 3])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences=SENTENCES, histories=st.lists(st.lists(st.sampled_from("ABCDEX"), max_size=4), max_size=4))
def test_the_reference_says_the_same(written, order, limit, sentences, histories):
    order = min(order, 1 + max(len(sentence.split()) for sentence in sentences))
    built = build([written(sentences)], order, limit=limit)
    model = LanguageModel.from_model(built.model)
    discounts = [discounts.values for discounts in built.discounts]
    reference = Reference(sentences, order, model.vocabulary, discounts)
    for history in [["<s>", *sentences[0].split()], *histories]:
        known = [word if word in model.vocabulary else "<unk>" for word in history]
        expected = [reference.prob(known, word) for word in model.vocabulary if word != "<s>"]
        found = np.delete(probs_after(model, known), 1)
        assert found == pytest.approx(expected, rel=1e-5)
        assert found.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("cutoffs", [[], [0, 0, 1], [0, 1, 2], [0, 9, 9]])
def test_probabilities_sum_to_one(written, babbled, cutoffs):
    built = build([written(babbled(500))], 3, limit=20, cutoffs=cutoffs)
    assert not any(discounts.problem for discounts in built.discounts[1:])
    model = LanguageModel.from_model(built.model)
    contexts = [[], ["<s>"], ["<unk>"], *(line.split()[:2] for line in babbled(40, seed=2))]
    for context in contexts:
        known = [word if word in model.vocabulary else "<unk>" for word in context]
        assert np.delete(probs_after(model, known), 1).sum() == pytest.approx(1, abs=1e-6)


def test_cut_offs_leave_out_what_is_rare(written, babbled):
    path = written(babbled(500))
    whole, cut = build([path], 3).model, build([path], 3, cutoffs=[0, 0, 1]).model
    assert len(cut.tables[0].first_words) == len(whole.tables[0].first_words)
    assert len(cut.tables[1].first_words) == len(whole.tables[1].first_words)
    assert 0 < len(cut.tables[2].first_words) < len(whole.tables[2].first_words)


def test_words_of_a_list_have_a_probability_though_the_text_lacks_them(written):
    built = build([written(["A B", "A C"])], 2, listed=["A", "D", "<unk>"])
    assert built.model.vocabulary == ["<unk>", "<s>", "</s>", "A", "D"]
    assert built.num_unknown == 2
    probs = probs_after(LanguageModel.from_model(built.model), ["A"])
    assert 0 < probs[4] < probs[0]


@pytest.mark.parametrize(
    ("cutoffs", "sentence"),
    [
        ([1], "the cut-off of single words must be 0, found 1"),
        ([0, 2, 1], "cut-offs must not fall from one order to the next, found 0 2 1"),
        ([0, 0, 0, 0], "4 cut-offs were given for a model of order 3"),
    ],
)
def test_cut_offs_that_cannot_be(written, babbled, cutoffs, sentence):
    with pytest.raises(AsrError, match=sentence):
        build([written(babbled(20))], 3, cutoffs=cutoffs)


def test_an_order_that_no_sentence_reaches(written):
    with pytest.raises(
        AsrError, match=r"n-grams of order 4, with <s> and </s>, and a model of order 6 .* --order 4"
    ):
        build([written(["A B", "C"])], 6)
