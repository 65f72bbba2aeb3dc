"""Rescoring against hand-made scores, and against itself."""

from typing import NamedTuple

import numpy as np
import pytest

from asr.decoding.rescoring import Weights, errors_by_weights, rescore, word_log_probs
from asr.errors import AsrError
from asr.lm.tables import EOS


class Found(NamedTuple):
    words: list[str]
    acoustic: float
    lm: float
    total: float


class Unigrams:
    """A language model of three words, each as probable wherever it stands."""

    def __init__(self, **probs):
        self.ids = {"<unk>": 0, "A": 3, "B": 4, "C": 5}
        self.log_probs = np.log([0.1, 1.0, probs["end"], probs["a"], probs["b"], probs["c"]])

    def token_log_probs(self, ids):
        assert ids[-1] == EOS
        return self.log_probs[ids]


GRU = Unigrams(end=0.2, a=0.1, b=0.5, c=0.1)
NGRAMS = Unigrams(end=0.2, a=0.5, b=0.1, c=0.1)
SEARCH_WEIGHT, WORD_SCORE = 0.7, 0.3


def candidate(text, acoustic):
    words = text.split()
    lm = float(sum(np.log([0.5 if word == "A" else 0.1 for word in words])) + np.log(0.2))
    return Found(words, acoustic, lm, acoustic + SEARCH_WEIGHT * lm + WORD_SCORE * len(words))


NBEST = [candidate("A A", -10.0), candidate("B", -10.5), candidate("", -14.0), candidate("C A B", -12.0)]


@pytest.fixture
def log_probs():
    return word_log_probs([NBEST], GRU, NGRAMS)[0]


def test_without_a_share_nothing_changes(log_probs):
    found = rescore(NBEST, log_probs, Weights(0.0, SEARCH_WEIGHT), search_weight=SEARCH_WEIGHT)
    for item in found:
        assert item.total == pytest.approx(NBEST[item.rank].total)
        assert item.lm == pytest.approx(NBEST[item.rank].lm)
        assert item.words == NBEST[item.rank].words
    assert sorted(item.rank for item in found) == [0, 1, 2, 3]
    assert [item.total for item in found] == sorted((item.total for item in NBEST), reverse=True)


def test_scores_by_hand(log_probs):
    weights = Weights(0.25, 2.0, -1.5)
    found = {item.rank: item for item in rescore(NBEST, log_probs, weights, search_weight=SEARCH_WEIGHT)}
    lm = np.log(0.25 * 0.1 + 0.75 * 0.5) * 2 + np.log(0.2)
    assert found[0].lm == pytest.approx(lm)
    assert found[0].total == pytest.approx(-10.0 + WORD_SCORE * 2 + 2.0 * lm - 1.5 * 2)
    assert found[2].total == pytest.approx(-14.0 + 2.0 * np.log(0.2))


def test_the_share_decides(log_probs):
    first = [rescore(NBEST, log_probs, Weights(s, 1.0), search_weight=SEARCH_WEIGHT)[0] for s in (0.0, 1.0)]
    assert [item.words for item in first] == [["A", "A"], ["B"]]


def test_equals_keep_the_order_of_the_search():
    twins = [candidate("A", -3.0), candidate("A", -3.0), candidate("A", -3.0)]
    log_probs = word_log_probs([twins], GRU, NGRAMS)[0]
    found = rescore(twins, log_probs, Weights(0.5, 1.0), search_weight=SEARCH_WEIGHT)
    assert [item.rank for item in found] == [0, 1, 2]


def test_errors_are_those_of_the_texts_that_rescoring_puts_first():
    rng = np.random.default_rng(1)
    texts = ["", "A", "B A", "C", "A B C", "NEVER C", "B B B B"]
    nbests = [
        [candidate(texts[i], float(rng.normal(-10, 3))) for i in rng.permutation(7)[: rng.integers(1, 8)]]
        for _ in range(30)
    ]
    errors = [[int(rng.integers(0, 9)) for _ in nbest] for nbest in nbests]
    log_probs = word_log_probs(nbests, GRU, NGRAMS)
    grid = [Weights(s, w, b) for s in (0.0, 0.4, 1.0) for w in (0.0, 0.5, 2.0) for b in (-1.0, 2.0)]
    found = errors_by_weights(nbests, log_probs, errors, grid, search_weight=SEARCH_WEIGHT)
    expected = [
        sum(
            row[rescore(nbest, probs, weights, search_weight=SEARCH_WEIGHT)[0].rank]
            for nbest, probs, row in zip(nbests, log_probs, errors, strict=True)
        )
        for weights in grid
    ]
    assert found.tolist() == expected
    assert len(set(expected)) > 3


@pytest.mark.parametrize("weights", [Weights(1.5, 1.0), Weights(-0.1, 1.0), Weights(0.5, float("nan"))])
def test_impossible_weights(log_probs, weights):
    with pytest.raises(AsrError, match="a share from 0 to 1 and finite weights expected"):
        rescore(NBEST, log_probs, weights, search_weight=1.0)


def test_an_utterance_without_candidates():
    assert rescore([], [], Weights(0.5, 1.0), search_weight=1.0) == []
    with pytest.raises(AsrError, match="utterance 1 has no candidate"):
        errors_by_weights([NBEST, []], [[], []], [[], []], [Weights(0.5, 1.0)], search_weight=1.0)
