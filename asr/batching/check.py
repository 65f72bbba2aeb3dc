"""What a CTC model cannot be trained on, found before training and named."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from asr.errors import AsrError
from asr.model.ctc import frames_needed
from asr.records import Utterance

Cause = Literal[
    "too short", "too long", "empty transcript", "transcript outside the units", "more units than frames"
]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An utterance that is left out of training: its name, what kind of trouble, and the whole sentence."""

    utt_id: str
    cause: Cause
    reason: str


def check_trainable(
    utterances: Iterable[Utterance],
    frames_of: Callable[[Utterance], int],
    encode: Callable[[str], list[int]],
    *,
    min_seconds: float,
    max_seconds: float,
) -> tuple[list[Utterance], list[Rejected]]:
    """Part utterances into those to train on and those that are left out, each with its reason.

    Args:
        utterances: as the manifest has them.
        frames_of: T', the frames that the model makes of an utterance, after subsampling.
        encode: transcript to U ids of units; raises AsrError on a character outside the units.
        min_seconds, max_seconds: shortest and longest that are kept, both included.

    Returns:
        The kept utterances and the rejected ones, both in the order given.
    """
    kept: list[Utterance] = []
    rejected: list[Rejected] = []
    for utterance in utterances:
        trouble = _trouble(utterance, frames_of, encode, min_seconds, max_seconds)
        if trouble is None:
            kept.append(utterance)
        else:
            cause, reason = trouble
            rejected.append(Rejected(utterance.utt_id, cause, f"{utterance.utt_id}: {reason}"))
    return kept, rejected


def summarise(rejected: Iterable[Rejected]) -> str:
    """How many utterances are left out for which cause: `3 too short, 1 empty transcript`; empty for none."""
    counts = Counter(item.cause for item in rejected)
    return ", ".join(f"{count} {cause}" for cause, count in counts.most_common())


def _trouble(
    utterance: Utterance,
    frames_of: Callable[[Utterance], int],
    encode: Callable[[str], list[int]],
    min_seconds: float,
    max_seconds: float,
) -> tuple[Cause, str] | None:
    seconds = utterance.duration
    if not seconds >= min_seconds:
        return "too short", f"{seconds:.2f} s is shorter than batching.min_seconds = {min_seconds:g}"
    if seconds > max_seconds:
        return "too long", f"{seconds:.2f} s is longer than batching.max_seconds = {max_seconds:g}"
    if not utterance.text.strip():
        return "empty transcript", "the transcript is empty; there is nothing to learn from it"
    try:
        target = encode(utterance.text)
    except AsrError as error:
        return "transcript outside the units", str(error)
    frames, needed = frames_of(utterance), frames_needed(target)
    if frames < needed:
        return "more units than frames", (
            f"the transcript's {len(target)} units need {needed} frames (one each, and one between two that "
            f"are the same), and {seconds:.2f} s of audio give the model {frames}; check that audio and "
            "transcript belong together, or lower model.subsampling"
        )
    return None
