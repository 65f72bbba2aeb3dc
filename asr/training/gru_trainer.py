"""The loop that trains a GRU language model: sentences in random order, an update for so many tokens.

Sentences stand alone, as the utterances do that are rescored: the state is carried from piece to piece of a
long sentence (truncated back-propagation through time), not from one sentence to the next. As in acoustic
training, a position says everything about what comes next: the order is a function of (seed, epoch), dropout
of (seed, epoch, update), so a run that was stopped goes on to the same bytes.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from asr.config import Natural, NonNegativeFloat, Part, Positive, PositiveFloat, Probability
from asr.errors import AsrError
from asr.lm.gru import GruLanguageModel, GruNetwork, GruShape, padded_rows, pieces_of
from asr.lm.perplexity import perplexity
from asr.progress import track
from asr.training.schedule import progress, rate_factor
from asr.training.state import State
from asr.training.stopping import Stop


class GruTraining(Part, frozen=True, kw_only=True):
    """How a language model is trained.

    epochs: times that the text is read.
    max_minutes: time budget of all sessions together, 0 for none; the learning rate falls within it.
    learning_rate, weight_decay: of AdamW.
    warmup_steps: updates until the learning rate is reached; it then falls along a cosine to `final_rate` of
        itself at the end of the epochs or of the time budget, whichever comes first.
    tokens: in one update, words and ends of sentences.
    clip_norm: largest norm of a gradient.
    every_minutes: time between two checkpoints, each with a perplexity of the held-out text.
    """

    seed: Natural = 1
    epochs: Positive = 1
    max_minutes: NonNegativeFloat = 0.0
    learning_rate: PositiveFloat = 2e-3
    final_rate: Probability = 0.02
    weight_decay: NonNegativeFloat = 0.01
    warmup_steps: Natural = 200
    tokens: Positive = 1024
    clip_norm: PositiveFloat = 1.0
    every_minutes: PositiveFloat = 5.0


class Text(NamedTuple):
    """Sentences as word ids; the text itself stays on disk, as numbers of its own words."""

    numbers: NDArray[np.int32]  # (K,) mapped
    ids: NDArray[np.int32]  # word id of every number
    begins: NDArray[np.int64]  # (sentences,)
    ends: NDArray[np.int64]  # (sentences,) after </s>

    def sentence(self, row: int) -> NDArray[np.int32]:
        """(T,) the word ids of a sentence with its </s>."""
        return self.ids[self.numbers[self.begins[row] : self.ends[row]]]


class Report(NamedTuple):
    """Where training is."""

    epoch: int  # from 1
    step: int  # updates
    tokens: int  # read in this session
    seconds: float  # of all sessions
    loss: float  # nats a token since the last report; nan before the first update
    perplexity: float  # of the held-out text, <unk> included; nan where there is none


class GruTrainer:
    """The loop.

    Args:
        text: what is learnt.
        words: the words of the ids.
        shape: of the network.
        training: the settings.
        folder: of the checkpoints; the newest sound one is taken up.
        fingerprint: of settings and text; checkpoints with another one are refused.
        held_out: texts whose perplexity is measured.
        report: told where training is, at every checkpoint and at the end.

    Raises:
        AsrError: the folder holds checkpoints of another configuration.
    """

    def __init__(
        self,
        text: Text,
        words: list[str],
        shape: GruShape,
        *,
        training: GruTraining,
        folder: Path,
        fingerprint: str,
        held_out: Sequence[str],
        report: Callable[[Report], None],
    ) -> None:
        self.text, self.training, self.held_out, self._tell = text, training, list(held_out), report
        torch.manual_seed(training.seed)
        self.model = GruLanguageModel(words, GruNetwork(shape))
        self.network = self.model.network
        self.state = State(
            self.network,
            learning_rate=training.learning_rate,
            weight_decay=training.weight_decay,
            ema=0.0,
            scales_loss=False,
            folder=folder,
            fingerprint=fingerprint,
        )
        self.lens = text.ends - text.begins
        self.total_steps = training.epochs * math.ceil(len(text.numbers) / training.tokens)
        self.stop = Stop()
        self.saved = time.monotonic()
        self.started = self.saved - self.state.at.seconds
        self.tokens, self.since, self.loss = 0, 0, 0.0  # of this session, and since the last report

    def run(self) -> Report:
        """Train to the end of the epochs or of the time budget.

        Raises:
            AsrError: a stop by Ctrl-C or SIGTERM after a checkpoint, a full disk, or a loss beyond rescue.
        """
        with self.stop.on_signals():
            while self.state.at.epoch < self.training.epochs and not self._is_spent():
                self._epoch()
        end = self._report()
        self.state.save(self._clock(), keep=1)
        return end

    def _epoch(self) -> None:
        """The rest of the current epoch."""
        epoch, first = self.state.at.epoch, self.state.at.update
        batches = epoch_batches(self.lens, self.training.tokens, self.training.seed, epoch)
        self.network.train()
        for number, rows in enumerate(track(batches[first:], f"epoch {epoch + 1}"), start=first):
            self._update(rows, epoch, number)
            at = self.state.at
            self.state.at = msgspec.structs.replace(at, update=number + 1, step=at.step + 1)
            if self._is_spent():
                return
            if self.stop.wanted:
                self.state.save(self._clock(), keep=1)
                raise AsrError(
                    f"language model: stopped and saved after {self.state.at.step} updates; run the same "
                    "command again to go on from there"
                )
            if time.monotonic() - self.saved > 60 * self.training.every_minutes:
                self._report()
                self.state.save(self._clock(), keep=1)
                self.saved = time.monotonic()
                self.network.train()
        self.state.at = msgspec.structs.replace(self.state.at, epoch=epoch + 1, update=0)

    def _update(self, rows: NDArray[np.int64], epoch: int, number: int) -> None:
        """One step along the gradient of the mean loss of the tokens of some sentences, longest first."""
        training, state = self.training, None
        seed = np.random.SeedSequence([training.seed, epoch, number]).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(seed) >> 1)
        self.state.optimiser.zero_grad(set_to_none=True)
        padded, lens = padded_rows([self.text.sentence(row) for row in rows])
        num_tokens, loss = int(lens.sum()), 0.0
        for piece, left in pieces_of(padded, lens):
            state = None if state is None else state[:, : len(piece)].detach()
            log_probs, state = self.network(piece, left, state)
            total = -log_probs.sum()
            (total / num_tokens).backward()
            loss += float(total.detach())
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), training.clip_norm, foreach=True))
        if not math.isfinite(norm):
            raise AsrError(
                f"language model: update {self.state.at.step + 1} has no finite gradient: the weights ran "
                "away; try a lower learning rate. The last checkpoint is kept"
            )
        for group in self.state.optimiser.param_groups:
            group["lr"] = training.learning_rate * self._rate()
        self.state.optimiser.step()
        self.tokens += num_tokens
        self.since += num_tokens
        self.loss += loss

    def _rate(self) -> float:
        step, training = self.state.at.step, self.training
        done = progress(step, self.total_steps, self._clock(), 60 * training.max_minutes)
        return rate_factor(step, done, warmup_steps=training.warmup_steps, final_rate=training.final_rate)

    def _report(self) -> Report:
        """Measure and tell."""
        found = math.nan
        if self.held_out:
            self.network.eval()
            found = perplexity(self.model, self.held_out).with_unknown
        loss = self.loss / self.since if self.since else math.nan
        at = self.state.at
        epoch = min(at.epoch + 1, self.training.epochs)
        report = Report(epoch, at.step, self.tokens, self._clock(), loss, found)
        self.since, self.loss = 0, 0.0
        self._tell(report)
        return report

    def _clock(self) -> float:
        """Seconds of training so far, over all sessions."""
        return time.monotonic() - self.started

    def _is_spent(self) -> bool:
        return 0 < 60 * self.training.max_minutes <= self._clock()


def epoch_batches(lens: NDArray[np.int64], tokens: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Every sentence once, in random order, some to an update; longest first within it.

    Args:
        lens: (sentences,) tokens of each.
        tokens: in an update, about.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(lens))
    numbers = (np.cumsum(lens[order]) - 1) // tokens  # of the update in which a sentence ends
    batches = np.split(order, np.flatnonzero(np.diff(numbers)) + 1)
    return [rows[np.argsort(-lens[rows], kind="stable")] for rows in batches]
