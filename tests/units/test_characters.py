"""Characters as units: text to classes and back."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.units.characters import CharacterUnits

ENGLISH = CharacterUnits.build([string.ascii_uppercase + "' "])
WORDS = st.lists(st.text(string.ascii_uppercase + "'", min_size=1, max_size=8), max_size=6)


def test_english_has_29_classes_in_a_fixed_order() -> None:
    assert ENGLISH.tokens == ["<blank>", "|", "'", *string.ascii_uppercase]


def test_build_is_independent_of_the_order_of_texts() -> None:
    texts = ["THE CAT", "A DOG'S", "ÉTÉ"]
    assert CharacterUnits.build(texts).tokens == CharacterUnits.build(reversed(texts)).tokens
    assert CharacterUnits.build(iter(["BA"])).tokens == ["<blank>", "|", "A", "B"]


def test_encode_by_hand() -> None:
    assert ENGLISH.encode("A BE") == [3, 1, 4, 7]
    assert ENGLISH.encode("") == []


@given(words=WORDS)
@settings(max_examples=100, deadline=None)
def test_decode_inverts_encode(words: list[str]) -> None:
    text = " ".join(words)
    ids = ENGLISH.encode(text)
    assert ENGLISH.decode(ids) == text
    assert 0 not in ids
    assert len(ids) == len(text)


def test_decode_passes_over_blanks_and_surplus_spaces() -> None:
    assert ENGLISH.decode([1, 0, 3, 1, 1, 4, 0, 1]) == "A B"
    assert ENGLISH.decode([1, 1, 0]) == ""


@pytest.mark.parametrize("unit", [-1, 29])
def test_decode_refuses_other_classes(unit: int) -> None:
    with pytest.raises(AsrError, match=f"class {unit} is not among the 29 units"):
        ENGLISH.decode([3, unit])


@pytest.mark.parametrize(
    ("text", "name"),
    [("CAFÉ", "'É' (U+00C9)"), ("a", "'a' (U+0061)"), ("A|B", "'|' (U+007C)"), ("A\tB", "U+0009")],
)
def test_encode_names_the_character_outside(text: str, name: str) -> None:
    with pytest.raises(AsrError) as caught:
        ENGLISH.encode(text)
    assert name in str(caught.value)


def test_from_tokens_takes_the_tokens_of_a_model() -> None:
    units = CharacterUnits.from_tokens(ENGLISH.tokens)
    assert units.encode("IT'S") == ENGLISH.encode("IT'S")


@pytest.mark.parametrize(
    ("tokens", "problem"),
    [
        (["|", "A"], "<blank> expected"),
        (["<blank>", "|", "A", "A"], "every token is expected once"),
        (["<blank>", "|", "TH"], "single characters expected as tokens, found 'TH'"),
        (["<blank>", " "], "single characters expected as tokens, found ' '"),
        ([], "found none"),
    ],
)
def test_tokens_that_are_no_characters(tokens: list[str], problem: str) -> None:
    with pytest.raises(AsrError, match=problem):
        CharacterUnits.from_tokens(tokens)


@pytest.mark.parametrize("texts", [[], [""], ["   "], ["A|B"], ["A\tB"], ["A\u2028B"]])
def test_build_refuses_what_cannot_be_units(texts: list[str]) -> None:
    with pytest.raises(AsrError, match="character units"):
        CharacterUnits.build(texts)


def test_a_model_without_spaces_refuses_a_space() -> None:
    units = CharacterUnits.from_tokens(["<blank>", "A"])
    with pytest.raises(AsrError, match=r"' ' \(U\+0020\)"):
        units.encode("A A")
