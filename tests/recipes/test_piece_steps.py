"""The real steps with a model that writes pieces of words."""

import json
import re
from pathlib import Path

import pytest

from asr.units.pieces import WORD_START
from tests.recipes.test_steps import Made, rerun


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("pieces"))
    with (made.recipe / "config.toml").open("a") as file:
        file.write('[units]\nkind = "bpe"\npieces = 16\n')
    assert made.run() == 0
    return made


def test_the_units_are_pieces(made: Made) -> None:
    tokens = (made.exp / "tokens.txt").read_text().split()
    assert len(tokens) == 16 and f"{WORD_START}THE" in tokens


def test_the_word_error_rate_is_told(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.run("--stage", "9") == 0
    assert re.search(r"^tiny: WER \d+\.\d\d % \[.*\], 4 utterances$", capsys.readouterr().out, re.MULTILINE)
    card = (made.exp / "model" / "card.md").read_text()
    assert "Units: pieces of words, 16 with the blank" in card


def test_the_exported_model_writes_words(made: Made, tmp_path: Path) -> None:
    import asr

    recogniser = asr.load(made.exp / "model")
    heard = recogniser.transcribe(made.root / "test-0.wav")
    row = json.loads((made.exp / "decode" / "test.jsonl").read_text().splitlines()[0])
    assert heard.text == row["text"] and WORD_START not in heard.text
    assert recogniser.units.decode(recogniser.units.encode("THE CAT SAT")) == "THE CAT SAT"


def test_pieces_are_read_as_words_with_a_language_model(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    import asr

    settings = ("language_model.source=transcripts", "language_model.order=2", "decoding.method=words")
    ran = rerun(made, capsys, "--set", *settings, "tuning.lm_weights=[0.5, 1.0]")
    assert ran == ["05_language_model", "08_decode", "09_score", "10_export"]
    heard = asr.load(made.exp / "model").transcribe(made.root / "test-0.wav")
    row = json.loads((made.exp / "decode" / "test.jsonl").read_text().splitlines()[0])
    assert heard.text == row["text"] == " ".join(word.text for word in heard.words)
    assert set(heard.text.split()) <= {"THE", "CAT", "SAT", "ON", "A"}
    assert "wer" in json.loads((made.exp / "score" / "test.json").read_text())
