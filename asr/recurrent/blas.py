"""Single-precision matrix products inside numba, by the BLAS that torch brings along.

numba's own `np.dot` goes to scipy's OpenBLAS, which was slower than torch's MKL on the thin products
of a recurrence (16 × 256 times 256 × 512, say). Both offer Fortran's `sgemm`, so the kernels ask for
that one symbol: torch's where it has it, scipy's elsewhere.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import torch
from numba.core import types
from threadpoolctl import ThreadpoolController

_SYMBOL = "asr_sgemm"


def _torch_library() -> ctypes.CDLL | None:
    """torch's processor library if it exports `sgemm_` (builds with MKL do)."""
    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib", "torch_cpu.dll"):
        path = Path(torch.__file__).parent / "lib" / name
        if path.exists():
            library = ctypes.CDLL(str(path))
            return library if hasattr(library, "sgemm_") else None
    return None


def _sgemm_address(library: ctypes.CDLL | None) -> int:
    if library is not None:
        return ctypes.cast(library.sgemm_, ctypes.c_void_p).value or 0
    address: int = numba.extending.get_cython_function_address("scipy.linalg.cython_blas", "sgemm")
    return address


_LIBRARY = _torch_library()
llvm.add_symbol(_SYMBOL, _sgemm_address(_LIBRARY))
sgemm: Any = types.ExternalFunction(_SYMBOL, types.void(*[types.voidptr] * 13))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the products of the calling thread run on that thread alone."""
    if _LIBRARY is not None and hasattr(_LIBRARY, "MKL_Set_Num_Threads_Local"):
        before = _LIBRARY.MKL_Set_Num_Threads_Local(1)
        try:
            yield
        finally:
            _LIBRARY.MKL_Set_Num_Threads_Local(before)
    else:
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            yield
