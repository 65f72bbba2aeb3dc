"""Greedy search against a collapse written out, and its own promises."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.alignment import align
from asr.decoding.greedy import greedy_search
from asr.errors import AsrError


def random_log_probs(seed: int, *shape: int, sharpness: float = 3.0) -> np.ndarray:
    logits = sharpness * np.random.default_rng(seed).standard_normal(shape)
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


@given(seed=st.integers(0, 10**6), num_frames=st.integers(1, 30), num_classes=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_is_the_collapsed_best_alignment(seed: int, num_frames: int, num_classes: int) -> None:
    log_probs = random_log_probs(seed, 1, num_frames, num_classes)
    (path,) = greedy_search(log_probs, [num_frames])

    ids, frames, confidences, frame = [], [], [], 0
    for unit, run in itertools.groupby(log_probs[0].argmax(axis=1).tolist()):
        length = len(list(run))
        if unit != 0:
            ids.append(unit)
            frames.append(frame)
            confidences.append(float(np.exp(log_probs[0, frame : frame + length, unit].max())))
        frame += length
    assert path.ids == ids
    assert path.frames == frames
    assert path.confidences == pytest.approx(confidences, abs=1e-12)
    assert path.score == pytest.approx(log_probs[0].max(axis=1).sum(), abs=1e-12)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_frames_and_confidences_are_those_of_the_best_alignment_of_its_units(seed: int) -> None:
    """The best alignment of all is the best alignment of the units that it spells."""
    log_probs = random_log_probs(seed, 1, 20, 5)
    (path,) = greedy_search(log_probs, [20])
    frames, confidences = align(log_probs[0], path.ids)
    assert path.frames == frames
    assert path.confidences == pytest.approx(confidences, abs=1e-12)


def test_a_batch_gives_what_its_rows_give_alone_whatever_the_padding() -> None:
    log_probs, lens = random_log_probs(1, 6, 25, 7), [25, 0, 1, 13, 24, 7]
    padded = log_probs.copy()
    for row, length in enumerate(lens):
        padded[row, length:] = np.nan
    batch = greedy_search(padded, lens)
    for row, length in enumerate(lens):
        assert [batch[row]] == greedy_search(log_probs[row : row + 1, :length], [length])


def test_tensor_and_array_agree() -> None:
    log_probs = torch.tensor(random_log_probs(2, 2, 12, 4), dtype=torch.float32)
    lens = torch.tensor([12, 9])
    assert greedy_search(log_probs, lens) == greedy_search(log_probs.numpy(), lens.numpy())


def test_no_frames_and_silence_give_nothing() -> None:
    silence = np.log([[[0.9, 0.1], [0.9, 0.1]]])
    (path,) = greedy_search(silence, [2])
    assert (path.ids, path.frames, path.confidences) == ([], [], [])
    assert path.score == pytest.approx(2 * np.log(0.9))
    (path,) = greedy_search(silence, [0])
    assert (path.ids, path.score) == ([], 0.0)
    assert greedy_search(np.zeros((0, 4, 3)), []) == []
    assert greedy_search(np.zeros((1, 0, 3)), [0])[0].ids == []


def test_equal_classes_give_the_smaller() -> None:
    uniform = np.log(np.full((1, 3, 4), 0.25))
    assert greedy_search(uniform, [3])[0].ids == []
    uniform[0, :, 0] = -np.inf
    assert greedy_search(uniform, [3])[0].ids == [1]


def test_scores_that_are_no_probabilities_have_confidences_up_to_one() -> None:
    """Somebody may lower the blank before decoding: rows then add up to more or less than 1."""
    (path,) = greedy_search(np.array([[[-9.0, 2.0], [-9.0, -1.0]]]), [2])
    assert path.confidences == [1.0]


def test_nan_names_the_row() -> None:
    log_probs = random_log_probs(3, 3, 5, 4)
    log_probs[2, 1, 1] = np.nan
    with pytest.raises(AsrError, match="row 2"):
        greedy_search(log_probs, [5, 5, 5])
