"""Phones as classes: text by a lexicon, the boundary between words, and back."""

import pytest

from asr.errors import AsrError
from asr.units.letter_to_sound import LetterToSound
from asr.units.lexicon import parse_lexicon
from asr.units.phones import PhoneUnits

TOKENS = ["<blank>", "|", "AE", "AH", "DH", "K", "T"]
LEXICON = parse_lexicon(b"THE  DH AH\nCAT  K AE T\nA  AH\nA(2)  EY\nTAKE  T EY K\n", "x")


@pytest.fixture(scope="module")
def units():
    return PhoneUnits(TOKENS, LEXICON)


def test_words_are_said_with_a_boundary_between(units):
    assert [TOKENS[i] for i in units.encode("THE CAT")] == ["DH", "AH", "|", "K", "AE", "T"]
    assert units.encode("") == []
    assert TOKENS[units.boundary] == "|"


def test_of_several_pronunciations_the_first_is_taken(units):
    assert units.encode("A") == [TOKENS.index("AH")]


def test_decoded_classes_are_phones_without_boundaries(units):
    assert units.decode([1, 4, 3, 1, 0, 5, 2, 6, 1]) == "DH AH K AE T"
    assert units.reference("THE CAT") == "DH AH K AE T"
    assert units.decode([]) == ""
    with pytest.raises(AsrError, match="class 7"):
        units.decode([7])


def test_a_word_is_spelled_in_every_way(units):
    assert units.spell("CAT") == [(5, 2, 6)]
    with pytest.raises(AsrError, match="A has the phone EY, which is not among the units"):
        units.spell("A")


def test_a_word_outside_the_lexicon_is_refused_or_pronounced(units):
    with pytest.raises(AsrError, match="TAK: not in the lexicon of 4 words"):
        units.encode("THE TAK")
    guessing = PhoneUnits([*TOKENS, "EY"], LEXICON, LetterToSound.learn(LEXICON))
    (guess,) = guessing.pronounce("TAK")
    assert guess[0] == "T" and guess[-1] == "K"
    assert guessing.reference("THE TAK") == f"DH AH {' '.join(guess)}"


@pytest.mark.parametrize(
    "tokens",
    [[], ["<blank>", "|"], ["|", "<blank>", "AH"], ["<blank>", "AH", "|"], ["<blank>", "|", "A H"]],
)
def test_tokens_of_another_form_are_refused(tokens):
    with pytest.raises(AsrError, match="phone units"):
        PhoneUnits(tokens, LEXICON)
