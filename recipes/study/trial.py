"""One run of a study: train, measure the errors, follow gradients back in time; keep the numbers."""

import itertools
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from asr.corpus.manifest import read_manifest
from asr.features.cmvn import CmvnStats
from asr.files import write_bytes
from asr.model.acoustic import AcousticModel
from asr.records import Utterance
from asr.training.diagnosis import Runaway
from asr.training.evaluation import evaluate
from asr.training.monitor import read_metrics
from asr.training.run import evaluation_set, make_trainer, spread
from asr.training.trainer import Trainer
from asr.units.tokens import read_tokens
from recipes.recipe import Recipe
from recipes.study.gradients import reach_of_gradients
from recipes.study.plan import Trial, ablate, configure

POINTS = 60
"""Of a learning curve that is kept."""


class Point(msgspec.Struct, frozen=True):
    """Of a learning curve: the training loss in nats a unit is the mean since the point before."""

    seconds: float
    step: int
    loss: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run that has ended.

    Attributes:
        trial: which.
        commit: of the repository.
        cer, wer: greedy errors on the scored set in percent; None where the weights ran away.
        dev_cer: on the dev utterances of training; None likewise.
        updates, audio_seconds: what was trained on, padding left out.
        seconds: of processor time that the training took, reading and augmentation included.
        curve: of the training.
        reach_before, reach: by layer, how far gradients reach back (`reach_of_gradients`) in the model as it
            was drawn and as it was trained.
        runaway: why the training could not go on, or empty.
    """

    trial: Trial
    commit: str
    cer: float | None = None
    wer: float | None = None
    dev_cer: float | None = None
    updates: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    curve: list[Point] = []
    reach_before: list[list[float]] = []
    reach: list[list[float]] = []
    runaway: str = ""


def scored_set(exp: Path) -> tuple[str, list[Utterance]]:
    """What errors are measured on, with its name: test, or dev where there is no test."""
    sets = ((name, read_manifest(exp / "corpus" / f"{name}.jsonl")) for name in ("test", "dev"))
    return next((name, rows) for name, rows in sets if rows)


def result_path(exp: Path, trial: Trial) -> Path:
    """Where the result of a run is kept."""
    return exp / "trials" / f"{trial.name}.json"


def read_result(exp: Path, trial: Trial) -> Result | None:
    """The result of a run; None where it has not ended."""
    path = result_path(exp, trial)
    return msgspec.json.decode(path.read_bytes(), type=Result) if path.is_file() else None


def run_trial(recipe: Recipe, trial: Trial, commit: str) -> Result:
    """Do one run in this process, or go on with it, and write its result.

    On one thread, and by the processor time of this process: what else the machine does hardly matters.

    Raises:
        AsrError: stopped by a signal, after a checkpoint; the audio cannot be read; the disk is full.
    """
    torch.set_num_threads(1)
    exp, study = recipe.exp, recipe.config.study
    assert study is not None
    cmvn, (_, scored) = CmvnStats.load(exp / "cmvn.json"), scored_set(exp)
    some = evaluation_set(recipe.config.features, spread(scored, study.gradient_utterances), cmvn)
    looked_at = [some[index, 0].feats for index in range(len(some))]
    before: list[list[float]] = []

    def begin(model: AcousticModel) -> None:
        ablate(model, trial.setting.gate)
        before.extend(reach_of_gradients(model, looked_at))
        _warm_up(model, looked_at[0])

    folder = exp / "trials" / trial.name
    trainer = make_trainer(
        configure(recipe.config, trial),
        spread(read_manifest(exp / "corpus" / "train.jsonl"), trial.utterances),
        read_manifest(exp / "corpus" / "dev.jsonl"),
        cmvn=cmvn,
        tokens=read_tokens(exp / "tokens.txt"),
        folder=folder,
        device=torch.device("cpu"),
        change=begin,
        clock=time.process_time,
    )
    try:
        trainer.run()
        found = _errors(trainer, recipe, scored, cmvn, looked_at)
    except Runaway as error:
        found = {"runaway": str(error)}
    updates = [line for line in read_metrics(folder / "metrics.jsonl") if line["event"] == "update"]
    result = Result(
        trial=trial,
        commit=commit,
        updates=len(updates),
        audio_seconds=sum(line["audio"] for line in updates),
        seconds=trainer.state.at.seconds,
        curve=_curve(updates),
        reach_before=before,
        **found,
    )
    write_bytes(result_path(exp, trial), msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _warm_up(model: AcousticModel, feats: Tensor) -> None:
    """Run the model forth and back once: a process compiles its kernels now, and on nobody's clock."""
    model.eval()  # so that no running average moves
    model(feats[None], torch.tensor([len(feats)]))[0].sum().backward()
    model.zero_grad()
    model.train()


def _errors(
    trainer: Trainer,
    recipe: Recipe,
    scored: Sequence[Utterance],
    cmvn: CmvnStats,
    looked_at: list[Tensor],
) -> dict[str, object]:
    """Fields of a `Result` that are measured on the trained model."""
    batching = recipe.config.batching
    with trainer.state.averaged_weights():
        report = evaluate(
            trainer.model,
            evaluation_set(recipe.config.features, scored, cmvn),
            trainer.decode,
            batch_seconds=batching.seconds,
            max_utterances=batching.max_utterances,
            workers=0,
            device=trainer.device,
        )
        assert isinstance(trainer.model, AcousticModel)
        reach = reach_of_gradients(trainer.model, looked_at)
    dev_cer = trainer.state.at.evaluations[-1].cer
    return {"cer": report.cer, "wer": report.wer, "dev_cer": dev_cer, "reach": reach}


def _curve(updates: list[dict[str, float]]) -> list[Point]:
    """At most `POINTS` points of the lines of metrics.jsonl; losses that are not finite are left out."""
    known = [line for line in updates if line["loss"] is not None]
    edges = sorted({len(known) * index // POINTS for index in range(POINTS + 1)})
    parts = [known[first:last] for first, last in itertools.pairwise(edges)]
    return [
        Point(part[-1]["seconds"], int(part[-1]["step"]), sum(line["loss"] for line in part) / len(part))
        for part in parts
    ]
