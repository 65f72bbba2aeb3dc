"""Several language models over the same sentences."""

import math

import numpy as np
import pytest
import torch

from asr.lm.automaton import LanguageModel
from asr.lm.gru import GruLanguageModel, GruNetwork, GruShape
from asr.lm.gru_folder import save_gru
from asr.lm.interpolate import learn_weights
from asr.lm.perplexity import perplexity
from asr.lm.scorer import mixed, open_scorer, shared_log_probs
from asr.lm.tables import SPECIAL

OWN = ["W1", "W2", "ONLY", "HERE"]
SHAPE = GruShape(vocabulary_size=7, embedding_size=16, hidden_size=5)


@pytest.fixture(scope="module")
def ngrams(trigrams):
    return LanguageModel.from_model(trigrams)


@pytest.fixture(scope="module")
def gru():
    """With words of its own, and without most of the n-gram model's."""
    torch.manual_seed(1)
    return GruLanguageModel([*SPECIAL, *OWN], GruNetwork(SHAPE))


def test_both_sum_to_one_over_what_any_of_them_may_say(ngrams, gru):
    union = sorted((set(ngrams.vocabulary) | set(OWN)) - set(SPECIAL))
    sentences = [["W1", word] for word in [*union, "NEVER"]]
    found = shared_log_probs([gru, ngrams], sentences)
    ends = shared_log_probs([gru, ngrams], [["W1"]])
    for number in range(2):
        total = sum(math.exp(rows[number, 1]) for rows in found) + math.exp(ends[0][number, 1])
        assert total == pytest.approx(1, abs=1e-5)
    assert [rows.shape for rows in found[:2]] == [(2, 3)] * 2


def test_known_words_have_their_own_probability(ngrams, gru):
    (found,) = shared_log_probs([ngrams], [["W1", "W0"]])
    assert found.sum() == pytest.approx(ngrams.score(["W1", "W0"]))
    for model in (ngrams, gru):
        (empty,) = shared_log_probs([model], [[]])
        assert empty.shape == (1, 1) and empty[0, 0] < 0
    assert shared_log_probs([gru], []) == []


def test_a_mixture_by_hand():
    log_probs = np.log([[0.5, 0.1], [0.25, 0.3]])
    assert mixed(log_probs, [0.4, 0.6]) == pytest.approx(np.log([0.35, 0.22]))
    assert mixed(log_probs, [0.0, 1.0]) == pytest.approx(log_probs[1])


def test_perplexity_and_shares_of_a_mixture(ngrams, gru, written, babbled):
    """A model that was never trained gets a small share; the mixture is no worse than the best."""
    text = written(babbled(200, seed=1)[-150:])
    with torch.no_grad():
        same = GruLanguageModel(ngrams.vocabulary, GruNetwork(GruShape(vocabulary_size=33)))
    alone = [perplexity(model, [text]).with_unknown for model in (same, ngrams)]
    learnt = learn_weights([same, ngrams], [text])
    assert learnt.perplexities == pytest.approx(alone)
    assert learnt.weights[0] < 0.3
    assert learnt.mixed <= alone[1] * 1.0001 < alone[0]


def test_any_form_is_opened(ngrams, gru, tmp_path):
    save_gru(tmp_path / "gru", SHAPE, gru, "")
    ngrams.save(tmp_path / "words.lm")
    assert open_scorer(tmp_path / "gru").ids == gru.ids
    assert open_scorer(tmp_path / "words.lm", verify=True).ids == ngrams.ids
