"""Utterances of unequal length in one padded tensor."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
        intermediate: the target of the model's intermediate output, where it has one.
    """

    utt_id: str
    feats: Tensor
    target: list[int]
    seconds: float
    intermediate: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded, never packed.

    Attributes:
        utt_ids: N names, one a row.
        feats: (N, T, F) float32, 0 beyond a row's length.
        feat_lens: (N,) int64, frames of each row.
        targets: (N, U) int64, 0 (CTC's blank, and so never a unit) beyond a row's length.
        target_lens: (N,) int64.
        intermediate_targets, intermediate_target_lens: likewise, of the model's intermediate output; of
            length 0 where it has none.
        seconds: audio in the batch, without padding.
        skipped: a sentence for each utterance that belongs here and could not be read; it begins with the
            utterance's name. Where all of them are gone, N is 0.
    """

    utt_ids: list[str]
    feats: Tensor
    feat_lens: Tensor
    targets: Tensor
    target_lens: Tensor
    intermediate_targets: Tensor
    intermediate_target_lens: Tensor
    seconds: float
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.utt_ids)


def collate(examples: Sequence[Example], dim: int, skipped: Sequence[str] = ()) -> Batch:
    """Pad examples to the longest of them, in the order given.

    Args:
        examples: N of them; none gives feats of shape (0, 0, F).
        dim: F, features of a frame.
        skipped: what is missing from the batch; passed on.
    """
    feat_lens = [len(example.feats) for example in examples]
    feats = torch.zeros(len(examples), max(feat_lens, default=0), dim)
    for row, example in enumerate(examples):
        feats[row, : feat_lens[row]] = example.feats
    return Batch(
        [example.utt_id for example in examples],
        feats,
        torch.tensor(feat_lens, dtype=torch.int64),
        *_pad([example.target for example in examples]),
        *_pad([example.intermediate for example in examples]),
        sum(example.seconds for example in examples),
        list(skipped),
    )


def _pad(targets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """N lists of at most U ids -> (N, U), (N,)."""
    lens = torch.tensor([len(target) for target in targets], dtype=torch.int64)
    padded = torch.zeros(len(targets), max(map(len, targets), default=0), dtype=torch.int64)
    for row, target in enumerate(targets):
        padded[row, : len(target)] = torch.tensor(target, dtype=torch.int64)
    return padded, lens
