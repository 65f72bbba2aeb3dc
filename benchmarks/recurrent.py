"""How fast is a bidirectional recurrent layer on this processor, and how much memory does it take?

    python benchmarks/recurrent.py [--cells gru lstm] [--full] [--frames 100] [--repeats 7] [--json FILE]

Every cell of ours runs against `nn.GRU` and `nn.LSTM` of the same size, and against plain products of the
same shapes, in turns within one run. Lengths are equal (all T frames, the peers padded) or unequal (evenly
from T / 2 to T, where `nn.GRU` gets packed sequences); only frames that belong to a row count. Input is 2H
wide, what the directions of a layer below give. The default grid ends in a few minutes; --full takes all
cells, H 256, 320 and 512, batch 1, 8, 16 and 32: hours at T 400, and a quarter of them with --frames 100,
which changes no speed by much, since every frame costs the same.

With --json, what is measured is in FILE as soon as a setting has ended. A setting that is there already, of
the same sizes, cells, repeats and limit and from the same machine, is shown and not run again; others stay
in FILE. So a grid can be stopped, continued by the same command, and run in pieces.

A layer whose rounds would take longer than --limit seconds in a setting (cells without a fast path, packed
sequences) takes part in fewer of them, three at least; the table says in how many.

What is counted: forward, 2 · (weights that multiply the input or the state) · (frames of all rows)
floating-point operations; forward and backward, three times as many, since the gradients of the inputs and of
the weights are a product each. × real time is for frames of 40 ms and this one layer. Memory is the highest
resident size of a process during a training step less what it held just before: no weights, input, libraries.

"product, input" is T·N × 2H times 2H × 3H, the peak that "of peak" refers to; "product, step" is N × H times
H × 3H, T times over. "nn.GRU takes ×" is how many times as long the peer takes, for forward and for forward
and backward, each the median over rounds; for unequal lengths the peer is packed. Run it on an otherwise idle
machine.
"""

import argparse
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.errors import AsrError
from asr.recurrent import CELLS, Recurrent
from benchmarks.recurrent_results import PEERS, PRODUCTS, find, read_settings, show, write_settings

FRAME_SECONDS = 0.04
FEWEST = 3
"""Rounds of a layer that is too slow for all."""
Setting = tuple[int, int, int, int]
"""Hidden units H, rows N, threads, frames T."""


class Way:
    """A layer, its batch, and how it is called: `name` is a cell, or one of `PEERS`."""

    def __init__(self, name: str, unequal: bool, hidden: int, rows: int, frames: int) -> None:
        torch.manual_seed(1)
        self.name, self.unequal, width = name, unequal, 2 * hidden
        self.lens = torch.linspace(frames, frames / 2 if unequal else frames, rows).long()
        self.x = torch.randn(rows, frames, width)
        self.x.requires_grad_()
        if name in PEERS:
            kind = getattr(nn, name.removeprefix("nn."))
            self.layer: nn.Module = kind(width, hidden, bidirectional=True, batch_first=True)
        else:
            self.layer = Recurrent(width, hidden, cell=name)
        self.gradient = torch.randn(rows, frames, width)

    @property
    def weights(self) -> int:
        """How many weights multiply an input or a state in each frame."""
        named = self.layer.named_parameters()
        return sum(weight.numel() for name, weight in named if name.split(".")[-1].startswith("weight_"))

    def run(self) -> Tensor:
        """(N, T, 2H)."""
        if self.name not in PEERS:
            y: Tensor = self.layer(self.x, self.lens)[0]
            return y
        if not self.unequal:
            return self.layer(self.x)[0]
        packed = nn.utils.rnn.pack_padded_sequence(self.x, self.lens, batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0]

    def forward(self) -> None:
        with torch.no_grad():
            self.run()

    def step(self) -> None:
        self.layer.zero_grad()
        self.x.grad = None
        self.run().backward(self.gradient)

    @property
    def label(self) -> str:
        packed = ", packed" if self.name in PEERS and self.unequal else ""
        return f"{self.name}{packed}"


