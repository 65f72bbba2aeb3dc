"""What a person sees of training: a live line, log lines, metrics.jsonl, a picture of the learning curve."""

import logging
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from asr.errors import AsrError
from asr.files import atomic_path, write_bytes, write_error

log = logging.getLogger("asr")

LOG_SECONDS = 30
"""Time between two log lines where stderr is no terminal."""

RATES = {"wer": "tab:red", "cer": "tab:orange", "per": "tab:red"}
"""Error rates by their names in metrics.jsonl, with their colours."""


class Monitor:
    """Writes metrics of one run.

    Args:
        folder: gets metrics.jsonl, curve.png and, if wanted, TensorBoard's events.
        step: updates done before this session; later lines of an earlier session are dropped.
        tensorboard: also write TensorBoard's format.
        total_steps: updates of the whole run.

    Raises:
        AsrError: the folder cannot be written, or TensorBoard is wanted and not installed.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool, total_steps: int) -> None:
        self._folder = folder
        self._total_steps = total_steps
        self._path = folder / "metrics.jsonl"
        lines = [line for line in read_metrics(self._path) if line["step"] <= step]
        write_bytes(self._path, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        self._board = _tensorboard(folder) if tensorboard else None
        self._logged = time.monotonic()
        self._width = 0

    def update(self, metrics: dict[str, float]) -> None:
        """Show and store one update: epoch, step, loss, rate, gradient_norm, audio, xrt, seconds, eta."""
        self._store({"event": "update"} | metrics)
        text = (
            f"epoch {metrics['epoch']}  step {metrics['step']}/{self._total_steps}  "
            f"loss {metrics['loss']:.3f}  "
            f"rate {metrics['rate']:.2e}  gradient {metrics['gradient_norm']:.2f}  "
            f"{metrics['xrt']:.0f} × real time  {_clock(metrics['eta'])} left"
        )
        if sys.stderr.isatty():
            print(f"\r{text:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        elif time.monotonic() - self._logged > LOG_SECONDS:
            log.info(text)
            self._logged = time.monotonic()

    def evaluation(self, metrics: dict[str, float]) -> None:
        """Show and store the errors on dev after an epoch, and draw the curve again."""
        self._store({"event": "evaluation"} | metrics)
        self.clear()
        log.info(
            "epoch %d: dev %s, training loss %.3f, %s so far",
            metrics["epoch"],
            ", ".join(f"{name.upper()} {metrics[name]:.2f} %" for name in RATES if name in metrics),
            metrics["loss"],
            _clock(metrics["seconds"]),
        )
        draw_curve(read_metrics(self._path), self._folder / "curve.png")

    def clear(self) -> None:
        """End the live line, so that other text can follow."""
        if self._width:
            print(f"\r{'':<{self._width}}\r", end="", file=sys.stderr, flush=True)
            self._width = 0

    def close(self) -> None:
        """Finish the live line and TensorBoard's file."""
        self.clear()
        if self._board is not None:
            self._board.close()

    def _store(self, line: dict[str, Any]) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise write_error(self._path, error) from error
        if self._board is not None:
            for name, value in line.items():
                if isinstance(value, (int, float)) and name not in ("step", "epoch"):
                    self._board.add_scalar(f"{line['event']}/{name}", value, line["step"])


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; a last line that was cut by a crash is left out."""
    lines = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                lines.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError:
                break
    return lines


def draw_curve(lines: list[dict[str, Any]], path: Path) -> None:
    """Draw training loss and dev errors over the steps to a PNG file.

    Raises:
        AsrError: the picture cannot be written.
    """
    from matplotlib.figure import Figure

    updates = [line for line in lines if line["event"] == "update" and line["loss"] is not None]
    evaluations = [line for line in lines if line["event"] == "evaluation"]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    span = max(1, len(updates) // 200)
    steps = [line["step"] for line in updates][span - 1 :: span]
    losses = [line["loss"] for line in updates]
    means = [sum(losses[i : i + span]) / span for i in range(0, len(losses) - span + 1, span)]
    left.plot(steps, means, color="tab:blue", label="training loss (nats a unit)")
    left.set_xlabel("updates")
    left.set_ylabel("loss")
    left.set_ylim(bottom=0)
    right = left.twinx()
    for name, colour in RATES.items():
        if not any(name in line for line in evaluations):
            continue
        right.plot(
            [line["step"] for line in evaluations],
            [line[name] for line in evaluations],
            color=colour,
            marker="o",
            markersize=3,
            label=f"dev {name.upper()} (%)",
        )
    right.set_ylabel("errors, %")
    right.set_ylim(0, 105)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=120)


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise AsrError(
            "training.tensorboard = true needs the package tensorboard: pip install 'asr[tensorboard]'"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))


def _clock(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
