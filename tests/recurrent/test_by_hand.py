"""Gradients by hand against finite differences and against autograd through the readable cells."""

import pytest
import torch

from asr.recurrent import Recurrent, by_hand, cells

SHAPES = [(1, 1, 1, 1), (3, 7, 5, 4), (4, 6, 2, 9)]  # N, T, F, H


def by_autograd(cell, inputs, state, weight_ih, weight_hh, bias, bias_candidate=None):
    """`by_hand.recurrence` by the specification."""
    extra = () if bias_candidate is None else (bias_candidate,)
    sums = (inputs @ weight_ih.T + bias).transpose(0, 1)
    return getattr(cells, cell)(sums, state, weight_hh, *extra).transpose(0, 1)


def example(cell, layers, bidirectional, shape, dtype):
    rows, frames, features, hidden = shape
    model = Recurrent(features, hidden, cell=cell, num_layers=layers, bidirectional=bidirectional).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)  # biases too, which begin at zero
    x = torch.randn(rows, frames, features, dtype=dtype)
    lens = torch.randint(1, frames + 1, (rows,))
    lens[0] = frames
    state = torch.randn(layers * model.directions, rows, model.state_size, dtype=dtype)
    return model, x, lens, state


def results(model, x, lens, state):
    """Output, final state, and gradients with respect to input, state and every parameter."""
    x, state = x.clone().requires_grad_(), state.clone().requires_grad_()
    y, final = model(x, lens, state)
    generator = torch.Generator().manual_seed(7)
    factors = [torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t) for t in (y, final)]
    loss = (y * factors[0]).sum() + (final * factors[1]).sum()
    return [y, final, *torch.autograd.grad(loss, [x, state, *model.parameters()])]


@pytest.mark.parametrize(("dtype", "bar"), [(torch.float64, 1e-8), (torch.float32, 1e-4)])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", by_hand.CELLS)
def test_equals_autograd_through_the_reference(cell, layers, bidirectional, dtype, bar, monkeypatch):
    for seed, shape in enumerate(SHAPES):
        torch.manual_seed(seed)
        model, x, lens, state = example(cell, layers, bidirectional, shape, dtype)
        ours = results(model, x, lens, state)
        with monkeypatch.context() as patch:
            patch.setattr(by_hand, "recurrence", by_autograd)
            expected = results(model.double(), x.double(), lens, state.double())
        for found, wanted in zip(ours, expected, strict=True):
            assert wanted.abs().max() > 0
            assert ((found - wanted).abs().max() / wanted.abs().max()).item() < bar


@pytest.mark.parametrize("cell", by_hand.CELLS)
def test_equals_finite_differences_for_every_parameter(cell):
    torch.manual_seed(3)
    model, x, lens, state = example(cell, 2, True, (2, 4, 2, 2), torch.float64)
    names, parameters = zip(*model.named_parameters(), strict=True)

    def compute(x, state, *parameters):
        weights = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(model, weights, (x, lens, state))

    assert torch.autograd.gradcheck(compute, (x.requires_grad_(), state.requires_grad_(), *parameters))


@pytest.mark.parametrize("cell", by_hand.CELLS)
def test_frozen_inputs_need_no_gradient(cell):
    model, x, lens, _ = example(cell, 1, True, (3, 7, 5, 4), torch.float64)
    y, _ = model(x, lens)
    y.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert x.grad is None
