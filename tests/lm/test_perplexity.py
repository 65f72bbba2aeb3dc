"""Perplexity by hand, and over blocks."""

import math

import pytest

from asr.errors import AsrError
from asr.lm import text
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.lm.perplexity import perplexity


@pytest.fixture
def model(trigrams):
    return LanguageModel.from_model(trigrams)


def test_totals_by_hand(model, written):
    sentences = ["W1 W2", "W0 NEVER W3"]
    found = perplexity(model, [written([sentences[0], "", sentences[1]])])
    assert (found.num_sentences, found.num_words, found.num_unknown) == (2, 5, 1)
    total = sum(model.score(sentence.split()) for sentence in sentences)
    assert found.log_prob == pytest.approx(total)
    assert found.with_unknown == pytest.approx(math.exp(-total / 7))
    known = found.log_prob - found.log_prob_unknown
    assert found.without_unknown == pytest.approx(math.exp(-known / 6))
    assert found.log_prob_unknown < -2


def test_blocks_change_nothing(model, written, babbled, monkeypatch):
    path = written(babbled(100, seed=3))
    whole = perplexity(model, [path])
    monkeypatch.setattr(text, "_BLOCK", 50)
    assert perplexity(model, [path]) == pytest.approx(whole)


def test_a_longer_memory_foretells_better(written, babbled):
    train, held_out = written(babbled(3000)), written(babbled(300, seed=1)[-100:], "dev.txt")
    one, two = (
        perplexity(LanguageModel.from_model(build([train], order).model), [held_out]).with_unknown
        for order in (1, 2)
    )
    assert two < 0.9 * one


def test_a_text_without_words(model, written):
    with pytest.raises(AsrError, match="sentences were expected, one a line"):
        perplexity(model, [written(["", " "])])
