"""Compiling loops with numba, with the machine code kept on disk where that is possible."""

import contextlib
import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.extending import register_jitable

P = ParamSpec("P")
R = TypeVar("R")

_CACHE_ERRORS = (OSError, EOFError, pickle.UnpicklingError)
_FAST = {"fastmath": True}
"""Sums may be reordered and NaN is not minded, or a loop that adds up is not made of vector instructions."""


def compiled_part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that only compiled functions call; it is kept with its caller."""
    # without the entries for Python and C, which nobody uses and which take a third of the time
    return _njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls, at its first call; other threads run meanwhile (no GIL).

    The machine code is kept in `__pycache__`, in the user's cache folder, or in NUMBA_CACHE_DIR, whichever
    can be written. Where none can, the disk is full or the kept code is damaged, the function is compiled
    in every process anew: slower by seconds, and never a failure. A change of the file of any function that
    is compiled into this one counts as a change of its own.
    """
    return _cached(function, {})


def compiled_fast(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled`, with fast mathematics: for numbers that are known to be finite."""
    return _cached(function, _FAST)


def compiled_part_fast(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled_part`, with fast mathematics. A function of its own, for loops that lose their vector
    instructions where they are written out in a large caller."""
    return _njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_FAST)


def inlined_fast(function: Callable[P, R]) -> Callable[P, R]:
    """A function that is written out in its compiled callers of the same module, with fast mathematics."""
    return _njit(function, inline="always", **_FAST)


def compiled_borrowing(function: Callable[P, R]) -> Callable[P, R]:
    """As `compiled_part`, for functions that neither make arrays nor return any: they borrow those of the
    caller, and count no references. Counting is atomic, and for tuples of many arrays it takes longer than
    what a small function does with them.
    """
    return _njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def compiled_and_plain(function: Callable[P, R]) -> Callable[P, R]:
    """A function that compiled functions call as compiled, and Python as it is written."""
    register: Any = register_jitable
    return cast(Callable[P, R], register(error_model="numpy")(function))


def _cached(function: Callable[P, R], options: dict[str, bool]) -> Callable[P, R]:
    try:
        fast = _njit(function, nogil=True, cache=True, **options)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return _njit(function, nogil=True, **options)

    is_stamped = False

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal fast, is_stamped
        if not is_stamped:  # only now, because its parts may stand below it
            _stamp(fast, function)
            is_stamped = True
        try:
            return fast(*args, **kwargs)
        except _CACHE_ERRORS:
            fast = _njit(function, nogil=True, **options)
            return fast(*args, **kwargs)

    return call


def _stamp(fast: Any, function: Callable[..., Any]) -> None:
    """Bind the kept machine code to the files of all parts; numba itself minds the function's only."""
    file = getattr(getattr(fast, "_cache", None), "_cache_file", None)
    own = getattr(file, "_source_stamp", None)
    if file is None or own is None:
        return
    files: set[Path] = set()
    _add_files(function, files, set())
    with contextlib.suppress(OSError):  # without a file, as in an archive, numba's own stamp has to do
        times = [(str(path), path.stat().st_mtime, path.stat().st_size) for path in sorted(files)]
        file._source_stamp = (own, times)


def _add_files(function: Any, files: set[Path], seen: set[Any]) -> None:
    """Collect the files of a function, and of all functions that it names, and so on."""
    plain = getattr(function, "py_func", function)
    code = getattr(plain, "__code__", None)
    if code is None or code in seen:
        return
    seen.add(code)
    files.add(Path(code.co_filename))
    for name in code.co_names:
        _add_files(plain.__globals__.get(name), files, seen)


def _njit(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    # numpy's rules of division: no check for zero before each, which Python's rules would need
    njit: Any = numba.njit  # its types, where a version has them, know fewer options than it takes
    return cast(Callable[P, R], njit(error_model="numpy", **options)(function))
