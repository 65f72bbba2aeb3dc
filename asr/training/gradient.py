"""The gradient of one update: over all batches, and over all processes, that take part in it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from asr.batching.batch import Batch
from asr.training import distributed
from asr.training.depth import running_statistics
from asr.training.state import State


class Summed(NamedTuple):
    """Over all processes: loss in nats a unit, seconds of audio, and the sums of what each process added.

    `strange` are the rows of this process whose loss is not finite.
    """

    loss: float
    audio_seconds: float
    extras: list[float]
    strange: list[str]


def sum_gradient(
    state: State,
    batches: Sequence[Batch],
    losses_of: Callable[[Batch], Tensor],
    seed_of: Callable[[int], int],
    extras: Sequence[float],
) -> Summed:
    """Leave in each weight the gradient of the summed loss, divided by the number of units.

    Args:
        state: whose weights learn; a gradient that was there before is gone.
        batches: of this process; one without rows counts for nothing.
        losses_of: (N,) losses of a batch.
        seed_of: of dropout, for the batch of an index.
        extras: further numbers that are added up over processes.
    """
    state.optimiser.zero_grad(set_to_none=True)
    loss = units = audio_seconds = 0.0
    strange: list[str] = []
    for index, batch in enumerate(batches):
        if not len(batch):
            continue
        torch.manual_seed(seed_of(index))
        losses = losses_of(batch)
        state.scaler.scale(losses.sum()).backward()  # type: ignore[no-untyped-call]
        values = losses.detach().tolist()
        strange += [u for u, v in zip(batch.utt_ids, values, strict=True) if not abs(v) < float("inf")]
        loss += sum(values)
        units += float(batch.target_lens.sum())
        audio_seconds += batch.seconds
    gradients = [_gradient(parameter) for parameter in state.learning]
    statistics = running_statistics(state.model)
    for running in statistics:
        running.div_(distributed.world())  # so that all processes go on with their mean
    sums = distributed.exchange([*gradients, *statistics], [loss, units, audio_seconds, *extras])
    loss, units, audio_seconds, *others = sums
    state.scaler.unscale_(state.optimiser)
    torch._foreach_div_(gradients, max(units, 1.0))
    return Summed(loss / max(units, 1.0), audio_seconds, others, strange)


def _gradient(parameter: nn.Parameter) -> Tensor:
    """The gradient; zero where this process had no batch."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
