"""The CTC loss against a sum over all alignments, and its infeasible cases."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.model.ctc import ctc_loss, frames_needed


def collapse(alignment):
    return [unit for unit, _ in itertools.groupby(alignment) if unit != 0]


def brute_force(log_probs, target):
    """−log Σ p(alignment) over every alignment that collapses to the target."""
    frames, classes = log_probs.shape
    total = -math.inf
    for alignment in itertools.product(range(classes), repeat=frames):
        if collapse(alignment) == target:
            score = sum(float(log_probs[t, c]) for t, c in enumerate(alignment))
            total = (
                max(total, score) + math.log1p(math.exp(-abs(total - score))) if total > -math.inf else score
            )
    return -total


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), frames=st.integers(1, 5), target=st.lists(st.integers(1, 2), max_size=4))
def test_loss_is_the_sum_over_alignments(seed, frames, target):
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(1, frames, 3, generator=generator).log_softmax(-1)
    targets = torch.tensor([target or [0]])
    loss = ctc_loss(log_probs, torch.tensor([frames]), targets, torch.tensor([len(target)]))
    expected = brute_force(log_probs[0], target)
    if math.isinf(expected):
        assert torch.isinf(loss[0])
        assert frames_needed(target) > frames
    else:
        assert loss[0].item() == pytest.approx(expected, abs=1e-4)
        assert frames_needed(target) <= frames


def test_padding_is_ignored():
    torch.manual_seed(1)
    log_probs = torch.randn(2, 9, 4).log_softmax(-1)
    targets = torch.tensor([[1, 2, 3], [2, 2, 0]])
    both = ctc_loss(log_probs, torch.tensor([9, 6]), targets, torch.tensor([3, 2]))
    alone = ctc_loss(log_probs[1:, :6], torch.tensor([6]), targets[1:, :2], torch.tensor([2]))
    torch.testing.assert_close(both[1], alone[0])


@pytest.mark.parametrize(
    ("target", "frames"), [([], 0), ([1], 1), ([1, 2], 2), ([1, 1], 3), ([3, 3, 3, 1], 6)]
)
def test_frames_needed(target, frames):
    assert frames_needed(target) == frames
