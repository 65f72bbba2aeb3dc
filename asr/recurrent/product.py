"""Single-precision matrix products inside numba, as fast as the processor multiplies.

A recurrence multiplies few rows by large weights (16 × 256 times 256 × 768, say), over and over. A BLAS
library lays the weights out anew for every such product and reaches a half to three quarters of its own best;
here they are laid out once, by `pack`, and `multiply` reads them where they lie. The method is that of Goto
and van de Geijn (Anatomy of high-performance matrix multiplication, 2008): a tile of the result stays in the
vector registers while one column of A after another meets one row of B.

The tile is the one piece that no compiler makes of plain loops: it is written in LLVM's own language, which
numba speaks, with the vectors of whatever processor compiles it.

Every sum adds its terms in the same order, however many rows there are: a row of a product never depends on
its neighbours. Functions of other modules that call these are not compiled again when these change: see
`asr.compiled`.
"""

import platform
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from asr.compiled import compiled_part

Array = NDArray[np.float32]


def _vectors() -> tuple[int, int]:
    """Floats in a vector register of this processor, and how many such registers it has."""
    try:
        found = llvm.get_host_cpu_features()
    except RuntimeError:  # LLVM does not know how to ask this system
        found = {}
    if found.get("avx512f"):
        return 16, 32
    if found.get("avx2"):
        return 8, 16
    return 4, 32 if platform.machine().lower() in ("aarch64", "arm64") else 16


LANES, _REGISTERS = _vectors()
ROWS, WIDTH = (12 if _REGISTERS == 32 else 6), 2 * LANES
"""The tile: ROWS × 2 registers of sums; two of B and one of A beside them still fit."""
_DEPTH = 384
"""Terms of a sum that are added in one go: WIDTH columns of B, so deep, stay in the nearest caches."""
_BLOCK = 8 * ROWS
"""Rows of A that meet a panel of B before the next panel comes."""

_FLOAT, _INDEX = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_POINTER = _FLOAT.as_pointer()


def _add_product(module: ir.Module) -> ir.Function:
    """x · y + z, in one instruction where the processor has one."""
    name = f"llvm.fmuladd.v{LANES}f32"
    if name not in module.globals:
        ir.Function(module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), name)
    return module.globals[name]


def _tile_of(module: ir.Module, rows: int) -> ir.Function:
    """out[i, j] = begin[i, j] + Σ_k a[i, k] panel[k, j] for i < rows, j < WIDTH, k < depth, depth ≥ 1."""
    name = f"asr_tile_{rows}"
    if name in module.globals:
        return module.globals[name]
    arguments = [_INDEX, _POINTER, _INDEX, _INDEX, _POINTER, _POINTER, _INDEX, _POINTER, _INDEX]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    depth, a, a_row, a_step, panel, begin, begin_row, out, out_row = function.args
    add_product = _add_product(module)
    first, loop, last = (function.append_basic_block(part) for part in ("first", "loop", "last"))
    build = ir.IRBuilder(first)

    def vector(base: ir.Value, row: ir.Value, i: int, part: int) -> ir.Value:
        place = build.add(build.mul(_INDEX(i), row), _INDEX(part * LANES))
        return build.bitcast(build.gep(base, [place]), _VECTOR.as_pointer())

    tile = [(i, part) for i in range(rows) for part in range(2)]
    begins = [build.load(vector(begin, begin_row, i, part), align=4) for i, part in tile]
    build.branch(loop)

    build.position_at_end(loop)
    k = build.phi(_INDEX)
    sums = [build.phi(_VECTOR) for _ in tile]
    weights = build.gep(panel, [build.mul(k, _INDEX(WIDTH))])
    pair = [build.load(vector(weights, _INDEX(0), 0, part), align=4) for part in range(2)]
    news = []
    for (i, part), old in zip(tile, sums, strict=True):
        if part == 0:
            place = build.add(build.mul(_INDEX(i), a_row), build.mul(k, a_step))
            one = build.insert_element(_VECTOR(ir.Undefined), build.load(build.gep(a, [place])), _INDEX(0))
            everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            factor = build.shuffle_vector(one, _VECTOR(ir.Undefined), everywhere)
        news.append(build.call(add_product, [factor, pair[part], old]))
    following = build.add(k, _INDEX(1))
    build.cbranch(build.icmp_signed("<", following, depth), loop, last)
    k.add_incoming(_INDEX(0), first)
    k.add_incoming(following, loop)
    for old, start, new in zip(sums, begins, news, strict=True):
        old.add_incoming(start, first)
        old.add_incoming(new, loop)

    build.position_at_end(last)
    for (i, part), new in zip(tile, news, strict=True):
        build.store(new, vector(out, out_row, i, part), align=4)
    build.ret_void()
    return function


