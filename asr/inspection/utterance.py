"""One utterance through a model whose recurrent layers are run by the readable cells, gates kept."""

import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.corpus.text import normalise
from asr.decoding.greedy import greedy_search
from asr.decoding.words import to_hypothesis
from asr.errors import AsrError
from asr.features.audio import read_audio
from asr.model.acoustic import AcousticModel
from asr.model.ctc import ctc_loss, frames_needed
from asr.records import Hypothesis
from asr.recurrent import Recurrent
from asr.recurrent.gates import GATED, Trace, trace
from asr.transcribe import PIECE_SECONDS, SILENCE, Recogniser

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of one recurrent layer; frames T' in the utterance's order.

    Attributes:
        layer: from 1, the nearest to the sound.
        name: "forward" or "backward".
        reset, update: (T', H), r_t and z_t as the cell's equations have them.
        taken: (T', H), the share of h_t that is new (see `asr.recurrent.gates.Trace`).
        states: (T', H), h_t.
        gradient: (T',), Euclidean norm of ∂loss/∂h_t, through all later steps.
    """

    layer: int
    name: str
    reset: Array
    update: Array
    taken: Array
    states: Array
    gradient: Array


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was seen in one utterance.

    Attributes:
        audio: path as it was given.
        cell: of the model's layers.
        duration: in seconds.
        feats: (T, F), as the model reads them, normalised.
        feat_seconds, frame_seconds: time between two frames of `feats`, and of the layers.
        hyp: what the recogniser hears, with the times of its words.
        text: whose CTC loss was followed: by default what greedy search heard, which are phones where the
            model's units are.
        loss: −log p(text | feats), in nats.
        directions: layer by layer, forward before backward.
    """

    audio: str
    cell: str
    duration: float
    feats: Array
    feat_seconds: float
    frame_seconds: float
    hyp: Hypothesis
    text: str
    loss: float
    directions: list[Direction]


def inspect_file(recogniser: Recogniser, audio: str | Path, text: str | None = None) -> Inspection:
    """Look inside a model while it hears one file.

    Args:
        recogniser: its model is run on the CPU.
        audio: a file of at most `PIECE_SECONDS`.
        text: what is said, for the loss; None takes what greedy search heard.

    Raises:
        AsrError: the cell has no gates; the file cannot be read, is silent, too short or too long; nothing
            was heard and no text given; the text has other characters than the model, or does not fit.
    """
    bundle, name = recogniser.bundle, str(audio)
    if bundle.config.model.cell not in GATED:
        raise AsrError(
            f"cell {bundle.config.model.cell}: a model whose layers have a reset and an update gate was "
            f"expected, which are those of {' and '.join(GATED)}; choose another model"
        )
    waveform = read_audio(audio, sample_rate=recogniser.sample_rate)
    duration = len(waveform) / recogniser.sample_rate
    _check_sound(name, waveform, duration)
    feats = recogniser.features(name, waveform)
    if not len(feats):
        raise AsrError(f"{name}: {duration:.3f} s is shorter than a frame; give a longer file")
    log_probs, traces = traced(bundle.build_model(), feats)
    features = bundle.config.features
    feat_seconds = features.frame_shift_ms / 1000
    frame_seconds = feat_seconds * bundle.config.model.subsampling
    path = greedy_search(log_probs[None].detach(), [len(log_probs)])[0]
    greedy = to_hypothesis(
        name,
        path,
        bundle.tokens,
        frame_seconds=frame_seconds,
        duration=duration,
        kind=bundle.config.units.kind,
    )
    spoken = greedy.text if text is None else normalise(text, spell_numbers=True)
    target = path.ids if text is None else recogniser.units.encode(spoken)
    loss = _loss(name, log_probs, spoken, target)
    return Inspection(
        audio=name,
        cell=bundle.config.model.cell,
        duration=duration,
        feats=feats.numpy(),
        feat_seconds=feat_seconds,
        frame_seconds=frame_seconds,
        hyp=greedy if recogniser.decoding.method == "greedy" else _heard(recogniser, audio),
        text=spoken,
        loss=loss.item(),
        directions=_directions(traces, loss),
    )


def traced(model: AcousticModel, feats: Tensor) -> tuple[Tensor, list[list[Trace]]]:
    """Run a model on one utterance with its recurrent layers replaced by their readable cells.

    Args:
        model: in evaluation mode.
        feats: (T, F).

    Returns:
        log_probs (T', C), a function of the traces' steps to autograd, and the traces of each layer.
    """
    traces: list[list[Trace]] = []

    def replace(module: Recurrent, arguments: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> Any:
        found, y = trace(module, arguments[0][0])
        traces.extend(found)
        return y[None], output[1]

    with ExitStack() as hooks:
        for layer in model.layers:
            hooks.enter_context(layer.register_forward_hook(replace))
        log_probs, _ = model(feats[None], torch.tensor([len(feats)]))
    return log_probs[0], traces


def _directions(traces: list[list[Trace]], loss: Tensor) -> list[Direction]:
    """The traces as arrays, with the gradient of the loss; one pass backward gives all of it."""
    pairs = [(number, d, one) for number, layer in enumerate(traces, 1) for d, one in enumerate(layer)]
    gradients = iter(torch.autograd.grad(loss, [step for _, _, one in pairs for step in one.steps]))
    return [
        Direction(
            layer=number,
            name=("forward", "backward")[d],
            reset=_array(one.reset),
            update=_array(one.update),
            taken=_array(one.taken),
            states=_array(one.states),
            gradient=_array(torch.stack([next(gradients).norm() for _ in one.steps])),
        )
        for number, d, one in pairs
    ]


def _heard(recogniser: Recogniser, audio: str | Path) -> Hypothesis:
    """What a search with words hears, which of a model of phones are the only words."""
    found = recogniser.transcribe(audio)
    return Hypothesis(utt_id=str(audio), text=found.text, score=found.score, words=found.words)


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().numpy()
    return array


def _check_sound(name: str, waveform: Array, duration: float) -> None:
    if duration > PIECE_SECONDS:
        raise AsrError(
            f"{name}: one utterance of at most {PIECE_SECONDS:g} s expected, found {duration:.1f} s; "
            "cut out the part to look at"
        )
    if float(np.abs(waveform).max(initial=0.0)) < SILENCE:
        raise AsrError(f"{name}: speech expected, found silence ({duration:.3f} s); give another file")


def _loss(name: str, log_probs: Tensor, text: str, target: list[int]) -> Tensor:
    """−log p(text), a scalar."""
    if not text:
        raise AsrError(
            f"{name}: the model heard no words in it, so there is no text whose loss could be followed; say "
            "with --text what is spoken"
        )
    if frames_needed(target) > len(log_probs):
        raise AsrError(
            f"{name}: {len(log_probs)} frames are too few to spell {text[:60]!r}, which needs "
            f"{frames_needed(target)}; check that this is what the file says"
        )
    lens, target_lens = torch.tensor([len(log_probs)]), torch.tensor([len(target)])
    loss = ctc_loss(log_probs[None], lens, torch.tensor([target]), target_lens)[0]
    if not math.isfinite(loss.item()):
        raise AsrError(f"{name}: the loss of {text[:60]!r} is not finite; check the model with asr info")
    return loss
