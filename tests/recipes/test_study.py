"""A study from noise to RESULTS.md: what is compared and kept, and that the figures are those of the runs."""

import itertools
import json
import math
import multiprocessing
import re
import statistics
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
import scipy.stats
import soundfile
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from asr.config import parse_config  # noqa: E402
from asr.errors import AsrError  # noqa: E402
from asr.model.acoustic import AcousticModel  # noqa: E402
from asr.training.trainer import Trainer  # noqa: E402
from recipes import run  # noqa: E402
from recipes.recipe import open_recipe  # noqa: E402
from recipes.study import plan, workers  # noqa: E402
from recipes.study.gradients import lag_below, reach_of_gradients  # noqa: E402
from recipes.study.intervals import difference, estimate  # noqa: E402
from recipes.study.lengths import arrange  # noqa: E402
from recipes.study.tables import verdict  # noqa: E402
from recipes.study.trial import Result, read_result, run_trial  # noqa: E402

CONFIG = """
[corpus]
source = "table"
root = "ROOT"
train = ["train.csv"]
dev = ["dev.csv"]
test = ["test.csv"]
[features]
num_bins = 10
cmvn = "utterance"
[batching]
seconds = 4.0
max_seconds = 3.0
workers = 0
[model]
channels = 2
hidden_size = 24
num_layers = 1
[training]
warmup_steps = 2
[study]
grid = "tiny"
processes = 1
gradient_utterances = 2
[study.grids.tiny]
seeds = 2
minutes = 0.002
cells = ["mingru"]
epochs = 2
gates = ["reset"]
rounds = 1
[study.grids.other]
seeds = 2
minutes = 0.002
epochs = 1
rates = [1e-3, 2e-3]
"""