def ways_of(cells: list[str], hidden: int, rows: int, frames: int) -> list[Way]:
    """Ours and the peers; one row has no unequal lengths."""
    names = [(cell, unequal) for unequal in (False, True) for cell in cells]
    names += [("nn.GRU", False), ("nn.LSTM", False), ("nn.GRU", True)]
    return [Way(name, unequal, hidden, rows, frames) for name, unequal in names if rows > 1 or not unequal]


# --- speed -------------------------------------------------------------------------------------------------


def products(hidden: int, rows: int, frames: int) -> dict[str, tuple[int, Callable[[], object]]]:
    """Floating-point operations and a call of each product of the layer's shapes."""
    x, w = torch.randn(frames * rows, 2 * hidden), torch.randn(2 * hidden, 3 * hidden)
    state, u = torch.randn(rows, hidden), torch.randn(hidden, 3 * hidden)
    large, small = x.new_empty(len(x), 3 * hidden), x.new_empty(rows, 3 * hidden)

    def step() -> None:
        for _ in range(frames):
            torch.mm(state, u, out=small)

    large_name, step_name = PRODUCTS
    return {
        large_name: (2 * x.numel() * 3 * hidden, lambda: torch.mm(x, w, out=large)),
        step_name: (2 * state.numel() * 3 * hidden * frames, step),
    }


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def rounds_of(way: Way, repeats: int, limit: float) -> int:
    """In how many rounds a layer takes part, so that it needs `limit` seconds; first it runs, to tell."""
    cost = seconds(way.forward) + seconds(way.step)  # compiles, allocates
    if cost * repeats > limit:
        cost = seconds(way.forward) + seconds(way.step)
    return repeats if cost * repeats <= limit else min(repeats, max(FEWEST, int(limit / cost)))


def speeds(cells: list[str], setting: Setting, repeats: int, limit: float) -> list[dict[str, Any]]:
    """A row for each product and each way: GF/s, × real time, ratios to the peers; everything takes turns."""
    hidden, batch, threads, frames = setting
    torch.set_num_threads(threads)
    ways = ways_of(cells, hidden, batch, frames)
    plain = products(hidden, batch, frames)
    for _, call in plain.values():
        call()
    rounds = {way: rounds_of(way, repeats, limit) for way in ways}
    columns: dict[str, list[float]] = {name: [] for name in plain}
    measured: dict[tuple[Way, str], list[float]] = {
        key: [] for key in itertools.product(ways, ("forward", "step"))
    }
    for turn in range(repeats):
        for name, (_, call) in plain.items():
            columns[name].append(seconds(call))
        for way, part in measured:
            if turn < rounds[way]:
                measured[way, part].append(seconds(getattr(way, part)))
    rows: list[dict[str, Any]] = []
    for name, (operations, _) in plain.items():
        speed = operations / statistics.median(columns[name]) / 1e9
        rows.append({"what": name, "lengths": "", "forward": {"gflops": speed}})
    for way in ways:
        lengths = "unequal" if way.unequal else "equal"
        row: dict[str, Any] = {"what": way.label, "lengths": lengths, "name": way.name, "rounds": rounds[way]}
        for part, factor in (("forward", 2), ("step", 6)):
            middle = statistics.median(measured[way, part])
            total = int(way.lens.sum())
            row[part] = {
                "seconds": middle,
                "gflops": factor * way.weights * total / middle / 1e9,
                "xrt": total * FRAME_SECONDS / middle,
                "of_peak": factor * way.weights * total / middle / 1e9 / rows[0]["forward"]["gflops"],
                "against": {
                    peer.label: _ratio(measured[peer, part], measured[way, part])
                    for peer in ways
                    if peer.name in PEERS and peer.unequal == way.unequal and way.name not in PEERS
                },
            }
        rows.append(row)
    return rows


def _ratio(peer: list[float], own: list[float]) -> float:
    """How many times as long the peer takes: the median over the rounds in which both ran."""
    return statistics.median(theirs / ours for theirs, ours in zip(peer, own, strict=False))


# --- memory ------------------------------------------------------------------------------------------------


