"""The training loop: one update after another, each a function of the weights and its number alone.

Dropout is seeded by (seed, epoch, batch) and examples by (seed, epoch, utterance), so a position in training
says everything about what comes next: a run that was stopped goes on to the same bytes, and several processes
do what one would.
"""

import hashlib
import itertools
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from asr.batching.balance import speaker_shares
from asr.batching.batch import Batch
from asr.batching.dataset import SpeechDataset
from asr.batching.loader import load_batches
from asr.batching.sampler import BucketSampler
from asr.config import BatchingConfig, TrainingConfig
from asr.errors import AsrError
from asr.model.acoustic import AcousticModel
from asr.scoring.wer import Unit
from asr.training import distributed
from asr.training.checkpoint import Evaluation, Progress
from asr.training.criterion import Criterion, batch_losses
from asr.training.depth import rest_frozen_statistics
from asr.training.diagnosis import Watch, memory_sentence
from asr.training.evaluation import evaluate
from asr.training.gradient import sum_gradient
from asr.training.monitor import Monitor
from asr.training.schedule import cycle, progress, rate_factor
from asr.training.state import State
from asr.training.stopping import Stop
from asr.training.teachers import Teachers


class Update(NamedTuple):
    """One update, summed over all processes: loss in nats a unit, seconds of audio, time so far."""

    loss: float
    gradient_norm: float
    audio_seconds: float
    stop: bool
    clock: float


