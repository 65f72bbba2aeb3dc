"""The runner and its stamps, on three small steps that only write text."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from recipes import run  # noqa: E402

CONFIG = """
[corpus]
source = "folder"
root = "speech"
[training]
epochs = 3
[scoring]
seed = 1
"""

STEP_1 = """
PARTS = ("corpus",)
def inputs(recipe):
    return [recipe.folder / "words.txt"]
def outputs(recipe):
    return [recipe.exp / "words.txt"]
def run(recipe):
    words = (recipe.folder / "words.txt").read_text()
    (recipe.exp / "words.txt").write_text(words.lower())
    return ["wrote words.txt"]
"""

STEP_2 = """
from asr.errors import AsrError
PARTS = ("training",)
def inputs(recipe):
    return [recipe.exp / "words.txt"]
CONTINUES = {"training": {"epochs"}}
def outputs(recipe):
    return [recipe.exp / "trained.txt"]
def begin(recipe):
    (recipe.exp / "half.txt").unlink(missing_ok=True)
def run(recipe):
    words = (recipe.exp / "words.txt").read_text()
    if "bad" in words:
        raise AsrError("words.txt: no bad words expected, found one; take it out")
    resuming = (recipe.exp / "half.txt").exists()
    if "stop" in words and not resuming:
        (recipe.exp / "half.txt").touch()
        raise KeyboardInterrupt
    epochs = recipe.config.training.epochs
    (recipe.exp / "trained.txt").write_text(words * epochs)
    return [f"trained {epochs} epochs, resuming {resuming}"]
"""

STEP_4 = """
PARTS = ("scoring",)
def inputs(recipe):
    return [recipe.exp / "trained.txt"]
def outputs(recipe):
    return [recipe.exp / "report"]
def run(recipe):
    (recipe.exp / "report").mkdir(exist_ok=True)
    (recipe.exp / "report" / "score.txt").write_text(str(len((recipe.exp / "trained.txt").read_text())))
    return ["report/score.txt", f"{recipe.name}: WER 1.00 %"]
"""


class Bench:
    """A recipe, its steps and a way to run them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.recipe = folder / "small"
        self.steps = folder / "steps"
        self.exp = folder / "exp"
        self.capsys = capsys
        self.recipe.mkdir()
        self.steps.mkdir()
        (self.recipe / "config.toml").write_text(CONFIG)
        self.write("One Two\n")
        (self.steps / "01_write.py").write_text(STEP_1)
        (self.steps / "02_train.py").write_text(STEP_2)
        (self.steps / "04_score.py").write_text(STEP_4)

    def write(self, words: str) -> None:
        (self.recipe / "words.txt").write_text(words)

    def run(self, *options: str) -> tuple[int, list[str], str]:
        arguments = [str(self.recipe), "--exp", str(self.exp), *options]
        status = run.main(arguments, steps_folder=self.steps)
        printed = self.capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    def ran(self, *options: str) -> list[str]:
        """Names of the steps that did something in a run without problems."""
        status, lines, errors = self.run(*options)
        assert status == 0, errors
        return [line.split(":")[0] for line in lines if line.endswith(" s)")]


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(tmp_path, capsys)


ALL = ["01_write", "02_train", "04_score"]


def test_steps_run_in_order_then_are_done(bench: Bench) -> None:
    status, lines, _ = bench.run()
    assert status == 0
    assert lines[0].startswith("01_write: wrote words.txt (")
    assert lines[1].startswith("02_train: trained 3 epochs, resuming False (")
    assert lines[2].startswith("04_score: report/score.txt (")
    assert lines[3] == "small: WER 1.00 %"
    assert (bench.exp / "trained.txt").read_text() == "one two\n" * 3

    status, lines, _ = bench.run()
    assert status == 0
    assert lines == [
        "01_write: done already (wrote words.txt)",
        "02_train: done already (trained 3 epochs, resuming False)",
        "04_score: done already (report/score.txt; small: WER 1.00 %)",
    ]


def test_a_change_of_configuration_runs_its_steps_and_what_depends_on_them(bench: Bench) -> None:
    assert bench.ran() == ALL
    assert bench.ran("--set", "scoring.seed=2") == ["04_score"]
    assert bench.ran("--set", "scoring.seed=2", "training.epochs=4") == ["02_train", "04_score"]
    assert bench.ran("--set", "training.epochs=4", "--set", "scoring.seed=2") == []


def test_the_reason_is_told(bench: Bench) -> None:
    bench.run()
    _, lines, _ = bench.run("--set", "training.epochs=4")
    assert lines[1] == "02_train: runs again, training.epochs was 3 and is 4"
    assert lines[3] == "04_score: runs again, its input trained.txt changed"


