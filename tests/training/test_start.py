"""Training that goes on from a model: what is copied, what stays, how fast the rest learns."""

import logging
from dataclasses import replace

import pytest
import torch

from asr.config import parse_config
from asr.errors import AsrError
from asr.model.bundle import Bundle, save_bundle
from asr.model.consistency import untrained_model
from asr.training import average_checkpoints, train
from asr.training.average import mix_with_start
from asr.training.checkpoint import checkpoints, load_checkpoint
from asr.training.depth import freeze, layer_names, rate_factors, rest_frozen_statistics
from asr.training.run import make_trainer
from asr.training.start import copy_weights, told_of_criterion, weights_for


@pytest.fixture
def start(tmp_path, tiny_config, cmvn):
    """Write a model folder with random weights; returns a function from its tokens to (bundle, path)."""

    def make(tokens, name="start", **parts):
        config = tiny_config(**parts)
        torch.manual_seed(5)
        model = untrained_model(config, len(tokens))
        bundle = Bundle(config, list(tokens), *cmvn.mean_std(), model.state_dict())
        save_bundle(tmp_path / name, bundle, "# Start\n")
        return bundle, tmp_path / name

    return make


def run(config, corpus, cmvn, tokens, folder):
    """Train; returns the last checkpoint's tensors."""
    train(config, *corpus, cmvn=cmvn, tokens=tokens, folder=folder)
    return load_checkpoint(checkpoints(folder)[-1])[1]


def as_bytes(tensors):
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_begins_with_the_weights_of_the_model(tmp_path, start, corpus, cmvn, tokens, tiny_config, caplog):
    bundle, path = start(tokens)
    with caplog.at_level(logging.INFO, "asr"):
        trainer = make_trainer(
            tiny_config(training={"start_from": str(path)}),
            *corpus,
            cmvn=cmvn,
            tokens=tokens,
            folder=tmp_path / "train",
            device=torch.device("cpu"),
        )
    assert as_bytes(trainer.model.state_dict()) == as_bytes(bundle.weights)
    assert f"starts from {path}: " in caplog.text
    assert f"and the output layer with its {len(tokens)} classes" in caplog.text


@pytest.mark.parametrize("cell", ["gru", "ligru"])
def test_what_is_frozen_keeps_its_bytes_and_the_rest_learns(
    tmp_path, start, corpus, cmvn, tokens, tiny_config, cell
):
    bundle, path = start(tokens, model={"cell": cell, "num_layers": 2})
    frozen = ("front_end", "layers.0", "norms.*")
    training = {"start_from": str(path), "frozen": list(frozen), "weight_decay": 0.5, "learning_rate": 0.01}
    config = tiny_config(model={"cell": cell, "num_layers": 2}, training=training)
    run(config, corpus, cmvn, tokens, tmp_path / "train")
    weights, _ = average_checkpoints(tmp_path / "train", "last", 2)
    assert weights.keys() == bundle.weights.keys()
    for name, weight in weights.items():
        kept = name.startswith(("front_end.", "layers.0.", "norms."))
        assert torch.equal(weight, bundle.weights[name]) == kept, name


def test_rates_fall_with_depth(tmp_path, start, corpus, cmvn, tokens, tiny_config):
    _, path = start(tokens, model={"num_layers": 2})
    training = {"start_from": str(path), "layer_decay": 0.5, "warmup_steps": 0, "frozen": ["output_norm"]}
    trainer = make_trainer(
        tiny_config(model={"num_layers": 2}, training=training),
        *corpus,
        cmvn=cmvn,
        tokens=tokens,
        folder=tmp_path / "train",
        device=torch.device("cpu"),
    )
    trainer._set_rate(0.0)
    names = {id(weight): name for name, weight in trainer.model.named_parameters()}
    groups = trainer.state.optimiser.param_groups
    rates = {names[id(weight)]: group["lr"] for group in groups for weight in group["params"]}
    expected = {"output": 1.0, "layers.1": 0.5, "norms.1": 0.5, "layers.0": 0.25, "norms.0": 0.25}
    expected["front_end"] = 0.125
    for layer, factor in expected.items():
        found = [rate for name, rate in rates.items() if name.startswith(f"{layer}.")]
        assert found == pytest.approx([1.5e-3 * factor] * len(found)) and found, layer
    assert not any(name.startswith("output_norm") for name in rates)
    assert set(rate_factors(trainer.model, 1.0).values()) == {1.0}


