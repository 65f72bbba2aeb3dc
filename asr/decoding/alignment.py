"""Where each unit of a known sequence is heard: the best alignment."""

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled
from asr.errors import AsrError
from asr.records import BLANK_ID

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STAY, ADVANCE, SKIP = 0, 1, 2


def align(log_probs: Floats, ids: list[int]) -> tuple[list[int], list[float]]:
    """Find the most probable alignment of a sequence of units (Viterbi over CTC's states).

    Of alignments that are equally probable the one whose units come earlier is taken. Memory: (2U+1)·T bytes.

    Args:
        log_probs: (T, C) natural-log probabilities.
        ids: U units, none of them the blank.

    Returns:
        For each unit the frame at which it begins, and the model's probability of it in its surest frame.

    Raises:
        AsrError: no alignment of `ids` fits into the frames.
    """
    if not ids:
        return [], []
    num_frames, num_states = len(log_probs), 2 * len(ids) + 1
    begins, peaks = np.full(len(ids), -1, np.int64), np.full(len(ids), -np.inf)
    _align(
        np.require(log_probs, np.float64, ["C", "W"]),
        np.array(ids, dtype=np.int64),
        np.full(num_states, -np.inf),
        np.empty((num_frames, num_states), np.uint8),
        begins,
        peaks,
    )
    if begins[0] < 0:
        raise AsrError(
            f"{len(ids)} units cannot be aligned with {len(log_probs)} frames: every unit needs a "
            "frame, and a repeated unit one more for the blank before it"
        )
    return begins.tolist(), np.exp(np.minimum(peaks, 0.0)).tolist()


@compiled
def _align(
    log_probs: Floats, ids: Ints, score: Floats, moves: NDArray[np.uint8], begins: Ints, peaks: Floats
) -> None:
    """Fill `begins` and `peaks`, first frame and largest log-probability of each unit, where ids fit in.

    States are blank, unit 0, blank, unit 1, … blank: unit k is state 2k+1. A state is entered from itself,
    from the one before, and a unit that differs from the unit before also over the blank between them.
    `score` (all -inf) is of the best alignment that ends in a state, `moves` how it came there.
    """
    num_frames, num_states = moves.shape
    if num_frames == 0:
        return
    score[0], score[1] = log_probs[0, BLANK_ID], log_probs[0, ids[0]]
    for t in range(1, num_frames):
        blank = log_probs[t, BLANK_ID]
        # Only units that can have begun by now, and after which the rest still fits in. From the last to the
        # first, because a state looks at lower ones of the frame before.
        for unit in range(min(len(ids) - 1, t), max(0, len(ids) - (num_frames - t)) - 1, -1):
            heard, after, before = score[2 * unit + 1], score[2 * unit + 2], score[2 * unit]
            moves[t, 2 * unit + 2] = ADVANCE if heard > after else STAY
            score[2 * unit + 2] = max(heard, after) + blank
            move = ADVANCE if before > heard else STAY
            best = max(before, heard)
            if unit > 0 and ids[unit] != ids[unit - 1]:
                skipped = score[2 * unit - 1]
                move = SKIP if skipped > best else move
                best = max(skipped, best)
            moves[t, 2 * unit + 1] = move
            score[2 * unit + 1] = best + log_probs[t, ids[unit]]
        score[0] += blank
        moves[t, 0] = STAY
    state = num_states - 1
    if score[state - 1] >= score[state]:
        state -= 1
    if score[state] == -np.inf:
        return
    for t in range(num_frames - 1, -1, -1):
        if state % 2 == 1:
            unit = state // 2
            begins[unit] = t
            peaks[unit] = max(peaks[unit], log_probs[t, ids[unit]])
        if t > 0:
            state -= moves[t, state]
