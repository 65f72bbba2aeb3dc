"""What a study trains: the questions of its grid, and the models whose runs answer them."""

import bisect
from collections.abc import Sequence

import msgspec
import torch
from msgspec.structs import replace

from asr.config import Config, GridConfig
from asr.errors import AsrError
from asr.model.acoustic import AcousticModel
from asr.recurrent.ablation import take_gate
from asr.training.run import make_extractor

WITHOUT_END = 10**6
"""Epochs of a run that its processor time ends."""
TOLERANCE = 0.03
"""Numbers of parameters that differ by no more than this fraction count as equal."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A model and how long it is trained: what the runs of one row of a table share.

    Attributes:
        cell, hidden_size, num_layers: as in `ModelConfig`.
        gate: that is taken away (`asr.recurrent.ablation`), or empty.
        minutes: of processor time; 0 where `epochs` end the training.
        epochs: 0 where `minutes` end it.
        parameters: that have an effect.
    """

    cell: str
    hidden_size: int
    num_layers: int
    gate: str = ""
    minutes: float = 0.0
    epochs: int = 0
    parameters: int = 0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    setting: Setting
    rate: float
    seed: int
    utterances: int

    @property
    def name(self) -> str:
        """Different for different runs, and fit for a file's name."""
        s = self.setting
        end = f"{s.epochs}epochs" if s.epochs else f"{s.minutes:g}min"
        words = [s.cell, s.gate, f"{s.num_layers}x{s.hidden_size}", end, f"rate{self.rate:g}"]
        words += [f"of{self.utterances}" if self.utterances else "", f"seed{self.seed}"]
        return "-".join(word for word in words if word)


Questions = dict[str, list[Setting]]
"""The rows of each table. The first row is what the others are compared with."""


def grid_of(config: Config) -> GridConfig:
    """The grid that is run."""
    assert config.study is not None
    return config.study.grids[config.study.grid]


def questions(config: Config, num_classes: int) -> Questions:
    """The tables of a grid: `cells`, `epochs`, `hidden`, `layers`, `gates`, `matched`; some may be missing.

    Args:
        config: with a study.
        num_classes: C, of the corpus.

    Raises:
        AsrError: no size of a cell has the wanted number of parameters.
    """
    grid, model = grid_of(config), config.model
    base = Setting(
        cell=model.cell,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        minutes=grid.minutes,
    )
    base = _counted(config, base, num_classes)

    def matched(**changes: object) -> Setting:
        return _match(config, replace(base, **changes), base.parameters, num_classes)

    def same_size(**changes: object) -> Setting:
        return _counted(config, replace(base, **changes), num_classes)

    cells = [base, *(matched(cell=cell) for cell in grid.cells if cell != base.cell)]
    asked = {
        "cells": cells,
        "epochs": [replace(s, minutes=0.0, epochs=grid.epochs) for s in cells] if grid.epochs else [],
        "hidden": [base, *(same_size(hidden_size=size) for size in grid.hidden)],
        "layers": [base, *(matched(num_layers=layers) for layers in grid.layers)],
        "gates": [base, *(same_size(gate=gate) for gate in grid.gates)],
        "matched": [base, *(matched(gate=gate) for gate in grid.gates if grid.gates_matched)],
    }
    return {name: rows for name, rows in asked.items() if len(rows) > 1 or name == "cells"}


def searches(config: Config, asked: Questions) -> list[Trial]:
    """The runs that choose a learning rate for each cell: seed 0, which no table counts."""
    grid = grid_of(config)
    return [
        Trial(setting=setting, rate=rate, seed=0, utterances=grid.utterances)
        for setting in asked["cells"]
        for rate in grid.rates
    ]


def trials(config: Config, asked: Questions, rates: dict[str, float]) -> list[Trial]:
    """Every run of the tables once, seed by seed, so that early on there is a little of everything."""
    grid = grid_of(config)
    settings = dict.fromkeys(setting for rows in asked.values() for setting in rows)
    return [
        Trial(setting=setting, rate=rates[setting.cell], seed=seed, utterances=grid.utterances)
        for seed in range(1, grid.seeds + 1)
        for setting in settings
    ]


def configure(config: Config, trial: Trial) -> Config:
    """The configuration of one run."""
    s = trial.setting
    model = replace(config.model, cell=s.cell, hidden_size=s.hidden_size, num_layers=s.num_layers)
    training = replace(
        config.training,
        seed=trial.seed,
        learning_rate=trial.rate,
        max_minutes=s.minutes,
        epochs=s.epochs or WITHOUT_END,
        threads=1,
        device="cpu",
    )
    return replace(config, model=model, training=training)


def ablate(model: AcousticModel, gate: str) -> int:
    """Take a gate away from every recurrent layer; returns how many parameters are without effect then."""
    return sum(take_gate(layer, gate) for layer in model.layers) if gate else 0


def _counted(config: Config, setting: Setting, num_classes: int) -> Setting:
    """The setting with its number of parameters."""
    model = replace(
        config.model,
        cell=setting.cell,
        hidden_size=setting.hidden_size,
        num_layers=setting.num_layers,
    )
    bins = make_extractor(config.features).dim
    with torch.device("meta"):  # shapes without numbers
        built = AcousticModel(num_bins=bins, num_classes=num_classes, **msgspec.structs.asdict(model))
        idle = ablate(built, setting.gate)
    return replace(setting, parameters=sum(weight.numel() for weight in built.parameters()) - idle)


def _match(config: Config, setting: Setting, budget: int, num_classes: int) -> Setting:
    """The setting with the hidden size that comes nearest to a number of parameters."""

    def count(size: int) -> int:
        return _counted(config, replace(setting, hidden_size=size), num_classes).parameters

    above = bisect.bisect_left(range(2, 1 << 14), budget, key=count) + 2
    size = min((above, above - 1), key=lambda size: abs(count(size) - budget))
    found = _counted(config, replace(setting, hidden_size=size), num_classes)
    if abs(found.parameters - budget) > TOLERANCE * budget:
        raise AsrError(
            f"study: no {setting.cell} with {setting.num_layers} layers has {budget} parameters, within "
            f"{TOLERANCE:.0%}; the nearest has {found.parameters}; choose a larger model.hidden_size"
        )
    return found


def best_rates(config: Config, asked: Questions, found: Sequence[tuple[Trial, float]]) -> dict[str, float]:
    """For each cell the learning rate with the least dev CER; without a search that of the configuration.

    Args:
        config: with a study.
        asked: its tables.
        found: the runs of `searches`, each with its dev CER, infinite where it ran away.
    """
    rates = {setting.cell: config.training.learning_rate for setting in asked["cells"]}
    for cell in rates:
        own = [(cer, trial.rate) for trial, cer in found if trial.setting.cell == cell]
        if own:
            rates[cell] = min(own)[1]
    return rates
