"""What bounds a recurrent layer: how fast does one thread multiply in the shapes of its products?

    python benchmarks/recurrent_bound.py [--hidden 320] [--batch 16] [--repeats 7] [--json FILE]

Our products (`asr.recurrent.product`) and torch's take turns; the medians are shown, in GF/s:

- "tile": the piece that everything is made of, 128 terms deep, with all of it in the nearest cache. No
  product of ours can be faster;
- "step": N × H times H × 3H, what a step of a GRU multiplies. Ours reads weights that are laid out once, as
  the layer does; torch lays them out in every call;
- "weights": 3H × C times C × H, the gradient of the state's weights from a chunk of C frames of all rows,
  laid out anew each time;
- "input": 4096 × 2H times 2H × 3H, the largest product of a layer.

Run it on an otherwise idle machine.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numba
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.files import write_text
from asr.recurrent.forward import CHUNK
from asr.recurrent.product import ROWS, WIDTH, Array, _tile, multiply, pack, room

FRAMES, DEPTH = 4096, 128
OPERATIONS = 4e8
"""Floating-point operations of one measurement, or a little more."""
Product = tuple[int, Callable[[int], None]]
"""Operations of one product, and a call that does it so many times."""


@numba.njit(nogil=True)
def _tiles(a: Array, panel: Array, out: Array, times: int) -> None:
    begin = np.zeros((ROWS, WIDTH), np.float32)
    for _ in range(times):
        _tile(ROWS, DEPTH, a, 0, DEPTH, 1, panel, 0, begin, 0, WIDTH, out, 0, WIDTH)


@numba.njit(nogil=True)
def _ours(a: Array, b: Array, fresh: bool, out: Array, times: int) -> None:
    """out = A · B, so many times; B is laid out anew for each where it is `fresh`."""
    panels, nothing = room(*b.shape), np.zeros((1, b.shape[1]), np.float32)
    pack(b, panels)
    for _ in range(times):
        if fresh:
            pack(b, panels)
        multiply(a[:, :], panels, nothing[:, :], out[:, :])


def products(hidden: int, rows: int) -> dict[str, dict[str, Product]]:
    """By shape, then by who multiplies."""
    random = np.random.default_rng(1)

    def matrix(*shape: int) -> Array:
        return random.standard_normal(shape).astype(np.float32)

    a, panel, tile = matrix(ROWS, DEPTH), matrix(DEPTH * WIDTH), matrix(ROWS, WIDTH)
    found = {"tile": {"ours": (2 * tile.size * DEPTH, lambda times: _tiles(a, panel, tile, times))}}
    grads = matrix(CHUNK, 3 * hidden)
    for name, a, b, fresh in (
        ("step", matrix(rows, hidden), matrix(hidden, 3 * hidden), False),
        ("weights", grads.T, matrix(CHUNK, hidden), True),
        ("input", matrix(FRAMES, 2 * hidden), matrix(2 * hidden, 3 * hidden), True),
    ):
        found[name] = _both(a, b, fresh)
    return found


def _both(a: Array, b: Array, fresh: bool) -> dict[str, Product]:
    out, operations = np.empty((len(a), b.shape[1]), np.float32), 2 * a.size * b.shape[1]
    left, right, result = torch.from_numpy(a), torch.from_numpy(b), torch.empty(out.shape)

    def theirs(times: int) -> None:
        for _ in range(times):
            torch.mm(left, right, out=result)

    return {"ours": (operations, lambda times: _ours(a, b, fresh, out, times)), "torch": (operations, theirs)}


def speeds(hidden: int, rows: int, repeats: int) -> dict[str, dict[str, float]]:
    """GF/s of each product."""
    torch.set_num_threads(1)
    found = products(hidden, rows)
    calls = [(shape, who, *product) for shape, both in found.items() for who, product in both.items()]
    seconds: dict[tuple[str, str], list[float]] = {}
    for turn in range(repeats + 1):
        for shape, who, operations, call in calls:
            times = int(OPERATIONS // operations) + 1 if turn else 1
            begin = time.perf_counter()
            call(times)
            if turn:  # the first compiles
                seconds.setdefault((shape, who), []).append((time.perf_counter() - begin) / times)
    return {
        shape: {who: both[who][0] / statistics.median(seconds[shape, who]) / 1e9 for who in both}
        for shape, both in found.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hidden", type=int, default=320)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    found = speeds(options.hidden, options.batch, options.repeats)
    print(f"H {options.hidden}, batch {options.batch}, one thread, GF/s, median of {options.repeats}")
    for shape, both in found.items():
        print(f"  {shape:8}" + "".join(f"  {who} {speed:6.1f}" for who, speed in both.items()))
    if options.json:
        write_text(options.json, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
