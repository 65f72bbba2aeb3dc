"""The steps with a language model, on the minute of noise of `test_steps`: tuned, decoded, exported."""

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asr.tuning.second_look import Looks, tune_second_look
from tests.recipes.test_steps import CONFIG, Made, rerun

WORDS = """
[language_model]
source = "transcripts"
order = 2
[decoding]
method = "words"
beam = 8
gru_nbest = 5
also = ["greedy"]
[rescoring]
source = "transcripts"
epochs = 2
embedding_size = 16
hidden_size = 8
shares = [0.5]
factors = [1.0, 2.0]
word_scores = [0.0]
[tuning]
lm_weights = [0.2, 0.6]
word_scores = [0.0, 4.0]
blank_scores = [0.0, -2.0]
beams = [2, 8]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("words"))
    text = CONFIG.replace("ROOT", str(made.root)).replace("epochs = 2", "epochs = 1")
    (made.recipe / "config.toml").write_text(text + WORDS)
    with pytest.MonkeyPatch.context() as patch:  # on noise, nothing need read better than the search alone
        patch.setattr("asr.tuning.trials.tune_second_look", last_look)
        assert made.run() == 0
    return made


def last_look(*arguments: Any) -> Looks:
    looks = tune_second_look(*arguments)
    return msgspec.structs.replace(looks, chosen=looks.trials[-1])


def test_the_model_is_that_of_the_training_transcripts(made: Made) -> None:
    from asr.lm.automaton import LanguageModel

    lm = LanguageModel.open(made.exp / "language_model" / "words.lm", verify=True)
    assert lm.order == 2
    assert set(lm.vocabulary[3:]) == {"THE", "CAT", "SAT", "ON", "A"}
    lexicon = (made.exp / "language_model" / "words.txt").read_text().splitlines()
    assert "CAT\tC A T" in lexicon and len(lexicon) == 5


def test_only_words_are_heard_and_confidences_are_scored(made: Made) -> None:
    rows = [json.loads(line) for line in (made.exp / "decode" / "test.jsonl").read_text().splitlines()]
    assert {word for row in rows for word in row["text"].split()} <= {"THE", "CAT", "SAT", "ON", "A"}
    figures = json.loads((made.exp / "score" / "test.json").read_text())
    heard = sum(len(row["words"]) for row in rows)
    if heard:
        assert figures["calibration"]["words"] == heard
        report = (made.exp / "score" / "test.txt").read_text()
        assert f"Confidences of {heard} words: expected calibration error" in report


def test_the_settings_that_were_found_go_into_the_model(made: Made) -> None:
    import asr

    tuned = json.loads((made.exp / "tuned" / "tuned.json").read_text())
    assert len(tuned["trials"]) == 4 + 1 + 1
    exported = tomllib.loads((made.exp / "model" / "config.toml").read_text())["decoding"]
    for name in ("lm_weight", "word_score", "blank_score", "beam"):
        assert exported[name] == tuned["chosen"][name]
    assert exported["confidence"] == tuned["confidence"]
    assert (made.exp / "tuned" / "tuned.png").read_bytes().startswith(b"\x89PNG")
    card = (made.exp / "model" / "card.md").read_text()
    assert "words, language model: 2-gram of transcripts; beam" in card and "tuned on dev" in card
    heard = asr.load(made.exp / "model").transcribe(made.root / "test-0.wav")
    row = json.loads((made.exp / "decode" / "test.jsonl").read_text().splitlines()[0])
    assert heard.text == row["text"]


def test_rescoring_goes_into_the_model_and_is_compared_with_the_search_alone(made: Made) -> None:
    looks = json.loads((made.exp / "tuned" / "tuned.json").read_text())["second_look"]
    assert [(one["share"], one["factor"]) for one in looks["trials"]] == [(0.0, 1.0), (0.5, 1.0), (0.5, 2.0)]
    assert looks["best"] <= min(one["wer"] for one in looks["trials"])
    exported = tomllib.loads((made.exp / "model" / "config.toml").read_text())["decoding"]
    assert (exported["gru_share"], exported["gru_factor"]) == (0.5, 2.0)
    weights = [made.exp / place / "gru" / "model.safetensors" for place in ("language_model", "model")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    score = made.exp / "score"
    for way in ("search", "greedy"):
        wer = json.loads((score / f"test.{way}.json").read_text())["wer"]
        assert f"- tiny test.{way}: WER {wer:.2f} %" in (made.exp / "model" / "card.md").read_text()
        assert f"First: test.{way}. Second: test." in (score / f"test.{way}.compared.txt").read_text()


def test_the_gru_is_trained_anew_only_where_its_own_settings_changed(made: Made, tmp_path: Path) -> None:
    from recipes.language import train_gru_model
    from recipes.recipe import open_recipe

    exp = Path(shutil.copytree(made.exp, tmp_path / "exp"))
    weights = exp / "language_model" / "gru" / "model.safetensors"
    first = weights.read_bytes()
    train_gru_model(open_recipe(str(made.recipe), ["language_model.order=1"], exp), weights.parent)
    assert weights.read_bytes() == first
    train_gru_model(open_recipe(str(made.recipe), ["rescoring.seed=2"], exp), weights.parent)
    assert weights.read_bytes() != first


def test_other_values_are_tried_without_hearing_dev_again(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = made.exp / "tuned" / "log_probs.safetensors"
    before = stored.stat().st_mtime_ns
    ran = rerun(made, capsys, "--set", "tuning.lm_weights=[0.4]")
    assert ran[0] == "08_decode" and "06_train" not in ran
    assert stored.stat().st_mtime_ns == before
    assert rerun(made, capsys, "--set", "tuning.lm_weights=[0.4]") == []


def test_other_warps_hear_dev_again_and_go_into_the_model(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = made.exp / "tuned" / "log_probs.safetensors"
    before = stored.read_bytes()
    ran = rerun(made, capsys, "--set", "decoding.warps=[-0.1, 0.1]")
    assert ran[0] == "08_decode" and stored.read_bytes() != before
    exported = tomllib.loads((made.exp / "model" / "config.toml").read_text())["decoding"]
    assert exported["warps"] == [-0.1, 0.1]
    assert "the mean of the warps -0.1 0.1" in (made.exp / "model" / "card.md").read_text()


def test_another_order_makes_the_model_anew_but_trains_nothing(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = rerun(made, capsys, "--set", "language_model.order=1")
    assert ran[:2] == ["05_language_model", "08_decode"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            ["language_model.source=text", "language_model.files=['absent.txt']"],
            r"absent\.txt: cannot be read",
        ),
        (["language_model.source=text", "language_model.files=['small.txt']"], "not one of its 2 words"),
        (
            ["language_model.source=file", "language_model.files=['config.toml']"],
            "a language model was expected",
        ),
        (["language_model.order=9"], "the longest sentence has n-grams of order"),
    ],
)
def test_a_model_that_cannot_be_made_is_a_sentence(
    made: Made, capsys: pytest.CaptureFixture[str], settings: list[str], sentence: str
) -> None:
    (made.recipe / "small.txt").write_text("the mat\n")
    assert made.run("--stop-stage", "5", "--set", *settings) == 1
    errors = capsys.readouterr().err
    assert re.search(sentence, errors) and errors.splitlines()[-1].startswith("error: ")


def test_a_text_beside_the_configuration_is_not_named_by_its_place(made: Made, tmp_path: Path) -> None:
    from recipes.recipe import open_recipe

    (tmp_path / "mine.txt").write_text("THE CAT\n")
    settings = ["language_model.source=text", f"language_model.files=['{tmp_path / 'mine.txt'}']"]
    recipe = open_recipe(str(made.recipe), settings, made.exp)
    assert recipe.portable_config().language_model.files == ("mine.txt",)
    assert str(tmp_path) not in recipe.portable_command()
