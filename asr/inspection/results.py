"""An inspection as numbers: a summary of each layer and direction, and everything in one npz."""

import io
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from asr.files import write_bytes
from asr.inspection.utterance import Direction, Inspection
from asr.records import Word
from asr.recurrent.gates import effective_memory

CLOSED, OPEN = 0.1, 0.9
"""A gate below the one or above the other is saturated."""


class GateSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One gate over all frames and units: its mean, and the shares of its values below `CLOSED` and above
    `OPEN`."""

    mean: float
    closed: float
    open: float


class DirectionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One direction of one layer.

    Attributes:
        reset, update: the gates r and z, as the cell's equations have them.
        memory_frames: effective memory (see `asr.recurrent.gates.effective_memory`), quantiles 0.1, 0.5 and
            0.9 over the units.
        gradient_mean, gradient_max: of the norm of ∂loss/∂h_t over the frames.
        gradient_max_seconds: where the largest is.
    """

    layer: int
    direction: str
    reset: GateSummary
    update: GateSummary
    memory_frames: list[float]
    gradient_mean: float
    gradient_max: float
    gradient_max_seconds: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """summary.json."""

    audio: str
    cell: str
    duration: float
    frame_seconds: float
    recognised: str
    text: str
    loss: float
    words: list[Word]
    directions: list[DirectionSummary]


def summarise(inspection: Inspection) -> Summary:
    """The few numbers that tell most about each layer and direction."""
    return Summary(
        audio=inspection.audio,
        cell=inspection.cell,
        duration=inspection.duration,
        frame_seconds=inspection.frame_seconds,
        recognised=inspection.hyp.text,
        text=inspection.text,
        loss=inspection.loss,
        words=inspection.hyp.words,
        directions=[_direction(one, inspection.frame_seconds) for one in inspection.directions],
    )


def write_arrays(path: Path, inspection: Inspection) -> None:
    """Write everything to an npz that loads without pickle.

    Names: feats (T, F), feat_seconds, frame_seconds, words, word_starts, word_ends, text, loss; and for each
    layer and direction, such as layer1_backward_: reset, update, states (T', H), memory (H,), gradient (T',).

    Raises:
        AsrError: `path` cannot be written.
    """
    words = inspection.hyp.words
    arrays: dict[str, NDArray[np.generic]] = {
        "feats": inspection.feats,
        "feat_seconds": np.array(inspection.feat_seconds),
        "frame_seconds": np.array(inspection.frame_seconds),
        "words": np.array([word.text for word in words], np.str_),
        "word_starts": np.array([word.start for word in words], np.float64),
        "word_ends": np.array([word.end for word in words], np.float64),
        "text": np.array(inspection.text),
        "loss": np.array(inspection.loss),
    }
    for one in inspection.directions:
        for name, array in (
            ("reset", one.reset),
            ("update", one.update),
            ("states", one.states),
            ("memory", memory_of(one)),
            ("gradient", one.gradient),
        ):
            arrays[f"layer{one.layer}_{one.name}_{name}"] = array
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_bytes(path, content.getvalue())


def write_summary(path: Path, summary: Summary) -> None:
    """Write summary.json.

    Raises:
        AsrError: `path` cannot be written.
    """
    write_bytes(path, msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


def memory_of(one: Direction) -> NDArray[np.float32]:
    """(H,) effective memory of each unit, in frames."""
    memory: NDArray[np.float32] = effective_memory(torch.from_numpy(one.taken.copy())).numpy()
    return memory


def _direction(one: Direction, frame_seconds: float) -> DirectionSummary:
    return DirectionSummary(
        layer=one.layer,
        direction=one.name,
        reset=_gate(one.reset),
        update=_gate(one.update),
        memory_frames=[float(value) for value in np.quantile(memory_of(one), (0.1, 0.5, 0.9))],
        gradient_mean=float(one.gradient.mean()),
        gradient_max=float(one.gradient.max()),
        gradient_max_seconds=float(one.gradient.argmax()) * frame_seconds,
    )


def _gate(values: NDArray[np.float32]) -> GateSummary:
    return GateSummary(
        mean=float(values.mean()),
        closed=float((values < CLOSED).mean()),
        open=float((values > OPEN).mean()),
    )
