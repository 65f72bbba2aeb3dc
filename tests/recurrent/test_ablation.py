"""A GRU without a gate is its equations with the gate forced, in values, gradients and after updates."""

import pytest
import torch

from asr.recurrent import Recurrent
from asr.recurrent.ablation import GATES, take_gate


def forced(weights, x, gate):
    """One forward direction by the four equations, with r = 1, z = 1 or z = σ(b_z)."""
    weight_ih, weight_hh, bias = (weight[0] for weight in weights)
    size = weight_hh.shape[1]
    (w_r, w_z, w_h), (u_r, u_z, u_h), (b_r, b_z, b_h) = (w.split(size) for w in (weight_ih, weight_hh, bias))
    h, states = x.new_zeros(size), []
    for x_t in x:
        r = torch.ones(size) if gate == "reset" else torch.sigmoid(w_r @ x_t + u_r @ h + b_r)
        z = torch.sigmoid(w_z @ x_t + u_z @ h + b_z)
        z = {"reset": z, "update": torch.ones(size), "constant_update": torch.sigmoid(b_z)}[gate]
        h = (1 - z) * h + z * torch.tanh(w_h @ x_t + u_h @ (r * h) + b_h)
        states.append(h)
    return torch.stack(states)


def layer_and_weights(gate):
    """An ablated layer, the weights that it had before, and an input."""
    torch.manual_seed(5)
    recurrent = Recurrent(6, 8, bidirectional=False)
    torch.nn.init.normal_(recurrent.layers[0].bias)
    layer = recurrent.layers[0]
    weights = [w.detach().clone().requires_grad_() for w in (layer.weight_ih, layer.weight_hh, layer.bias)]
    take_gate(recurrent, gate)
    return recurrent, weights, torch.randn(9, 6)


@pytest.mark.parametrize("gate", GATES)
def test_it_is_the_equations_with_the_gate_forced(gate):
    recurrent, weights, x = layer_and_weights(gate)
    y, _ = recurrent(x[None], torch.tensor([len(x)]))
    expected = forced(weights, x, gate)
    torch.testing.assert_close(y[0], expected, atol=2e-6, rtol=1e-5)

    scale = torch.randn(y.shape[1:])
    found = torch.autograd.grad((y[0] * scale).sum(), list(recurrent.parameters()))
    own = dict(zip((name for name, _ in recurrent.named_parameters()), found, strict=True))
    gradients = torch.autograd.grad((expected * scale).sum(), weights, materialize_grads=True)
    for name, gradient in zip(("weight_ih", "weight_hh", "bias"), gradients, strict=True):
        (mine,) = (g for key, g in own.items() if name in key)
        torch.testing.assert_close(mine, gradient, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("gate", GATES)
def test_the_gate_stays_away_while_the_rest_learns(gate):
    recurrent, weights, x = layer_and_weights(gate)
    optimiser = torch.optim.AdamW(recurrent.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(5):
        optimiser.zero_grad()
        recurrent(x[None], torch.tensor([len(x)]))[0].square().sum().backward()
        optimiser.step()
    layer = recurrent.layers[0]
    rows = slice(0, 8) if gate == "reset" else slice(8, 16)
    others = slice(8, 24) if gate == "reset" else slice(16, 24)
    assert (layer.weight_ih[:, rows] == 0).all() and (layer.weight_hh[:, rows] == 0).all()
    assert (layer.weight_hh[:, others] != weights[1][:, others]).all()
    if gate == "constant_update":
        assert (layer.bias[:, rows] != weights[2][:, rows]).all()
    else:
        assert (torch.sigmoid(layer.bias[:, rows]) == 1).all()


def test_the_parameters_without_effect_are_counted():
    counts = {gate: take_gate(Recurrent(6, 8, num_layers=2), gate) for gate in GATES}
    without_bias = 2 * 8 * (6 + 8) + 2 * 8 * (16 + 8)
    assert counts == {
        "reset": without_bias + 2 * 2 * 8,
        "update": without_bias + 2 * 2 * 8,
        "constant_update": without_bias,
    }


def test_other_cells_and_gates_are_refused():
    with pytest.raises(ValueError, match="found 'reset' of 'lstm'"):
        take_gate(Recurrent(6, 8, cell="lstm"), "reset")
    with pytest.raises(ValueError, match="found 'forget' of 'gru'"):
        take_gate(Recurrent(6, 8), "forget")