def test_matrices_decay_in_every_group_and_nothing_else(tmp_path, start, corpus, cmvn, tokens, tiny_config):
    _, path = start(tokens)
    trainer = make_trainer(
        tiny_config(training={"start_from": str(path), "layer_decay": 0.9, "weight_decay": 0.25}),
        *corpus,
        cmvn=cmvn,
        tokens=tokens,
        folder=tmp_path / "train",
        device=torch.device("cpu"),
    )
    names = {id(weight): name for name, weight in trainer.model.named_parameters()}
    for group in trainer.state.optimiser.param_groups:
        for weight in group["params"]:
            is_matrix = weight.dim() > 1 and "bias" not in names[id(weight)]
            assert is_matrix == (group["weight_decay"] == 0.25), names[id(weight)]


def test_new_classes_get_new_rows_and_the_others_keep_theirs(start, tokens):
    bundle, _ = start(["<blank>", "|", "A", "Q", "C"])
    wanted = ["<blank>", "|", "A", "B", "C", "D"]
    torch.manual_seed(9)
    model = untrained_model(bundle.config, len(wanted))
    fresh = model.output.weight.detach().clone()
    told = copy_weights(model, wanted, "characters", bundle)
    assert "4 classes copied, 2 new: B D, 1 left out: Q" in told
    for place, token in enumerate(wanted):
        known = token in bundle.tokens
        row = bundle.weights["output.weight"][bundle.tokens.index(token)] if known else fresh[place]
        assert torch.equal(model.output.weight[place], row), token
    assert torch.equal(model.front_end.first.weight, bundle.weights["front_end.first.weight"])


def test_units_of_another_kind_share_no_class(start):
    bundle, _ = start(["<blank>", "|", "B", "D"])
    torch.manual_seed(9)
    model = untrained_model(bundle.config, 4)
    fresh = model.output.weight.detach().clone()
    told = copy_weights(model, bundle.tokens, "phones", bundle)
    assert torch.equal(model.output.weight, fresh)
    assert "the output layer is new: 4 classes, of another kind of units" in told
    for name, weight in model.layers.state_dict().items():
        assert torch.equal(weight, bundle.weights[f"layers.{name}"]), name


def test_goes_on_to_the_same_bytes_and_only_from_the_same_model(
    tmp_path, start, corpus, cmvn, tokens, tiny_config, monkeypatch
):
    bundle, path = start(tokens)
    training = {"start_from": str(path), "frozen": ["front_end"], "layer_decay": 0.7, "epochs": 2}
    config = tiny_config(training=training | {"checkpoint_minutes": 1e-6})
    whole = as_bytes(run(config, corpus, cmvn, tokens, tmp_path / "whole"))
    halves = tmp_path / "halves"
    real = torch.optim.AdamW.step
    updates = iter(range(5))

    def stop_soon(self, *args, **kwargs):
        if next(updates, None) is None:
            raise KeyboardInterrupt
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", stop_soon)
        with pytest.raises(KeyboardInterrupt):
            run(config, corpus, cmvn, tokens, halves)
    assert load_checkpoint(checkpoints(halves)[-1])[0].step in (4, 5)
    moved = path.rename(tmp_path / "moved")  # where it lies does not count
    config = tiny_config(training=training | {"checkpoint_minutes": 1e-6, "start_from": str(moved)})
    assert as_bytes(run(config, corpus, cmvn, tokens, halves)) == whole
    changed = {name: weight + 1 for name, weight in bundle.weights.items()}
    save_bundle(moved, replace(bundle, weights=changed), "# Start\n")
    with pytest.raises(AsrError, match="another configuration or other data"):
        run(config, corpus, cmvn, tokens, halves)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            {"model": {"hidden_size": 24}},
            r"with model\.hidden_size = 16, and the configuration says 24; leave",
        ),
        ({"model": {"residual": False}}, r"with model\.residual = true, and the configuration says false"),
        ({"features": {"cmvn": "utterance"}}, r'features\.cmvn = "global", .* says "utterance"'),
        (
            {"training": {"frozen": ["layer.0"]}},
            r'training\.frozen: no layer is called "layer\.0"; the layers are front_end, norms\.0, '
            r"layers\.0, output_norm, output, and",
        ),
        ({"training": {"frozen": ["*"]}}, "all layers are frozen"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, start, corpus, cmvn, tokens, tiny_config, parts, sentence):
    _, path = start(tokens)
    parts = parts | {"training": parts.get("training", {}) | {"start_from": str(path)}}
    with pytest.raises(AsrError, match=sentence):
        run(tiny_config(**parts), corpus, cmvn, tokens, tmp_path / "train")


