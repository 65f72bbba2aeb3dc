"""The compact form: the same model, within the error that is promised, and damage that is noticed."""

import numpy as np
import pytest

from asr.errors import AsrError
from asr.lm.automaton import LanguageModel, sentence_log_probs
from asr.lm.binary import code_values, quantised


@pytest.fixture
def model(trigrams):
    return LanguageModel.from_model(trigrams)


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "words.lm")
    return tmp_path / "words.lm"


def test_what_is_saved_is_loaded(model, path):
    found = LanguageModel.load(path, verify=True)
    assert (found.vocabulary, found.order, found.start) == (model.vocabulary, model.order, model.start)
    for array, expected in zip(found.automaton, model.automaton, strict=True):
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
    ids = np.array([5, 6, 7, 2, 0, 3, 2], np.int32)
    assert sentence_log_probs(found.automaton, found.start, 2, ids).tolist() == pytest.approx(
        sentence_log_probs(model.automaton, model.start, 2, ids).tolist()
    )


@pytest.mark.parametrize(("bits", "error"), [(16, 0.0002), (8, 0.05)])
def test_rounded_probabilities_are_off_by_half_a_step(model, tmp_path, path, bits, error):
    model.save(tmp_path / "small.lm", bits)
    assert (tmp_path / "small.lm").stat().st_size < path.stat().st_size
    found = LanguageModel.load(tmp_path / "small.lm", verify=True)
    for name in ("log_probs", "backoff_log_probs"):
        array, expected = getattr(found.automaton, name), getattr(model.automaton, name)
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected, atol=error)
    assert found.automaton.log_probs[1] == model.automaton.log_probs[1]  # <s>, which is never said


def test_values_that_are_all_the_same():
    for values in ([-2.0, -2.0], [-228.0], []):
        codes, limits = quantised(np.array(values, np.float32), 8)
        assert code_values(limits, 8)[codes].tolist() == values


@pytest.mark.parametrize("length", [0, 5, 19, 200, -64, -1])
def test_a_file_that_is_cut(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        AsrError, match=r"words.lm: (a language model was expected|the file is cut or damaged)"
    ):
        LanguageModel.load(path)


def test_a_bit_that_flipped(model, path):
    content = bytearray(path.read_bytes())
    noticed = 0
    for at in range(0, len(content), len(content) // 100):
        content[at] ^= 4
        path.write_bytes(content)
        content[at] ^= 4
        try:
            found = LanguageModel.load(path, verify=True)
        except AsrError as error:
            assert str(path) in str(error)
            noticed += 1
        else:  # it was between two arrays
            for array, expected in zip(found.automaton, model.automaton, strict=True):
                np.testing.assert_array_equal(array, expected)
    assert noticed > 90


def test_another_version(path):
    content = bytearray(path.read_bytes())
    content[8] = 9
    path.write_bytes(content)
    with pytest.raises(AsrError, match="version 1 or 2 of the compact form was expected, found 9"):
        LanguageModel.load(path)


def test_files_that_are_something_else(tmp_path):
    (tmp_path / "x.lm").write_text("\\data\\\nngram 1=3\n" * 10)
    with pytest.raises(AsrError, match="a language model was expected"):
        LanguageModel.load(tmp_path / "x.lm")
    with pytest.raises(AsrError, match=r"none.lm: cannot be read: No such file"):
        LanguageModel.load(tmp_path / "none.lm")
