"""The door of the room: tensors and arrays, padding, and numbers that are none."""

import numpy as np
import pytest
import torch

from asr.decoding.rows import checked_rows
from asr.errors import AsrError

VALUES = np.log(np.random.default_rng(0).dirichlet(np.ones(4), (2, 5)))


@pytest.mark.parametrize(
    "log_probs",
    [
        VALUES,
        VALUES.tolist(),
        VALUES.astype(np.float32),
        np.asfortranarray(VALUES),
        torch.tensor(VALUES, requires_grad=True),
        torch.tensor(VALUES, dtype=torch.float16),
        torch.tensor(VALUES, dtype=torch.bfloat16),
    ],
    ids=["float64", "lists", "float32", "fortran", "gradient", "half", "bfloat16"],
)
@pytest.mark.parametrize(
    "lens", [[3, 5], np.array([3, 5]), torch.tensor([3, 5])], ids=["list", "array", "tensor"]
)
def test_everything_becomes_float64_rows(log_probs: object, lens: object) -> None:
    short, full = checked_rows(log_probs, lens)  # type: ignore[arg-type]
    assert short.shape == (3, 4)
    assert full.shape == (5, 4)
    assert short.dtype == full.dtype == np.float64
    assert short.flags.c_contiguous
    np.testing.assert_allclose(full, VALUES[1], rtol=1e-2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_names_row_and_frame(bad: float) -> None:
    values = VALUES.copy()
    values[1, 2, 3] = bad
    with pytest.raises(AsrError, match=f"row 1 .*found {bad} in frame 2"):
        checked_rows(values, [5, 5])


def test_a_frame_without_a_possible_class_is_refused() -> None:
    values = VALUES.copy()
    values[0, 4] = -np.inf
    with pytest.raises(AsrError, match=r"row 0 .*found -inf in frame 4"):
        checked_rows(values, [5, 5])


def test_an_impossible_class_is_allowed() -> None:
    values = VALUES.copy()
    values[0, 4, 1:] = -np.inf
    assert np.isneginf(checked_rows(values, [5, 5])[0]).sum() == 3


def test_padding_is_never_looked_at() -> None:
    values = VALUES.copy()
    values[1, 3:] = np.nan
    assert checked_rows(values, [5, 3])[1].tolist() == VALUES[1, :3].tolist()


@pytest.mark.parametrize(
    ("shape", "lens"), [((5, 4), [5]), ((2, 5, 4), [5]), ((2, 5, 4), [[5, 5]]), ((2, 5, 0), [5, 5])]
)
def test_shapes_that_do_not_fit(shape: tuple[int, ...], lens: list[int]) -> None:
    with pytest.raises(AsrError, match=r"log-probabilities \(N, T, C\)"):
        checked_rows(np.zeros(shape), lens)


def test_lengths_are_integers() -> None:
    with pytest.raises(AsrError, match="integers expected, found float64"):
        checked_rows(VALUES, [5.0, 2.5])


def test_rows_of_a_frozen_array_are_like_all_others() -> None:
    """numba has another type, and so another compilation, for arrays that cannot be written."""
    frozen = VALUES.copy()
    frozen.flags.writeable = False
    assert all(row.flags.writeable for row in checked_rows(frozen, [5, 5]))


@pytest.mark.parametrize("length", [-1, 6])
def test_lengths_that_do_not_fit(length: int) -> None:
    with pytest.raises(AsrError, match=f"row 1 .*a length from 0 to 5 expected, found {length}"):
        checked_rows(VALUES, [5, length])
