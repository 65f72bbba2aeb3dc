"""Batch normalisation of padded sequences (Ioffe and Szegedy 2015), over the frames that count."""

import torch
from torch import Tensor, nn

EPSILON, MOMENTUM = 1e-5, 0.1


class InputNorm(nn.Module):
    """Normalise each of C sums of each direction, then scale it; the layer's bias is the shift.

    In training, mean and variance are those of the batch's valid frames: padding never counts, but a row's
    result depends on the rows beside it. In evaluation mode they are running averages, and rows are
    independent. Each process of a distributed training keeps its own averages; the first one's are saved.

    Args:
        directions: D.
        width: C.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, directions: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(directions, width))
        self.register_buffer("running_mean", torch.zeros(directions, width))
        self.register_buffer("running_var", torch.ones(directions, width))

    def forward(self, sums: Tensor, mask: Tensor, direction: int) -> Tensor:
        """(T, N, C), mask (T, N) of the valid frames -> (T, N, C); at padding it means nothing."""
        mean, var = self.running_mean[direction], self.running_var[direction]
        valid = sums[mask] if self.training else sums[:0]
        if len(valid):
            mean, var = valid.mean(0), valid.var(0, correction=0)
            self._follow(direction, mean, var * (len(valid) / max(len(valid) - 1, 1)))
        return (sums - mean) * torch.rsqrt(var + EPSILON) * self.weight[direction]

    @torch.no_grad()
    def _follow(self, direction: int, mean: Tensor, var: Tensor) -> None:
        self.running_mean[direction].lerp_(mean, MOMENTUM)
        self.running_var[direction].lerp_(var, MOMENTUM)
