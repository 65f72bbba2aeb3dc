"""The look-ahead against its definition, and the tree it stands on."""

import numpy as np
import pytest

from asr.decoding.arcs_by_spelling import BLOCK
from asr.decoding.lexicon_tree import build_tree, spelling_of
from asr.decoding.look_ahead import Costs, build_look_ahead
from tests.decoding.word_models import arrays_of, draw_model

LM_WEIGHT = 0.7


def draw_tree(rng, num_spellings, num_labels, num_units):
    spellings = [tuple(rng.integers(2, num_units, rng.integers(1, 6)).tolist()) for _ in range(num_spellings)]
    labels = rng.integers(0, num_labels, num_spellings).astype(np.int32)
    units = np.array([unit for spelling in spellings for unit in spelling], np.int32)
    offsets = np.cumsum([0, *map(len, spellings)])
    return list(zip(labels.tolist(), spellings, strict=True)), build_tree(labels, units, offsets, 1)


@pytest.mark.parametrize(("seed", "num_units"), [(0, 4), (1, 9), (2, 300), (3, 70_000)])
def test_the_tree_holds_the_lexicon(seed: int, num_units: int) -> None:
    """Every word once at the end of each of its spellings, and nothing else; children side by side."""
    entries, tree = draw_tree(np.random.default_rng(seed), 200, 50, num_units)
    found = [
        (label, tuple(spelling_of(tree, node)))
        for node in range(len(tree.units))
        for label in tree.labels[tree.entries[node] : tree.entries[node + 1]].tolist()
    ]
    assert sorted(found) == sorted(set(entries))
    prefixes = {spelling[:n] for _, spelling in entries for n in range(len(spelling) + 1)}
    assert sorted(tuple(spelling_of(tree, node)) for node in range(len(tree.units))) == sorted(prefixes)
    for node in range(len(tree.units)):
        children = np.arange(tree.children[node], tree.children[node + 1])
        assert (tree.parents[children] == node).all()
        assert (np.diff(tree.units[children]) > 0).all()
    assert tree.spelled.tolist() == [label for label, _ in sorted(set(entries), key=lambda e: e[::-1])]


@pytest.mark.parametrize("seed", range(3))
def test_arcs_are_sorted_by_spelling(seed: int) -> None:
    """Of every state: each spelling of each of its words, with the word's score; and what is below a node."""
    rng = np.random.default_rng(seed)
    entries, tree = draw_tree(rng, 60, 12, 5)
    model = draw_model(rng, list("abcdefgh"), 3)
    ngrams = arrays_of(model)
    lm_ids = np.concatenate([np.arange(3, 11), [0, 0, 0, 0]]).astype(np.int32)  # four words are unknown
    bonuses = rng.normal(size=12)
    look = build_look_ahead(tree, ngrams, Costs(bonuses, lm_ids, LM_WEIGHT, -np.inf, 0.0))

    in_order = sorted(set(entries), key=lambda entry: entry[::-1])
    values = {label: LM_WEIGHT * ngrams.log_probs[lm_ids[label]] + bonuses[label] for label, _ in in_order}
    most = max(values.values())
    for node in range(len(tree.units)):
        begin = tuple(spelling_of(tree, node))
        below = [k for k, (_, spelling) in enumerate(in_order) if spelling[: len(begin)] == begin]
        assert tree.spans[node].tolist() == [below[0], below[-1] + 1]
        assert look.bases[node] == pytest.approx(max(values[in_order[k][0]] for k in below) - most)
    for state in range(1, len(ngrams.offsets) - 1):
        arcs = slice(ngrams.offsets[state], ngrams.offsets[state + 1])
        log_probs = dict(zip(ngrams.words[arcs].tolist(), ngrams.log_probs[arcs].tolist(), strict=True))
        expected = [
            (k, LM_WEIGHT * log_probs[lm_ids[label]] + bonuses[label] - most)
            for k, (label, _) in enumerate(in_order)
            if lm_ids[label] != 0 and lm_ids[label] in log_probs
        ]
        here = slice(look.arcs.offsets[state], look.arcs.offsets[state + 1])
        assert look.arcs.spellings[here].tolist() == [k for k, _ in expected]
        assert look.arcs.scores[here].tolist() == pytest.approx([score for _, score in expected], abs=1e-5)
    blocks = np.array_split(look.arcs.scores, range(BLOCK, len(look.arcs.scores), BLOCK))
    assert look.arcs.peaks.tolist() == [block.max() for block in blocks]


@pytest.mark.parametrize("may_spell", [False, True])
def test_the_best_of_all_words_after_every_state(may_spell: bool) -> None:
    """By the definition: the word that the state has an arc for, else the shorter state's, or one spelled."""
    rng = np.random.default_rng(7)
    _, tree = draw_tree(rng, 40, 10, 6)
    model = draw_model(rng, list("abcdefgh"), 3)
    automaton = arrays_of(model)
    lm_ids = np.concatenate([np.arange(3, 11), [0, 0]]).astype(np.int32)
    bonuses = rng.normal(size=10)
    costs = Costs(bonuses, lm_ids, LM_WEIGHT, -1.0 if may_spell else -np.inf, -0.5)
    look = build_look_ahead(tree, automaton, costs)
    contexts = sorted({(), *(g[:-1] for g in model.log_probs), *model.backoffs}, key=lambda c: (len(c), c))
    spelled = sorted(set(tree.labels.tolist()))  # a label may have no spelling here
    most = max(LM_WEIGHT * model.log_probs[(lm_ids[k],)] + bonuses[k] for k in spelled)

    def best_after(context):
        known = [k for k in spelled if lm_ids[k] != 0 and (*context, lm_ids[k]) in model.log_probs]
        scores = [LM_WEIGHT * model.log_probs[*context, lm_ids[k]] + bonuses[k] - most for k in known]
        shorter = LM_WEIGHT * model.backoffs.get(context, 0.0) + best_after(context[1:]) if context else 0.0
        return max([*scores, shorter]) if context else 0.0

    def unknown_after(context):
        return LM_WEIGHT * model.log_prob(context, 0) - 1.0 - most

    # a state is shorter than its context where that is none; these are all states
    for state, context in enumerate(contexts):
        if may_spell:
            assert look.spelled[state] == pytest.approx(unknown_after(context), abs=1e-5)
            least = max(best_after(context), unknown_after(context))
            assert look.roots[state] >= least - 1e-5
        else:
            assert look.roots[state] == pytest.approx(best_after(context), abs=1e-5)
    assert len(look.spelled) == (len(contexts) if may_spell else 0)