class Trainer:
    """Trains a model; `run` does it all.

    Args:
        model: what is frozen in it is not trained.
        train_set, dev_set: what to learn from, and what to measure the errors on.
        decode: ids of units to text, or to phones.
        criterion: what is made small, of the model's output.
        unit: what stands between two spaces of it, of which the errors on dev are counted.
        training, batching: the settings.
        folder: for checkpoints, metrics.jsonl and curve.png.
        fingerprint: of configuration and data; checkpoints with another one are refused.
        device: where the model is trained.
        clock: seconds from any start, in which the time budget and the speed are counted; `time.process_time`
            counts the processor's, which other work on the machine does not shorten.
        rate_factors: as for `State`.
        intermediate_weight: share of the loss of the model's intermediate output, 0 for a model without.
        teachers: whose outputs are learnt from beside the transcripts.

    Raises:
        AsrError: the folder holds checkpoints of another configuration, or a setting cannot be.
    """

    def __init__(
        self,
        model: AcousticModel,
        train_set: SpeechDataset,
        dev_set: SpeechDataset,
        decode: Callable[[list[int]], str],
        criterion: Criterion,
        *,
        unit: Unit,
        training: TrainingConfig,
        batching: BatchingConfig,
        folder: Path,
        fingerprint: str,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
        rate_factors: Mapping[str, float] | None = None,
        intermediate_weight: float = 0.0,
        teachers: Teachers | None = None,
    ) -> None:
        self.model = model.to(device)
        self.train_set, self.dev_set, self.decode, self.unit = train_set, dev_set, decode, unit
        self.training, self.batching = training, batching
        self.folder, self.device = folder, device
        self.criterion, self.intermediate_weight, self.teachers = criterion, intermediate_weight, teachers
        self.state = State(
            self.model,
            learning_rate=training.learning_rate,
            weight_decay=training.weight_decay,
            ema=training.ema,
            scales_loss=training.precision == "float16",
            folder=folder,
            fingerprint=fingerprint,
            rate_factors=rate_factors,
        )
        seconds = [utterance.duration for utterance in train_set.utterances]
        speakers, power = [utterance.speaker for utterance in train_set.utterances], batching.speaker_power
        self.sampler = BucketSampler(
            seconds,
            batch_seconds=batching.seconds,
            max_utterances=batching.max_utterances,
            seed=training.seed,
            shortest_first=batching.shortest_first,
            shares=speaker_shares(seconds, speakers, power) if power else None,
            world=distributed.world(),
            rank=distributed.rank(),
            accumulate=training.accumulate,
        )
        # Epochs differ by a batch or two in number of updates, which the schedule need not know.
        steps = len(self.sampler.updates(batching.shortest_first))
        self.total_steps = training.epochs * steps
        edges = (0, *training.restarts, training.epochs)
        self.cycles = [steps * (end - begin) for begin, end in itertools.pairwise(edges)]
        self.watch = Watch()
        self.stop = Stop()
        self.saved = time.monotonic()
        self.now = clock
        self.started = clock() - self.state.at.seconds
        self.is_first = distributed.rank() == 0

    def run(self, updates: int = 0) -> Progress:
        """Train to the end: of the epochs, of the time budget, or of patience.

        Args:
            updates: stop earlier, after so many of this call, with a checkpoint; 0 goes on to the end.

        Raises:
            AsrError: stopped by Ctrl-C or SIGTERM, after a checkpoint; or the loss is beyond rescue, or
                memory or disk are full.
        """
        step, board = self.state.at.step, self.training.tensorboard
        last = step + updates if updates else math.inf
        monitor = Monitor(self.folder, step, board, self.total_steps) if self.is_first else None
        try:
            with self.stop.on_signals(), memory_sentence(self.batching.seconds):
                while not self._is_finished() and self.state.at.step < last:
                    self._epoch(monitor, last)
        finally:
            if monitor is not None:
                monitor.close()
        return self.state.at

    # --- the loop ------------------------------------------------------------------------------------------

    def _epoch(self, monitor: Monitor | None, last: float) -> None:
        """The rest of the current epoch, then an evaluation and a checkpoint; nothing after step `last`."""
        epoch, first = self.state.at.epoch, self.state.at.update
        updates = self.sampler.updates(epoch)[first:]
        batches = load_batches(
            self.train_set, [rows for u in updates for rows in u], epoch, self.batching.workers
        )
        losses: list[float] = []
        self.model.train()
        rest_frozen_statistics(self.model)
        for number, rows in enumerate(updates, start=first):
            began = self.now()
            update = self._update([next(batches) for _ in rows], epoch, number)
            losses.append(update.loss)
            at = self.state.at
            self.state.at = msgspec.structs.replace(at, update=number + 1, step=at.step + 1)
            if monitor is not None:
                self._report(monitor, update, self.now() - began)
            if self._is_spent(update.clock):
                break
            if update.stop:
                self._save()
                raise AsrError(
                    f"training: stopped and saved after {self.state.at.step} updates; run the same command "
                    "again to go on from there"
                )
            if self.state.at.step >= last:
                batches.close()
                self._save()
                return
            if time.monotonic() - self.saved > 60 * self.training.checkpoint_minutes:
                self._save()
        batches.close()
        self._end_epoch(monitor, sum(losses) / max(1, len(losses)))

    def _end_epoch(self, monitor: Monitor | None, loss: float) -> None:
        """Evaluate if it is time to, and save."""
        at = self.state.at
        done = at.epoch + 1
        is_last = done == self.training.epochs or self._is_spent(self._shared_clock())
        evaluations = list(at.evaluations)
        self.watch.weights(self.model.parameters())
        if is_last or done % self.training.evaluate_every == 0:
            with self.state.averaged_weights():
                report = evaluate(
                    self.model,
                    self.dev_set,
                    self.decode,
                    unit=self.unit,
                    batch_seconds=self.batching.seconds,
                    max_utterances=self.batching.max_utterances,
                    workers=self.batching.workers,
                    device=self.device,
                )
            self.watch.evaluation(report, at.step)
            evaluations.append(Evaluation(done, report.wer, report.cer))
            if monitor is not None:
                line = {"epoch": done, "step": at.step, "seconds": self._clock(), "loss": loss}
                monitor.evaluation(line | report.rates)
        self.state.at = msgspec.structs.replace(
            at, epoch=done, update=0, evaluations=evaluations, seconds=self._shared_clock()
        )
        self._save()

    def _is_finished(self) -> bool:
        at, patience = self.state.at, self.training.patience
        if at.epoch >= self.training.epochs or self._is_spent(at.seconds):
            return True
        if not patience or not at.evaluations:
            return False
        best = min(at.evaluations, key=lambda evaluation: evaluation.wer)
        return at.epoch - best.epoch >= patience

    def _report(self, monitor: Monitor, update: Update, took: float) -> None:
        at = self.state.at
        done = progress(at.step, self.total_steps, update.clock, 60 * self.training.max_minutes)
        monitor.update(
            {
                "epoch": at.epoch + 1,
                "step": at.step,
                "loss": update.loss,
                "rate": max(group["lr"] for group in self.state.optimiser.param_groups),
                "gradient_norm": update.gradient_norm,
                "audio": update.audio_seconds,
                "xrt": update.audio_seconds / took,
                "seconds": update.clock,
                "eta": update.clock * (1 - done) / done,
            }
        )

    # --- one update ----------------------------------------------------------------------------------------

    def _update(self, batches: list[Batch], epoch: int, number: int) -> Update:
        """The gradient of all batches and processes, clipped, and a step of the optimiser."""
        state, training = self.state, self.training

        def seed_of(index: int) -> int:
            place = number * training.accumulate + index * distributed.world() + distributed.rank()
            return _mix(training.seed, epoch, place)

        extras = [float(self.stop.wanted), self._clock() if self.is_first else 0.0]
        found = sum_gradient(state, batches, self._losses, seed_of, extras)
        stop, clock = found.extras
        norm = float(nn.utils.clip_grad_norm_(state.learning, training.clip_norm, foreach=True))
        is_finite = norm < float("inf")
        # A scaled loss overflows now and then by design; the scaler leaves such an update out by itself.
        self.watch.update(is_finite or state.scaler.is_enabled(), state.at.step + 1, found.strange)
        self._set_rate(clock)
        if state.scaler.is_enabled():
            state.scaler.step(state.optimiser)
            state.scaler.update()
        elif is_finite:
            state.optimiser.step()
        state.update_average()
        return Update(found.loss, norm, found.audio_seconds, stop > 0, clock)

    def _losses(self, batch: Batch) -> Tensor:
        """(N,) losses of a batch."""
        return batch_losses(
            self.model,
            batch,
            self.criterion,
            teachers=self.teachers,
            intermediate_weight=self.intermediate_weight,
            precision=self.training.precision,
            device=self.device,
        )

    def _set_rate(self, clock: float) -> None:
        training = self.training
        number, step, length = cycle(self.state.at.step, self.cycles)
        done = progress(step, length, clock, 60 * training.max_minutes)
        factor = training.restart_rate**number * rate_factor(
            step, done, warmup_steps=training.warmup_steps, final_rate=training.final_rate
        )
        for group in self.state.optimiser.param_groups:
            group["lr"] = training.learning_rate * factor * group["factor"]

    # --- time ---------------------------------------------------------------------------------------------

    def _clock(self) -> float:
        """Seconds of training so far, over all sessions."""
        return self.now() - self.started

    def _shared_clock(self) -> float:
        """The first process's clock, so that all processes decide alike."""
        clock = distributed.gather(self._clock())[0]
        assert isinstance(clock, float)
        return clock

    def _is_spent(self, seconds: float) -> bool:
        return 0 < 60 * self.training.max_minutes <= seconds

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.is_first:
            self.state.save(self._clock(), self.training.keep)


def _mix(*numbers: int) -> int:
    """A seed of 63 bits from several numbers."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
