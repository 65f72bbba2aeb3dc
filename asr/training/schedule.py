"""The learning rate over a run."""

import math
from collections.abc import Sequence


def rate_factor(step: int, progress: float, *, warmup_steps: int, final_rate: float) -> float:
    """What the learning rate is multiplied by: a linear warm-up, then a cosine (Loshchilov and Hutter 2017).

    Args:
        step: updates done so far.
        progress: how much of the run is done, from 0 to 1.
        warmup_steps: updates of the warm-up; during it both factors act.
        final_rate: the factor at the end of the run.
    """
    warmup = min(1.0, (step + 1) / (warmup_steps + 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return warmup * (final_rate + (1 - final_rate) * cosine)


def cycle(step: int, lengths: Sequence[int]) -> tuple[int, int, int]:
    """Which cosine an update belongs to, of several that follow each other (Loshchilov and Hutter 2017).

    Args:
        step: updates done so far.
        lengths: updates of each cycle; the last one has what comes after, too.

    Returns:
        The cycle's number from 0, the updates done in it, and its length.
    """
    for number, length in enumerate(lengths[:-1]):
        if step < length:
            return number, step, length
        step -= length
    return len(lengths) - 1, step, lengths[-1]


def progress(step: int, total_steps: int, seconds: float, budget_seconds: float) -> float:
    """Share of the run that is done: of its updates or of its time budget (0: none), whichever is more."""
    by_steps = step / total_steps
    return max(by_steps, seconds / budget_seconds) if budget_seconds else by_steps
