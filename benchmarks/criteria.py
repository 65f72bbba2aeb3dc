"""What does CTC-CRF cost beside CTC, and what of it does the sum over all paths take?

    python benchmarks/criteria.py [--units 40 --order 3 --frames 416 --rows 8 --repeats 5]

Random log-probabilities and a random n-gram, whose numbers do not matter for the time: nothing is pruned.
Both losses are computed with their gradients on one thread, in turns; the table has the least processor time
of each.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.model.crf import UnitSequences, ctc_crf_loss, log_sum_paths
from asr.model.ctc import ctc_loss


def seconds(loss: Callable[[Tensor], Tensor], log_probs: Tensor) -> float:
    """Processor time of a loss and its gradient."""
    began = time.process_time()
    torch.autograd.grad(loss(log_probs).sum(), log_probs)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--units", type=int, default=40, help="without the blank")
    parser.add_argument("--order", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--frames", type=int, default=416)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    classes = args.units + 1
    rng = np.random.default_rng(1)
    sequences = UnitSequences.of(rng.dirichlet(np.ones(classes), (classes,) * (args.order - 1)))
    log_probs = (3 * torch.randn(args.rows, args.frames, classes)).log_softmax(-1).requires_grad_()
    lens = torch.full((args.rows,), args.frames)
    targets = torch.randint(1, classes, (args.rows, args.frames // 3))
    rest = lens, targets, torch.full((args.rows,), args.frames // 3)
    asked: dict[str, Callable[[Tensor], Tensor]] = {
        "CTC": lambda x: ctc_loss(x, *rest),
        "CTC-CRF": lambda x: ctc_crf_loss(x, *rest, sequences=sequences, ctc_weight=0.1),
        "of it, the sum over all paths": lambda x: log_sum_paths(x, lens, sequences),
    }
    best = dict.fromkeys(asked, float("inf"))
    for repeat in range(args.repeats + 1):
        for name, loss in asked.items():
            took = seconds(loss, log_probs)
            if repeat:  # the first compiles
                best[name] = min(best[name], took)
    print(f"{args.rows} rows of {args.frames} frames, {args.units} units, order {args.order}; one thread\n")
    print("| loss and gradient | processor time, ms | µs a frame |\n|---|---|---|")
    for name, took in best.items():
        print(f"| {name} | {1e3 * took:.1f} | {1e6 * took / args.rows / args.frames:.1f} |")


if __name__ == "__main__":
    main()
