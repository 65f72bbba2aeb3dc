"""What is timed are products: ours and torch's give the same numbers, and as many operations are counted."""

import json

import numpy as np
import pytest

from benchmarks import recurrent_bound


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_product_is_the_product(fresh, turned):
    generator = np.random.default_rng(1)
    a, b = (generator.integers(-8, 9, shape).astype(np.float32) for shape in ((7, 30), (30, 45)))
    a = np.ascontiguousarray(a.T).T if turned else a
    out = np.full((7, 45), np.nan, np.float32)
    recurrent_bound._ours(a, b, fresh, out, 2)
    np.testing.assert_array_equal(out, a @ b)
    assert recurrent_bound._both(a, b, fresh)["ours"][0] == 2 * 7 * 30 * 45


def test_every_shape_has_its_speed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recurrent_bound, "OPERATIONS", 1.0)
    path = tmp_path / "x.json"
    recurrent_bound.main(["--hidden", "8", "--batch", "2", "--repeats", "1", "--json", str(path)])
    found = json.loads(path.read_text())
    assert {shape: set(both) for shape, both in found.items()} == {
        "tile": {"ours"},
        "step": {"ours", "torch"},
        "weights": {"ours", "torch"},
        "input": {"ours", "torch"},
    }
    assert all(speed > 0 for both in found.values() for speed in both.values())
    assert "H 8, batch 2, one thread" in capsys.readouterr().out
