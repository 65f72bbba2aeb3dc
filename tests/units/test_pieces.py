"""Pieces of words: the same from the same texts, back to the same text, and every wrong input by name."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.units.pieces import PieceUnits, train_pieces

TEXTS = ["THE CAT SAT ON THE MAT", "THE CATS SAT", "THAT HAT", "DON'T SIT ON THE CAT'S HAT"] * 3
TOKENS, MODEL = train_pieces(TEXTS, 30)
UNITS = PieceUnits(TOKENS, MODEL)


def test_there_are_as_many_classes_as_wanted_and_the_blank_is_the_first():
    assert len(TOKENS) == 30 and TOKENS[0] == "<blank>"
    assert "▁THE" in TOKENS  # the most frequent word
    assert set("".join(TOKENS[1:])) == set("".join(TEXTS)) - {" "} | {"▁"}


def test_the_same_texts_give_the_same_bytes():
    assert train_pieces(TEXTS, 30) == (TOKENS, MODEL)


words = st.text("THECASOMNDI'", min_size=1, max_size=12)


@given(st.lists(words).map(" ".join))
def test_a_text_is_cut_into_pieces_and_put_together_again(text):
    ids = UNITS.encode(text)
    assert 0 not in ids
    assert UNITS.decode(ids) == UNITS.reference(text) == text
    # where a word begins, a piece says so, and nowhere else
    assert sum(TOKENS[unit].startswith("▁") for unit in ids) == len(text.split())


@given(words)
def test_a_word_is_spelled_as_it_is_cut_in_any_text(word):
    (spelling,) = UNITS.spell(word)
    assert tuple(UNITS.encode(f"THE {word}")[1:]) == spelling
    assert UNITS.boundary is None


def test_blanks_are_passed_over_and_other_classes_are_refused():
    assert UNITS.decode([0, TOKENS.index("▁THE"), 0]) == "THE"
    with pytest.raises(AsrError, match="class 30 is not among the 30 units"):
        UNITS.decode([30])


@pytest.mark.parametrize(("text", "character"), [("THE ZOO", "Z"), ("THE▁CAT", "▁"), ("THE\tCAT", "\t")])
def test_a_character_without_a_piece_is_named(text, character):
    with pytest.raises(AsrError, match=rf"U\+{ord(character):04X}\), which is in none"):
        UNITS.encode(text)


@pytest.mark.parametrize(
    ("texts", "count", "sentence"),
    [
        ([], 30, "normalised transcripts expected, found none"),
        (["", " "], 30, "normalised transcripts expected, found none"),
        (["A▁B"], 30, r"found '▁' \(U\+2581\)"),
        (["A\nB"], 30, r"found '\\n' \(U\+000A\)"),
        (TEXTS, 10, "14 or more expected for 12 characters, found 10"),
        (TEXTS, 4000, r"units.pieces = 4000: sentencepiece cannot find so many .*<= \d+"),
        (["A"], 5, r"units.pieces = 5: sentencepiece cannot find so many in 1 transcripts"),
    ],
)
def test_what_pieces_cannot_be_made_of_is_one_sentence(texts, count, sentence):
    with pytest.raises(AsrError, match=sentence):
        train_pieces(texts, count)


@pytest.mark.parametrize("model", [b"", b"no model", MODEL[:40], MODEL[:-3]])
def test_a_damaged_model_is_one_sentence(model):
    with pytest.raises(AsrError, match="not a model of sentencepiece"):
        PieceUnits(TOKENS, model)


def test_tokens_of_another_model_are_refused():
    with pytest.raises(AsrError, match="belong to different models"):
        PieceUnits([*TOKENS[:-2], TOKENS[-1], TOKENS[-2]], MODEL)


def test_sentencepiece_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(AsrError, match=r"pip install 'asr\[bpe\]'"):
        train_pieces(TEXTS, 30)


def test_long_transcripts_are_not_left_out():
    tokens, _ = train_pieces(["THE CAT " * 2000, "Z"], 14)
    assert "▁THE" in tokens
