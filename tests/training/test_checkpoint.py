"""Checkpoints: whole or refused, the one before a damaged one, what is kept; averages; the rate."""

import itertools

import pytest
import torch

from asr.errors import AsrError
from asr.training import average_checkpoints
from asr.training.checkpoint import (
    Evaluation,
    Progress,
    checkpoint_path,
    checkpoints,
    load_checkpoint,
    load_newest,
    remove_old,
    save_checkpoint,
)
from asr.training.schedule import cycle, progress, rate_factor


def save(folder, step, *, update=0, wer=50.0, value=1.0, **tensors):
    at = Progress(epoch=step, update=update, step=step, evaluations=[Evaluation(step, wer, wer)])
    path = checkpoint_path(folder, at)
    save_checkpoint(
        path, at, {"model.w": torch.full((3, 2), value), "optimiser.w.step": torch.tensor(1.0)} | tensors
    )
    return path


def test_round_trip(tmp_path):
    path = save(tmp_path, 3, update=7, wer=12.5, value=2.5)
    at, tensors = load_checkpoint(path)
    assert (at.step, at.update, at.wer) == (3, 7, 12.5)
    assert torch.equal(tensors["model.w"], torch.full((3, 2), 2.5))


@pytest.mark.parametrize(
    "damage", ["cut", "flip a bit of a weight", "flip a bit of the position", "empty", "text"]
)
def test_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, damage, caplog):
    save(tmp_path, 1, value=1.0)
    path = save(tmp_path, 2, value=2.0)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flip a bit of a weight":
        content[-1] ^= 1
    elif damage == "flip a bit of the position":
        place = content.index(b"step")
        place = content.index(b":2", place) + 1
        content[place] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray(b"not a checkpoint at all")
    path.write_bytes(bytes(content))
    found = load_newest(tmp_path)
    assert found is not None and found[0].step == 1
    assert f"{path}: " in caplog.text and "the one before it is used" in caplog.text
    with pytest.raises(AsrError, match="checkpoint"):
        load_checkpoint(path)


def test_when_every_checkpoint_is_damaged_training_begins_anew(tmp_path, caplog):
    for step in (1, 2):
        save(tmp_path, step).write_bytes(b"")
    assert load_newest(tmp_path) is None
    assert [message.partition("; ")[2] for message in caplog.messages] == [
        "the one before it is used",
        "none is before it: training begins anew",
    ]


def test_no_checkpoint(tmp_path):
    assert load_newest(tmp_path) is None
    with pytest.raises(AsrError, match="no checkpoint of a whole epoch"):
        average_checkpoints(tmp_path, "last", 1)


def test_what_is_kept(tmp_path):
    for step, wer in enumerate([90, 20, 70, 60, 50, 40, 45], start=1):
        save(tmp_path, step, wer=wer)
    save(tmp_path, 8, update=3)
    save(tmp_path, 9, update=5)
    remove_old(tmp_path, 2)
    # the two newest of all, the two newest epochs (6, 7), the two best (2, 6)
    assert [int(path.name[:9]) for path in checkpoints(tmp_path)] == [2, 6, 7, 8, 9]


def test_average_of_best_and_last(tmp_path):
    for step, (wer, value) in enumerate([(30, 1.0), (10, 2.0), (20, 4.0), (40, 8.0)], start=1):
        save(tmp_path, step, wer=wer, value=value)
    weights, chosen = average_checkpoints(tmp_path, "best", 2)
    assert torch.equal(weights["w"], torch.full((3, 2), 3.0))
    assert [path.name[:9] for path in chosen] == ["000000002", "000000003"]
    weights, _ = average_checkpoints(tmp_path, "last", 2)
    assert torch.equal(weights["w"], torch.full((3, 2), 6.0))


def test_average_takes_the_running_average_where_there_is_one(tmp_path):
    save(tmp_path, 1, value=1.0, **{"ema.w": torch.full((3, 2), 5.0)})
    weights, _ = average_checkpoints(tmp_path, "last", 1)
    assert torch.equal(weights["w"], torch.full((3, 2), 5.0))


def test_statistics_without_a_running_average_are_the_models_own(tmp_path):
    statistics = torch.full((2,), 7.0)
    save(tmp_path, 1, **{"ema.w": torch.full((3, 2), 5.0), "model.norm.running_mean": statistics})
    weights, _ = average_checkpoints(tmp_path, "last", 1)
    assert weights.keys() == {"w", "norm.running_mean"}
    assert torch.equal(weights["w"], torch.full((3, 2), 5.0))
    assert torch.equal(weights["norm.running_mean"], statistics)


def test_rate_rises_and_falls():
    factors = [rate_factor(step, step / 100, warmup_steps=10, final_rate=0.1) for step in range(101)]
    assert factors[0] == pytest.approx(1 / 11)
    assert max(factors) == factors[10]
    assert all(a > b for a, b in itertools.pairwise(factors[10:]))
    assert factors[100] == pytest.approx(0.1)


def test_progress_is_that_of_updates_or_of_time():
    assert progress(20, 100, 0, 0) == 0.2
    assert progress(20, 100, 90, 300) == 0.3
    assert progress(20, 100, 30, 300) == 0.2


def test_updates_belong_to_one_cosine_after_the_other():
    assert [cycle(step, [3, 2]) for step in range(7)] == [
        *[(0, 0, 3), (0, 1, 3), (0, 2, 3)],
        *[(1, 0, 2), (1, 1, 2), (1, 2, 2), (1, 3, 2)],
    ]
    assert cycle(7, [5]) == (0, 7, 5)
