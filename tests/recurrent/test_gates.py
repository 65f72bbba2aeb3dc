"""What is traced is what the layer computes: its states, its equations, its gradient through time."""

import pytest
import torch

from asr.recurrent import Recurrent
from asr.recurrent.gates import GATED, effective_memory, trace


def stack(cell, bidirectional=True, num_layers=2):
    torch.manual_seed(3)
    recurrent = Recurrent(5, 6, cell=cell, num_layers=num_layers, bidirectional=bidirectional)
    for name, parameter in recurrent.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(parameter)
    return recurrent, torch.randn(11, 5)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", GATED)
def test_the_states_are_the_output_of_the_layer(cell, bidirectional):
    recurrent, x = stack(cell, bidirectional)
    expected, _ = recurrent(x[None], torch.tensor([len(x)]))
    traces, output = trace(recurrent, x)
    torch.testing.assert_close(output, expected[0], atol=1e-5, rtol=1e-5)
    assert [len(layer) for layer in traces] == [1 + bidirectional] * 2
    for one in traces[-1]:
        torch.testing.assert_close(torch.cat(one.steps), one.states)


@pytest.mark.parametrize("cell", GATED)
@pytest.mark.parametrize("d", [0, 1])
def test_the_gates_and_states_satisfy_the_equations(cell, d):
    recurrent, x = stack(cell, num_layers=1)
    (one,) = (traces[d] for traces in trace(recurrent, x)[0])
    layer = recurrent.layers[0]
    w_r, w_z, w_h = layer.weight_ih[d].split(6)
    u_r, u_z, u_h = layer.weight_hh[d].split(6)
    b_r, b_z, b_h = layer.bias[d].split(6)
    for t in range(len(x)):
        before = t - 1 if d == 0 else t + 1
        h = one.states[before] if 0 <= before < len(x) else torch.zeros(6)
        r, z = one.reset[t], one.update[t]
        torch.testing.assert_close(r, torch.sigmoid(w_r @ x[t] + u_r @ h + b_r))
        torch.testing.assert_close(z, torch.sigmoid(w_z @ x[t] + u_z @ h + b_z))
        if cell == "gru":
            candidate = torch.tanh(w_h @ x[t] + u_h @ (r * h) + b_h)
        else:
            candidate = torch.tanh(w_h @ x[t] + b_h + r * (u_h @ h + layer.bias_candidate[d]))
        expected = (1 - one.taken[t]) * h + one.taken[t] * candidate
        torch.testing.assert_close(one.states[t], expected, atol=1e-5, rtol=1e-5)


def test_the_gradient_of_a_step_goes_through_time():
    recurrent, x = stack("gru", bidirectional=False, num_layers=1)
    recurrent, x = recurrent.double(), x.double()
    (((one,),), output) = trace(recurrent, x)
    # only the last frame is in the loss, so all of the gradient of an early state came through time
    gradients = torch.autograd.grad(output[-1].sum(), one.steps)
    assert gradients[4].abs().sum() > 1e-6

    def loss_from(state):
        """The loss as a function of h_5, run on by the layer from there."""
        y, _ = recurrent(x[None, 5:], torch.tensor([len(x) - 5]), state[None])
        return y[0, -1].sum()

    state = one.steps[4].detach().requires_grad_()
    (expected,) = torch.autograd.grad(loss_from(state), state)
    torch.testing.assert_close(gradients[4], expected, atol=1e-10, rtol=1e-10)


def test_a_closed_gate_remembers_longer():
    assert effective_memory(torch.full((7, 2), 0.25)).tolist() == [4.0, 4.0]
    assert effective_memory(torch.ones(7, 1)).tolist() == [1.0]
    assert effective_memory(torch.zeros(7, 1)).item() == pytest.approx(1e6)
    recurrent, x = stack("gru_reset_after", num_layers=1)
    with torch.no_grad():
        recurrent.layers[0].bias[:, 6:12] = 6.0  # z keeps the old state in this cell
    one = trace(recurrent, x)[0][0][0]
    assert one.update.min() > 0.9 and effective_memory(one.taken).min() > 10


def test_a_cell_without_gates_is_refused():
    recurrent, x = stack("gru")
    recurrent.cell = "rnn"
    with pytest.raises(ValueError, match="'rnn' has no reset and update gate; gru and gru_reset_after have"):
        trace(recurrent, x)
