"""Utterances of unequal length in one padded tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance as the model meets it.

    Attributes:
        utt_id: its name.
        feats: (T, F) float32.
        target: U ids of units.
        seconds: audio, after a change of speed.
    """

    utt_id: str
    feats: Tensor
    target: list[int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded, never packed.

    Attributes:
        utt_ids: N names, one a row.
        feats: (N, T, F) float32, 0 beyond a row's length.
        feat_lens: (N,) int64, frames of each row.
        targets: (N, U) int64, 0 (CTC's blank, and so never a unit) beyond a row's length.
        target_lens: (N,) int64.
        seconds: audio in the batch, without padding.
        skipped: a sentence for each utterance that belongs here and could not be read; it begins with the
            utterance's name. Where all of them are gone, N is 0.
    """

    utt_ids: list[str]
    feats: Tensor
    feat_lens: Tensor
    targets: Tensor
    target_lens: Tensor
    seconds: float
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.utt_ids)

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on `device`."""
        return Batch(
            self.utt_ids,
            self.feats.to(device, non_blocking=True),
            self.feat_lens.to(device, non_blocking=True),
            self.targets.to(device, non_blocking=True),
            self.target_lens.to(device, non_blocking=True),
            self.seconds,
            self.skipped,
        )


def collate(examples: Sequence[Example], dim: int, skipped: Sequence[str] = ()) -> Batch:
    """Pad examples to the longest of them, in the order given.

    Args:
        examples: N of them; none gives feats of shape (0, 0, F).
        dim: F, features of a frame.
        skipped: what is missing from the batch; passed on.
    """
    feat_lens = [len(example.feats) for example in examples]
    target_lens = [len(example.target) for example in examples]
    feats = torch.zeros(len(examples), max(feat_lens, default=0), dim)
    targets = torch.zeros(len(examples), max(target_lens, default=0), dtype=torch.int64)
    for row, example in enumerate(examples):
        feats[row, : feat_lens[row]] = example.feats
        targets[row, : target_lens[row]] = torch.tensor(example.target, dtype=torch.int64)
    return Batch(
        [example.utt_id for example in examples],
        feats,
        torch.tensor(feat_lens, dtype=torch.int64),
        targets,
        torch.tensor(target_lens, dtype=torch.int64),
        sum(example.seconds for example in examples),
        list(skipped),
    )
