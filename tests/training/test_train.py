"""Training as a whole: it learns, it can be stopped anywhere, it says what is wrong."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import torch

from asr.config import dump_config
from asr.errors import AsrError
from asr.model.ctc import ctc_loss
from asr.training import train
from asr.training.checkpoint import checkpoints, load_checkpoint
from asr.training.diagnosis import Runaway
from asr.training.monitor import read_metrics
from asr.training.run import make_trainer

KILLS = int(os.environ.get("ASR_TEST_KILLS", "3"))
"""How often the training that must not notice is killed."""

SCRIPT = """
import sys, pathlib, msgspec, tomllib
from asr.config import parse_config
from asr.features.cmvn import CmvnStats
from asr.records import Utterance
from asr.training import train
from asr.errors import AsrError
from asr.model.ctc import ctc_loss

job = msgspec.json.decode(pathlib.Path(sys.argv[1]).read_bytes())
config = parse_config(tomllib.loads(job["config"]), "job")
train_set, dev_set = (msgspec.convert(job[name], list[Utterance]) for name in ("train", "dev"))
cmvn = CmvnStats.load(pathlib.Path(job["cmvn"]))
try:
    print("ready", flush=True)
    train(config, train_set, dev_set, cmvn=cmvn, tokens=job["tokens"], folder=pathlib.Path(sys.argv[2]))
