"""What `recurrent.py` has measured: kept in a file from setting to setting, and shown as tables."""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from asr.errors import AsrError
from asr.files import write_text

PEERS = ("nn.GRU", "nn.LSTM")
PRODUCTS = ("product, input", "product, step")
"""Plain products of a layer's shapes: of all frames with the inputs' weights, of one with the state's."""


def read_settings(path: Path) -> list[dict[str, Any]]:
    """The settings in a file of `write_settings`; none where there is no file.

    Raises:
        AsrError: the file is something else, which is not to be written over.
    """
    if not path.exists():
        return []
    try:
        settings: list[dict[str, Any]] = json.loads(path.read_text())["settings"]
        return [dict(setting) for setting in settings]
    except (ValueError, KeyError, TypeError, OSError):
        raise AsrError(
            f"{path}: figures of this benchmark expected, to go on from, found something else; choose "
            "another file"
        ) from None


def write_settings(path: Path, settings: list[dict[str, Any]]) -> None:
    """Write all settings, in place of what the file held.

    Raises:
        AsrError: the file cannot be written.
    """
    write_text(path, json.dumps({"settings": settings}, indent=1) + "\n")


def find(settings: list[dict[str, Any]], key: dict[str, Any]) -> dict[str, Any] | None:
    """The setting that agrees with all of `key`."""
    return next((one for one in settings if all(one.get(name) == key[name] for name in key)), None)


def show(setting: dict[str, Any]) -> None:
    """Print the table of one setting on stdout."""
    threads, repeats = setting["threads"], setting["repeats"]
    title = (
        f"H {setting['hidden']}, batch {setting['batch']}, T {setting['frames']}, "
        f"{threads} thread{'s' * (threads > 1)}, median of {repeats}"
    )
    if any(row.get("rounds", repeats) < repeats for row in setting["rows"]):
        title += ", or of as many rounds as stand in brackets"
    table = Table(title=title)
    for head in ("layer", "lengths"):
        table.add_column(head)
    for head in ("forward\nGF/s", "\n× real time", "+ backward\nGF/s", "\n× real time", "\nof peak", "\nMB"):
        table.add_column(head, justify="right")
    for peer in PEERS:
        table.add_column(f"{peer}\ntakes ×", justify="right")
    for row in setting["rows"]:
        if row["what"] in PRODUCTS:
            table.add_row(row["what"], "", f"{row['forward']['gflops']:.1f}", *[""] * 7)
            continue
        forward, step = row["forward"], row["step"]
        ratios = {
            peer.split(",")[0]: f"{ratio:.2f}; {step['against'][peer]:.2f}"
            for peer, ratio in forward["against"].items()
        }
        fewer = f" ({row['rounds']})" if row["rounds"] < repeats else ""
        table.add_row(
            row["what"] + fewer,
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
