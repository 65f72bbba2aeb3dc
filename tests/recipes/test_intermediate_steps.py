"""The real steps with an intermediate output that learns phones."""

from pathlib import Path

import pytest

from tests.recipes.test_steps import Made, rerun


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("intermediate"))
    with (made.recipe / "config.toml").open("a") as file:
        file.write('[intermediate]\nlayer = 1\nunits = "phones"\n')
    assert made.run() == 0
    return made


def test_the_units_step_writes_both(made: Made) -> None:
    assert "DH" not in (made.exp / "tokens.txt").read_text().split()
    assert "DH" in (made.exp / "intermediate" / "tokens.txt").read_text().split()
    assert {path.name for path in (made.exp / "intermediate").iterdir()} == {
        *("tokens.txt", "lexicon.txt", "letter_to_sound.safetensors")
    }


def test_the_model_writes_characters_alone(made: Made) -> None:
    import asr

    names = {path.name for path in (made.exp / "model").iterdir()}
    assert "lexicon.txt" not in names
    assert asr.load(made.exp / "model").transcribe(made.root / "test-0.wav").text is not None


def test_training_begins_anew_without_it(
    made: Made, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ran = rerun(made, capsys, "--set", "intermediate.layer=0")
    assert ran[:2] == ["04_units", "06_train"]