def memory(setting: Setting, rows: list[dict[str, Any]]) -> None:
    """Add each way's megabytes of a training step, measured in a process of its own, to its row."""
    hidden, batch, threads, frames = setting
    for row in rows:
        if "name" in row and "megabytes" not in row:
            way = [row["name"], row["lengths"] == "unequal", hidden, batch, frames]
            command = [sys.executable, __file__, "--child", json.dumps([way, threads])]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            row["megabytes"] = json.loads(found.stdout)


def child(way: list[Any], threads: int) -> None:
    """Print the megabytes that one training step adds to this process."""
    torch.set_num_threads(threads)
    name, unequal, hidden, rows, frames = way
    Way(name, unequal, hidden, rows, 4).step()  # compiles, loads
    measured = Way(name, unequal, hidden, rows, frames)
    measured.x.grad = torch.zeros_like(measured.x)  # touches what a training loop holds anyway
    measured.x.grad = None
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the highest resident size starts anew
    before = _resident("VmRSS")
    measured.step()
    print((_resident("VmHWM") - before) / 1024)


def _resident(key: str) -> float:
    """Kilobytes, now ("VmRSS") or at most so far ("VmHWM"); elsewhere than on Linux always the latter."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines[key].split()[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else float(peak)


# --- the command -------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--cells", nargs="+", choices=CELLS, help="default gru and gru_reset_after; with --full all")
    add("--hidden", type=_numbers, metavar="H,H", help="default 320; with --full 256,320,512")
    add("--batch", type=_numbers, metavar="N,N", help="default 16; with --full 1,8,16,32")
    add("--threads", type=_numbers, metavar="K,K", default=[1, 2], help="default 1,2")
    add("--frames", type=int, default=400, help="T, default 400")
    add("--repeats", type=int, default=7, help="rounds, of which the median counts")
    add("--limit", type=float, default=30.0, help="seconds of a layer in a setting, default 30")
    add("--full", action="store_true", help="the whole grid")
    add("--no-memory", action="store_true", help="time only")
    add("--json", type=Path, metavar="FILE", help="keep the figures there, and go on from there")
    add("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(*json.loads(options.child))
        return
    try:
        measure(options)
    except AsrError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        kept = f"; {options.json} has what was done, the same command goes on" if options.json else ""
        sys.exit(f"stopped{kept}")


def measure(options: argparse.Namespace) -> None:
    """Measure the settings of the grid that FILE does not have, and show all of it.

    Raises:
        AsrError: FILE holds something else, or cannot be written.
    """
    hiddens = options.hidden or ([256, 320, 512] if options.full else [320])
    batches = options.batch or ([1, 8, 16, 32] if options.full else [16])
    cells = options.cells or (list(CELLS) if options.full else ["gru", "gru_reset_after"])
    grid = list(itertools.product(hiddens, batches, options.threads, [options.frames]))
    settings = read_settings(options.json) if options.json else []
    for number, setting in enumerate(grid, start=1):
        sizes = dict(zip(("hidden", "batch", "threads", "frames"), setting, strict=True))
        key = sizes | {"cells": cells, "repeats": options.repeats, "limit": options.limit}
        key |= {"machine": machine(), "frame_seconds": FRAME_SECONDS}
        found = find(settings, key)
        print(f"{number} of {len(grid)}: {sizes}{', kept' if found else ''}", file=sys.stderr)
        if found is None:
            rows = speeds(cells, setting, options.repeats, options.limit)
            found = key | {"rows": rows, "load": os.getloadavg()[0]}
            settings.append(found)
            _keep(options.json, settings)
        if not options.no_memory:
            memory(setting, found["rows"])
            _keep(options.json, settings)
        show(found)
    print(f"{machine()}; load {os.getloadavg()[0]:.1f} at the end")


def machine() -> str:
    """The processor and the versions that matter."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):  # Linux
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, numba {numba.__version__}"
    return f"{name}, {os.cpu_count()} cores, {versions}"


def _keep(path: Path | None, settings: list[dict[str, Any]]) -> None:
    if path is not None:
        write_settings(path, settings)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
