"""Learning from other models: the distance from them, and what a training makes of it."""

import numpy as np
import pytest
import torch

from asr.errors import AsrError
from asr.model.bundle import Bundle, save_bundle
from asr.model.consistency import untrained_model
from asr.training import train
from asr.training.checkpoint import checkpoints, load_checkpoint
from asr.training.run import make_trainer
from asr.training.teachers import Teachers, distances


@pytest.fixture
def teacher(tmp_path, tiny_config, cmvn):
    """Write a model folder with random weights; returns a function from tokens and a seed to its path."""

    def make(tokens, seed=5, statistics=None, **parts):
        config = tiny_config(**parts)
        torch.manual_seed(seed)
        model = untrained_model(config, len(tokens))
        bundle = Bundle(config, list(tokens), *(statistics or cmvn.mean_std()), model.state_dict())
        save_bundle(tmp_path / f"teacher-{seed}", bundle, "# Teacher\n")
        return tmp_path / f"teacher-{seed}"

    return make


def test_distance_is_kullback_and_leiblers_in_the_frames_of_each_row():
    torch.manual_seed(1)
    p, q = torch.randn(2, 5, 4).softmax(-1), torch.randn(2, 5, 4).softmax(-1)
    p[0, 0] = torch.tensor([0.0, 0.5, 0.5, 0.0])  # 0 log 0 is 0
    found = distances(p, q.log(), torch.tensor([5, 2]))
    by_hand = [
        sum(
            float(p[n, t, c] * (p[n, t, c] / q[n, t, c]).log())
            for t in range(frames)
            for c in range(4)
            if p[n, t, c]
        )
        for n, frames in enumerate((5, 2))
    ]
    assert found.tolist() == pytest.approx(by_hand, rel=1e-5)
    assert min(by_hand) > 0
    assert distances(q, q.log(), torch.tensor([5, 2])).tolist() == pytest.approx([0, 0], abs=1e-5)


def test_teachers_give_the_mean_of_their_probabilities(tiny_config):
    config = tiny_config(model={"dropout": 0.5})
    models = [untrained_model(config, 7).train() for _ in range(2)]
    feats, lens = torch.randn(2, 30, config.features.num_bins), torch.tensor([30, 11])
    probs = Teachers(models, 0.5).probs(feats, lens)
    expected = (models[0](feats, lens)[0].exp() + models[1](feats, lens)[0].exp()) / 2  # without dropout
    torch.testing.assert_close(probs, expected)
    assert not probs.requires_grad


def test_without_weight_teachers_change_nothing(tmp_path, teacher, corpus, cmvn, tokens, tiny_config):
    made = []
    for name, distillation in (
        ("alone", {}),
        ("taught", {"teachers": [str(teacher(tokens))], "weight": 0.0}),
    ):
        config = tiny_config(distillation=distillation, training={"epochs": 1})
        train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / name)
        made.append(load_checkpoint(checkpoints(tmp_path / name)[-1])[1])
    for name, tensor in made[0].items():
        assert torch.equal(tensor, made[1][name]), name


def test_a_student_comes_near_its_teachers(tmp_path, teacher, corpus, cmvn, tokens, tiny_config):
    teachers = [str(teacher(tokens, seed)) for seed in (5, 6)]
    config = tiny_config(
        distillation={"teachers": teachers, "weight": 1.0},
        model={"dropout": 0.0},
        training={"epochs": 6, "warmup_steps": 0, "learning_rate": 0.01},
    )
    trainer = make_trainer(
        config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / "train", device=torch.device("cpu")
    )
    assert trainer.teachers is not None
    feats, lens = torch.randn(4, 40, config.features.num_bins), torch.tensor([40, 40, 31, 25])

    def distance():
        with torch.no_grad():
            log_probs, frames = trainer.model.eval()(feats, lens)
        return float(distances(trainer.teachers.probs(feats, lens), log_probs, frames).sum())

    before = distance()
    trainer.run()
    assert distance() < 0.5 * before


def test_a_teacher_that_does_not_fit_is_named(tmp_path, teacher, corpus, cmvn, tokens, tiny_config):
    mean, std = cmvn.mean_std()
    wrong = {
        r"other \[features\]": teacher(tokens, 5, features={"low_hz": 100.0}),
        r"model\.subsampling = 4, not 2": teacher(tokens, 6, model={"subsampling": 4}),
        r"other units \(": teacher([*tokens, "Z"], 7),
        "other statistics of features": teacher(tokens, 8, statistics=(mean + np.float32(1), std)),
        "none: a model folder was expected": tmp_path / "none",
    }
    for sentence, path in wrong.items():
        config = tiny_config(distillation={"teachers": [str(path)]})
        with pytest.raises(AsrError, match=rf"^distillation\.teachers: .*{sentence}"):
            train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / "train")


def test_other_teachers_are_another_training(tmp_path, teacher, corpus, cmvn, tokens, tiny_config):
    config = tiny_config(distillation={"teachers": [str(teacher(tokens, 5))]}, training={"epochs": 1})
    train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / "train")
    other = tiny_config(distillation={"teachers": [str(teacher(tokens, 6))]}, training={"epochs": 1})
    with pytest.raises(AsrError, match="another configuration"):
        train(other, *corpus, cmvn=cmvn, tokens=tokens, folder=tmp_path / "train")
