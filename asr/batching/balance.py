"""How often each speaker is heard: speakers with much speech less often than their share of the hours."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def speaker_shares(seconds: Sequence[float], speakers: Sequence[str], power: float) -> NDArray[np.float64]:
    """In what share of the epochs each utterance takes part: min(1, (mean / own) ^ power).

    `own` is the speech of an utterance's speaker, `mean` that of a speaker on average: who has no more than
    that is heard in every epoch. With power 1 nobody is heard for longer than the mean in an epoch, with 0
    everybody is heard in full.

    Args:
        seconds: length of each utterance (N,).
        speakers: of each utterance (N,); those without a name count as one.
        power: 0 or more.

    Returns:
        shares (N,), above 0, at most 1.
    """
    spoken: defaultdict[str, float] = defaultdict(float)
    for length, speaker in zip(seconds, speakers, strict=True):
        spoken[speaker] += length
    least = np.finfo(float).tiny  # where nobody says how long anything is
    mean = max(sum(spoken.values()) / len(spoken), least)
    own = np.array([max(spoken[speaker], least) for speaker in speakers])
    return np.minimum(1.0, (mean / own) ** power)


class Turns:
    """Which utterances take part in an epoch: each as often as its share says, at even distances.

    Utterance i takes part where (u_i + epoch · share_i) mod 1 < share_i, with u_i from 0 to 1: in K epochs
    it appears K · share_i times, give or take one. Utterances of one share get their u_i in a drawn order,
    evenly spread, so that an epoch holds that share of them, give or take one. A function of seed and epoch
    alone, like the order of batches.

    Args:
        shares: (N,), above 0, at most 1.
        seed: of the order.
    """

    def __init__(self, shares: NDArray[np.float64], seed: int) -> None:
        rng = np.random.default_rng([seed, len(shares)])
        self._shares = shares
        self._phases = np.empty(len(shares))
        for share in np.unique(shares):
            rows = np.flatnonzero(shares == share)
            # a drawn offset, so that no sum below falls on an edge, where rounding would decide
            self._phases[rng.permutation(rows)] = (np.arange(len(rows)) + rng.random()) / len(rows)

    def __call__(self, epoch: int) -> NDArray[np.bool_]:
        """Whether each utterance takes part in `epoch` (N,)."""
        taking: NDArray[np.bool_] = np.mod(self._phases + epoch * self._shares, 1.0) < self._shares
        return taking
