"""Compiled code is kept on disk where that can be done, and works where it cannot."""

import errno
import importlib
import os
import pickle
import sys
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


def test_a_change_of_a_part_in_another_module_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kept code is used as long as no file of a part has changed, and not afterwards."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "outer_of_two.py").write_text(
        "from asr.compiled import compiled, compiled_part\n"
        "from inner_of_two import number\n\n"
        "@compiled\ndef outer(x):\n    return between(x)\n\n"
        "@compiled_part\ndef between(x):\n    return number(x)\n"
    )
    found = []
    for body in ("x + 1.0", "x + 1.0", "x + 20.0"):
        (tmp_path / "inner_of_two.py").write_text(
            "from asr.compiled import compiled_and_plain\n\n"
            f"@compiled_and_plain\ndef number(x):\n    return {body}\n"
        )
        os.utime(tmp_path / "inner_of_two.py", (0, len(body)))
        importlib.invalidate_caches()
        for name in ("outer_of_two", "inner_of_two"):
            sys.modules.pop(name, None)
        found.append(importlib.import_module("outer_of_two").outer(1.0))
        found.append(len(list((tmp_path / "kept").rglob("*.nbc"))))
    for name in ("outer_of_two", "inner_of_two"):
        sys.modules.pop(name, None)
    assert found == [2.0, 1, 2.0, 1, 21.0, 1]
