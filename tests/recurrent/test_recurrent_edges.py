"""Layers at the edges: padding of NaN, empty batches, other precisions, processes, copies; on every path."""

import copy
import multiprocessing
import pickle

import pytest
import torch

from asr.recurrent import CELLS, Recurrent, by_hand

PATHS = [(cell, dtype) for cell in CELLS for dtype in (torch.float32, torch.float64)]


def example(cell, dtype=torch.float32, layers=2):
    torch.manual_seed(1)
    model = Recurrent(3, 5, cell=cell, num_layers=layers).to(dtype)
    return model, torch.randn(2, 6, 3, dtype=dtype), torch.tensor([6, 2])


def gradients(model, x, lens):
    x = x.clone().requires_grad_()
    y, final = model(x, lens)
    return [y, *torch.autograd.grad(y.square().sum() + final.sum(), [x, *model.parameters()])]


@pytest.mark.parametrize(("cell", "dtype"), PATHS)
def test_padding_of_nan_counts_as_padding_of_zeros(cell, dtype):
    results = []
    for padding in (0.0, torch.nan, torch.inf):
        model, x, lens = example(cell, dtype)
        x[1, 2:] = padding
        results.append(gradients(model, x, lens))
    assert (results[0][0][1, 2:] == 0).all() and (results[0][1][1, 2:] == 0).all()
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_a_batch_without_rows_has_no_output(cell):
    model, _, _ = example(cell)
    x = torch.randn(0, 6, 3, requires_grad=True)
    y, final = model(x, torch.zeros(0, dtype=torch.int64))
    assert y.shape == (0, 6, 10) and final.shape == (4, 0, model.state_size)
    y.sum().backward()
    assert all((weight.grad == 0).all() for weight in model.parameters())


@pytest.mark.parametrize("cell", CELLS)
def test_autocast_changes_the_precision_of_the_input_alone(cell):
    model, x, lens = example(cell)
    low, state = x.bfloat16(), torch.randn(4, 2, model.state_size).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = model(low, lens, state)
    for one, expected in zip(found, model(low.float(), lens, state.float()), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, expected, rtol=0, atol=0)
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ValueError, match=r"found torch\.int64"):
        model(low.long(), lens)


@pytest.mark.parametrize(("cell", "dtype"), PATHS)
def test_the_output_may_be_changed_in_place(cell, dtype):
    model, x, lens = example(cell, dtype, layers=1)
    model.eval()
    for length in (6, 2):  # the fast path keeps frames in place where no row has padding
        lens[1] = length
        y, _ = model(x, lens)
        expected = torch.autograd.grad((2 * y).square().sum(), model.layers[0].weight_ih)
        y, _ = model(x, lens)
        found = torch.autograd.grad(y.mul_(2).square().sum(), model.layers[0].weight_ih)
        assert torch.equal(found[0], expected[0])


@pytest.mark.parametrize(("cell", "dtype"), PATHS)
def test_a_graph_that_is_kept_gives_the_same_gradient_again(cell, dtype):
    model, x, lens = example(cell, dtype)
    x.requires_grad_()
    y, final = model(x, lens)
    loss, wanted = y.square().sum() + final.sum(), [x, *model.parameters()]
    first = torch.autograd.grad(loss, wanted, retain_graph=True)
    assert all(map(torch.equal, first, torch.autograd.grad(loss, wanted)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", by_hand.CELLS)
def test_a_second_derivative_is_refused_and_not_wrong(cell, dtype):
    model, x, lens = example(cell, dtype)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(model(x, lens)[0].square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.sum().backward()


@pytest.mark.parametrize("cell", CELLS)
def test_copies_compute_the_same(cell):
    model, x, lens = example(cell)
    model(x, lens)  # running averages that are not 0 and 1
    model.eval()
    other = Recurrent(3, 5, cell=cell, num_layers=2).eval()
    other.load_state_dict(model.state_dict())
    for one in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), other):
        assert torch.equal(one(x, lens)[0], model(x, lens)[0])


@pytest.mark.parametrize("cell", CELLS)
def test_inputs_may_lie_in_any_order_in_memory(cell):
    model, x, lens = example(cell)
    state = torch.randn(4, 2, model.state_size)
    scattered = torch.full((4, 12, 6), torch.nan)[::2, ::2, ::2].copy_(x)
    backwards = state.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    model.eval()
    for one, expected in zip(model(scattered, lens, backwards), model(x, lens, state), strict=True):
        torch.testing.assert_close(one, expected)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_fork_has_threads_of_its_own():
    model, x, lens = example("gru")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        model(x, lens)  # begins the threads that a fork does not have
        child = multiprocessing.get_context("fork").Process(target=model, args=(x, lens))
        child.start()
        child.join(60)
        waits = child.is_alive()
        if waits:
            child.kill()
            child.join()
    finally:
        torch.set_num_threads(threads)
    assert not waits and child.exitcode == 0


@pytest.mark.parametrize("training", [True, False])
def test_what_a_gpu_gets_is_the_layer(training, monkeypatch):
    """The call that goes to cuDNN on a GPU, made on a processor, where torch has its own GRU behind it."""
    model, x, _ = example("gru_reset_after", torch.float64, layers=1)
    layer, state = model.train(training).layers[0], torch.randn(2, 2, 5, dtype=torch.float64)
    torch.nn.init.normal_(layer.bias_candidate)
    inputs = torch.stack([x, x.flip(0)]).transpose(1, 2)  # (D, T, N, F)
    expected = [layer._by_hand(inputs[d], state[d], None, d) for d in range(2)]
    told, call = [], torch._VF.gru
    monkeypatch.setattr(torch._VF, "gru", lambda *given: told.append(given[6]) or call(*given), raising=False)
    found = layer._cudnn(inputs, state)
    torch.testing.assert_close(found, torch.stack(expected))
    weights = list(layer.parameters())
    ours, theirs = (torch.autograd.grad(y.square().sum(), weights) for y in (torch.stack(expected), found))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        layer._cudnn(inputs, state)
    assert told == [True, True, training, training]  # cuDNN has a gradient only of what is called training
