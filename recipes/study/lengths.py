"""What variable length costs: the same amount of speech in batches of equal, sorted and mixed lengths."""

import statistics
import time
from collections.abc import Sequence

import msgspec
import numpy as np
import torch
from torch import Tensor

from asr.config import Config
from asr.model.acoustic import AcousticModel
from asr.model.ctc import ctc_loss
from asr.progress import track
from asr.training.run import make_extractor
from recipes.study.plan import Setting

BATCHES = 3
UNITS_A_SECOND = 10
ARRANGEMENTS = ("equal", "sorted", "mixed")


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One cell in one arrangement.

    Attributes:
        setting: the model.
        arrangement: `equal`: every row has the mean length; `sorted`: rows of a batch are neighbours in
            length, as in training; `mixed`: they met by chance.
        padding: share of the frames of the padded batches that belong to no row.
        speed: seconds of speech that one second of one processor trains on, forward and backward: the median
            over rounds.
    """

    setting: Setting
    arrangement: str
    padding: float
    speed: float


def time_lengths(
    config: Config, settings: Sequence[Setting], durations: Sequence[float], num_classes: int, rounds: int
) -> list[Timing]:
    """Time one pass over `BATCHES` batches in each arrangement; all take turns within each round.

    Args:
        config: whose model is built in each setting, whose rows a batch are taken.
        settings: of the models.
        durations: seconds of utterances, at least one.
        num_classes: C.
        rounds: repetitions, 1 or more.
    """
    torch.set_num_threads(1)
    dim = make_extractor(config.features).dim
    frames = round(1000 / config.features.frame_shift_ms)
    arranged = arrange([round(frames * seconds) for seconds in durations], config.batching.max_utterances)
    models = []
    for setting in settings:
        changed = {key: getattr(setting, key) for key in ("cell", "hidden_size", "num_layers")}
        parts = msgspec.structs.asdict(config.model) | changed
        models.append(AcousticModel(num_bins=dim, num_classes=num_classes, **parts))
    seconds: dict[tuple[int, str], list[float]] = {}
    for turn in track(range(rounds + 1), "timing lengths"):
        for number, model in enumerate(models):
            for name in ARRANGEMENTS:
                batches = [_batch(lens, dim, num_classes, frames) for lens in arranged[name]]
                began = time.process_time()
                _train(model, batches)
                spent = time.process_time() - began
                if turn:  # the first round compiles and allocates
                    seconds.setdefault((number, name), []).append(spent)
    speech = {name: sum(map(sum, arranged[name])) / frames for name in ARRANGEMENTS}
    return [
        Timing(
            setting=settings[number],
            arrangement=name,
            padding=_padding(arranged[name]),
            speed=speech[name] / statistics.median(spent),
        )
        for (number, name), spent in seconds.items()
    ]


def arrange(lens: Sequence[int], rows: int) -> dict[str, list[list[int]]]:
    """Frames of each row of `BATCHES` batches of `rows` rows, by arrangement; about the same sum in each.

    Lengths are drawn evenly from those given, which are repeated where there are too few.
    """
    count = BATCHES * rows
    ordered = sorted(lens)
    picked = [ordered[(2 * index + 1) * len(ordered) // (2 * count)] for index in range(count)]
    mixed = [picked[index] for index in np.random.default_rng(1).permutation(count)]
    equal = [round(sum(picked) / count)] * count
    chosen = {"equal": equal, "sorted": picked, "mixed": mixed}
    return {name: [row[i : i + rows] for i in range(0, count, rows)] for name, row in chosen.items()}


def _padding(batches: list[list[int]]) -> float:
    padded = sum(len(lens) * max(lens) for lens in batches)
    return 1 - sum(map(sum, batches)) / padded


def _batch(lens: list[int], dim: int, num_classes: int, frames: int) -> tuple[Tensor, ...]:
    """feats, feat_lens, targets, target_lens: noise of the right sizes."""
    generator = torch.Generator().manual_seed(1)
    target_lens = torch.tensor([1 + UNITS_A_SECOND * length // frames for length in lens])
    targets = torch.randint(1, num_classes, (len(lens), int(target_lens.max())), generator=generator)
    feats = torch.randn(len(lens), max(lens), dim, generator=generator)
    return feats, torch.tensor(lens), targets, target_lens


def _train(model: AcousticModel, batches: list[tuple[Tensor, ...]]) -> None:
    for feats, feat_lens, targets, target_lens in batches:
        model.zero_grad()
        log_probs, lens = model(feats, feat_lens)
        ctc_loss(log_probs, lens, targets, target_lens).sum().backward()
