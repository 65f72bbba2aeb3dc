"""A second output in the middle of the stack: it learns beside the output, and is not exported."""

import pytest
import torch

from asr.config import UnitsConfig
from asr.errors import AsrError
from asr.model.bundle import Bundle, load_bundle, save_bundle
from asr.model.ctc import ctc_loss
from asr.training import average_checkpoints, train
from asr.training.checkpoint import checkpoints, load_checkpoint
from asr.training.monitor import read_metrics
from asr.training.run import make_trainer
from asr.units.kinds import build_units, load_units

WORDS = [a + b + c for a in "ABCD" for b in ["", *"ABCD"] for c in ["", *"ABCD"]]
PHONES = UnitsConfig(kind="phones", phones=("AA", "B", "K"))


@pytest.fixture
def sounds(tmp_path, corpus):
    """Makes phone units in which B and `same` sound alike, so that there are fewer of them than letters."""

    def build(same):
        say = {"A": "AA", "B": "B", "C": "K", "D": "K"} | {same: "B"}
        path = tmp_path / f"{same}.txt"
        path.write_text("".join(f"{w}  {' '.join(say[c] for c in w)}\n" for w in dict.fromkeys(WORDS)))
        texts = [row.text for row in corpus[0]]
        built = build_units(PHONES, texts, [], lexicon=path, cache=tmp_path)
        return load_units(PHONES, built.tokens, built.files)

    return build


@pytest.fixture
def config(tiny_config):
    return tiny_config(intermediate={"layer": 1, "weight": 0.25}, model={"num_layers": 2, "dropout": 0.0})


@pytest.fixture
def options(cmvn, tokens, tmp_path):
    return {"cmvn": cmvn, "tokens": tokens, "folder": tmp_path / "train"}


def test_the_loss_is_the_mean_of_both_by_weight_and_units(config, corpus, options, sounds):
    phones = sounds("D")
    trainer = make_trainer(config, *corpus, **options, device=torch.device("cpu"), intermediate_units=phones)
    batch = trainer.train_set.batch(range(6), 0)
    rows = zip(batch.intermediate_targets.tolist(), batch.intermediate_target_lens.tolist(), strict=True)
    assert [row[:n] for row, n in rows] == [phones.encode(u.text) for u in corpus[0][:6]]
    model = trainer.model
    one, two, lens = model.forward_both(batch.feats, batch.feat_lens)
    assert two.shape == (*one.shape[:2], len(phones.tokens)) and one.shape[2] != two.shape[2]
    torch.testing.assert_close(two.exp().sum(-1), torch.ones(two.shape[:2]))
    torch.testing.assert_close(model(batch.feats, batch.feat_lens)[0], one)
    by_unit = ctc_loss(two, lens, batch.intermediate_targets, batch.intermediate_target_lens)
    by_unit = by_unit / batch.intermediate_target_lens * batch.target_lens
    expected = 0.75 * ctc_loss(one, lens, batch.targets, batch.target_lens) + 0.25 * by_unit
    torch.testing.assert_close(trainer._losses(batch), expected)


def test_its_gradient_reaches_only_what_is_below_it(config, corpus, options, sounds):
    trainer = make_trainer(
        config, *corpus, **options, device=torch.device("cpu"), intermediate_units=sounds("D")
    )
    batch = trainer.train_set.batch(range(4), 0)
    trainer.model.forward_both(batch.feats, batch.feat_lens)[1].sum(dim=(1, 2)).square().sum().backward()
    reached = {name for name, weight in trainer.model.named_parameters() if weight.grad is not None}
    assert "layers.0" in str(reached) and "front_end" in str(reached) and "intermediate" in str(reached)
    assert not [name for name in reached if name.startswith(("layers.1", "norms.1", "output"))]


def test_it_learns_and_stays_behind(tmp_path, corpus, options, tiny_config, sounds):
    phones = sounds("D")
    config = tiny_config(
        intermediate={"layer": 1, "weight": 0.5},
        augment={"speeds": [1.0], "time_masks": 0, "warp": 0.0},
        model={"num_layers": 2, "hidden_size": 32, "dropout": 0.0},
        training={"epochs": 40, "evaluate_every": 40, "learning_rate": 0.01, "ema": 0.0},
    )
    end = train(config, corpus[0], corpus[0], **options, intermediate_units=phones)
    assert end.wer == 0.0
    losses = [line["loss"] for line in read_metrics(options["folder"] / "metrics.jsonl") if "loss" in line]
    assert losses[-1] < 0.1  # of both outputs: the phones are learnt, too
    weights, chosen = average_checkpoints(options["folder"], "last", 1)
    stored = load_checkpoint(chosen[0])[1]
    assert "model.intermediate.output.weight" in stored
    assert not [name for name in weights if "intermediate" in name]
    mean, std = options["cmvn"].mean_std()
    save_bundle(tmp_path / "model", Bundle(config, options["tokens"], mean, std, weights), card="tones\n")
    model = load_bundle(tmp_path / "model").build_model()
    assert model.intermediate is None


def test_other_pronunciations_are_another_training(config, corpus, options, sounds):
    train(config, *corpus, **options, intermediate_units=sounds("D"))
    kept = checkpoints(options["folder"])[-1].read_bytes()
    train(config, *corpus, **options, intermediate_units=sounds("D"))
    assert checkpoints(options["folder"])[-1].read_bytes() == kept
    with pytest.raises(AsrError, match="another configuration"):
        train(config, *corpus, **options, intermediate_units=sounds("C"))


def test_its_units_are_those_of_the_output_where_no_others_are_given(config, corpus, options):
    trainer = make_trainer(config, *corpus, **options, device=torch.device("cpu"))
    batch = trainer.train_set.batch([3, 4], 0)
    assert torch.equal(batch.intermediate_targets, batch.targets)
    assert trainer.model.intermediate.output.out_features == len(options["tokens"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"intermediate": {"layer": 3}, "model": {"num_layers": 2}}, "intermediate.layer ≤ model.num_layers"),
        (
            {"intermediate": {"layer": 1, "units": "phones"}, "units": {"kind": "phones"}},
            'units = "own" where',
        ),
        ({"intermediate": {"weight": 1.5}}, "intermediate.weight"),
    ],
)
def test_settings_that_cannot_be(tiny_config, changes, expected):
    with pytest.raises(AsrError, match=expected):
        tiny_config(**changes)
