"""The packed form: the same automaton again, how small, and what is noticed when it is read."""

import numpy as np
import pytest

from asr.errors import AsrError
from asr.lm.automaton import LanguageModel, automaton_of
from asr.lm.build import build
from asr.lm.listing import model_of, open_tables
from asr.lm.packed import own_arcs, packed, packed_bytes, unpacked
from asr.lm.pruning import prune, prune_to
from asr.lm.tables import Model


@pytest.fixture(scope="module", params=[1, 2, 4])
def model(request, babbled, tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"{line}\n" for line in babbled(300)))
    return build([str(path)], request.param).model


def assert_same(found, expected):
    for array, other in zip(found, expected, strict=True):
        assert array.dtype == other.dtype
        np.testing.assert_array_equal(array, other)


def test_what_was_left_out_is_found_again(model, tmp_path):
    lm = LanguageModel.from_model(model)
    lm.save(tmp_path / "words.lm", is_packed=True)
    found = LanguageModel.load(tmp_path / "words.lm")
    assert (found.vocabulary, found.order) == (lm.vocabulary, lm.order)
    assert_same(found.automaton, lm.automaton)


def test_it_takes_a_third_of_the_room(trigrams, tmp_path):
    lm = LanguageModel.from_model(trigrams)
    sizes = []
    for name, is_packed in (("plain", False), ("packed", True)):
        lm.save(tmp_path / name, 8, is_packed=is_packed)
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes[1] < 0.45 * sizes[0]
    plain, small = (LanguageModel.load(tmp_path / name) for name in ("plain", "packed"))
    assert_same(small.automaton, plain.automaton)


def test_pruned_and_backed_off_models_come_back(trigrams):
    for threshold in (1e-5, 1e-3, 1.0):
        automaton = automaton_of(prune(trigrams, threshold))
        again = unpacked(packed(automaton), len(trigrams.vocabulary), "x")
        assert_same([again[name] for name in automaton._fields], automaton)
        lm = LanguageModel(trigrams.vocabulary, automaton, 3)
        assert_same(automaton_of(model_of(lm)), automaton)


def test_a_large_vocabulary_needs_more_than_16_bits_a_word(trigrams):
    many = [*trigrams.vocabulary, *(f"X{n}" for n in range(70_000))]
    unigrams = trigrams.tables[0]
    more = 70_000
    tables = [
        unigrams._replace(
            first_words=np.arange(len(many), dtype=np.int32),
            suffixes=np.zeros(len(many), np.int32),
            contexts=np.zeros(len(many), np.int32),
            log_probs=np.concatenate([unigrams.log_probs, np.full(more, -20.0)]),
            backoffs=np.concatenate([unigrams.backoffs, np.zeros(more)]),
        ),
        # the last word of the vocabulary follows the first words
        trigrams.tables[1]._replace(
            suffixes=(trigrams.tables[1].suffixes + more).astype(np.int32),
        ),
    ]
    automaton = automaton_of(Model(many, tables))
    assert automaton.words[len(many) :].max() > 1 << 16
    again = unpacked(packed(automaton), len(many), "x")
    assert_same([again[name] for name in automaton._fields], automaton)


def test_tables_come_back_from_the_automaton(model):
    found = model_of(LanguageModel.from_model(model))
    assert found.vocabulary == model.vocabulary and found.order == model.order
    for table, expected in zip(found.tables, model.tables, strict=True):
        for name in ("first_words", "suffixes", "contexts"):
            np.testing.assert_array_equal(getattr(table, name), getattr(expected, name))
        np.testing.assert_allclose(table.log_probs, expected.log_probs, rtol=1e-6)
        np.testing.assert_allclose(table.backoffs, expected.backoffs, rtol=1e-5, atol=1e-6)


def test_a_compact_file_is_opened_as_tables(trigrams, tmp_path):
    LanguageModel.from_model(trigrams).save(tmp_path / "words.lm", is_packed=True)
    assert [len(table.first_words) for table in open_tables(tmp_path / "words.lm").tables] == [
        len(table.first_words) for table in trigrams.tables
    ]


def test_states_in_another_order_are_not_packed(trigrams):
    automaton = automaton_of(trigrams)
    assert own_arcs(automaton).sum() == len(automaton.backoff_states) - 1
    targets = automaton.targets.copy()
    first, second = np.flatnonzero(own_arcs(automaton))[:2]
    targets[[first, second]] = targets[[second, first]]
    with pytest.raises(ValueError, match="in the order of their arcs"):
        packed(automaton._replace(targets=targets))


# --- a size in bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_a_model_is_pruned_to_a_size(trigrams, tmp_path, share):
    LanguageModel.from_model(trigrams).save(tmp_path / "whole", 8, is_packed=True)
    most = int(share * (tmp_path / "whole").stat().st_size)
    small, threshold = prune_to(trigrams, most)
    LanguageModel.from_model(small).save(tmp_path / "small", 8, is_packed=True)
    size = (tmp_path / "small").stat().st_size
    assert most - 4000 < size <= most  # the header is counted as its largest
    assert threshold > 0
    again = prune(trigrams, threshold)
    assert [len(table.first_words) for table in again.tables] == [
        len(table.first_words) for table in small.tables
    ]


def test_a_model_that_fits_stays_as_it_is(trigrams):
    small, threshold = prune_to(trigrams, 10**7)
    assert small is trigrams and threshold == 0


def test_words_that_do_not_fit_are_one_sentence(trigrams):
    with pytest.raises(AsrError, match=r"of 33 words takes \d+ bytes without one n-gram, and 100 "):
        prune_to(trigrams, 100)


@pytest.mark.parametrize("bits", [8, 16])
def test_the_size_is_foretold(model, tmp_path, bits):
    lm = LanguageModel.from_model(model)
    lm.save(tmp_path / "words.lm", bits, is_packed=True)
    own = own_arcs(lm.automaton)
    last = np.flatnonzero(own)[-1] + 1 if own.any() else 0
    counts = len(lm.automaton.words), len(lm.automaton.backoff_states)
    told = packed_bytes(lm.vocabulary, *counts, int(last), bits)
    assert 0 <= told - (tmp_path / "words.lm").stat().st_size < 2048


# --- damage ------------------------------------------------------------------------------------------------


def test_every_bit_that_flipped_is_noticed_without_being_asked_to_look(trigrams, tmp_path):
    path = tmp_path / "words.lm"
    LanguageModel.from_model(trigrams).save(path, 8, is_packed=True)
    content, automaton = bytearray(path.read_bytes()), LanguageModel.load(path).automaton
    noticed = 0
    for at in range(0, len(content), len(content) // 60):
        content[at] ^= 4
        path.write_bytes(content)
        content[at] ^= 4
        try:
            assert_same(LanguageModel.load(path).automaton, automaton)  # it was between two arrays
        except AsrError as error:
            assert str(path) in str(error)
            noticed += 1
    assert noticed > 50


@pytest.mark.parametrize("name", ["counts", "own", "words", "log_probs"])
def test_arrays_of_different_models_do_not_fit(trigrams, name):
    arrays = packed(automaton_of(trigrams))
    changed = arrays | {name: arrays[name][:-1] if name != "own" else ~arrays[name]}
    with pytest.raises(AsrError, match=r"^x: its arrays do not fit each other"):
        unpacked(changed, len(trigrams.vocabulary), "x")
    words = arrays["words"].copy()
    words[-1] = 1  # <s>, which nothing is followed by
    with pytest.raises(AsrError, match=r"^x: an n-gram without its suffix"):
        unpacked(arrays | {"words": words}, len(trigrams.vocabulary), "x")
