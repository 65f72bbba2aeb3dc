"""Settings for speakers of dev that were chosen on the others, so that dev's error rate does not flatter."""

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from asr.errors import AsrError
from asr.tuning.heard import Heard
from asr.tuning.trials import Tuned


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """Some speakers of dev, and what was found on all others: what these are read with."""

    speakers: list[str]
    tuned: Tuned


def speaker_folds(speakers: Iterable[str], folds: int) -> list[list[str]]:
    """Parts of about as many speakers each: in order of their names, dealt out in turn.

    Args:
        speakers: one name or many times the same.
        folds: how many parts.

    Raises:
        AsrError: fewer speakers than parts.
    """
    names = sorted(set(speakers))
    if len(names) < folds:
        raise AsrError(
            f"tuning.folds: at least {folds} speakers of dev expected, found {len(names)} "
            f"({', '.join(names)}); choose on all of dev with tuning.folds=0"
        )
    return [names[first::folds] for first in range(folds)]


def tune_by_folds(
    folds: Iterable[list[str]],
    heard: Heard,
    speakers: Mapping[str, str],
    tuned_on: Callable[[Heard], Tuned],
) -> list[Fold]:
    """Choose for each part of the speakers on what is heard of all others.

    Args:
        folds: as `speaker_folds` gives them.
        heard: log-probabilities of dev.
        speakers: who speaks in each utterance, by its id.
        tuned_on: finds the settings that read utterances best (`asr.tuning.trials.tune`).

    Raises:
        AsrError: nothing is left to choose on, or what `tuned_on` raises.
    """
    return [Fold(speakers=fold, tuned=tuned_on(_without(heard, speakers, fold))) for fold in folds]


def _without(heard: Heard, speakers: Mapping[str, str], held_out: Collection[str]) -> Heard:
    """The utterances of all other speakers."""
    kept = [place for place, utt_id in enumerate(heard.utt_ids) if speakers[utt_id] not in held_out]
    if not kept:
        raise AsrError(
            f"tuning.folds: no utterance to choose on without the speakers {', '.join(held_out)}; "
            "take more of dev with tuning.utterances=0"
        )
    return Heard([heard.utt_ids[place] for place in kept], [heard.rows[place] for place in kept])
