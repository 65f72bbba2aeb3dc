"""Every cell step by step gives what its layer gives, in both directions."""

import pytest
import torch

from asr.recurrent import CELLS, Recurrent
from asr.recurrent.unrolled import unroll


@pytest.mark.parametrize("cell", CELLS)
def test_the_steps_are_the_output_of_the_layer(cell):
    torch.manual_seed(4)
    recurrent = Recurrent(5, 6, cell=cell)
    layer, lens = recurrent.layers[0], torch.tensor([11])
    recurrent(torch.randn(3, 11, 5), torch.tensor([11, 7, 9]))  # running averages that are not 0 and 1
    recurrent.eval()
    x = torch.randn(11, 5)
    expected, final = recurrent(x[None], lens)
    for d in (0, 1):
        steps = unroll(layer, d, x)
        torch.testing.assert_close(steps[-1], final[d], atol=1e-5, rtol=1e-5)
        hidden = torch.cat(steps)[:, :6]
        hidden = hidden.flip(0) if d else hidden
        torch.testing.assert_close(hidden, expected[0, :, 6 * d : 6 * d + 6], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_an_early_step_comes_through_time(cell):
    torch.manual_seed(4)
    recurrent = Recurrent(5, 6, cell=cell, bidirectional=False).double().eval()
    x = torch.randn(7, 5, dtype=torch.float64)
    steps = unroll(recurrent.layers[0], 0, x)
    (gradient,) = torch.autograd.grad(steps[-1].sum(), steps[2])

    start = steps[2].detach().requires_grad_()
    _, final = recurrent(x[None, 3:], torch.tensor([4]), start[None])
    (expected,) = torch.autograd.grad(final.sum(), start)
    torch.testing.assert_close(gradient, expected, atol=1e-10, rtol=1e-8)
