"""A recipe that starts from the model of another: from a folder of audio to the errors before and after."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from asr.model.bundle import load_bundle  # noqa: E402
from recipes import run  # noqa: E402
from recipes.recipe import open_recipe  # noqa: E402
from recipes.stamps import steps_of  # noqa: E402

CONFIG = """
[corpus]
source = "folder"
root = "ROOT"
[batching]
seconds = 40.0
workers = 0
[training]
epochs = 1
threads = 1
device = "cpu"
start_from = "START"
learning_rate = 1e-2
frozen = ["front_end"]
layer_decay = 0.5
[scoring]
control = "CONTROL"
"""

TEXTS = ("THE QUICK FOX", "THE QUICK FOX JUMPS")

LINE = (
    r": WER \d+\.\d\d % before, \d+\.\d\d % after, (.+ errors|the same), "
    r"difference \[.+\], p .+, {} utterances"
)


def speak(path: Path, babble, number: int, seconds: float = 1.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, babble(seconds, seed=number), 16000)


class Made:
    """A recipe that trains a model further, with a folder of ten utterances and a subset of three."""

    def __init__(self, folder: Path, start: Path, babble, texts=TEXTS, control_text="GO THERE") -> None:
        self.recipe, self.exp, self.root = folder / "mine", folder / "exp", folder / "speech"
        control = folder / "dev-clean"
        for number in range(10):
            path = self.root / "ann" / f"{number}.wav"
            speak(path, babble, number)
            path.with_suffix(".txt").write_text(f"{texts[number % 2]}\n")
        for number in range(3):
            speak(control / "7" / "8" / f"7-8-{number:04}.flac", babble, 20 + number)
        (control / "7" / "8" / "7-8.trans.txt").write_text(
            "".join(f"7-8-{number:04} {control_text}\n" for number in range(3))
        )
        self.recipe.mkdir()
        text = CONFIG.replace("ROOT", str(self.root)).replace("START", str(start))
        (self.recipe / "config.toml").write_text(text.replace("CONTROL", str(control)))

    def run(self, *options: str) -> int:
        return run.main([str(self.recipe), "--exp", str(self.exp), *options])


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_model, babble) -> Made:
    made = Made(tmp_path_factory.mktemp("finetune"), tiny_model, babble)
    assert made.run() == 0
    return made


def test_what_is_left_out_is_that_of_the_model(made: Made, tiny_model: Path) -> None:
    start, config = load_bundle(tiny_model), open_recipe(str(made.recipe)).config
    assert (config.model, config.features, config.units) == (
        start.config.model,
        start.config.features,
        start.config.units,
    )
    ours = load_bundle(made.exp / "model")
    assert ours.tokens == start.tokens
    np.testing.assert_array_equal(ours.cmvn_mean, start.cmvn_mean)
    np.testing.assert_array_equal(ours.cmvn_std, start.cmvn_std)
    for name, weight in ours.weights.items():
        assert weight.equal(start.weights[name]) == name.startswith("front_end."), name


def test_errors_before_and_after_are_compared(made: Made, tiny_model: Path, capsys) -> None:
    import asr

    assert made.run("--stage", "14") == 0
    lines = capsys.readouterr().out.splitlines()
    for line, (name, count) in zip(lines[1:], {" dev": 1, "": 1, " control": 3}.items(), strict=True):
        assert re.fullmatch(f"mine{name}" + LINE.format(count), line), line
    found = json.loads((made.exp / "compare" / "compare.json").read_text())
    assert set(found) == {"dev", "test", "control"}
    assert found["test"]["second"] == json.loads((made.exp / "score" / "test.json").read_text())["wer"]
    rows = (made.exp / "compare" / "before" / "control.jsonl").read_text().splitlines()
    before = asr.load(tiny_model)
    root = made.root.parent / "dev-clean" / "7" / "8"
    assert [json.loads(row)["text"] for row in rows] == [
        before.transcribe(root / f"7-8-{number:04}.flac").text for number in range(3)
    ]


def test_nothing_runs_twice_and_another_start_model_runs_all_that_depends_on_it(
    made: Made, tmp_path: Path, random_bundle, capsys
) -> None:
    from asr.model.bundle import save_bundle

    capsys.readouterr()
    assert made.run() == 0
    assert all("done already" in line for line in capsys.readouterr().out.splitlines() if line[:2].isdigit())
    other = random_bundle()
    weights = {name: weight + 0.01 for name, weight in other.weights.items()}
    save_bundle(tmp_path / "other", type(other)(**(vars(other) | {"weights": weights})), "# Other\n")
    assert made.run("--list", "--set", f"training.start_from={tmp_path / 'other'}") == 0
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    stale = {name for name, state in listed.items() if state.startswith("stale")}
    assert {"06_train", "07_average", "08_decode", "14_compare"} <= stale
    assert not {"01_download", "02_prepare"} & stale


def test_the_model_says_what_it_was_trained_from_and_not_where(made: Made, tiny_model: Path) -> None:
    model = made.exp / "model"
    card = (model / "card.md").read_text()
    assert "Trained further from the model Tiny (sha256 of its bundle.json: " in card
    settings = ["training.start_from=here", "scoring.control=there"]
    recipe = open_recipe(str(made.recipe), settings)
    assert recipe.start == Path.cwd() / "here"
    portable = recipe.portable_config()
    assert (portable.training.start_from, portable.scoring.control) == ("DIR", "DIR")
    assert "training.start_from=DIR scoring.control=DIR" in recipe.portable_command()


def test_a_new_vocabulary_adds_characters_or_replaces_the_units(made: Made, tmp_path: Path, capsys) -> None:
    assert made.run("--stop-stage", "4", "--set", "units.kind=bpe", "units.pieces=20") == 0
    tokens = (made.exp / "tokens.txt").read_text().split()
    assert len(tokens) == 20
    options = ("--stage", "6", "--set", "units.kind=bpe", "units.pieces=20")
    assert made.run(*options) == 0
    printed = capsys.readouterr()
    assert "the output layer is new: 20 classes, of another kind of units" in printed.err
    assert re.search("^mine" + LINE.format(1), printed.out, re.M)  # both write words


def test_what_does_not_fit_is_said_before_any_work(made: Made, capsys) -> None:
    assert made.run("--set", "model.hidden_size=9") == 2
    assert "with model.hidden_size = 8, and the configuration says 9" in capsys.readouterr().err
    assert made.run("--set", "training.start_from=nowhere") == 2
    errors = capsys.readouterr().err
    assert "nowhere: no model is there; name the folder of one with --set training.start_from=DIR" in errors


def test_only_what_starts_from_a_model_is_compared(made: Made) -> None:
    numbers = [step.number for step in steps_of(open_recipe(str(made.recipe), ["training.start_from="]))]
    assert 14 not in numbers and 10 in numbers
