"""The example of docs/criteria.md: its numbers are those of its equations, and of the loss."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from asr.model.crf import UnitSequences, ctc_crf_loss, log_sum_paths
from asr.model.ctc import ctc_loss
from asr.training.criterion import MOST_PROBS

PAGE = (Path(__file__).parents[2] / "docs" / "criteria.md").read_text(encoding="utf-8")
PROBS = np.array([[0.1, 0.9], [0.8, 0.2]])


def test_the_example_is_what_the_loss_gives():
    rows = re.findall(r"^\| (. .) \| (\w+) \| (\S+) \| (\S+) \| (\S+) \|$", PAGE, re.MULTILINE)
    assert [row[0] for row in rows] == ["∅ ∅", "A ∅", "∅ A", "A A"]
    y = [{"∅": 0.6, "A": 0.4}, {"∅": 0.5, "A": 0.5}]
    total = {"nothing": 0.0, "A": 0.0}
    for path, spelled, product, weight, both in rows:
        first, second = path.split()
        expected = y[0][first] * y[1][second], {"nothing": 0.1, "A": 0.9 * 0.8}[spelled]
        assert (float(product), float(weight)) == pytest.approx(expected)
        assert float(both) == pytest.approx(expected[0] * expected[1])
        total[spelled] += float(both)

    log_probs = torch.tensor([[[0.6, 0.4], [0.5, 0.5]]]).log()
    row = log_probs, torch.tensor([2]), torch.tensor([[1]]), torch.tensor([1])
    sequences = UnitSequences.of(PROBS)
    z = log_sum_paths(*row[:2], sequences).exp().item()
    loss = ctc_crf_loss(*row, sequences=sequences, ctc_weight=0.0).item()
    assert z == pytest.approx(sum(total.values()))
    assert loss == pytest.approx(-math.log(total["A"] / z))
    ctc = ctc_loss(*row).item()
    told = (
        f"Z = {z:.3f}, and A has probability {total['A']:.3f} / {z:.3f} = {math.exp(-loss):.3f} by (2), "
        f"where CTC gives it {math.exp(-ctc):.3f}. So CTC-CRF has a loss of {loss:.3f} where CTC has "
        f"{ctc:.3f}"
    )
    assert told in PAGE.replace("\n", " ")


def test_equation_5_is_the_gradient():
    """γ_Z is the gradient of log Z; γ_l that of log P by (1), which the two differ by."""
    torch.manual_seed(1)
    logits = torch.randn(1, 4, 2, requires_grad=True)
    rest = torch.tensor([4]), torch.tensor([[1]]), torch.tensor([1])
    sequences, alpha = UnitSequences.of(PROBS), 0.3
    (grad,) = torch.autograd.grad(
        ctc_crf_loss(logits.log_softmax(-1), *rest, sequences=sequences, ctc_weight=alpha).sum(), logits
    )
    log_probs = logits.detach().log_softmax(-1).requires_grad_()
    (all_paths,) = torch.autograd.grad(log_sum_paths(log_probs, rest[0], sequences).sum(), log_probs)
    (own,) = torch.autograd.grad(ctc_loss(logits.log_softmax(-1), *rest).sum(), logits)
    y = log_probs.detach().exp()
    of_target = y - own
    torch.testing.assert_close(grad, all_paths - of_target + alpha * (y - of_target))


def test_the_limits_of_the_order_are_those_of_the_trainer():
    most = [
        int(number) for number in re.search(r"than (\d+) units.*?than (\d+) it", PAGE, re.DOTALL).groups()
    ]
    for units, order in zip(most, (3, 2), strict=True):
        assert (units + 1) ** order <= MOST_PROBS < (units + 2) ** order
