"""Mixtures: the probabilities of n-grams, sums, and the weights that a held-out text asks for."""

import numpy as np
import pytest

from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.lm.interpolate import interpolate, learn_weights
from asr.lm.perplexity import perplexity
from asr.lm.pruning import prune
from asr.lm.tables import last_words
from tests.lm.test_kneser_ney import probs_after


@pytest.fixture(scope="module")
def pair(babbled, tmp_path_factory):
    """Two models of different habits, order 3 and 2; the first has words that the second lacks."""
    folder = tmp_path_factory.mktemp("pair")
    models = []
    for order, num_words, seed in ((3, 30, 1), (2, 12, 7)):
        (folder / f"{seed}.txt").write_text("".join(f"{line}\n" for line in babbled(1500, num_words, seed)))
        models.append(build([str(folder / f"{seed}.txt")], order).model)
    return models


def test_n_grams_have_the_mixed_probability(pair):
    mixed = interpolate(pair, [3, 1])
    _, bigrams, trigrams = mixed.tables
    first, second = (LanguageModel.from_model(model) for model in pair)
    only_first = 0
    for index in range(0, len(trigrams.first_words), len(trigrams.first_words) // 60):
        last = last_words(mixed.tables)[2][index]
        middle = bigrams.first_words[trigrams.suffixes[index]]
        *history, word = (mixed.vocabulary[i] for i in (trigrams.first_words[index], middle, last))
        expected = 0.0
        for weight, model in ((0.75, first), (0.25, second)):
            if word not in model.vocabulary:
                only_first += 1
                continue
            known = [w if w in model.vocabulary else "<unk>" for w in history]
            expected += weight * probs_after(model, known)[model.vocabulary.index(word)]
        assert np.exp(trigrams.log_probs[index]) == pytest.approx(expected, rel=1e-5)
    assert only_first


@pytest.mark.parametrize("threshold", [None, 1e-4])
def test_probabilities_sum_to_one(pair, babbled, threshold):
    mixed = interpolate(pair, [0.3, 0.7])
    assert mixed.order == 3
    model = LanguageModel.from_model(mixed if threshold is None else prune(mixed, threshold))
    for context in [[], ["<s>"], ["<unk>"], *(line.split()[:2] for line in babbled(40, seed=2))]:
        assert np.delete(probs_after(model, context), 1).sum() == pytest.approx(1, abs=1e-6)


def test_a_model_mixed_with_itself_is_itself(trigrams):
    mixed = interpolate([trigrams, trigrams], [0.2, 0.8])
    for table, expected in zip(mixed.tables, trigrams.tables, strict=True):
        for array, other in zip(table, expected, strict=True):
            np.testing.assert_allclose(array, other, atol=1e-8)


def test_weights_are_the_best_on_the_held_out_text(pair, babbled, written):
    held_out = written([*babbled(1600, 30, 1)[-100:], *babbled(1600, 12, 7)[-50:]])
    models = [LanguageModel.from_model(model) for model in pair]
    learnt = learn_weights(models, [held_out])
    assert sum(learnt.weights) == pytest.approx(1)
    assert 0.5 < learnt.weights[0] < 0.9
    assert learnt.mixed < min(learnt.perplexities)
    assert learnt.perplexities[1] == np.inf  # it lacks words of the first
    found = {
        weight: perplexity(LanguageModel.from_model(interpolate(pair, [weight, 1 - weight])), [held_out])
        for weight in (0.05, 0.3, learnt.weights[0], 0.95)
    }
    best = min(found, key=lambda weight: found[weight].with_unknown)
    assert best == learnt.weights[0]


def test_text_of_one_model_gives_it_the_weight(pair, babbled, written):
    models = [LanguageModel.from_model(model) for model in pair]
    path = written(babbled(1600, 12, 7)[-100:])
    assert learn_weights(models, [path]).weights[1] > 0.9
    with pytest.raises(AsrError, match="held-out sentences were expected"):
        learn_weights(models, [written([""])])


def test_words_are_what_building_takes_for_words(written):
    """A no-break space and a separator of other scripts are letters to both."""
    text = written(["A\u00a0B C", "C\x1cA", "\u3000"])
    model = LanguageModel.from_model(build([text], 2).model)
    assert learn_weights([model, model], [text]).perplexities[0] == pytest.approx(
        perplexity(model, [text]).with_unknown
    )
