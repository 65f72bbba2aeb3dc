"""Changes of a tiny recipe: each is run once, told with its errors, and tested against the base."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recipes import ablate
from tests.recipes.test_steps import REPOSITORY, Made

PLAN = """
set = ["training.epochs=1"]
[[change]]
name = "wide"
what = "twice the width"
set = ["model.hidden_size=16"]
[[change]]
name = "wrong"
what = "a setting that fails"
set = ["batching.max_seconds=0.2"]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("ablations"))
    (made.recipe / "ablations.toml").write_text(PLAN)
    return made


def run(made: Made, *options: str) -> int:
    return ablate.main([str(made.recipe), "--exp", str(made.exp), *options])


def test_every_change_is_run_and_told(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made, "--processes", "2") == 1
    table, progress = capsys.readouterr()
    assert "wrong: error:" in progress and "Not there yet: wrong." in table
    base, wide = (re.search(rf"^\| .*`{name}`\) \|(.*)\|$", table, re.MULTILINE) for name in ("base", "wide"))
    assert base and wide
    cells = [cell.strip() for cell in wide[1].split("|")]
    assert re.fullmatch(r"CER \d+\.\d\d %", cells[0]) and re.fullmatch(r"[+-]\d+\.\d\d", cells[3])
    assert [cell.strip() for cell in base[1].split("|")][3:6] == ["", "", ""]
    assert "- `wide`: `model.hidden_size=16`" in table
    assert (made.exp / "ablations.md").read_text() == table.removesuffix("\n")


def test_the_first_steps_are_taken_over_from_the_base(made: Made) -> None:
    said = (made.exp / "wide" / "run.log").read_text()
    assert "02_prepare: done already" in said and "06_train: epoch 1" in said


def test_nothing_is_run_twice(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    weights = {path: path.stat().st_mtime_ns for path in made.exp.glob("*/train/*.safetensors")}
    assert run(made, "--only", "wide") == 0
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    assert "wrong" not in capsys.readouterr().out


def test_a_stop_stops_the_runs_and_says_how_to_go_on(made: Made, tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "recipes" / "ablate.py"), str(made.recipe)]
    command += ["--exp", str(tmp_path), "--only", "wide", "--set", "training.epochs=100000"]
    plan = (made.recipe / "ablations.toml").read_text()
    (made.recipe / "ablations.toml").write_text(plan.replace('"training.epochs=1"', ""))
    try:
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 120
            while (
                not (tmp_path / "wide" / "train" / "metrics.jsonl").exists() and time.monotonic() < deadline
            ):
                time.sleep(0.1)
            process.terminate()
            _, said = process.communicate(timeout=60)
    finally:
        (made.recipe / "ablations.toml").write_text(plan)
    assert process.returncode == 130 and "interrupted; the same command goes on from here" in said
    assert "stopped and saved" in (tmp_path / "wide" / "run.log").read_text()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "the changes cannot be read"),
        ("change = 3", "`set`, and .* expected"),
        (PLAN.replace('"wrong"', '"wide"'), "a name of its own"),
        (PLAN, "--only narrow: no such change; ablations.toml has wide, wrong"),
    ],
)
def test_wrong_plans(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, expected: str
) -> None:
    (tmp_path / "config.toml").write_bytes((made.recipe / "config.toml").read_bytes())
    if content is not None:
        (tmp_path / "ablations.toml").write_text(content)
    assert ablate.main([str(tmp_path), "--exp", str(tmp_path / "exp"), "--only", "narrow"]) == 2
    assert re.search(expected, capsys.readouterr().err)
    assert not (tmp_path / "exp").exists()
