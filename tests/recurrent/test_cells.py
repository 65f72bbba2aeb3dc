"""The cells that torch differentiates: equations, normalisation, the parallel scan, stability."""

import pytest
import torch

from asr.recurrent import Recurrent, cells


@pytest.mark.parametrize("frames", [1, 2, 7, 16, 33])
def test_scan_of_mingru_is_its_recurrence(frames):
    torch.manual_seed(1)
    inputs, state = torch.randn(3, frames, 8, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    h, expected = state, []
    for frame in inputs.unbind(1):
        z = torch.sigmoid(frame[:, :4])
        h = (1 - z) * h + z * frame[:, 4:]
        expected.append(h)
    torch.testing.assert_close(cells.mingru(inputs, state), torch.stack(expected, 1), rtol=0, atol=1e-13)


def test_mingru_is_finite_over_thousands_of_saturated_frames():
    inputs = torch.full((1, 3000, 2), 60.0).requires_grad_()
    inputs.data[:, ::2, 0] = -60.0
    y = cells.mingru(inputs, torch.ones(1, 1))
    y.sum().backward()
    assert y.isfinite().all() and inputs.grad.isfinite().all()


@pytest.mark.parametrize("cell", ["ligru", "sligru"])
def test_light_gru_is_its_equations(cell):
    """Row by row and frame by frame, with the statistics of the valid frames."""
    torch.manual_seed(2)
    model = Recurrent(5, 4, cell=cell, bidirectional=False).double()
    layer = model.layers[0]
    with torch.no_grad():
        layer.bias.normal_()
        layer.norm.weight.normal_()
    x, lens = torch.randn(3, 6, 5, dtype=torch.float64), torch.tensor([6, 2, 4])
    y, final = model(x, lens)
    valid = torch.cat([x[n, :length] for n, length in enumerate(lens)]) @ layer.weight_ih[0].T
    mean, std = valid.mean(0), (valid.var(0, correction=0) + 1e-5).sqrt()
    for row, length in enumerate(lens.tolist()):
        h = torch.zeros(4, dtype=torch.float64)
        for t in range(length):
            given = (layer.weight_ih[0] @ x[row, t] - mean) / std * layer.norm.weight[0] + layer.bias[0]
            recurrent = layer.weight_hh[0] @ h
            if cell == "sligru":
                recurrent = (recurrent - recurrent.mean()) / (recurrent.var(correction=0) + 1e-5).sqrt()
            z, candidate = torch.sigmoid((given + recurrent)[:4]), torch.relu((given + recurrent)[4:])
            h = z * h + (1 - z) * candidate
            torch.testing.assert_close(y[row, t], h, rtol=0, atol=1e-12)
        torch.testing.assert_close(final[0, row], h, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", ["ligru", "sligru"])
def test_padding_does_not_enter_the_statistics(cell):
    torch.manual_seed(3)
    x, lens = torch.randn(3, 9, 4), torch.tensor([9, 4, 1])
    padded = x.clone()
    padded[1, 4:] = padded[2, 1:] = 1e6
    outputs = []
    for batch in (x, padded):
        torch.manual_seed(4)
        model = Recurrent(4, 6, cell=cell, num_layers=2)
        batch.requires_grad_()
        y, _ = model(batch, lens)
        y.square().sum().backward()
        assert batch.grad.isfinite().all() and (batch.grad[1, 4:] == 0).all()
        outputs.append([y, *model.buffers(), *(p.grad for p in model.parameters())])
    for first, second in zip(*outputs, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_running_statistics_become_those_of_the_data():
    torch.manual_seed(5)
    model = Recurrent(3, 4, cell="ligru", bidirectional=False)
    x, lens = 3 + 2 * torch.randn(8, 50, 3), torch.full((8,), 50)
    for _ in range(200):
        model(x, lens)
    trained, _ = model(x, lens)
    evaluated, _ = model.eval()(x, lens)
    torch.testing.assert_close(trained, evaluated, rtol=0, atol=0.02)  # variances of n and of n − 1 differ


@pytest.mark.parametrize("cell", ["ligru", "sligru"])
def test_relu_recurrence_is_stable_at_the_start(cell):
    torch.manual_seed(6)
    model = Recurrent(10, 32, cell=cell)
    eye = torch.eye(32).expand(2, 2, 32, 32)
    blocks = model.layers[0].weight_hh.view(2, 2, 32, 32)
    torch.testing.assert_close(blocks @ blocks.mT, eye, rtol=0, atol=1e-5)
    y, _ = model(torch.randn(4, 1000, 10), torch.full((4,), 1000))
    assert y.isfinite().all() and y.abs().max() < 1000