except AsrError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def job(tmp_path, corpus, cmvn, tokens):
    """Write what a training process needs; returns a function from a configuration to its command."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    cmvn.save(tmp_path / "cmvn.json")

    def write(config, folder):
        path = tmp_path / "job.json"
        path.write_bytes(
            msgspec.json.encode(
                {
                    "config": dump_config(config),
                    "train": corpus[0],
                    "dev": corpus[1],
                    "cmvn": str(tmp_path / "cmvn.json"),
                    "tokens": tokens,
                }
            )
        )
        return [str(script), str(path), str(folder)]

    return write


def model_bytes(folder):
    """Every tensor of the newest checkpoint (weights, averages, moments of the optimiser), as bytes."""
    _, tensors = load_checkpoint(checkpoints(folder)[-1])
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_overfits_a_tiny_corpus_to_zero_wer(tmp_path, corpus, cmvn, tokens, tiny_config):
    config = tiny_config(
        augment={"speeds": [1.0], "time_masks": 0, "warp": 0.0},
        model={"dropout": 0.0, "hidden_size": 32},
        training={"epochs": 60, "evaluate_every": 60, "learning_rate": 0.01, "ema": 0.0},
    )
    few = corpus[0][:8]
    end = train(config, few, few, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert end.epoch == 60
    assert end.wer == 0.0
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    lines = read_metrics(tmp_path / "metrics.jsonl")
    updates = [line for line in lines if line["event"] == "update"]
    assert [line["step"] for line in updates] == list(range(1, end.step + 1))
    assert updates[-1]["loss"] < 0.2 * updates[0]["loss"]
    assert {"rate", "gradient_norm", "xrt", "eta", "seconds"} <= updates[0].keys()


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path, corpus, cmvn, tokens, tiny_config):
    results = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        train(tiny_config(training={"seed": seed}), *corpus, cmvn=cmvn, tokens=tokens, folder=folder)
        results.append(model_bytes(folder))
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_number_of_readers_does_not_matter(tmp_path, corpus, cmvn, tokens, tiny_config):
    results = []
    for workers in (0, 2):
        folder = tmp_path / str(workers)
        config = tiny_config(batching={"workers": workers}, training={"epochs": 1})
        train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=folder)
        results.append(model_bytes(folder))
    assert results[0] == results[1]


def test_so_many_updates_at_a_time_give_the_same_bytes(tmp_path, corpus, cmvn, tokens, tiny_config):
    results = []
    for parts in ([0], [1, 2, 2, 0]):
        folder = tmp_path / str(len(parts))
        for updates in parts:
            trainer = make_trainer(
                tiny_config(), *corpus, cmvn=cmvn, tokens=tokens, folder=folder, device=torch.device("cpu")
            )
            begun = trainer.state.at.step
            end = trainer.run(updates)
            assert not updates or end.step == begun + updates
        assert end.epoch == 2 and len(end.evaluations) == 2
        results.append(model_bytes(folder))
    assert results[0] == results[1]


def test_killed_and_resumed_gives_the_same_bytes(tmp_path, corpus, cmvn, tokens, tiny_config, job, spawn):
    config = tiny_config(
        training={"checkpoint_minutes": 1e-6, "epochs": KILLS}, batching={"speaker_power": 0.5}
    )
    whole = tmp_path / "whole"
    train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=whole)
    folder = tmp_path / "killed"
    command = [sys.executable, *job(config, folder)]
    rng = random.Random(1)
    kills = 0
    for _ in range(KILLS):
        process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        before = len(checkpoints(folder))
        while len(checkpoints(folder)) == before and process.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        kills += process.poll() is None
        process.kill()
        process.wait()
    assert kills > KILLS // 2, "training was over before it could be killed"
    assert train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=folder).epoch == KILLS
    assert model_bytes(folder) == model_bytes(whole)
    steps = [line["step"] for line in read_metrics(folder / "metrics.jsonl") if line["event"] == "update"]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_says_how_to_go_on(tmp_path, tiny_config, job, number, spawn):
    folder = tmp_path / "run"
    config = tiny_config(training={"epochs": 500, "evaluate_every": 500}, batching={"workers": 1})
    command = [sys.executable, *job(config, folder)]
    process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(read_metrics(folder / "metrics.jsonl")) < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert "run the same command again to go on from there" in errors
    assert "Traceback" not in errors
    assert load_checkpoint(checkpoints(folder)[-1])[0].step >= 3


def test_two_processes_do_what_one_does(tmp_path, corpus, cmvn, tokens, tiny_config, job, spawn):
    config = tiny_config(
        training={"accumulate": 2, "epochs": 1},
        augment={"speeds": [0.9, 1.1]},
        batching={"speaker_power": 0.5},
    )
    train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / "one")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]
    command += ["--rdzv-endpoint=localhost:0", *job(config, tmp_path / "two")]
    process = spawn(
        command,
        limit=240,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    one, two = (load_checkpoint(checkpoints(tmp_path / name)[-1]) for name in ("one", "two"))
    assert one[0].step == two[0].step
    for name, tensor in one[1].items():
        torch.testing.assert_close(two[1][name], tensor, rtol=1e-3, atol=1e-5)


def test_processes_go_on_with_the_mean_of_their_statistics(
    corpus, cmvn, tokens, tiny_config, tmp_path, monkeypatch
):
    """Of the cell with batch normalisation; the other process has no batch, and all its statistics are 2."""
    from asr.training.run import make_trainer

    def update(folder):
        trainer = make_trainer(
            tiny_config(model={"cell": "ligru"}, training={"accumulate": 2}),
            *corpus,
            cmvn=cmvn,
            tokens=tokens,
            folder=tmp_path / folder,
            device=torch.device("cpu"),
        )
        trainer.model.train()
        trainer._update([trainer.train_set.batch(range(4), 0)], 0, 0)
        weights = dict(trainer.model.named_parameters())
        return dict(trainer.model.named_buffers()), weights

    alone, weights = update("alone")

    def exchange(tensors, extras):
        for statistic in tensors[len(weights) :]:
            statistic.add_(2 / 2)
        return extras

    monkeypatch.setattr("asr.training.distributed.world", lambda: 2)
    monkeypatch.setattr("asr.training.distributed.exchange", exchange)
    shared, same = update("shared")
    assert alone and all(torch.equal(shared[name], alone[name] / 2 + 1) for name in alone)
    assert all(torch.equal(same[name], weights[name]) for name in weights)


def test_processes_that_do_not_divide_the_update(corpus, cmvn, tokens, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("asr.training.distributed.world", lambda: 2)
    from asr.training.run import make_trainer

    with pytest.raises(AsrError, match=r"training\.accumulate = 1 .* 2 processes"):
        make_trainer(
            tiny_config(),
            *corpus,
            cmvn=cmvn,
            tokens=tokens,
            folder=tmp_path,
            device=torch.device("cpu"),
        )


def test_time_budget_ends_training_with_an_evaluation(tmp_path, corpus, cmvn, tokens, tiny_config):
    config = tiny_config(training={"epochs": 100000, "evaluate_every": 100000, "max_minutes": 0.01})
    end = train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert 0.6 <= end.seconds < 60
    assert len(end.evaluations) == 1
    assert checkpoints(tmp_path)[-1].stem.endswith("epoch")
    again = train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert again.step == end.step


def test_another_clock_and_a_changed_model(tmp_path, corpus, cmvn, tokens, tiny_config):
    from asr.training.run import make_trainer

    ticks = itertools.count()  # a second each time that it is asked

    def zero_output(model):
        torch.nn.init.zeros_(model.output.weight)
        torch.nn.init.zeros_(model.output.bias)

    trainer = make_trainer(
        tiny_config(training={"epochs": 100000, "max_minutes": 0.5}),
        *corpus,
        cmvn=cmvn,
        tokens=tokens,
        folder=tmp_path,
        device=torch.device("cpu"),
        change=zero_output,
        clock=lambda: next(ticks),
    )
    log_probs, _ = trainer.model(torch.randn(1, 20, 13), torch.tensor([20]))
    torch.testing.assert_close(log_probs.exp(), torch.full_like(log_probs, 1 / len(tokens)))
    end = trainer.run()
    assert 30 <= end.seconds <= 40  # a few after the budget, in which the end is evaluated and saved
    updates = [line for line in read_metrics(tmp_path / "metrics.jsonl") if line["event"] == "update"]
    assert len(updates) == end.step < 30
    # between the two looks at the clock around an update it is asked once more
    assert all(line["xrt"] == pytest.approx(line["audio"] / 2) for line in updates)


def test_patience_stops_early(tmp_path, corpus, cmvn, tokens, tiny_config):
    config = tiny_config(training={"epochs": 50, "patience": 2, "learning_rate": 1e-9})
    end = train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert end.epoch < 50
    best = min(range(len(end.evaluations)), key=lambda i: end.evaluations[i].wer)
    assert end.epoch - (best + 1) == 2


def test_another_configuration_is_refused(tmp_path, corpus, cmvn, tokens, tiny_config):
    train(tiny_config(training={"epochs": 1}), *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    with pytest.raises(AsrError, match="another configuration or other data"):
        train(tiny_config(training={"epochs": 2}), *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)


def test_loss_beyond_rescue_is_explained(tmp_path, corpus, cmvn, tokens, tiny_config, caplog):
    config = tiny_config(training={"learning_rate": 1e30, "warmup_steps": 0, "epochs": 100})
    with pytest.raises(Runaway, match=r"the largest weight is.*training\.learning_rate"):
        train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert "it is left out" in caplog.text


def test_updates_without_finite_gradient_are_left_out_and_counted(
    tmp_path, corpus, cmvn, tokens, tiny_config, caplog, monkeypatch
):
    monkeypatch.setattr("asr.training.run.ctc_loss", lambda *args: ctc_loss(*args) * float("nan"))
    with pytest.raises(Runaway, match=r"20 updates in a row had no finite gradient .*u[0-9]+"):
        train(tiny_config(training={"epochs": 100}), *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert caplog.text.count("it is left out") == 20


def test_what_cannot_be_learnt_is_named(tmp_path, corpus, cmvn, tokens, tiny_config, caplog):
    impossible = msgspec.structs.replace(corpus[0][0], utt_id="impossible", text="ABCD " * 60 + "A")
    strange = msgspec.structs.replace(corpus[0][1], utt_id="strange", text="ÄÖ")
    train(
        tiny_config(training={"epochs": 1}),
        [*corpus[0], impossible, strange],
        corpus[1],
        cmvn=cmvn,
        tokens=tokens,
        folder=tmp_path,
    )
    assert "impossible: the transcript's" in caplog.text
    assert "strange:" in caplog.text


def test_only_blanks_for_long_is_explained(tmp_path, corpus, cmvn, tokens, tiny_config, caplog, monkeypatch):
    monkeypatch.setattr("asr.training.diagnosis.PATIENT_STEPS", 1)
    config = tiny_config(training={"learning_rate": 1e-9, "epochs": 2})
    monkeypatch.setattr(
        "asr.training.evaluation.greedy_search", lambda log_probs, lens: [_Empty()] * len(lens)
    )
    train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert caplog.text.count("still writes only blanks") == 1


class _Empty:
    ids: tuple = ()


def test_out_of_memory_is_a_sentence(tmp_path, corpus, cmvn, tokens, tiny_config, monkeypatch):
    def fail(*_):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("asr.training.run.ctc_loss", fail)
    with pytest.raises(AsrError, match=r"out of memory with batches of 6 s.*batching\.seconds"):
        train(tiny_config(), *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)


def test_half_precision_and_cuda_are_refused_without_cuda(tmp_path, corpus, cmvn, tokens, tiny_config):
    config = tiny_config(training={"precision": "bfloat16"})
    with pytest.raises(AsrError, match="needs CUDA"):
        train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(AsrError, match="finds no CUDA device"):
            train(
                tiny_config(training={"device": "cuda"}), *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path
            )


def test_the_rate_begins_anew_after_the_epochs_that_are_asked_for(
    tmp_path, corpus, cmvn, tokens, tiny_config
):
    training = {"epochs": 6, "restarts": [2, 4], "restart_rate": 0.5, "learning_rate": 1.0e-3}
    batching = {"max_utterances": 2}
    config = tiny_config(training=training, batching=batching, augment={"noise": 1.0, "clean_epochs": 2})
    run = train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / "a")
    lines = [line for line in read_metrics(tmp_path / "a" / "metrics.jsonl") if "rate" in line]
    assert len(lines) == run.step
    rates = {epoch: [line["rate"] for line in lines if line["epoch"] == epoch] for epoch in range(1, 7)}
    peaks = [max(rates[epoch] + rates[epoch + 1]) for epoch in (1, 3, 5)]
    assert all(rates[epoch][-1] < 0.1 * peak for epoch, peak in zip((2, 4, 6), peaks, strict=True))
    assert peaks[1] == pytest.approx(peaks[0] / 2, rel=0.1) and peaks[2] == pytest.approx(
        peaks[1] / 2, rel=0.1
    )

    short = tiny_config(training={"epochs": 2, "learning_rate": 1.0e-3}, batching=batching)
    train(short, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / "b")
    before = [line for line in read_metrics(tmp_path / "b" / "metrics.jsonl") if "rate" in line]
    keys = ("step", "loss", "rate", "gradient_norm")
    assert [[line[key] for key in keys] for line in before] == [
        [line[key] for key in keys] for line in lines[: len(before)]
    ]


def test_metrics_are_json_lines(tmp_path, corpus, cmvn, tokens, tiny_config):
    pytest.importorskip("tensorboard")
    config = tiny_config(training={"epochs": 1, "tensorboard": True})
    train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        assert json.loads(line)["event"] in ("update", "evaluation")
    assert list(Path(tmp_path / "tensorboard").iterdir())
