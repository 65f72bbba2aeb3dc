"""Compiled code is kept on disk where that can be done, and works where it cannot."""

import errno
import pickle
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core import caching

from asr.compiled import compiled


def twice(x: float) -> float:
    return 2 * x


def test_machine_code_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert compiled(twice)(21.0) == 42.0
    assert [path.suffix for path in tmp_path.rglob("*.nbi")] == [".nbi"]


def test_no_folder_that_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert compiled(twice)(21.0) == 42.0


@pytest.mark.parametrize(
    "trouble",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        EOFError("Ran out of input"),
        pickle.UnpicklingError("damaged"),
    ],
    ids=["full disk", "cut short", "damaged"],
)
def test_trouble_with_the_cache_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    method = "save" if isinstance(trouble, OSError) else "load"
    monkeypatch.setattr(caching.IndexDataCacheFile, method, fail)
    function = compiled(twice)
    assert function(21.0) == 42.0
    assert function(np.float64(4)) == 8.0
