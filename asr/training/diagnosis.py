"""What goes wrong in CTC training, in words."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from asr.errors import AsrError
from asr.scoring.wer import Report

log = logging.getLogger("asr")

MAX_SKIPPED = 20
"""Updates in a row without a finite gradient before training gives up."""

LARGEST_WEIGHT = 1e6
"""No weight of a model that works comes near this."""

PATIENT_STEPS = 2000
"""Updates that a model may write nothing but blanks before this is called a plateau."""


class Runaway(AsrError):
    """The weights have run away: the training cannot be saved, only its settings changed."""


class Watch:
    """Counts updates that had to be left out, and blank evaluations."""

    def __init__(self) -> None:
        self._skipped = 0
        self._plateau_reported = False

    def update(self, is_finite: bool, step: int, utt_ids: Sequence[str]) -> None:
        """Note one update.

        Args:
            is_finite: whether the gradient was.
            step: number of the update.
            utt_ids: rows of this process whose loss is not finite; may be empty.

        Raises:
            Runaway: too many in a row.
        """
        if is_finite:
            self._skipped = 0
            return
        self._skipped += 1
        rows = f" (loss not finite for {', '.join(utt_ids)})" if utt_ids else ""
        log.warning("update %d has no finite gradient%s; it is left out", step, rows)
        if self._skipped >= MAX_SKIPPED:
            raise Runaway(_runaway(f"{self._skipped} updates in a row had no finite gradient{rows}"))

    def weights(self, parameters: Iterable[Tensor]) -> None:
        """Refuse to evaluate or to save weights that are of no use any more.

        Raises:
            Runaway: a weight is not finite, or larger than `LARGEST_WEIGHT`.
        """
        largest = max(float(parameter.detach().abs().max()) for parameter in parameters)
        if not largest < LARGEST_WEIGHT:
            raise Runaway(_runaway(f"the largest weight is {largest:.3g}"))

    def evaluation(self, report: Report, step: int) -> None:
        """Say once that the model writes nothing at all for too long."""
        if step < PATIENT_STEPS or self._plateau_reported or any(item.hyp for item in report.aligned):
            return
        self._plateau_reported = True
        log.warning(
            "after %d updates the model still writes only blanks. CTC begins with such a plateau; to leave "
            "it sooner: smaller updates (batching.seconds, training.accumulate), short utterances first "
            "(batching.shortest_first), more training.learning_rate, less dropout and masking. If it stays, "
            "check that audio and transcripts belong together",
            step,
        )


@contextmanager
def memory_sentence(batch_seconds: float) -> Iterator[None]:
    """Turn a failed allocation within the block into a sentence.

    Raises:
        AsrError: the device or the machine ran out of memory.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise AsrError(_memory(batch_seconds)) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error) and "out of memory" not in str(error):
            raise
        raise AsrError(_memory(batch_seconds)) from error


def _runaway(found: str) -> str:
    return (
        f"training: {found}; the weights have run away or the features hold impossible values. Try a lower "
        "training.learning_rate, a lower training.clip_norm or more training.warmup_steps; with half "
        'precision, training.precision = "float32". The last checkpoint is kept'
    )


def _memory(batch_seconds: float) -> str:
    return (
        f"training: out of memory with batches of {batch_seconds:g} s of audio; lower batching.seconds (and "
        "raise training.accumulate by as much, for the same updates) or batching.max_seconds. The last "
        "checkpoint is kept: the same command goes on from it"
    )