class Study:
    """A study of noise, and a way to run it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.exp, root = folder / "tiny", folder / "exp", folder / "speech"
        self.folder.mkdir()
        root.mkdir()
        rng = np.random.default_rng(7)
        for part, count in (("train", 8), ("dev", 2), ("test", 3)):
            lines = ["audio,text,id,speaker"]
            for number in range(count):
                name = f"{part}-{number}"
                sound = 0.1 * rng.standard_normal(16000 + 1600 * number).astype(np.float32)
                soundfile.write(root / f"{name}.wav", sound, 16000)
                lines.append(f"{name}.wav,{'A BAD CAB'[: 3 + number]},{name},{part}-bob")
            (root / f"{part}.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "config.toml").write_text(CONFIG.replace("ROOT", str(root)))

    def run(self, *options: str) -> int:
        return run.main([str(self.folder), "--exp", str(self.exp), *options])

    def results(self) -> list[Result]:
        return msgspec.json.decode((self.exp / "trials.json").read_bytes(), type=list[Result])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("study"))
    assert study.run() == 0
    return study


def test_every_figure_is_that_of_the_runs(study: Study) -> None:
    text = (study.exp / "report" / "RESULTS.md").read_text()
    results = study.results()
    settings = {result.trial.setting for result in results}
    assert len(settings) == 5 and len(results) == 2 * 5  # 2 cells by time and by epochs, and no reset gate
    assert all(result.updates > 0 and result.seconds > 0 and not result.runaway for result in results)
    for setting in settings:
        own = sorted((r for r in results if r.trial.setting == setting), key=lambda r: r.trial.seed)
        assert [r.trial.seed for r in own] == [1, 2]
        cers = [r.cer for r in own]
        half = scipy.stats.t.ppf(0.975, 1) * statistics.stdev(cers) / math.sqrt(2)
        assert f"| {statistics.mean(cers):.1f} ± {half:.1f} |" in text
        assert f"| {setting.parameters / 1e3:.0f} k |" in text
    assert "10 runs" in text
    assert {path.name for path in (study.exp / "report").iterdir()} == {
        "RESULTS.md",
        "curves.png",
        "gradients.png",
        "gates.png",
    }
    for picture in re.findall(r"!\[.*\]\((.*)\)", text):
        assert (study.exp / "report" / picture).read_bytes().startswith(b"\x89PNG")


def test_runs_of_equal_epochs_did_the_same_updates(study: Study) -> None:
    ended = [r for r in study.results() if r.trial.setting.epochs]
    assert {r.trial.setting.cell for r in ended} == {"gru", "mingru"}
    assert len({r.updates for r in ended}) == 1


def test_what_has_ended_is_not_done_again(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {path: path.stat().st_mtime_ns for path in (study.exp / "trials").iterdir()}
    assert len(kept) == 10 and all(path.suffix == ".json" for path in kept)
    one = next(path for path in kept if "gru-1x24-2epochs" in path.name)
    before = json.loads(one.read_text())
    one.unlink()
    assert study.run("--set", "study.grid=other") == 0
    assert study.run() == 0
    lines = capsys.readouterr().out
    assert "11_trials: runs again, study.grid was 'other' and is 'tiny'" in lines
    for path, written in kept.items():
        assert path == one or path.stat().st_mtime_ns == written
    again = json.loads(one.read_text())
    assert again["cer"] == before["cer"] and again["updates"] == before["updates"]


def test_a_learning_rate_is_chosen_with_a_seed_that_no_table_counts(study: Study) -> None:
    assert study.run("--set", "study.grid=other") == 0
    results = study.results()
    searched = [r for r in results if r.trial.seed == 0]
    best = min(searched, key=lambda r: (r.dev_cer, r.trial.rate))
    assert sorted(r.trial.rate for r in searched) == [1e-3, 2e-3]
    assert {r.trial.rate for r in results if r.trial.seed} == {best.trial.rate}
    assert "chosen among 0.001, 0.002" in (study.exp / "report" / "RESULTS.md").read_text()
    assert study.run() == 0


def test_a_run_that_was_stopped_goes_on_to_the_same_result(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = next(r.trial for r in study.results() if r.trial.setting.epochs)
    recipe = open_recipe(str(study.folder), exp=study.exp)
    whole = read_result(study.exp, trial)
    (study.exp / "trials" / f"{trial.name}.json").unlink()
    update = Trainer._update

    def stopping(trainer: Trainer, *arguments):
        trainer.stop.wanted = trainer.state.at.step == 2
        return update(trainer, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_update", stopping)
        with pytest.raises(AsrError, match="stopped and saved after 3 updates"):
            run_trial(recipe, trial, "here")
    assert read_result(study.exp, trial) is None
    went_on = run_trial(recipe, trial, "here")
    for field in ("cer", "wer", "updates", "audio_seconds", "reach", "reach_before"):
        assert getattr(went_on, field) == getattr(whole, field), field
    assert [p.loss for p in went_on.curve] == [p.loss for p in whole.curve]


def test_runs_side_by_side_give_what_one_after_another_gives(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = open_recipe(str(study.folder), exp=study.exp)
    trials = [r.trial for r in study.results() if r.trial.setting.epochs][:2]
    before = [read_result(study.exp, trial) for trial in trials]
    for trial in trials:
        (study.exp / "trials" / f"{trial.name}.json").unlink()

    def interrupted(*_) -> None:
        until = time.monotonic() + 300
        while time.monotonic() < until and not any((study.exp / "trials").glob("*/metrics.jsonl")):
            time.sleep(0.01)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(workers, "_next", interrupted)
        with pytest.raises(KeyboardInterrupt):
            workers.run_trials(recipe, trials, "here", processes=2)
    assert not multiprocessing.active_children()

    after = workers.run_trials(recipe, trials, "here", processes=2)
    assert [(r.trial, r.cer, r.updates) for r in after] == [(r.trial, r.cer, r.updates) for r in before]
    assert not [path for path in (study.exp / "trials").iterdir() if path.is_dir()]


def test_weights_that_run_away_are_a_result(study: Study) -> None:
    config = open_recipe(str(study.folder), ["study.grid=other"], study.exp).config
    trial = plan.Trial(setting=plan.questions(config, 6)["cells"][0], rate=1e30, seed=1, utterances=0)
    result = run_trial(open_recipe(str(study.folder), exp=study.exp), trial, "here")
    assert result.cer is None and "training.learning_rate" in result.runaway
    (study.exp / "trials" / f"{trial.name}.json").unlink()


@pytest.mark.parametrize("grid", ["full", "small"])
def test_parameters_are_matched(grid: str) -> None:
    config = open_recipe("gru_study", [f"study.grid={grid}"]).config
    asked = plan.questions(config, 29)
    base = asked["cells"][0]
    for table in set(asked) - {"hidden", "gates"}:
        for setting in asked[table]:
            parts = {key: getattr(setting, key) for key in ("cell", "hidden_size", "num_layers")}
            model = AcousticModel(num_bins=40, num_classes=29, **msgspec.structs.asdict(config.model) | parts)
            count = sum(weight.numel() for weight in model.parameters()) - plan.ablate(model, setting.gate)
            assert count == setting.parameters
            assert abs(count / base.parameters - 1) <= plan.TOLERANCE, setting
    assert [s.hidden_size for s in asked["gates"]] == [base.hidden_size] * len(asked["gates"])
    assert len({s.parameters for s in asked["gates"]}) > 1


def test_a_size_that_cannot_be_matched_is_refused() -> None:
    config = open_recipe("gru_study", ["model.hidden_size=2", "study.grid=small"]).config
    with pytest.raises(AsrError, match=r"choose a larger model\.hidden_size"):
        plan.questions(config, 29)


def test_a_grid_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AsrError, match=r"study\.grid to be one of full, small, found huge"):
        open_recipe("gru_study", ["study.grid=huge"])


def test_gates_are_taken_from_a_gru_only() -> None:
    with pytest.raises(AsrError, match=r"model\.cell = \"gru\""):
        open_recipe("gru_study", ["model.cell=lstm"])


def test_the_interval_is_students() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.half == pytest.approx(2.776445 * math.sqrt(2.5) / math.sqrt(5), abs=1e-5)
    assert found.differs and not estimate([-1.0, 1.0, 0.5]).differs
    assert math.isnan(estimate([4.0]).half) and not estimate([4.0]).differs


def test_differences_are_paired_by_seed() -> None:
    found = difference({1: 10.0, 2: 20.0, 3: 30.0, 4: 7.0}, {3: 31.5, 2: 21.0, 1: 10.5})
    _, p = scipy.stats.ttest_rel([10.5, 21.0, 31.5], [10.0, 20.0, 30.0])
    assert found.mean == pytest.approx(1.0)
    assert found.differs == (p < 0.05)
    ratio = found.mean / found.half
    assert ratio * scipy.stats.t.ppf(0.975, 2) == pytest.approx(
        scipy.stats.ttest_rel([10.5, 21.0, 31.5], [10.0, 20.0, 30.0]).statistic
    )


def test_the_verdict_names_every_setting() -> None:
    """Of 3 runs each, two of one setting and all of another ran away."""
    cers = {"gru": [20.0, 21.0, 22.0], "lstm": [25.0, 26.5, 27.0], "rnn": [20.5, 20.5, 22.0]}
    cers |= {"ligru": [19.0, None, None], "sligru": [None, None, None], "mingru": [10.0, 11.0, 12.5]}
    settings = {cell: plan.Setting(cell=cell, hidden_size=8, num_layers=2) for cell in cers}
    runs = {
        settings[cell]: [
            Result(
                trial=plan.Trial(setting=settings[cell], rate=1.0, seed=seed, utterances=0),
                commit="",
                cer=cer,
            )
            for seed, cer in enumerate(own, start=1)
        ]
        for cell, own in cers.items()
    }
    assert verdict({"cells": list(settings.values())}, "cells", runs) == (
        "Against the GRU of 2 × 8: fewer errors: minGRU. more errors: LSTM. "
        "no difference that shows: tanh RNN. too few runs ended to tell: Li-GRU; SLi-GRU."
    )


def test_gradients_shrink_as_the_equations_say() -> None:
    """A minGRU whose gate is always σ(−1): each step keeps 1 − σ(−1) of the gradient."""
    parts = {"num_bins": 10, "num_classes": 5, "subsampling": 2, "channels": 2, "num_layers": 2}
    parts |= {"bidirectional": True, "dropout": 0.5, "residual": True}
    model = AcousticModel(cell="mingru", hidden_size=6, **parts)
    layer = model.layers[1].layers[0]
    with torch.no_grad():
        layer.weight_ih[:, :6] = 0
        layer.bias[:, :6] = -1
    first, second = reach_of_gradients(model, [torch.randn(40, 10), torch.randn(30, 10)])
    keeps = 1 - 1 / (1 + math.e)
    assert second == pytest.approx([keeps**lag for lag in range(15)], rel=1e-4)
    assert first[0] == pytest.approx(1) and first != pytest.approx(second)
    assert model.training and all(weight.grad is None for weight in model.parameters())
    assert lag_below(second, 0.1) == pytest.approx(math.log(0.1) / math.log(keeps), rel=1e-3)
    assert lag_below([1.0, 1.2, 0.9], 0.1) == math.inf


def test_arrangements_hold_the_same_speech() -> None:
    lens = [round(50 + 400 * abs(x)) for x in np.random.default_rng(3).standard_normal(500)]
    found = arrange(lens, 8)
    total = sum(map(sum, found["sorted"]))
    assert sorted(itertools.chain(*found["mixed"])) == list(itertools.chain(*found["sorted"]))
    assert sum(map(sum, found["equal"])) == pytest.approx(total, rel=0.005)
    wasted = {name: sum(len(b) * max(b) for b in batches) - total for name, batches in found.items()}
    assert wasted["equal"] < wasted["sorted"] < wasted["mixed"]


def test_only_a_study_takes_its_steps(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert study.run("--list") == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[-3:] == ["11_trials", "12_lengths", "13_report"]
    assert "06_train" not in names and "10_export" not in names
    with pytest.raises(SystemExit) as ended:
        run.run_alone(str(REPOSITORY / "recipes" / "steps" / "06_train.py"), [str(study.folder)])
    assert ended.value.code == 2
    assert "a recipe of another kind; it does not take 06_train" in capsys.readouterr().err


def test_a_configuration_with_a_study_is_read_back() -> None:
    import tomllib

    from asr.config import dump_config

    config = open_recipe("gru_study").config
    assert parse_config(tomllib.loads(dump_config(config)), "again") == config
