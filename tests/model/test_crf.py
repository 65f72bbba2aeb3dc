"""CTC-CRF's sums against all paths one by one, its gradient, and what can be derived by hand."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.model.crf import UnitSequences, ctc_crf_loss, log_sum_paths
from asr.model.ctc import ctc_loss
from tests.model.test_ctc import collapse


def random_probs(rng, classes, order):
    """An n-gram in the shape that `UnitSequences` takes; some units never follow some contexts."""
    probs = rng.dirichlet(np.ones(classes), (classes,) * (order - 1))
    probs[rng.random(probs.shape) < 0.1] = 0
    probs[..., 0] += 0.1  # every sequence may end
    return probs / probs.sum(-1, keepdims=True)


def weight(units, probs):
    """p(units </s>), one word after the other."""
    history, product = [0] * (probs.ndim - 1), 1.0
    for word in [*units, 0]:
        product *= probs[(*history, word)]
        history = [*history, word][1:] if history else []
    return product


def sum_one_by_one(log_probs, probs):
    """Z of one row (T, C): every path by itself."""
    frames, classes = log_probs.shape
    values = log_probs.exp().tolist()
    return sum(
        math.prod(values[t][c] for t, c in enumerate(path)) * weight(collapse(path), probs)
        for path in itertools.product(range(classes), repeat=frames)
    )


def random_log_probs(seed, *shape, sharpness=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(*shape, generator=generator, dtype=dtype)).log_softmax(-1)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000), order=st.integers(1, 3), classes=st.integers(2, 4), frames=st.integers(0, 5)
)
def test_the_sum_goes_over_all_paths(seed, order, classes, frames):
    probs = random_probs(np.random.default_rng(seed), classes, order)
    log_probs = random_log_probs(seed, 1, frames, classes)
    found = log_sum_paths(log_probs, torch.tensor([frames]), UnitSequences.of(probs, np.float64))
    assert found.item() == pytest.approx(math.log(sum_one_by_one(log_probs[0], probs)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_gradient_by_finite_differences(order):
    sequences = UnitSequences.of(random_probs(np.random.default_rng(order), 4, order), np.float64)
    lens = torch.tensor([5, 3])
    log_probs = random_log_probs(1, 2, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: log_sum_paths(x, lens, sequences), log_probs)
    log_sum_paths(log_probs, lens, sequences).sum().backward()
    # each frame has one class, and what lies behind the end has none
    torch.testing.assert_close(
        log_probs.grad.sum(-1), (torch.arange(5) < lens[:, None]).double(), rtol=1e-12, atol=0
    )


def test_gradient_of_the_loss_reaches_the_logits():
    sequences = UnitSequences.of(random_probs(np.random.default_rng(3), 4, 2) + 1e-6)
    lens, targets, target_lens = (
        torch.tensor([6, 4]),
        torch.tensor([[1, 2, 1], [3, 3, 0]]),
        torch.tensor([3, 2]),
    )

    def loss(logits):
        rows = ctc_crf_loss(
            logits.log_softmax(-1), lens, targets, target_lens, sequences=sequences, ctc_weight=0.3
        )
        return (rows * torch.tensor([1.0, -2.0])).sum()

    torch.manual_seed(4)
    logits = torch.randn(2, 6, 4, requires_grad=True)
    loss(logits).backward()
    with torch.no_grad():
        for place in [(0, 0, 0), (0, 3, 2), (0, 5, 1), (1, 2, 3), (1, 3, 0), (1, 4, 2)]:
            step = torch.zeros_like(logits)
            step[place] = 0.02
            slope = (loss(logits + step) - loss(logits - step)) / 0.04
            assert logits.grad[place].item() == pytest.approx(slope.item(), abs=2e-3)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_all_targets_together_have_probability_one(order):
    """Z is the sum of the numerators, since every path spells one target."""
    sequences = UnitSequences.of(random_probs(np.random.default_rng(order), 3, order) + 1e-9)
    log_probs = random_log_probs(2, 1, 4, 3, dtype=torch.float32)
    total = 0.0
    for length in range(5):
        for target in itertools.product((1, 2), repeat=length):
            targets = torch.tensor([target or (0,)])
            lens = torch.tensor([4]), targets, torch.tensor([length])
            loss = ctc_crf_loss(log_probs, *lens, sequences=sequences, ctc_weight=0.0)
            assert loss.item() > 0
            total += math.exp(-loss.item())
    assert total == pytest.approx(1, abs=1e-5)


def test_weights_of_one_leave_ctc():
    """Where every sequence has the same weight, all paths together have probability one."""
    sequences = UnitSequences.of(np.ones((5, 5, 5)))
    log_probs = random_log_probs(3, 2, 30, 5, dtype=torch.float32)
    lens, targets, target_lens = (
        torch.tensor([30, 20]),
        torch.tensor([[1, 2, 2, 4], [3, 1, 0, 0]]),
        torch.tensor([4, 2]),
    )
    torch.testing.assert_close(log_sum_paths(log_probs, lens, sequences), torch.zeros(2), rtol=0, atol=1e-4)
    loss = ctc_crf_loss(log_probs, lens, targets, target_lens, sequences=sequences, ctc_weight=0.5)
    torch.testing.assert_close(loss, 1.5 * ctc_loss(log_probs, lens, targets, target_lens))


def test_one_unit_and_three_frames_by_hand():
    """p(w) = p(</s>) = q: ∅∅∅ has weight q, w∅w has q³, the six others spell one w and have q²."""
    q, blank = 0.25, torch.tensor([0.5, 0.3, 0.9], dtype=torch.float64)
    unit = 1 - blank
    nothing, both = blank.prod(), unit[0] * blank[1] * unit[2]
    expected = nothing * q + both * q**3 + (1 - nothing - both) * q**2
    log_probs = torch.stack([blank, unit], dim=-1).log()[None]
    found = log_sum_paths(log_probs, torch.tensor([3]), UnitSequences.of(np.full(2, q), np.float64))
    assert found.item() == pytest.approx(expected.log().item(), rel=1e-12)


def test_a_row_of_a_batch_is_what_it_is_alone(monkeypatch):
    sequences = UnitSequences.of(random_probs(np.random.default_rng(5), 6, 3))
    lens = [17, 40, 1, 28]
    log_probs = random_log_probs(5, 4, 40, 6, dtype=torch.float32)
    for row, length in enumerate(lens):
        log_probs[row, length:] = math.nan
    log_probs.requires_grad_()
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=threads: count)
        together = log_sum_paths(log_probs, torch.tensor(lens), sequences)
        (grad,) = torch.autograd.grad(together.sum(), log_probs)
        for row, length in enumerate(lens):
            alone = log_probs[row : row + 1, :length].detach().requires_grad_()
            value = log_sum_paths(alone, torch.tensor([length]), sequences)
            (own,) = torch.autograd.grad(value.sum(), alone)
            assert value.item() == together[row].item()
            assert torch.equal(grad[row, :length], own[0])
            assert not grad[row, length:].any()


@pytest.mark.parametrize("sharpness", [0.1, 3.0, 30.0])
def test_long_rows_stay_exact_in_single_precision(sharpness):
    probs = random_probs(np.random.default_rng(6), 12, 3)
    log_probs = random_log_probs(6, 1, 3000, 12, sharpness=sharpness)
    found = []
    for dtype in (torch.float32, torch.float64):
        values = log_probs.to(dtype).requires_grad_()
        number = np.float32 if dtype == torch.float32 else np.float64
        value = log_sum_paths(values, torch.tensor([3000]), UnitSequences.of(probs, number))
        value.sum().backward()
        found.append((value.item(), values.grad.double()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=0, atol=1e-4)


def test_what_only_unlikely_paths_can_say_stays_finite():
    """The network is certain of what the n-gram finds nearly impossible, and the other way round."""
    probs = np.full((3, 3), 1e-7)
    probs[:, 1] = 1
    log_probs = torch.full((1, 500, 3), -200.0)
    log_probs[0, :, 0] = 0.0
    log_probs[0, ::2] = torch.tensor([-200.0, -200.0, 0.0])
    log_probs.requires_grad_()
    value = log_sum_paths(log_probs, torch.tensor([500]), UnitSequences.of(probs))
    value.sum().backward()
    assert value.item() == pytest.approx(251 * math.log(1e-7), rel=1e-5)
    assert torch.isfinite(log_probs.grad).all()
    torch.testing.assert_close(log_probs.grad.sum(-1), torch.ones(1, 500))


def test_scores_of_targets():
    probs = random_probs(np.random.default_rng(7), 5, 3) + 1e-6
    sequences = UnitSequences.of(probs)
    for units in ([], [3], [1, 1, 4, 2]):
        assert sequences.score(np.array(units, np.int64)) == pytest.approx(math.log(weight(units, probs)))
