"""How fast is a bidirectional recurrent layer on this processor, and how much memory does it take?

    python benchmarks/recurrent.py [--cells gru lstm] [--full] [--repeats 7] [--json FILE]

Every cell of ours runs against `nn.GRU` and `nn.LSTM` of the same size, and against plain products of the
same shapes, in turns within one run. Lengths are equal (all T frames, the peers padded) or unequal (evenly
from T / 2 to T, where `nn.GRU` gets packed sequences); only frames that belong to a row count. Input is 2H
wide, what the directions of a layer below give. The default grid ends in a few minutes; --full takes H 256,
320 and 512, batch 1, 8, 16 and 32.

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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from asr.recurrent import CELLS, Recurrent

FRAME_SECONDS = 0.04
PEERS = ("nn.GRU", "nn.LSTM")
LARGE, STEP = "product, input", "product, step"
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

    return {
        LARGE: (2 * x.numel() * 3 * hidden, lambda: torch.mm(x, w, out=large)),
        STEP: (2 * state.numel() * 3 * hidden * frames, step),
    }


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def speeds(cells: list[str], setting: Setting, repeats: int) -> list[dict[str, Any]]:
    """A row for each product and each way: GF/s, × real time, ratios to the peers; everything takes turns."""
    hidden, batch, threads, frames = setting
    torch.set_num_threads(threads)
    ways = ways_of(cells, hidden, batch, frames)
    plain = products(hidden, batch, frames)
    runs: list[Callable[[], object]] = [call for _, call in plain.values()]
    runs += [call for way in ways for call in (way.forward, way.step)]
    for call in runs:  # compiles, allocates
        call()
    times = [[seconds(call) for call in runs] for _ in range(repeats)]
    columns = list(zip(*times, strict=True))
    rows: list[dict[str, Any]] = []
    for (name, (operations, _)), column in zip(plain.items(), columns[: len(plain)], strict=True):
        rows.append(
            {"what": name, "lengths": "", "forward": {"gflops": operations / statistics.median(column) / 1e9}}
        )
    measured = dict(zip(itertools.product(ways, ("forward", "step")), columns[len(plain) :], strict=True))
    for way in ways:
        lengths = "unequal" if way.unequal else "equal"
        row: dict[str, Any] = {"what": way.label, "lengths": lengths, "name": way.name}
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


def _ratio(peer: tuple[float, ...], own: tuple[float, ...]) -> float:
    """How many times as long the peer takes: the median over rounds, in each of which both ran."""
    return statistics.median(theirs / ours for theirs, ours in zip(peer, own, strict=True))


# --- memory ------------------------------------------------------------------------------------------------


def memory(setting: Setting, rows: list[dict[str, Any]]) -> None:
    """Add each way's megabytes of a training step, measured in a process of its own, to its row."""
    hidden, batch, threads, frames = setting
    for row in rows:
        if "name" in row:
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


# --- showing -----------------------------------------------------------------------------------------------


def show(setting: Setting, rows: list[dict[str, Any]], repeats: int) -> None:
    """Print the table of one setting on stdout."""
    hidden, batch, threads, frames = setting
    title = (
        f"H {hidden}, batch {batch}, T {frames}, {threads} thread{'s' * (threads > 1)}, median of {repeats}"
    )
    table = Table(title=title)
    for head in ("layer", "lengths"):
        table.add_column(head)
    for head in ("forward\nGF/s", "\n× real time", "+ backward\nGF/s", "\n× real time", "\nof peak", "\nMB"):
        table.add_column(head, justify="right")
    for peer in PEERS:
        table.add_column(f"{peer}\ntakes ×", justify="right")
    for row in rows:
        if row["what"] in (LARGE, STEP):
            table.add_row(row["what"], "", f"{row['forward']['gflops']:.1f}", *[""] * 7)
            continue
        forward, step = row["forward"], row["step"]
        ratios = {
            peer.split(",")[0]: f"{ratio:.2f}; {step['against'][peer]:.2f}"
            for peer, ratio in forward["against"].items()
        }
        table.add_row(
            row["what"],
            row["lengths"],
            f"{forward['gflops']:.1f}",
            f"{forward['xrt']:,.0f}",
            f"{step['gflops']:.1f}",
            f"{step['xrt']:,.0f}",
            f"{100 * step['of_peak']:.0f} %",
            f"{row['megabytes']:.0f}" if "megabytes" in row else "–",
            *[ratios.get(peer, "") for peer in PEERS],
        )
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=["gru", "gru_reset_after"])
    parser.add_argument("--hidden", type=_numbers, metavar="H,H", help="default 320; with --full 256,320,512")
    parser.add_argument("--batch", type=_numbers, metavar="N,N", help="default 16; with --full 1,8,16,32")
    parser.add_argument("--threads", type=_numbers, metavar="K,K", default=[1, 2], help="default 1,2")
    parser.add_argument("--frames", type=int, default=400, help="T, default 400")
    parser.add_argument("--repeats", type=int, default=7, help="rounds, of which the median counts")
    parser.add_argument("--full", action="store_true", help="the whole grid")
    parser.add_argument("--no-memory", action="store_true", help="time only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*json.loads(options.child))
        return
    hiddens = options.hidden or ([256, 320, 512] if options.full else [320])
    batches = options.batch or ([1, 8, 16, 32] if options.full else [16])
    grid = list(itertools.product(hiddens, batches, options.threads, [options.frames]))
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}",
        "repeats": options.repeats,
        "frame_seconds": FRAME_SECONDS,
        "settings": [],
    }
    for number, setting in enumerate(grid, start=1):
        described = dict(zip(("hidden", "batch", "threads", "frames"), setting, strict=True))
        print(f"{number} of {len(grid)}: {described}", file=sys.stderr)
        rows = speeds(options.cells, setting, options.repeats)
        if not options.no_memory:
            memory(setting, rows)
        show(setting, rows, options.repeats)
        result["settings"].append(described | {"rows": rows, "load": os.getloadavg()[0]})
    print(f"{result['machine']}; load {os.getloadavg()[0]:.1f} at the end")
    if options.json:
        from asr.files import write_text

        write_text(options.json, json.dumps(result, indent=2) + "\n")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
