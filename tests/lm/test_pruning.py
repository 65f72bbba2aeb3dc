"""Entropy pruning against the divergence over all words, and what must stay."""

import numpy as np
import pytest

from asr.lm.automaton import LanguageModel, advance
from asr.lm.build import build
from asr.lm.perplexity import perplexity
from asr.lm.pruning import growths, log_marginals, prune
from asr.lm.tables import Model, Table, normalised_backoffs


def distribution(model, context):
    """(V,) P(w | context), and the state's context is given by words."""
    found, state = LanguageModel.from_model(model), 0
    for word in context:
        state = advance(found.automaton, state, model.vocabulary.index(word))[1]
    return np.exp([advance(found.automaton, state, w)[0] for w in range(len(model.vocabulary))])


def without(model, index):
    """The bigram model without one of its bigrams, normalised again."""
    keep = np.arange(len(model.tables[1].first_words)) != index
    bigrams = Table(*(array[keep] for array in model.tables[1]))
    return Model(model.vocabulary, normalised_backoffs([model.tables[0], bigrams]))


def test_growth_is_the_divergence_over_all_words(written, babbled):
    """exp(P(h) Σ_w P(w|h) log(P(w|h) / P'(w|h))) - 1, with both models asked for every word."""
    model = build([written(babbled(40, num_words=6))], 2).model
    unigrams, bigrams = model.tables
    found = growths(bigrams, unigrams, log_marginals(model.tables)[0])
    for index in range(len(found)):
        context = model.vocabulary[bigrams.contexts[index]]
        before, after = distribution(model, [context]), distribution(without(model, index), [context])
        said = np.delete(np.arange(len(before)), 1)
        divergence = np.sum(before[said] * np.log(before[said] / after[said]))
        weight = np.exp(unigrams.log_probs[2 if context == "<s>" else bigrams.contexts[index]])
        assert found[index] == pytest.approx(np.expm1(weight * divergence), rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("threshold", [1e-6, 1e-5, 1e-4, 1e-2])
def test_probabilities_sum_to_one_after_pruning(trigrams, babbled, threshold):
    model = prune(trigrams, threshold)
    assert sum(len(table.first_words) for table in model.tables) < sum(
        len(table.first_words) for table in trigrams.tables
    )
    for context in [[], ["<s>"], *(line.split()[-2:] for line in babbled(30, seed=5))]:
        assert np.delete(distribution(model, context), 1).sum() == pytest.approx(1, abs=1e-6)


def test_a_higher_threshold_leaves_less_and_foretells_worse(trigrams, babbled, written):
    path = written(babbled(300, seed=1))
    sizes, found = [], []
    for threshold in (0.0, 1e-5, 1e-4, 1e-3, 1.0):
        model = prune(trigrams, threshold)
        sizes.append([len(table.first_words) for table in model.tables])
        found.append(perplexity(LanguageModel.from_model(model), [path]).with_unknown)
    assert sizes[0] == [len(table.first_words) for table in trigrams.tables]
    assert sizes[-1] == [sizes[0][0], 0, 0]
    totals = [sum(size) for size in sizes]
    assert totals == sorted(totals, reverse=True)
    assert len(set(totals)) == 5
    assert found == sorted(found)
    assert found[1] < 1.05 * found[0]


def test_what_an_n_gram_needs_stays(trigrams):
    model = prune(trigrams, 1e-4)
    bigrams, longest = model.tables[1:]
    assert 0 < len(longest.first_words) < len(trigrams.tables[2].first_words)
    assert longest.contexts.min() >= 0
    assert longest.contexts.max() < len(bigrams.first_words)
    # the context of `a b c` is `a b`, its suffix `b c`
    np.testing.assert_array_equal(bigrams.first_words[longest.contexts], longest.first_words)
    np.testing.assert_array_equal(bigrams.contexts[longest.suffixes], bigrams.suffixes[longest.contexts])
