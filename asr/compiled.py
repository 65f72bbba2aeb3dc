"""Compiling loops with numba, with the machine code kept on disk where that is possible."""

import functools
import pickle
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba.extending import register_jitable

P = ParamSpec("P")
R = TypeVar("R")

_CACHE_ERRORS = (OSError, EOFError, pickle.UnpicklingError)
_FAST = {"fastmath": True}
"""Sums may be reordered and NaN is not minded, or a loop that adds up is not made of vector instructions."""


def compiled_part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that only compiled functions of the same module call; it is kept with its caller.

    The same module, because numba takes a change of the caller's file, and of no other, as a reason to
    compile again.
    """
    # without the entries for Python and C, which nobody uses and which take a third of the time
    return _njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls, at its first call; other threads run meanwhile (no GIL).

    The machine code is kept in `__pycache__`, in the user's cache folder, or in NUMBA_CACHE_DIR, whichever
    can be written. Where none can, the disk is full or the kept code is damaged, the function is compiled
    in every process anew: slower by seconds, and never a failure.
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


def compiled_and_plain(function: Callable[P, R]) -> Callable[P, R]:
    """A function that compiled functions of any module call as compiled, and Python as it is written.

    A caller in another module is not compiled again when this function changes: see `compiled_part`.
    """
    register: Any = register_jitable
    return cast(Callable[P, R], register(error_model="numpy")(function))


def _cached(function: Callable[P, R], options: dict[str, bool]) -> Callable[P, R]:
    try:
        fast = _njit(function, nogil=True, cache=True, **options)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return _njit(function, nogil=True, **options)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal fast
        try:
            return fast(*args, **kwargs)
        except _CACHE_ERRORS:
            fast = _njit(function, nogil=True, **options)
            return fast(*args, **kwargs)

    return call


def _njit(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    # numpy's rules of division: no check for zero before each, which Python's rules would need
    njit: Any = numba.njit  # its types, where a version has them, know fewer options than it takes
    return cast(Callable[P, R], njit(error_model="numpy", **options)(function))
