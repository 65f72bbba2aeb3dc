"""Several processes that train one model (data parallelism), started by torchrun.

Every process holds the whole model and takes its share of the batches of an update. One exchange an update
adds up the gradients of the loss *summed* over units, and the number of units with them; dividing one by the
other gives the same update for any number of processes, which averaging over processes would not.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def world() -> int:
    """Number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the other processes, by NCCL on CUDA and by gloo elsewhere; nothing to do for one alone."""
    if world() == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
        dist.barrier()  # gloo may abort a process that leaves while another still writes its checkpoint
    finally:
        dist.destroy_process_group()


def exchange(tensors: Sequence[Tensor], extras: Sequence[float]) -> list[float]:
    """Add up `tensors` (in place) and `extras` over all processes, in one message.

    Returns:
        The sums of the extras; they travel as float32.
    """
    if world() == 1:
        return list(extras)
    flat = torch.cat([t.reshape(-1) for t in tensors] + [tensors[0].new_tensor(extras)])
    dist.all_reduce(flat)
    sums: list[float] = flat[len(flat) - len(extras) :].tolist()
    sizes = [tensor.numel() for tensor in tensors]
    for tensor, part in zip(tensors, torch.split(flat[: sum(sizes)], sizes), strict=True):
        tensor.copy_(part.view_as(tensor))
    return sums


def gather(item: object) -> list[object]:
    """Every process's `item`, in order of rank."""
    items: list[object] = [item] * world()
    if world() > 1:
        dist.all_gather_object(items, item)
    return items


def choose_device(wanted: str) -> torch.device:
    """`cpu`, `cuda`, or for `auto` CUDA where there is one; each local process takes its own GPU."""
    if wanted == "cuda" or (wanted == "auto" and torch.cuda.is_available()):
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")
