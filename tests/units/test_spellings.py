"""Lexicons on disk: what comes back, and every line that cannot be meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.units.characters import CharacterUnits
from asr.units.spellings import (
    format_spellings,
    parse_spellings,
    read_spellings,
    spell_words,
)

TOKENS = ["<blank>", "|", "'", "A", "B", "C"]
UNITS = CharacterUnits(TOKENS)


class Phones:
    """Units that pronounce one word, in two ways."""

    def __init__(self):
        self.tokens = ["<blank>", "|", "AA", "B", "K"]

    def spell(self, word):
        if word != "COB":
            raise AsrError(f"{word}: nobody knows")
        return [(4, 2, 3), (4, 3), (4, 3)]


spellings = st.lists(
    st.tuples(
        st.text("ABC'xyz…é", min_size=1, max_size=4),
        st.lists(st.integers(2, 5), min_size=1, max_size=5).map(tuple),
    ),
    min_size=1,
    unique=True,
)


@given(spellings)
def test_what_is_written_is_read(lexicon):
    assert parse_spellings(format_spellings(lexicon, TOKENS).encode(), UNITS, "lexicon") == lexicon


def test_words_are_spelled_by_their_characters_and_strange_ones_named():
    spelled, strange = spell_words(["CAB", "ÉB", "A'B", "", "A|B", "cab"], UNITS)
    assert spelled == [("CAB", (5, 3, 4)), ("A'B", (3, 2, 4))]
    assert strange == ["ÉB", "", "A|B", "cab"]


def test_a_list_of_words_is_a_lexicon_of_characters():
    assert parse_spellings(b"\xef\xbb\xbfCAB\r\n\nB\tB B\n", UNITS, "x") == [
        ("CAB", (5, 3, 4)),
        ("B", (4, 4)),
    ]


def test_units_have_names_of_any_length_and_words_several_spellings():
    read = parse_spellings(b"COB\tK AA B\nCOB\tK B\n", Phones(), "x")
    assert read == [("COB", (4, 2, 3)), ("COB", (4, 3))]
    assert parse_spellings(b"COB\n", Phones(), "x") == read == spell_words(["COB", "CAB"], Phones())[0]
    with pytest.raises(AsrError, match="x:2: 'CAB' cannot be spelled in the units of the model, AA B K"):
        parse_spellings(b"COB\nCAB\n", Phones(), "x")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"A\tA\nAX\tA X\n", r"lexicon:2: 'AX' has the unit 'X', which is not among the 4 units"),
        (b"A|\tA |\n", r"lexicon:1: 'A\|' has the unit '\|'"),
        (b"A\tA <blank>\n", "has the unit '<blank>'"),
        (b"AB C\n", r"lexicon:1: a word, a tab and its units expected, found 'AB C'"),
        (b"A\t\n", r"lexicon:1: a word, a tab and its units expected"),
        (b"\tA B\n", r"lexicon:1: a word, a tab and its units expected"),
        (b"A\tA\nB\tB\nA\tA\n", r"lexicon:3: every spelling is expected once, 'A' is on line 1"),
        (b"A\tA\n\xffB\tB\n", r"lexicon:2: a lexicon in UTF-8 expected, found the byte 0xff"),
        (b"\n \n", "found no word"),
    ],
)
def test_what_is_no_lexicon_is_a_sentence(content, sentence):
    with pytest.raises(AsrError, match=sentence):
        parse_spellings(content, UNITS, "lexicon")


@given(st.binary(max_size=40))
def test_any_bytes_are_spellings_or_a_sentence(content):
    try:
        for word, units in parse_spellings(content, UNITS, "lexicon"):
            assert word and units and min(units) > 1
    except AsrError as error:
        assert str(error).startswith("lexicon")


def test_no_file_is_a_sentence(tmp_path):
    with pytest.raises(AsrError, match="the lexicon cannot be read"):
        read_spellings(tmp_path / "absent.txt", UNITS)
