"""A small model as one array against the automaton that decoders ask."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.lm.dense import dense_probs
from asr.lm.tables import BOS, EOS

SENTENCES = st.lists(
    st.lists(st.sampled_from("ABC"), min_size=2, max_size=6).map(" ".join), min_size=1, max_size=10
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences=SENTENCES, order=st.integers(1, 4), asked=st.lists(st.sampled_from("ABCX"), max_size=6))
def test_every_context_gives_what_the_automaton_gives(written, sentences, order, asked):
    built = build([written(sentences)], order, cutoffs=[0, 1][: order - 1])
    model, probs = LanguageModel.from_model(built.model), dense_probs(built.model)
    assert probs.shape == (len(model.vocabulary),) * order
    ids = [BOS] * (order - 1) + [model.ids.get(word, 0) for word in asked] + [EOS]
    grams = np.lib.stride_tricks.sliding_window_view(ids, order)
    total = np.log(probs[tuple(grams.T)]).sum()
    assert total == pytest.approx(model.score(asked), rel=1e-5, abs=1e-5)
    if EOS not in grams[-1, :-1]:
        assert probs[tuple(grams[-1, :-1])].sum() == pytest.approx(1, abs=1e-9)
