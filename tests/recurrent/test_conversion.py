"""Conversion from and to torch's layers: the same numbers on both sides, or a sentence."""

import pytest
import torch
from torch import nn

from asr.errors import AsrError
from asr.recurrent import CELLS, Recurrent, from_torch, to_torch

KINDS = {"gru_reset_after": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}


def assert_same(ours, theirs):
    x, lens = torch.randn(3, 7, ours.input_size), torch.full((3,), 7)
    start = torch.randn(ours.num_layers * ours.directions, 3, ours.state_size)
    lstm = ours.cell == "lstm"
    given = tuple(half.contiguous() for half in start.chunk(2, -1)) if lstm else start
    y, final = ours(x, lens, start)
    expected, expected_final = theirs(x if theirs.batch_first else x.transpose(0, 1), given)
    torch.testing.assert_close(y, expected if theirs.batch_first else expected.transpose(0, 1))
    torch.testing.assert_close(final, torch.cat(expected_final, -1) if lstm else expected_final)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", KINDS)
def test_there_and_back(cell, layers, bidirectional, bias, batch_first):
    torch.manual_seed(1)
    options = {"bias": bias, "bidirectional": bidirectional, "batch_first": batch_first}
    theirs = KINDS[cell](6, 8, num_layers=layers, **options)
    ours = from_torch(theirs)
    assert ours.cell == cell
    assert_same(ours, theirs)
    assert_same(ours, to_torch(ours))


@pytest.mark.parametrize("cell", KINDS)
def test_what_is_no_weight_is_kept(cell):
    theirs = KINDS[cell](3, 4, num_layers=2, dropout=0.25).double().eval()
    drawn = torch.random.get_rng_state()
    ours = from_torch(theirs)
    back = to_torch(ours)
    assert torch.equal(drawn, torch.random.get_rng_state())
    for module in (ours, back):
        assert not module.training and all(p.dtype == torch.float64 for p in module.parameters())
    assert ours.dropout.p == back.dropout == 0.25


@pytest.mark.parametrize("cell", sorted(set(CELLS) - set(KINDS)))
def test_cells_without_counterpart_are_refused_in_a_sentence(cell):
    reason = "applies the reset gate before" if cell == "gru" else f'computes cell="{cell}"'
    with pytest.raises(AsrError, match=reason):
        to_torch(Recurrent(3, 4, cell=cell))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.LSTM(3, 4, proj_size=2), "proj_size=2 has no counterpart"),
        (nn.RNN(3, 4, nonlinearity="relu"), 'nonlinearity="relu" was found'),
        (nn.Linear(3, 4), "Linear was found"),
    ],
)
def test_modules_without_counterpart_are_refused_in_a_sentence(module, words):
    with pytest.raises(AsrError, match=words):
        from_torch(module)