def test_settings_that_leave_the_result_alone_run_nothing(bench: Bench) -> None:
    bench.run()
    assert bench.ran("--set", "training.threads=1", "training.device=cpu") == []


def test_a_changed_input_runs_what_reads_it(bench: Bench) -> None:
    bench.run()
    bench.write("Three\n")
    assert bench.ran() == ALL


def test_the_same_result_from_another_input_stops_there(bench: Bench) -> None:
    bench.run()
    bench.write("ONE TWO\n")
    assert bench.ran() == ["01_write"]


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_an_output_that_is_missing_or_changed_is_made_again(bench: Bench, damage: str) -> None:
    bench.run()
    path = bench.exp / "trained.txt"
    before = path.read_text()
    path.unlink() if damage == "missing" else path.write_text(before.replace("one", "One"))
    assert bench.ran() == ["02_train"]
    assert path.read_text() == before


def test_a_file_missing_in_an_output_folder_is_noticed(bench: Bench) -> None:
    bench.run()
    (bench.exp / "report" / "score.txt").unlink()
    assert bench.ran() == ["04_score"]


def test_a_touched_output_is_not_made_again(bench: Bench) -> None:
    bench.run()
    os.utime(bench.exp / "trained.txt", (1, 1))
    assert bench.ran() == []


def test_stage_forces_and_stop_stage_ends(bench: Bench) -> None:
    assert bench.ran("--stop-stage", "2") == ["01_write", "02_train"]
    assert bench.ran("--stage", "2", "--stop-stage", "2") == ["02_train"]
    assert bench.ran("--stage", "2") == ["02_train", "04_score"]


def test_a_stage_whose_inputs_are_not_made_says_what_to_run(bench: Bench) -> None:
    status, _, errors = bench.run("--stage", "4")
    assert status == 1
    assert "04_score: 01_write has to run first (to do); run python recipes/run.py" in errors


def test_a_stage_refuses_to_work_on_stale_inputs(bench: Bench) -> None:
    bench.run()
    status, _, errors = bench.run("--stage", "4", "--set", "training.epochs=9")
    assert status == 1
    assert "02_train has to run first (training.epochs was 3 and is 9)" in errors
    assert "epochs = 3" in (bench.exp / "config.toml").read_text()  # which is still the one of the results


@pytest.mark.parametrize("options", [["--stage", "7"], ["--stop-stage", "0"], ["--stop-stage", "-1"]])
def test_a_stage_that_does_not_exist_is_a_wrong_call(bench: Bench, options: list[str]) -> None:
    status, _, errors = bench.run(*options)
    assert status == 2
    assert "the steps are 1, 2, 4" in errors


def test_list_shows_the_state_and_runs_nothing(bench: Bench) -> None:
    _, lines, _ = bench.run("--list")
    assert [line.split(maxsplit=1) for line in lines] == [[name, "to do"] for name in ALL]
    assert not bench.exp.exists()

    bench.run("--stop-stage", "2")
    _, lines, _ = bench.run("--list")
    states = dict(line.split(maxsplit=1) for line in lines)
    assert states["01_write"].startswith("done: wrote words.txt")
    assert states["04_score"] == "to do"

    bench.run()
    _, lines, _ = bench.run("--list", "--set", "training.epochs=5")
    states = dict(line.split(maxsplit=1) for line in lines)
    assert states["02_train"] == "stale: training.epochs was 3 and is 5"
    assert states["04_score"] == "stale: 02_train comes first"


def test_a_problem_of_the_user_is_one_sentence(bench: Bench) -> None:
    bench.write("bad\n")
    status, lines, errors = bench.run()
    assert status == 1
    assert errors == "error: words.txt: no bad words expected, found one; take it out\n"
    assert [line.split(":")[0] for line in lines] == ["01_write"]
    bench.write("good\n")
    assert bench.ran() == ALL


def test_an_interrupted_step_says_how_to_go_on_and_resumes(bench: Bench) -> None:
    bench.write("stop\n")
    status, _, errors = bench.run("--set", "training.epochs=2")
    assert status == 130
    assert f"to go on: python recipes/run.py {bench.recipe} --exp {bench.exp}" in errors
    assert "--set training.epochs=2" in errors

    status, lines, _ = bench.run("--set", "training.epochs=2")
    assert status == 0
    assert lines[1] == "02_train: runs again, cut off before its end"
    assert lines[2].startswith("02_train: trained 2 epochs, resuming True (")


