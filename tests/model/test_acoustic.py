"""The acoustic model: lengths, padding invariance, gradients reach every weight."""

import pytest
import torch

from asr.model.acoustic import AcousticModel, LockedDropout
from asr.recurrent import CELLS


def build(subsampling=4, cell="gru", **changes):
    torch.manual_seed(1)
    sizes = {"num_bins": 21, "num_classes": 6, "channels": 4, "hidden_size": 8, "num_layers": 2}
    options = {"bidirectional": True, "dropout": 0.1, "residual": True} | changes
    return AcousticModel(subsampling=subsampling, cell=cell, **sizes, **options)


@pytest.mark.parametrize("subsampling", [2, 3, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_batch_gives_what_rows_give_alone(subsampling, cell):
    model = build(subsampling, cell).eval()
    feats, lens = torch.randn(4, 50, 21), torch.tensor([50, 33, 2, 41])
    feats[1, 33:] = 100.0
    log_probs, log_prob_lens = model(feats, lens)
    assert log_prob_lens.tolist() == [-(-n // subsampling) for n in lens.tolist()]
    assert model.output_lens(lens).tolist() == log_prob_lens.tolist()
    for row, length in enumerate(lens.tolist()):
        alone, alone_lens = model(feats[row : row + 1, :length], lens[row : row + 1])
        frames = int(alone_lens[0])
        assert frames == log_prob_lens[row]
        torch.testing.assert_close(log_probs[row, :frames], alone[0], rtol=1e-5, atol=1e-5)


def test_log_probs_sum_to_one():
    log_probs, _ = build()(torch.randn(2, 30, 21), torch.tensor([30, 20]))
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 8))


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_gradient_reaches_every_weight(residual, bidirectional):
    model = build(residual=residual, bidirectional=bidirectional)
    log_probs, _ = model(torch.randn(2, 30, 21), torch.tensor([30, 20]))
    (log_probs * torch.randn(log_probs.shape)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_locked_dropout_keeps_its_mask_over_time():
    dropout = LockedDropout(0.5)
    x = dropout(torch.ones(3, 7, 40))
    assert ((x == 0) | (x == 2)).all()
    assert (x == x[:, :1]).all()
    assert (x[0] != x[1]).any()
    assert torch.equal(dropout.eval()(x), x)


def test_layer_drop_takes_whole_rows():
    drop = LockedDropout(0.25, whole_rows=True)
    torch.manual_seed(3)
    x = drop(torch.ones(400, 2, 3))
    torch.testing.assert_close(x[:, :1, :1].expand_as(x), x)
    assert sorted(set(x.flatten().tolist())) == [0.0, pytest.approx(4 / 3)]
    assert 0.15 < (x[:, 0, 0] == 0).float().mean() < 0.35
    assert torch.equal(drop.eval()(x), x)


def test_a_dropped_layer_is_passed_by():
    model, feats, lens = (
        build(dropout=0.0, layer_drop=0.999999),
        torch.randn(3, 40, 21),
        torch.tensor([40, 9, 22]),
    )
    log_probs, _ = model(feats, lens)
    torch.testing.assert_close(log_probs, model._classify(model.front_end(feats, lens)[0]))
    with pytest.raises(ValueError, match="layer_drop needs residual"):
        build(residual=False, layer_drop=0.1)
