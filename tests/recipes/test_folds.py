"""The steps with `tuning.folds`: each speaker of dev is decoded with what was found on the other."""

import functools
import json
import tomllib
from typing import Any

import msgspec
import pytest

from asr.config import TuningConfig
from asr.tuning.heard import Heard
from asr.tuning.trials import Tuned, tune
from tests.recipes.test_steps import CONFIG, Made, rerun

WORDS = """
[language_model]
source = "transcripts"
order = 2
[decoding]
method = "words"
beam = 8
also = ["greedy"]
[tuning]
lm_weights = [0.2, 0.6]
folds = 2
"""
SCORES = {("dev-0",): -20.0, ("dev-1",): 20.0, ("dev-0", "dev-1"): 1.0}
"""What is found for `word_score`, by what it is looked for on; bob says dev-0, and amy dev-1."""


def found(heard: Heard, options: TuningConfig, **others: Any) -> Tuned:
    scores = (SCORES[tuple(heard.utt_ids)],)
    return tune(heard, options=msgspec.structs.replace(options, word_scores=scores), **others)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("folds"))
    text = CONFIG.replace("ROOT", str(made.root)).replace("epochs = 2", "epochs = 1")
    (made.recipe / "config.toml").write_text(text + WORDS)
    table = made.root / "dev.csv"
    table.write_text(table.read_text().replace("dev-1,dev-bob", "dev-1,amy").replace("dev-bob", "bob"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recipes.tuning.tune", found)
        assert made.run() == 0
    return made


@functools.cache
def read(made: Made, name: str) -> dict[str, str]:
    rows = (made.exp / "decode" / f"{name}.jsonl").read_text().splitlines()
    return {row["utt_id"]: row["text"] for row in map(json.loads, rows)}


def test_each_speaker_is_read_with_what_was_found_on_the_other(made: Made) -> None:
    from asr.transcribe import Recogniser
    from asr.transcribe.options import chosen_device
    from recipes.recipe import open_recipe
    from recipes.tuning import bundle_to_decode, tuned_decoding

    recipe = open_recipe(str(made.recipe), exp=made.exp)
    decoding = tuned_decoding(recipe)
    assert decoding.word_score == 1.0
    expected: dict[float, dict[str, str]] = {}
    for score in SCORES.values():
        settings = msgspec.structs.replace(decoding, word_score=score)
        recogniser = Recogniser(bundle_to_decode(recipe), chosen_device("cpu"), settings)
        expected[score] = {
            name: recogniser.transcribe(made.root / f"{name}.wav").text
            for name in ("dev-0", "dev-1", "test-0", "test-1", "test-2")
        }
    assert len({expected[score]["dev-0"] for score in (-20.0, 20.0)}) == 2
    assert len({expected[score]["dev-1"] for score in (-20.0, 20.0)}) == 2
    assert read(made, "dev") == {"dev-0": expected[20.0]["dev-0"], "dev-1": expected[-20.0]["dev-1"]}
    assert {name: read(made, "test")[name] for name in ("test-0", "test-1", "test-2")} == {
        name: text for name, text in expected[1.0].items() if name.startswith("test")
    }


def test_what_was_found_is_written_for_each_fold(made: Made) -> None:
    folds = json.loads((made.exp / "tuned" / "folds.json").read_text())
    assert [(fold["speakers"], fold["tuned"]["chosen"]["word_score"]) for fold in folds] == [
        (["amy"], -20.0),
        (["bob"], 20.0),
    ]
    told = (made.exp / "tuned" / "folds.txt").read_text()
    assert "Chosen without amy, and used for them:" in told and told.count("expected calibration error") == 2


def test_the_model_gets_what_was_found_on_all_and_its_card_says_so(made: Made) -> None:
    exported = tomllib.loads((made.exp / "model" / "config.toml").read_text())["decoding"]
    assert exported["word_score"] == 1.0
    card = (made.exp / "model" / "card.md").read_text()
    assert (
        "tuned on all of dev. In the results, dev: each speaker read with settings that were chosen" in card
    )
    assert "word_score -20" in card and "word_score 20" in card


def test_scores_say_how_dev_was_read(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.run("--stage", "9", "--stop-stage", "9") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-1].startswith("  dev: each speaker read with settings that were chosen on others (2 parts")


def test_without_folds_dev_is_read_as_all_else(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    ran = rerun(made, capsys, "--set", "tuning.folds=0")
    assert ran[0] == "08_decode" and "06_train" not in ran
    assert not (made.exp / "tuned" / "folds.json").exists()
    card = (made.exp / "model" / "card.md").read_text()
    assert "better than they would be elsewhere" in card and "each speaker read" not in card