def test_an_interruption_before_the_first_step_is_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(recipe: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "require_start", interrupt)
    assert bench.run() == (130, [], "interrupted\n")


def test_a_step_goes_on_only_with_what_is_its_own_beginning(bench: Bench) -> None:
    bench.write("stop\n")
    assert bench.run()[0] == 130
    assert bench.run("--set", "training.seed=2")[0] == 130  # another configuration begins afresh
    status, lines, _ = bench.run("--set", "training.seed=2", "training.epochs=9")  # but for these settings
    assert status == 0
    assert lines[2].startswith("02_train: trained 9 epochs, resuming True (")
    settings = ("--set", "training.seed=2", "training.epochs=9")
    assert bench.run(*settings)[1][1] == "02_train: done already (trained 9 epochs, resuming True)"
    assert bench.run(*settings, "--stage", "2")[0] == 130  # forced once it is done: afresh
    (bench.recipe / "words.txt").write_text("stop it\n")
    assert bench.run(*settings)[0] == 130  # other inputs


def test_a_damaged_stamp_counts_as_none(bench: Bench) -> None:
    bench.run()
    stamp = bench.exp / ".stamps" / "02.json"
    stamp.write_text(stamp.read_text()[:40])
    assert bench.ran() == ["02_train"]
    assert json.loads(stamp.read_text())["key"]["parts"]["training"]["epochs"] == 3


def test_a_stamp_from_before_an_option_counts_its_default(bench: Bench) -> None:
    bench.run()
    path = bench.exp / ".stamps" / "02.json"
    stamp = json.loads(path.read_text())
    settings = stamp["key"]["parts"]["training"]
    del settings["ema"]
    path.write_text(json.dumps(stamp))
    assert bench.ran() == []
    settings["gone"] = 1  # of an older version
    path.write_text(json.dumps(stamp))
    assert bench.ran() == ["02_train"]
    assert "ema" in json.loads(path.read_text())["key"]["parts"]["training"]
    stamp["key"]["parts"]["training"] = {"epochs": 2}
    path.write_text(json.dumps(stamp))
    assert bench.run()[1][1].startswith("02_train: runs again, training.epochs was 2 and is 3")


def test_the_effective_configuration_is_kept(bench: Bench) -> None:
    bench.run("--set", "training.epochs=7")
    assert "epochs = 7" in (bench.exp / "config.toml").read_text()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("training.epoch=3", "epoch"),
        ("training.epochs=many", "training.epochs"),
        ("training", "expected part.key=value"),
    ],
)
def test_a_wrong_setting_fails_before_any_work(bench: Bench, setting: str, expected: str) -> None:
    status, lines, errors = bench.run("--set", setting)
    assert (status, lines) == (2, [])
    assert expected in errors
    assert not bench.exp.exists()


def test_an_unknown_recipe_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["quickstrat"]) == 2
    errors = capsys.readouterr().err
    assert "quickstrat: no recipe of this name" in errors and "quickstart" in errors


def test_a_relative_corpus_root_counts_from_where_it_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recipes.recipe import open_recipe

    assert open_recipe(str(bench.recipe)).corpus_root == REPOSITORY / "speech"
    monkeypatch.chdir(bench.recipe)
    recipe = open_recipe(str(bench.recipe), ["corpus.root=here"])
    assert recipe.corpus_root == bench.recipe.resolve() / "here"


def test_an_unwritable_experiment_folder_is_one_sentence(bench: Bench) -> None:
    bench.exp.write_text("a file is in the way")
    status, lines, errors = bench.run()
    assert (status, lines) == (1, [])
    assert errors.startswith(f"error: {bench.exp}")
    assert errors.count("\n") == 1


def test_sigterm_ends_a_run_with_the_command_that_goes_on(
    bench: Bench, spawn: Callable[..., "subprocess.Popen[str]"]
) -> None:
    (bench.steps / "02_train.py").write_text(
        STEP_2.replace("raise KeyboardInterrupt", "print('waiting', flush=True); time.sleep(60)")
    )
    (bench.steps / "02_train.py").write_text("import time\n" + (bench.steps / "02_train.py").read_text())
    bench.write("stop\n")
    program = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from pathlib import Path; "
        "from recipes import run; "
        f"sys.exit(run.main({[str(bench.recipe), '--exp', str(bench.exp)]!r}, Path({str(bench.steps)!r})))"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = spawn([sys.executable, "-c", program], text=True, **pipes)
    while "waiting" not in (line := process.stdout.readline()):
        assert line, process.stderr.read()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "to go on: python recipes/run.py" in errors
