"""The best alignment of known units against a look at all alignments."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.alignment import align
from asr.errors import AsrError


def best_of_all(log_probs: np.ndarray, ids: list[int]) -> tuple[list[int], list[float]] | None:
    """Frames and confidences by trying every alignment; None where none spells `ids`."""
    best, winner = -np.inf, None
    for alignment in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if [unit for unit, _ in itertools.groupby(alignment) if unit != 0] == ids:
            score = sum(log_probs[t, c] for t, c in enumerate(alignment))
            if score > best:
                best, winner = score, alignment
    if winner is None:
        return None
    frames, confidences, frame = [], [], 0
    for unit, run in itertools.groupby(winner):
        length = len(list(run))
        if unit != 0:
            frames.append(frame)
            confidences.append(float(np.exp(log_probs[frame : frame + length, unit].max())))
        frame += length
    return frames, confidences


@given(
    seed=st.integers(0, 10**6),
    num_frames=st.integers(1, 6),
    ids=st.lists(st.integers(1, 2), min_size=1, max_size=5),
)
@settings(max_examples=80, deadline=None)
def test_is_the_best_of_all_alignments(seed: int, num_frames: int, ids: list[int]) -> None:
    log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(3), num_frames))
    expected = best_of_all(log_probs, ids)
    if expected is None:
        with pytest.raises(AsrError, match=f"{len(ids)} units cannot be aligned with {num_frames} frames"):
            align(log_probs, ids)
        return
    frames, confidences = align(log_probs, ids)
    assert frames == expected[0]
    assert confidences == pytest.approx(expected[1], abs=1e-12)


def test_nothing_to_align() -> None:
    assert align(np.zeros((3, 2)), []) == ([], [])
    assert align(np.zeros((0, 2)), []) == ([], [])
    with pytest.raises(AsrError, match="1 units cannot be aligned with 0 frames"):
        align(np.zeros((0, 2)), [1])


def test_every_frame_needed() -> None:
    """U + repeats frames are enough, and then there is one alignment only."""
    uniform = np.log(np.full((5, 3), 1 / 3))
    assert align(uniform, [1, 1, 2, 1])[0] == [0, 2, 3, 4]
    with pytest.raises(AsrError):
        align(uniform, [1, 1, 2, 2])


def test_a_class_that_cannot_be_is_not_aligned() -> None:
    log_probs = np.log(np.full((4, 3), 1 / 3))
    log_probs[:, 2] = -np.inf
    with pytest.raises(AsrError, match="cannot be aligned"):
        align(log_probs, [2])
    log_probs[3, 2] = 0.0
    assert align(log_probs, [2]) == ([3], [1.0])