def test_dropout_may_be_another(tmp_path, start, corpus, cmvn, tokens, tiny_config):
    _, path = start(tokens)
    config = tiny_config(model={"dropout": 0.3}, training={"start_from": str(path), "epochs": 1})
    run(config, corpus, cmvn, tokens, tmp_path / "train")


def test_no_model_there_is_a_sentence(tmp_path, corpus, cmvn, tokens, tiny_config):
    config = tiny_config(training={"start_from": str(tmp_path / "none")})
    with pytest.raises(AsrError, match=r"training\.start_from: .*none: a model folder was expected"):
        run(config, corpus, cmvn, tokens, tmp_path / "train")


def test_statistics_of_frozen_layers_rest(tiny_config):
    model = untrained_model(tiny_config(model={"cell": "ligru", "num_layers": 2}), 5)
    assert layer_names(model) == [
        *("front_end", "norms.0", "norms.1", "layers.0", "layers.1", "output_norm", "output")
    ]
    freeze(model, ["layers.0"])
    rest_frozen_statistics(model.train())
    training = {name: module.training for name, module in model.named_modules() if name.endswith(".norm")}
    assert training and all(is_on == name.startswith("layers.1") for name, is_on in training.items())


def test_a_study_starts_from_no_model():
    tree = {"corpus": {"source": "folder", "root": "x"}, "study": {"grid": "a", "grids": {"a": {}}}}
    parse_config(tree, "test")
    with pytest.raises(AsrError, match=r"no training\.start_from in a study"):
        parse_config(tree | {"training": {"start_from": "model"}}, "test")


def test_a_mixture_with_the_start_is_either_of_both_at_its_ends(start, tokens):
    bundle, _ = start(tokens[:-1])
    torch.manual_seed(6)
    ours = {name: weight + torch.randn_like(weight) for name, weight in bundle.weights.items()}
    new_row = torch.full((1, ours["output.weight"].shape[1]), -0.0)
    ours["output.weight"] = torch.cat([ours["output.weight"], new_row])
    ours["output.bias"] = torch.cat([ours["output.bias"], torch.ones(1)])
    theirs = weights_for(ours, tokens, "characters", bundle)
    mixed = {share: mix_with_start(ours, theirs, share) for share in (0.0, 0.25, 1.0)}
    assert as_bytes(mixed[0.0]) == as_bytes(ours)
    assert as_bytes(mixed[1.0]) == as_bytes(theirs)
    for name, weight in bundle.weights.items():
        rows = len(weight) if weight.dim() else None
        assert torch.equal(mixed[1.0][name][:rows], weight), name
        torch.testing.assert_close(mixed[0.25][name][:rows], 0.75 * ours[name][:rows] + 0.25 * weight)
    assert mixed[0.25]["output.bias"][-1] == 1  # a class that the model has not stays as it was trained


@pytest.mark.parametrize(
    ("training", "crf", "sentence"),
    [
        ({"criterion": "ctc_crf"}, {"order": 2}, "criterion ctc_crf, as the model was trained with"),
        (
            {"criterion": "ctc_crf"},
            {"order": 1},
            "criterion ctc_crf, as the model was trained with, and another",
        ),
        ({}, {}, "criterion ctc, where the model was trained with ctc_crf"),
    ],
)
def test_the_log_says_whether_the_criterion_is_that_of_the_model(tiny_config, training, crf, sentence):
    theirs = tiny_config(training={"criterion": "ctc_crf"}, crf={"order": 2})
    assert told_of_criterion(tiny_config(training=training, crf=crf), theirs).startswith(sentence)
