"""What training makes small: CTC's loss, or CTC-CRF's with an n-gram of the training transcripts' units."""

import functools
import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.batching.batch import Batch
from asr.errors import AsrError
from asr.lm.build import build
from asr.lm.dense import dense_probs
from asr.lm.tables import BOS, EOS
from asr.model.acoustic import AcousticModel
from asr.model.crf import UnitSequences, ctc_crf_loss
from asr.model.ctc import ctc_loss
from asr.training import distributed
from asr.training.teachers import Teachers

log = logging.getLogger("asr")

Criterion: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(log_probs (N, T', C), log_prob_lens (N,), targets (N, U), target_lens (N,)) -> (N,) losses in nats."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

MOST_PROBS = 1 << 21
"""Of an n-gram of units, each of which is used in each frame."""


def batch_losses(
    model: AcousticModel,
    batch: Batch,
    criterion: Criterion,
    *,
    teachers: Teachers | None = None,
    intermediate_weight: float,
    precision: str,
    device: torch.device,
) -> Tensor:
    """Losses of a batch; where the model has an intermediate output, the mean of both outputs' by its weight.

    The intermediate output's loss is CTC's, and counts as if its target had as many units as the output's, so
    that the weight means the same for phones as for characters.

    Args:
        model: on `device`.
        batch: anywhere.
        criterion: of the model's output.
        teachers: whose outputs it learns from, too.
        intermediate_weight: share of the intermediate output's loss; 0 for a model without.
        precision: a key of PRECISIONS.

    Returns:
        (N,), in nats.
    """
    dtype, halfway = PRECISIONS[precision], None
    feats = batch.feats.to(device, non_blocking=True)
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        if intermediate_weight:
            log_probs, halfway, lens = model.forward_both(feats, batch.feat_lens)
        else:
            log_probs, lens = model(feats, batch.feat_lens)
        probs = teachers.probs(feats, batch.feat_lens) if teachers else None
    losses = criterion(log_probs, lens, batch.targets.to(device), batch.target_lens)
    if teachers and probs is not None:
        losses = teachers.mixed(losses, log_probs, lens, probs)
    if halfway is None:
        return losses
    targets, target_lens = batch.intermediate_targets.to(device), batch.intermediate_target_lens
    units = (batch.target_lens / target_lens.clamp(min=1)).to(device)
    of_halfway = units * ctc_loss(halfway, lens, targets, target_lens)
    return (1 - intermediate_weight) * losses + intermediate_weight * of_halfway


def crf_criterion(
    targets: Sequence[Sequence[int]], num_classes: int, *, order: int, lm_weight: float, ctc_weight: float
) -> Criterion:
    """CTC-CRF's loss.

    Args:
        targets: classes of every training transcript, of which the n-gram is estimated.
        num_classes: C, units and the blank.
        order: of the n-gram, 1 to 3.
        lm_weight: exponent of its probabilities. Nothing needs them to sum to one: the loss divides by Z.
        ctc_weight: as for `ctc_crf_loss`.

    Raises:
        AsrError: more units than an n-gram of this order can have here.
    """
    if num_classes**order > MOST_PROBS:
        most = next(n for n in (3, 2, 1) if num_classes**n <= MOST_PROBS or n == 1)
        raise AsrError(
            f"crf.order = {order} with {num_classes} classes: an n-gram of at most {MOST_PROBS:,} "
            f"probabilities expected, found {num_classes**order:,}; set crf.order = {most}"
        )
    probs = unit_probs(targets, num_classes, order)
    if distributed.rank() == 0:
        plain = UnitSequences.of(probs)
        scores = [plain.score(np.array(target, np.int64)) for target in targets]
        perplexity = np.exp(-sum(scores) / sum(len(target) + 1 for target in targets))
        log.info(
            "CTC-CRF: %d-gram of the units of %d transcripts, perplexity %.1f",
            order,
            len(targets),
            perplexity,
        )
    sequences = UnitSequences.of(probs**lm_weight)
    return functools.partial(ctc_crf_loss, sequences=sequences, ctc_weight=ctc_weight)


def unit_probs(targets: Sequence[Sequence[int]], num_classes: int, order: int) -> NDArray[np.float64]:
    """An n-gram of classes by modified Kneser-Ney, as `UnitSequences` takes it.

    Every class but the blank can follow everything, those that are in no transcript too.

    Args:
        targets: sequences of classes; at least one is not empty.
        num_classes: C.
        order: n.

    Returns:
        (C,) * n, with 0 for <s> in contexts and for </s> as the last index; each context's sum is one.
    """
    names = [str(unit) for unit in range(1, num_classes)]
    with tempfile.TemporaryDirectory(prefix="asr-units-") as folder:
        path = Path(folder) / "targets.txt"
        path.write_text("".join(" ".join(map(str, target)) + "\n" for target in targets), encoding="ascii")
        model = build([str(path)], order, listed=names).model
    ids = {name: index for index, name in enumerate(model.vocabulary)}
    units = [ids[name] for name in names]
    contexts, words = [BOS, *units], [EOS, *units]
    probs: NDArray[np.float64] = dense_probs(model)[np.ix_(*[contexts] * (order - 1), words)]
    probs /= probs.sum(axis=-1, keepdims=True)
    return probs
