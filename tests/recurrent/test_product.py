"""Our matrix products against numpy's, in every layout and around every edge of a tile."""

import numba
import numpy as np
import pytest

from asr.recurrent import product as product_module
from asr.recurrent.product import ROWS, WIDTH, multiply, pack, pack_turned, room


@numba.njit
def product(a, b, turned, begin, out):
    """out = begin + A · B; with `turned`, b is Bᵀ."""
    panels = room(a.shape[1], out.shape[1])
    if turned:
        pack_turned(b, panels)
    else:
        pack(b, panels)
    multiply(a, panels, begin, out)


def framed(x):
    """The same matrix amid others: rows are not contiguous, as in a slice of columns."""
    memory = np.full((x.shape[0], x.shape[1] + 8), np.nan, np.float32)
    memory[:, 3 : 3 + x.shape[1]] = x
    return memory[:, 3 : 3 + x.shape[1]]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("rows", [1, ROWS, 8 * ROWS + 5])
@pytest.mark.parametrize("inner", [1, 385, 800])
@pytest.mark.parametrize("columns", [1, WIDTH, 3 * WIDTH + 5])
def test_product(rows, inner, columns, turned):
    generator = np.random.default_rng(1)
    a = generator.integers(-8, 9, (rows, inner)).astype(np.float32)
    b = generator.integers(-8, 9, (inner, columns)).astype(np.float32)
    stored = np.ascontiguousarray(b.T) if turned else b
    whole = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    for begin in (whole, whole[:1]):
        for left in (framed(a), framed(a.T).T):
            out = framed(np.zeros((rows, columns), np.float32))
            product(left, stored, turned, framed(begin), out)
            np.testing.assert_array_equal(out, begin + a @ b)  # of small integers every order is exact
    out = framed(whole)
    product(framed(a), stored, turned, out, out)
    np.testing.assert_array_equal(out, whole + a @ b)


def test_neighbours_are_left_alone():
    out = framed(np.zeros((3, 5), np.float32))
    product(framed(np.ones((3, 2))), np.ones((2, 5), np.float32), False, framed(np.zeros((1, 5))), out)
    assert (out == 2).all()
    assert np.isnan(out.base).sum() == 3 * 8


def test_row_is_the_same_bytes_in_any_company():
    generator = np.random.default_rng(2)
    a, b = (generator.standard_normal(shape).astype(np.float32) for shape in [(37, 500), (500, 70)])
    together = framed(np.zeros((37, 70), np.float32))
    product(framed(a), b, False, framed(np.zeros((1, 70))), together)
    for n in range(37):
        alone = framed(np.zeros((1, 70), np.float32))
        product(framed(a[n : n + 1]), b, False, framed(np.zeros((1, 70))), alone)
        assert (alone[0] == together[n]).all()


@pytest.mark.parametrize(
    ("features", "machine", "expected"),
    [
        ({"avx2": True, "avx512f": True}, "x86_64", (16, 32)),
        ({"avx2": True, "avx512f": False}, "AMD64", (8, 16)),
        ({}, "x86_64", (4, 16)),
        ({}, "arm64", (4, 32)),
        (None, "aarch64", (4, 32)),
    ],
)
def test_registers_of_processors(features, machine, expected, monkeypatch):
    def ask():
        if features is None:
            raise RuntimeError("LLVM cannot tell")
        return features

    monkeypatch.setattr(product_module.llvm, "get_host_cpu_features", ask)
    monkeypatch.setattr(product_module.platform, "machine", lambda: machine)
    assert product_module._vectors() == expected
