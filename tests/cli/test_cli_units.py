"""Commands with models that write phones or pieces of words."""

import json
from dataclasses import replace

import pytest

from asr.config import LETTER_TO_SOUND, LEXICON, PIECES
from asr.model.bundle import save_bundle
from asr.units.letter_to_sound import LetterToSound
from asr.units.lexicon import ARPABET, parse_lexicon
from asr.units.pieces import train_pieces

WORDS = b"A  AH\nAN  AE N\nB  B IY\nBAN  B AE N\n"
LEFT_OUT = {"CH", "DH", "D", "EH", "F", "G", "HH", "JH", "OY", "SH", "TH", "ZH"}
"""Phones too many for the 29 classes of the random weights."""

LENIENT = ["--max-misfit", "1000"]


@pytest.fixture
def models(tmp_path, random_bundle):
    """Two model folders with random weights of 29 classes."""
    learnt = LetterToSound.learn(parse_lexicon(WORDS, "x")).to_bytes()
    phones = ["<blank>", "|", *(phone for phone in ARPABET if phone not in LEFT_OUT)]
    pieces, model = train_pieces(["A BAD CAB", "THE FIG JUMPS QUICKLY OVER"] * 3, 29)
    files = {"phones": {LEXICON: WORDS, LETTER_TO_SOUND: learnt}, "bpe": {PIECES: model}}
    for kind, tokens in (("phones", phones), ("bpe", pieces)):
        made = random_bundle(units={"kind": kind, "pieces": 29})
        assert len(tokens) == len(made.tokens)
        save_bundle(tmp_path / kind, replace(made, tokens=tokens, unit_files=files[kind]), "# Random\n")
    return tmp_path


def test_a_model_of_phones_transcribes_to_phones(run, models, sounds):
    result = run("transcribe", "sounds/b.wav", "--model", models / "phones", "--format", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert set(found["text"].split()) <= set(ARPABET)
    assert [word["text"] for word in found["words"]] == found["text"].split() != []


def test_a_model_of_pieces_transcribes_to_words(run, models, sounds):
    result = run("transcribe", "sounds/b.wav", "--model", models / "bpe")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() and "▁" not in result.stdout


@pytest.mark.parametrize(
    ("kind", "text", "units"),
    [("phones", "a ban", [["AH"], ["B", "AE", "N"]]), ("phones", "nab", None), ("bpe", "a bad cab", None)],
)
def test_words_are_aligned_by_the_units_that_write_them(run, models, sounds, kind, text, units):
    result = run("align", "sounds/b.wav", "-", "--model", models / kind, *LENIENT, input=text)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert [word["text"] for word in found["words"]] == text.upper().split()
    names = [[unit["text"] for unit in word["units"]] for word in found["words"]]
    if units:
        assert names == units
    if kind == "bpe":
        assert ["".join(pieces) for pieces in names] == text.upper().split()
    starts = [unit["start"] for word in found["words"] for unit in word["units"]]
    assert starts == sorted(set(starts))


@pytest.mark.parametrize(("kind", "shown"), [("phones", "29 with the blank, phones: | AA AE"), ("bpe", "▁")])
def test_info_names_the_units(run, models, kind, shown):
    result = run("info", models / kind)
    assert result.exit_code == 0 and shown in result.stdout
