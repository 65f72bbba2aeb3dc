"""An inspection as pictures: gates, state and gradient under the spectrogram and the words."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asr.files import atomic_path, printable
from asr.inspection.results import memory_of
from asr.inspection.utterance import Direction, Inspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GATE_MAP, STATE_MAP, SOUND_MAP = "viridis", "RdBu_r", "magma"
_TAKES = {
    "gru": "update gate z: 1 takes the new, 0 keeps the old",
    "gru_reset_after": "update gate z: 1 keeps the old, 0 takes the new",
}


def draw_layer(path: Path, inspection: Inspection, layer: int) -> None:
    """Draw one layer: a column a direction; spectrogram, r, z, h (a row a unit) and the gradient in rows.

    Units stand in the order of their effective memory, the longest on top, the same in all three maps.

    Args:
        path: a PNG file.
        inspection: what was seen.
        layer: from 1.

    Raises:
        AsrError: `path` cannot be written.
    """
    directions = [one for one in inspection.directions if one.layer == layer]
    figure = _figure(_width(inspection) * len(directions), 11)
    figure.suptitle(f"layer {layer} of {printable(Path(inspection.audio).name)} ({inspection.cell})")
    rows = figure.subplots(
        5, len(directions), sharex=True, sharey="row", squeeze=False, height_ratios=[1.2, 1.5, 1.5, 1.5, 0.9]
    )
    for column, one in enumerate(directions):
        axes = rows[:, column]
        _draw_sound(axes[0], inspection)
        order = np.argsort(memory_of(one), kind="stable")  # imshow puts the last on top
        last = column == len(directions) - 1
        for axis, values, name, colours, low in (
            (axes[1], one.reset, "reset gate r: 0 forgets the state in the candidate", GATE_MAP, 0.0),
            (axes[2], one.update, _TAKES[inspection.cell], GATE_MAP, 0.0),
            (axes[3], one.states, "state h", STATE_MAP, -1.0),
        ):
            image = _draw_frames(axis, values[:, order], inspection.frame_seconds, colours, low, 1.0)
            axis.set_title(name, fontsize=9, loc="left")
            _mark_words(axis, inspection, "white" if colours == GATE_MAP else "black")
            if last:
                figure.colorbar(image, ax=axis, pad=0.01, aspect=12)
        _draw_gradient(axes[4], inspection, [one])
        axes[4].set_xlabel(f"{one.name}: seconds")
    for axis in rows[:, 1:].flat:
        axis.set_ylabel("")
    for axis in rows[1:4, 0]:
        axis.set_ylabel("units, long memory on top")
    _save(figure, path)


def draw_gradients(path: Path, inspection: Inspection) -> None:
    """Draw the norm of ∂loss/∂h_t of every layer and direction against time, under the spectrogram.

    Raises:
        AsrError: `path` cannot be written.
    """
    names = list(dict.fromkeys(one.name for one in inspection.directions))
    figure = _figure(1.4 * _width(inspection), 2.6 * (1 + len(names)))
    axes = figure.subplots(1 + len(names), 1, sharex=True)
    _draw_sound(axes[0], inspection)
    for axis, name in zip(axes[1:], names, strict=True):
        axis.sharey(axes[1])
        _draw_gradient(axis, inspection, [one for one in inspection.directions if one.name == name])
        axis.set_title(f"{name} direction", fontsize=9, loc="left")
    axes[-1].set_xlabel("seconds")
    _save(figure, path)


def draw_memory(path: Path, inspection: Inspection) -> None:
    """Draw how the gates and the effective memory are spread over the units of each layer and direction.

    Raises:
        AsrError: `path` cannot be written.
    """
    directions = inspection.directions
    figure = _figure(10, 1.0 + 1.6 * len(directions))
    rows = figure.subplots(len(directions), 3, sharex="col", squeeze=False)
    bins = np.linspace(0, 1, 41)
    reach = [memory_of(one) for one in directions]
    edges = np.geomspace(1, max(float(np.max(reach)), 10.0) * 1.01, 31)
    for axes, one, memory in zip(rows, directions, reach, strict=True):
        for axis, values, colour in ((axes[0], one.reset, "tab:orange"), (axes[1], one.update, "tab:blue")):
            axis.hist(values.ravel(), bins, weights=_shares(values), color=colour)
            axis.axvspan(0, 0.1, color="0.9", zorder=0)
            axis.axvspan(0.9, 1, color="0.9", zorder=0)
            axis.set_xlim(0, 1)
        axes[2].hist(memory, edges, weights=_shares(memory), color="tab:green")
        axes[2].axvline(float(np.median(memory)), color="black", linewidth=1, linestyle="--")
        axes[2].set_xscale("log")
        axes[2].xaxis.set_major_formatter("{x:g}")
        axes[0].set_ylabel(f"layer {one.layer}\n{one.name}\n%", fontsize=9)
    for axis, name in zip(rows[0], ("reset gate r", "update gate z", "effective memory"), strict=True):
        axis.set_title(name, fontsize=10)
    rows[-1, 0].set_xlabel("value (grey: saturated)")
    rows[-1, 1].set_xlabel("value (grey: saturated)")
    rows[-1, 2].set_xlabel(f"frames of {1000 * inspection.frame_seconds:g} ms (dashed: median unit)")
    _save(figure, path)


# --- parts -------------------------------------------------------------------------------------------------


def _width(inspection: Inspection) -> float:
    """Inches of a time axis: words of a long utterance need room."""
    return min(max(6.5, 1.3 * inspection.duration), 24.0)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: "Figure", path: Path) -> None:
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def _draw_sound(axis: "Axes", inspection: Inspection) -> None:
    """The features, and the recognised words above them in two rows by turns, so that they do not touch."""
    low, high = np.quantile(inspection.feats, (0.02, 0.995))
    _draw_frames(axis, inspection.feats, inspection.feat_seconds, SOUND_MAP, float(low), float(high))
    axis.set_ylabel("feature bins")
    _mark_words(axis, inspection, "white")
    for number, word in enumerate(inspection.hyp.words):
        axis.annotate(
            word.text,
            ((word.start + word.end) / 2, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3 + 11 * (number % 2)),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )


def _mark_words(axis: "Axes", inspection: Inspection, colour: str) -> None:
    for word in inspection.hyp.words:
        axis.axvline(word.start, color=colour, linewidth=0.7, alpha=0.6)


def _draw_frames(
    axis: "Axes", values: NDArray[np.float32], seconds: float, colours: str, low: float, high: float
) -> Any:
    """(T, K) as a map, a frame `seconds` wide."""
    frames, rows = values.shape
    extent = (0.0, frames * seconds, -0.5, rows - 0.5)
    return axis.imshow(
        values.T,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap=colours,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )


def _draw_gradient(axis: "Axes", inspection: Inspection, directions: list[Direction]) -> None:
    """Norms on a logarithmic axis, one line a direction."""
    for one in directions:
        times = (np.arange(len(one.gradient)) + 0.5) * inspection.frame_seconds
        norms = np.maximum(one.gradient, np.finfo(np.float32).tiny)
        axis.semilogy(times, norms, linewidth=1.2, label=f"layer {one.layer}")
    axis.set_ylabel("norm of ∂loss/∂h")
    axis.grid(alpha=0.3)
    if len(directions) > 1:
        axis.legend(fontsize=8, ncols=len(directions), loc="best")
    _mark_words(axis, inspection, "black")


def _shares(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weights that make a histogram's bars add up to 100 %."""
    return np.full(values.size, 100 / values.size)
