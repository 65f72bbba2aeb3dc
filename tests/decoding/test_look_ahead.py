"""The look-ahead against its definition, and the tree it stands on."""

import numpy as np
import pytest

from asr.decoding.lexicon_tree import build_tree, spelling_of
from asr.decoding.look_ahead import BLOCK, build_look_ahead
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
    look = build_look_ahead(tree, ngrams, lm_ids, bonuses, LM_WEIGHT)

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
        here = slice(look.offsets[state], look.offsets[state + 1])
        assert look.spellings[here].tolist() == [k for k, _ in expected]
        assert look.scores[here].tolist() == pytest.approx([score for _, score in expected], abs=1e-5)
    blocks = np.array_split(look.scores, range(BLOCK, len(look.scores), BLOCK))
    assert look.peaks.tolist() == [block.max() for block in blocks]
