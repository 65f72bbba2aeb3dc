"""The layer against its equations, autograd, finite differences, torch.nn.GRU, and its neighbours."""

import pytest
import torch

from asr.recurrent import CELLS, Recurrent, by_hand, cells, nonlinear


def gru_by_hand(layer, x, lens, d):
    """One direction of cell="gru", written from its four equations, row by row and frame by frame."""
    size = layer.hidden_size
    w_r, w_z, w_h = layer.weight_ih[d].split(size)
    u_r, u_z, u_h = layer.weight_hh[d].split(size)
    b_r, b_z, b_h = layer.bias[d].split(size)
    y = x.new_zeros(*x.shape[:2], size)
    for row, length in enumerate(lens.tolist()):
        h = x.new_zeros(size)
        for t in range(length) if d == 0 else reversed(range(length)):
            r = torch.sigmoid(w_r @ x[row, t] + u_r @ h + b_r)
            z = torch.sigmoid(w_z @ x[row, t] + u_z @ h + b_z)
            candidate = torch.tanh(w_h @ x[row, t] + u_h @ (r * h) + b_h)
            h = (1 - z) * h + z * candidate
            y[row, t] = h
    return y


def run(model, x, lens, state=None):
    """Outputs and gradients of a fixed weighted sum of outputs and final state."""
    x = x.clone().requires_grad_()
    state = None if state is None else state.clone().requires_grad_()
    y, final = model(x, lens, state)
    generator = torch.Generator().manual_seed(7)
    loss = (y * torch.randn(y.shape, generator=generator).to(y)).sum()
    loss = loss + (final * torch.randn(final.shape, generator=generator).to(y)).sum()
    inputs = [x, *([] if state is None else [state]), *model.parameters()]
    return y, final, torch.autograd.grad(loss, inputs)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_gru_is_its_equations(bidirectional):
    torch.manual_seed(1)
    model = Recurrent(5, 4, bidirectional=bidirectional).double()
    x, lens = torch.randn(3, 7, 5, dtype=torch.float64), torch.tensor([7, 1, 4])
    y, _ = model(x, lens)
    hand = [gru_by_hand(model.layers[0], x, lens, d) for d in range(2 if bidirectional else 1)]
    torch.testing.assert_close(y, torch.cat(hand, dim=-1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", by_hand.CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("rows", [1, 5, 300])  # of one and of many chunks of frames, and wider than a chunk
def test_fast_path_equals_reference_and_its_gradient(cell, bidirectional, rows):
    torch.manual_seed(2)
    layers, frames = 2, max(3, 700 // rows)
    fast = Recurrent(17, 48, cell=cell, num_layers=layers, bidirectional=bidirectional)
    slow = Recurrent(17, 48, cell=cell, num_layers=layers, bidirectional=bidirectional).double()
    slow.load_state_dict(fast.state_dict())
    x, lens = torch.randn(rows, frames, 17), torch.randint(1, frames + 1, (rows,))
    state = torch.randn(layers * fast.directions, rows, fast.state_size)
    y, final, grads = run(fast, x, lens, state)
    y_slow, final_slow, grads_slow = run(slow, x.double(), lens, state.double())
    torch.testing.assert_close(y.double(), y_slow, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(final.double(), final_slow, rtol=1e-5, atol=1e-5)
    for grad, grad_slow in zip(grads, grads_slow, strict=True):
        scale = grad_slow.abs().max()
        assert ((grad.double() - grad_slow).abs().max() / scale).item() < 1e-4


@pytest.mark.parametrize("cell", CELLS)
def test_gradient_against_finite_differences(cell):
    torch.manual_seed(3)
    model = Recurrent(3, 4, cell=cell).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2, 2, model.state_size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, h: model(x, torch.tensor([5, 3]), h), (x, state))


def test_reset_after_equals_torch():
    torch.manual_seed(4)
    ours, theirs = (
        Recurrent(6, 8, cell="gru_reset_after"),
        torch.nn.GRU(6, 8, batch_first=True, bidirectional=True),
    )
    layer = ours.layers[0]
    with torch.no_grad():
        for d, suffix in enumerate(("", "_reverse")):
            layer.weight_ih[d] = getattr(theirs, f"weight_ih_l0{suffix}")
            layer.weight_hh[d] = getattr(theirs, f"weight_hh_l0{suffix}")
            bias_hh = getattr(theirs, f"bias_hh_l0{suffix}")
            layer.bias[d] = getattr(theirs, f"bias_ih_l0{suffix}")
            layer.bias[d, :16] += bias_hh[:16]
            layer.bias_candidate[d] = bias_hh[16:]
    x = torch.randn(3, 9, 6)
    y, final = ours(x, torch.full((3,), 9))
    expected, expected_final = theirs(x)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(final, expected_final)


def test_reset_order_is_a_real_difference():
    inputs, state, weight = torch.randn(1, 4, 6), torch.randn(1, 2), torch.randn(6, 2)
    before = cells.gru(inputs, state, weight)
    # the same update gate: reset-after keeps the old state by z, the other by 1 − z
    flipped, flipped_weight = inputs.clone(), weight.clone()
    flipped[..., 2:4] *= -1
    flipped_weight[2:4] *= -1
    after = cells.gru_reset_after(flipped, state, flipped_weight, torch.zeros(2))
    assert (before - after).abs().max() > 1e-3


@pytest.mark.parametrize("cell", CELLS)
def test_row_does_not_depend_on_its_neighbours(cell):
    torch.manual_seed(5)
    model = Recurrent(4, 8, cell=cell, num_layers=2).eval()  # batch norm looks at neighbours in training
    x, lens = torch.randn(3, 12, 4), torch.tensor([12, 5, 9])
    y, final = model(x, lens)
    for row, length in enumerate(lens.tolist()):
        alone, alone_final = model(x[row : row + 1, :length], lens[row : row + 1])
        torch.testing.assert_close(y[row, :length], alone[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(final[:, row], alone_final[:, 0], rtol=1e-5, atol=1e-6)
        assert (y[row, length:] == 0).all()


def test_padding_has_no_influence_even_if_it_is_huge():
    torch.manual_seed(6)
    model = Recurrent(4, 8)
    x, lens = torch.randn(2, 6, 4), torch.tensor([6, 3])
    padded = x.clone()
    padded[1, 3:] = 1e4
    torch.testing.assert_close(model(x, lens)[0], model(padded, lens)[0], rtol=0, atol=0)


@pytest.mark.parametrize("cell", by_hand.CELLS)
def test_threads_change_nothing(cell):
    torch.manual_seed(7)
    model, x, lens = Recurrent(8, 16, cell=cell), torch.randn(35, 10, 8), torch.randint(1, 11, (35,))
    threads = torch.get_num_threads()
    results = []
    for count in (1, 2, 9):
        torch.set_num_threads(count)
        results.append(run(model, x, lens))
    torch.set_num_threads(threads)
    one, two, nine = results
    for first, second in zip((*one[:2], *one[2]), (*two[:2], *two[2]), strict=True):
        assert torch.equal(first, second)
    for first, second in zip((*one[:2], *one[2]), (*nine[:2], *nine[2]), strict=True):
        torch.testing.assert_close(
            first, second, rtol=1e-4, atol=1e-5
        )  # rows in groups: another order of sums


def test_rational_tanh_and_sigmoid():
    x = torch.linspace(-20, 20, 4001)
    tanh = torch.tensor([float(nonlinear.tanh(v)) for v in x.numpy()])
    sigmoid = torch.tensor([float(nonlinear.sigmoid(v)) for v in x.numpy()])
    assert (tanh - torch.tanh(x)).abs().max() < 4e-7
    assert (sigmoid - torch.sigmoid(x)).abs().max() < 4e-7


@pytest.mark.parametrize(
    ("x", "lens", "state", "words"),
    [
        (torch.zeros(2, 5, 3), torch.tensor([5, 5]), None, r"x: expected \(N, T, 4\)"),
        (torch.zeros(2, 5, 4), torch.tensor([5, 6]), None, "lengths from 1 to 5"),
        (torch.zeros(2, 5, 4), torch.tensor([5, -1]), None, "lengths from 1 to 5"),
        (torch.zeros(2, 5, 4), torch.tensor([5, 0]), None, "lengths from 1 to 5"),
        (torch.zeros(2, 5, 4).double(), torch.tensor([5, 5]), None, "x: expected torch.float32"),
        (
            torch.zeros(2, 5, 4),
            torch.tensor([5, 5]),
            torch.zeros(2, 2, 8).double(),
            "state: expected torch.f",
        ),
        (torch.zeros(2, 5, 4), torch.tensor([5.0, 5.0]), None, "integers"),
        (torch.zeros(2, 5, 4), torch.tensor([True, True]), None, "integers"),
        (torch.zeros(2, 5, 4), torch.tensor([5j, 5]), None, "integers"),
        (torch.zeros(2, 5, 4), torch.tensor([5]), None, "expected 2 integers"),
        (torch.zeros(2, 5, 4), torch.tensor([5, 5]), torch.zeros(1, 2, 8), "state: expected"),
    ],
)
def test_wrong_calls_are_sentences(x, lens, state, words):
    with pytest.raises(ValueError, match=words):
        Recurrent(4, 8)(x, lens, state)


def test_nan_is_named_by_row_and_frame_where_it_counts():
    x, lens = torch.zeros(3, 5, 4), torch.tensor([5, 2, 5])
    x[1, 3, 2] = torch.nan  # padding
    assert Recurrent(4, 8)(x, lens)[0][0].isfinite().all()
    x[2, 4, 1] = torch.nan
    with pytest.raises(ValueError, match="NaN in row 2, frame 4"):
        Recurrent(4, 8)(x, lens)
    assert Recurrent(4, 8, check_nan=False)(x, lens)[0][2].isnan().any()


def test_unknown_cell():
    with pytest.raises(ValueError, match="unknown cell 'gur'"):
        Recurrent(4, 8, cell="gur")
