"""Where each unit of a known sequence is heard: the best alignment, in bounded memory."""

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled, compiled_part
from asr.errors import AsrError
from asr.records import BLANK_ID

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STAY, ADVANCE, SKIP = 0, 1, 2
BLOCK_FRAMES = 512
"""Frames between two scores that are kept; what lies between is computed again on the way back."""


def align(log_probs: Floats, ids: list[int]) -> tuple[list[int], list[float]]:
    """Find the most probable alignment of a sequence of units (see `align_states`).

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
    states = align_states(log_probs, ids)
    frames = np.flatnonzero(states % 2 == 1)
    units = states[frames] // 2
    begins = np.flatnonzero(np.diff(units, prepend=-1))  # every unit has a run of frames
    heard = log_probs[frames, np.array(ids, np.int64)[units]]
    peaks = np.maximum.reduceat(heard, begins)
    return frames[begins].tolist(), np.exp(np.minimum(peaks, 0.0)).tolist()


def align_states(log_probs: Floats, ids: list[int], block_frames: int = BLOCK_FRAMES) -> Ints:
    """The most probable path through CTC's states (Viterbi), exactly, at any length.

    States are blank, unit 0, blank, unit 1, … blank: unit k is state 2k+1. Of equally probable paths the one
    whose units come earlier is taken. The scores of all states are kept every B = `block_frames` frames;
    from the end, each block is computed again for the 2B states from which its last state can be reached.
    Memory: 8·(2U+1)·T/B + 2B² bytes, where the whole matrix of moves would be (2U+1)·T.

    Args:
        log_probs: (T, C) natural-log probabilities.
        ids: U units, at least one, none of them the blank.
        block_frames: B; any value gives the same path.

    Returns:
        (T,) the state of each frame.

    Raises:
        AsrError: no alignment of `ids` fits into the frames.
    """
    num_frames, num_states = len(log_probs), 2 * len(ids) + 1
    states = np.full(num_frames, -1, np.int64)
    _align(
        np.require(log_probs, np.float64, ["C", "W"]),
        np.array(ids, dtype=np.int64),
        np.full((max(1, -(-num_frames // block_frames)), num_states), -np.inf),
        np.full((block_frames, 2 * block_frames + 3), STAY, np.uint8),
        states,
    )
    if num_frames == 0 or states[0] < 0:
        raise AsrError(
            f"{len(ids)} units cannot be aligned with {num_frames} frames: every unit needs a "
            "frame, and a repeated unit one more for the blank before it"
        )
    return states


@compiled_part
def _step(
    log_probs: Floats,
    ids: Ints,
    t: int,
    low: int,
    high: int,
    score: Floats,
    base: int,
    moves: NDArray[np.uint8],
) -> None:
    """Bring `score` (2U+1,) of the best alignment that ends in each state from frame t-1 to t, for the units
    from low to high and the blanks after them; `moves` says how each state was entered, from state `base`.

    A state is entered from itself, from the one before, and a unit that differs from the unit before also
    over the blank between them.
    """
    blank, num_moves = log_probs[t, BLANK_ID], len(moves)
    # From the last to the first, because a state looks at lower ones of the frame before.
    for unit in range(high, low - 1, -1):
        heard, after, before = score[2 * unit + 1], score[2 * unit + 2], score[2 * unit]
        place = 2 * unit + 2 - base
        if 0 <= place < num_moves:
            moves[place] = ADVANCE if heard > after else STAY
        score[2 * unit + 2] = max(heard, after) + blank
        move = ADVANCE if before > heard else STAY
        best = max(before, heard)
        if unit > 0 and ids[unit] != ids[unit - 1]:
            skipped = score[2 * unit - 1]
            move = SKIP if skipped > best else move
            best = max(skipped, best)
        if 0 <= place - 1 < num_moves:
            moves[place - 1] = move
        score[2 * unit + 1] = best + log_probs[t, ids[unit]]
    if low == 0:
        score[0] += blank
        if base == 0 and num_moves > 0:
            moves[0] = STAY


@compiled
def _align(log_probs: Floats, ids: Ints, kept: Floats, moves: NDArray[np.uint8], states: Ints) -> None:
    """Fill `states` (T,) where ids fit in. kept[b] (all -inf) becomes the scores after frame b·B."""
    num_frames, num_units, block = len(states), len(ids), len(moves)
    if num_frames == 0:
        return
    score = np.full(2 * num_units + 1, -np.inf)
    score[0], score[1] = log_probs[0, BLANK_ID], log_probs[0, ids[0]]
    kept[0] = score
    for t in range(1, num_frames):
        # Only units that can have begun by now, and after which the rest still fits in.
        low, high = max(0, num_units - (num_frames - t)), min(num_units - 1, t)
        _step(log_probs, ids, t, low, high, score, 0, moves[0, :0])
        if t % block == 0:
            kept[t // block] = score
    state = 2 * num_units
    if score[state - 1] >= score[state]:
        state -= 1
    if score[state] == -np.inf:
        return
    for b in range(len(kept) - 1, -1, -1):
        first, last = b * block, min((b + 1) * block, num_frames - 1)
        score[:] = kept[b]
        base = max(0, state - 2 * block)
        bottom, top = max(0, base // 2 - 1), min(num_units - 1, state // 2)
        for t in range(first + 1, last + 1):
            low = max(bottom, num_units - (num_frames - t))
            _step(log_probs, ids, t, low, min(top, t), score, base, moves[t - first - 1])
        for t in range(last, first, -1):
            states[t] = state
            state -= moves[t - first - 1, state - base]
    states[0] = state
