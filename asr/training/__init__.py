"""The loop: optimiser and schedule, checkpoints, several processes, diagnosis."""

from asr.training.average import average_checkpoints
from asr.training.run import train

__all__ = ["average_checkpoints", "train"]
