"""The pictures of a study: learning curves, and gradients on their way back in time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.files import atomic_path
from recipes.study.plan import Questions, Setting
from recipes.study.tables import Runs, label
from recipes.study.trial import Point, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_curves(path: Path, asked: Questions, runs: Runs) -> None:
    """Draw training loss against processor time, and against updates where the grid has equal epochs.

    Lines are means over seeds, bands reach from the least to the most.

    Raises:
        AsrError: `path` cannot be written.
    """
    panels: list[tuple[str, str, Callable[[Point], float]]] = [
        ("cells", "minutes of processor time", lambda point: point.seconds / 60)
    ]
    if "epochs" in asked:
        panels.append(("epochs", "updates", lambda point: float(point.step)))
    if "gates" in asked:
        panels.append(("gates", "minutes of processor time", lambda point: point.seconds / 60))
    figure, axes = _panels(len(panels))
    for axis, (table, name, place) in zip(axes, panels, strict=True):
        for number, setting in enumerate(asked[table]):
            _draw_band(axis, runs[setting], place, label(setting, table), f"C{number}")
        axis.set_xlabel(name)
        axis.set_ylim(bottom=0)
        axis.set_title({"cells": "equal time", "epochs": "equal updates", "gates": "gates of the GRU"}[table])
        axis.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("training loss, nats a unit")
    _save(figure, path)


def draw_gradients(
    path: Path, settings: Sequence[Setting], runs: Runs, table: str, frame_seconds: float
) -> None:
    """Draw how a gradient shrinks with the lag, a panel a layer; dotted before training, solid after it.

    Lines are geometric means over seeds.

    Raises:
        AsrError: `path` cannot be written.
    """
    layers = max(setting.num_layers for setting in settings)
    figure, axes = _panels(layers)
    for layer, axis in enumerate(axes):
        for number, setting in enumerate(settings):
            ended = [run for run in runs[setting] if run.reach]
            for style, reaches in (
                (":", [run.reach_before for run in ended]),
                ("-", [run.reach for run in ended]),
            ):
                curves = [np.log(reach[layer]) for reach in reaches if layer < len(reach)]
                if not curves:
                    continue
                mean = np.exp(np.mean(curves, axis=0))
                name = label(setting, table) if style == "-" else None
                axis.semilogy(
                    1000 * frame_seconds * np.arange(len(mean)), mean, style, color=f"C{number}", label=name
                )
        axis.axhline(0.1, color="grey", linewidth=0.5)
        axis.set_ylim(1e-5, 5)
        axis.set_title(f"layer {layer + 1}")
        axis.set_xlabel("lag, ms")
    axes[0].set_ylabel("norm of the gradient, 1 at lag 0")
    axes[-1].legend(frameon=False, fontsize=8, title="dotted: before training", title_fontsize=8)
    _save(figure, path)


def _draw_band(
    axis: "Axes", results: Sequence[Result], place: Callable[[Point], float], name: str, colour: str
) -> None:
    """The mean of learning curves, each interpolated to the same places as far as all of them reach."""
    curves = [run.curve for run in results if run.cer is not None and run.curve]
    if not curves:
        return
    end = min(place(curve[-1]) for curve in curves)
    begin = max(place(curve[0]) for curve in curves)
    places = np.linspace(begin, end, 80)
    lines = np.array(
        [np.interp(places, [place(p) for p in curve], [p.loss for p in curve]) for curve in curves]
    )
    axis.plot(places, lines.mean(0), color=colour, label=name)
    axis.fill_between(places, lines.min(0), lines.max(0), color=colour, alpha=0.2, linewidth=0)


def _panels(count: int) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * count, 4.2), layout="constrained")
    return figure, list(figure.subplots(1, count, sharey=True, squeeze=False)[0])


def _save(figure: "Figure", path: Path) -> None:
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
