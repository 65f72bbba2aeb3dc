"""Our look-ups against KenLM's on our ARPA files; flashlight-text brings its reader."""

import math

import numpy as np
import pytest

from asr.lm.arpa import write_arpa
from asr.lm.automaton import LanguageModel
from asr.lm.build import build

decoder = pytest.importorskip("flashlight.lib.text.decoder.kenlm")
dictionary = pytest.importorskip("flashlight.lib.text.dictionary")


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
@pytest.mark.parametrize("options", [{}, {"limit": 20}, {"cutoffs": [0, 0, 1]}])
def test_kenlm_reads_the_same_probabilities(tmp_path, written, babbled, options, name):
    path = tmp_path / name
    write_arpa(path, build([written(babbled(500))], 3, **options).model)
    model = LanguageModel.from_arpa(path)
    words = dictionary.Dictionary()
    for word in (*model.vocabulary, "NEVER-SEEN"):
        words.add_entry(word)
    kenlm = decoder.KenLM(str(path), words)
    for sentence in [*babbled(300, seed=2), "NEVER-SEEN W1 W2", "W0 W0 W0 W0 W0"]:
        state, expected = kenlm.start(False), 0.0
        for word in sentence.split():
            known = word if words.contains(word) else "NEVER-SEEN"
            state, score = kenlm.score(state, words.get_index(known))
            expected += score
        expected += kenlm.finish(state)[1]
        assert model.score(sentence.split()) / math.log(10) == pytest.approx(expected, abs=1e-4)
    assert np.isfinite(expected)
