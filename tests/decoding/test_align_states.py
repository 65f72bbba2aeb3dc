"""The path of the alignment: every block size gives what trying all paths gives."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.alignment import align_states
from asr.errors import AsrError


def _log_probs(seed, frames, classes):
    values = np.random.default_rng(seed).normal(0, 2, (frames, classes))
    return values - np.log(np.exp(values).sum(1, keepdims=True))


def _classes(states, ids):
    return [ids[state // 2] if state % 2 else 0 for state in states]


def _best_score(log_probs, ids):
    """Over all classes of all frames that collapse to ids."""
    frames, classes = log_probs.shape
    best = -np.inf
    for path in itertools.product(range(classes), repeat=frames):
        if [unit for unit, _ in itertools.groupby(path) if unit] == ids:
            best = max(best, log_probs[np.arange(frames), path].sum())
    return best


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.lists(st.integers(1, 2), min_size=1, max_size=4),
    st.integers(1, 7),
)
def test_the_path_is_the_best_of_all_paths(seed, frames, ids, block):
    log_probs = _log_probs(seed, frames, 3)
    best = _best_score(log_probs, ids)
    if best == -np.inf:
        with pytest.raises(AsrError, match="cannot be aligned"):
            align_states(log_probs, ids, block)
        return
    path = _classes(align_states(log_probs, ids, block), ids)
    assert [unit for unit, _ in itertools.groupby(path) if unit] == ids
    assert log_probs[np.arange(frames), path].sum() == pytest.approx(best)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 130))
def test_every_block_size_gives_the_same_path(seed, units, block):
    ids = np.random.default_rng(seed).integers(1, 4, units).tolist()
    log_probs = _log_probs(seed, 2 * units + 17, 4)
    np.testing.assert_array_equal(align_states(log_probs, ids, block), align_states(log_probs, ids, 1000))


def test_a_frame_less_recording_is_an_error():
    with pytest.raises(AsrError, match="0 frames"):
        align_states(np.zeros((0, 3)), [1])
