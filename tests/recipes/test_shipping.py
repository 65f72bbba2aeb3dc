"""The step that ships a model: small, measured as it is, with what it does not know said in its card."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

import asr  # noqa: E402
from asr.model.bundle import load_bundle  # noqa: E402
from recipes.conditions import changes_of_sound  # noqa: E402
from recipes.recipe import open_recipe, shipped  # noqa: E402
from recipes.shipping import hours_of_training  # noqa: E402
from recipes.stamps import steps_of  # noqa: E402
from tests.recipes.test_steps import CONFIG, Made, rerun  # noqa: E402

SHIPPING = """
[language_model]
source = "transcripts"
order = 2
[decoding]
method = "words"
beam = 4
[shipping]
folder = "FOLDER"
lm_megabytes = 0.01
noise_db = [10.0]
utterances = 2
not_for = ["Anything but noise."]
[shipping.licenses]
table = "ours"
transcripts = "ours too"
[shipping.sets.more]
source = "table"
root = "."
test = ["dev.csv"]
about = "said by nobody"
[shipping.sets.gone]
source = "kaldi"
root = "gone"
"""


class Shipped(Made):
    """A recipe that was run once, to the model that it ships."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.place = folder / "package" / "model"
        text = CONFIG.replace("ROOT", str(self.root)).replace("epochs = 2", "epochs = 1")
        (self.recipe / "config.toml").write_text(text + SHIPPING.replace("FOLDER", str(self.place)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    made = Shipped(tmp_path_factory.mktemp("shipping"))
    assert made.run() == 0
    return made


def test_the_folder_is_compact_and_is_what_was_measured(made: Shipped) -> None:
    bundle = load_bundle(made.place)
    assert bundle.is_quantised and bundle.lm is not None and bundle.lm.stat().st_size < 10_000
    assert bundle.config.shipping.folder == "" and not bundle.config.shipping.sets
    names = {path.name for path in made.place.iterdir()}
    measured = made.exp / "shipping" / "model"
    for name in names - {"card.md", "bundle.json"}:
        assert (made.place / name).read_bytes() == (measured / name).read_bytes(), name
    rows = [json.loads(line) for line in (made.exp / "shipping/decode/test.jsonl").read_text().splitlines()]
    assert rows[0]["text"] == asr.load(made.place).transcribe(made.root / "test-0.wav").text


def test_the_card_tells_all_that_was_measured_and_what_was_not(made: Shipped) -> None:
    card = load_bundle(made.place).card
    rate = r"WER \d+\.\d\d % \[\d+\.\d\d, \d+\.\d\d\], {} utterances"
    for line in (
        rf"- tiny dev: {rate.format(2)}",
        rf"- tiny: {rate.format(4)}",
        rf"- test, noise at 10 dB: {rate.format(2)}",
        rf"- dev, telephone line: {rate.format(2)}",
        rf"- more, said by nobody: {rate.format(2)}",
        r"- gone \(kaldi\): not there, so not measured",
        r"- table, 8 utterances: ours",
        r"- transcripts: ours too",
        r"- test: \d+\.\d\d % before, [+-]\d.* by 8-bit weights \(p .*\), [+-]\d.* as shipped \(p .*\)",
        r"- test: (ann|test-bob) \d+\.\d, (ann|test-bob) \d+\.\d",
        r"\d+\.\d hours of audio were learnt from, .* × real time\.",
        r"- Anything but noise\.",
        r"    python recipes/run\.py tiny",
    ):
        assert re.search(f"^{line}$", card, re.MULTILINE), line
    assert str(made.root) not in card and str(made.place) not in card
    figures = json.loads((made.exp / "shipping" / "figures.json").read_text())
    assert f"- more, said by nobody: WER {figures['further']['more']['wer']:.2f} %" in card
    assert set(figures["changed"]) == {
        f"{name}, {what}" for name in ("dev", "test") for what in ("noise at 10 dB", "telephone line")
    }


def test_it_is_shipped_again_only_where_something_changed(
    made: Shipped, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rerun(made, capsys) == []
    shutil.rmtree(made.place)
    assert rerun(made, capsys) == ["15_ship"]
    assert made.run("--set", "shipping.megabytes=0.001") == 1
    assert "0.0 MB are allowed" in capsys.readouterr().err


def test_only_recipes_that_ask_for_it_ship() -> None:
    for name in shipped():
        recipe = open_recipe(name)
        numbers = [step.number for step in steps_of(recipe)]
        assert (15 in numbers) == (name == "pretrained"), name
    assert open_recipe("pretrained").shipping == REPOSITORY / "asr" / "pretrained" / "model"


def test_noise_has_its_ratio_and_is_the_same_again(made: Shipped) -> None:
    samples = np.random.default_rng(1).standard_normal(16000).astype(np.float32)
    changes = changes_of_sound(open_recipe(str(made.recipe), ["shipping.noise_db=[20.0, 5.0]"]))
    assert list(changes) == ["noise at 20 dB", "noise at 5 dB", "telephone line"]
    for name, snr in (("noise at 20 dB", 20), ("noise at 5 dB", 5)):
        noisy = changes[name]("a", samples)
        ratio = np.square(samples).mean() / np.square(noisy - samples).mean()
        assert 10 * np.log10(ratio) == pytest.approx(snr, abs=0.1)
        np.testing.assert_array_equal(changes[name]("a", samples), noisy)
        assert not np.array_equal(changes[name]("b", samples), noisy)
    narrow = np.abs(np.fft.rfft(changes["telephone line"]("a", samples)))
    assert narrow[5000:].max() < 0.05 * narrow[500:3000].mean()


def test_hours_count_what_was_learnt_from_and_the_clock() -> None:
    lines = [{"audio": 1800.0, "seconds": 36.0}, {"audio": 5400.0, "seconds": 72.0}, {"wer": 3.0}]
    assert hours_of_training(lines) == (2.0, 0.02)