def _call_tile(
    typing: Any,
    rows: Any,
    depth: Any,
    a: Any,
    a_at: Any,
    a_row: Any,
    a_step: Any,
    panels: Any,
    panels_at: Any,
    begin: Any,
    begin_at: Any,
    begin_row: Any,
    out: Any,
    out_at: Any,
    out_row: Any,
) -> Any:
    """numba's view of a call of `_tile_of(rows)`, rows ≤ ROWS.

    `…_at` is the place of the first element in an array, `…_row` and `…_step` are the elements from one row,
    or column, to the next.
    """
    n = types.intp
    signature = types.void(n, n, a, n, n, n, panels, n, begin, n, n, out, n, n)

    def generate(context: Any, build: ir.IRBuilder, signature: Any, values: Any) -> Any:
        def pointer(array: int) -> ir.Value:
            found = context.make_array(signature.args[array])(context, build, values[array])
            return build.gep(found.data, [values[array + 1]])

        arguments = [values[1], pointer(2), values[4], values[5], pointer(6)]
        arguments += [pointer(8), values[10], pointer(11), values[13]]
        after = build.append_basic_block("after")
        choice = build.switch(values[0], after)
        for count in range(1, ROWS + 1):
            block = build.append_basic_block(f"rows_{count}")
            choice.add_case(_INDEX(count), block)
            with build.goto_block(block):
                build.call(_tile_of(build.module, count), arguments)
                build.branch(after)
        build.position_at_end(after)
        return context.get_dummy_value()

    return signature, generate


_tile: Any = intrinsic(_call_tile)


@compiled_part
def _even(total: int, most: int) -> int:
    """The size, 1 or more, of equal parts of a total, none above `most`; the last may be smaller."""
    parts = max(1, (total + most - 1) // most)
    return max(1, (total + parts - 1) // parts)


@compiled_part
def room(inner: int, columns: int) -> Array:
    """Memory for what `pack` makes of a matrix (inner, columns) or a smaller one."""
    size = inner * ((columns + WIDTH - 1) // WIDTH * WIDTH)
    memory = np.zeros(size + LANES, np.float32)
    shift = -(memory.ctypes.data // 4) % LANES  # a vector should not lie across two lines of the cache
    return memory[shift : shift + size]


@compiled_part
def pack(b: Array, panels: Array) -> None:
    """Lay B (K, N), contiguous, out in panels of WIDTH columns, the rows of a panel one after another.

    Columns that are missing in the last panel keep what is there: zeros, in a fresh `room`.
    """
    inner, columns = b.shape
    depth, at = _even(inner, _DEPTH), 0
    for top in range(0, inner, depth):
        for left in range(0, columns, WIDTH):
            wide = min(WIDTH, columns - left)
            for k in range(top, min(top + depth, inner)):
                source, target = b[k, left : left + wide], panels[at : at + wide]
                for j in range(wide):
                    target[j] = source[j]
                at += WIDTH


@compiled_part
def pack_turned(b: Array, panels: Array) -> None:
    """As `pack`, for Bᵀ of a contiguous B (N, K)."""
    columns, inner = b.shape
    depth, at = _even(inner, _DEPTH), 0
    for top in range(0, inner, depth):
        deep = min(depth, inner - top)
        for left in range(0, columns, WIDTH):
            for j in range(min(WIDTH, columns - left)):
                source, target = b[left + j, top : top + deep], panels[at + j :]
                for k in range(deep):
                    target[k * WIDTH] = source[k]
            at += deep * WIDTH


@compiled_part
def multiply(a: Array, panels: Array, begin: Array, out: Array) -> None:
    """out = begin + A · B.

    Args:
        a: (M, K), of any strides, so transposed too.
        panels: B (K, N), as `pack` or `pack_turned` lays it out.
        begin: (M, N), which may be `out`, or (1, N) for every row.
        out: (M, N); neighbours in a row of `begin` and `out` are neighbours in memory.
    """
    rows, inner = a.shape
    columns = out.shape[1]
    a_row, a_step, out_row = a.strides[0] // 4, a.strides[1] // 4, out.strides[0] // 4
    edge = np.zeros((ROWS, WIDTH), np.float32)
    depth, panelled = _even(inner, _DEPTH), (columns + WIDTH - 1) // WIDTH * WIDTH
    for k in range(0, inner, depth):
        deep = min(depth, inner - k)
        source = begin if k == 0 else out
        source_row = 0 if len(source) == 1 else source.strides[0] // 4
        for top in range(0, rows, _BLOCK):
            bottom = min(top + _BLOCK, rows)
            tall = _even(bottom - top, ROWS)
            for left in range(0, columns, WIDTH):
                panel, wide = k * panelled + left * deep, min(WIDTH, columns - left)
                for i in range(top, bottom, tall):
                    high, a_at = min(tall, bottom - i), i * a_row + k * a_step
                    source_at, out_at = i * source_row + left, i * out_row + left
                    if wide == WIDTH:
                        _tile(
                            high, deep, a, a_at, a_row, a_step, panels, panel,
                            source, source_at, source_row, out, out_at, out_row,
                        )  # fmt: skip
                        continue
                    for n in range(high):
                        for j in range(wide):
                            edge[n, j] = source[i + n if source_row else 0, left + j]
                    _tile(high, deep, a, a_at, a_row, a_step, panels, panel, edge, 0, WIDTH, edge, 0, WIDTH)
                    for n in range(high):
                        for j in range(wide):
                            out[i + n, left + j] = edge[n, j]
