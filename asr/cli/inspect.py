"""`asr inspect`: what the gates of a model do while it hears one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.decoding import ModelOption
from asr.cli.transcribe import check_writable, report
from asr.files import printable

if TYPE_CHECKING:
    from asr.inspection.results import Summary


def inspect(
    audio: Annotated[Path, typer.Argument(metavar="FILE", help="One utterance, at most 30 seconds.")],
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder for the pictures and numbers.")
    ],
    model: ModelOption = None,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS", help="What is said, for the loss; by default what greedy search hears."
        ),
    ] = None,
) -> None:
    """Look inside a model while it hears one file.

    Writes layerN.png (reset gate, update gate and state of every unit under the spectrogram and the words),
    gradients.png (where the loss depends on the state), memory.png (how the gates are spread, and how many
    frames each unit reaches back), inspect.npz with all of it as arrays, and summary.json. Prints a summary:
    for the gates r and z the mean and the shares below 0.1 and above 0.9, the effective memory 1 / mean of
    the share that is new (z, or 1 - z in gru_reset_after), and the norm of the loss's gradient.

    \b
    Examples:
      asr inspect hello.wav --model exp/quickstart/model --output inside
      asr inspect 84-121123-0003.flac --model DIR --output inside --text "GO DO YOU HEAR"
    """
    check_writable(output)

    from asr.inspection import inspect_file
    from asr.inspection.pictures import draw_gradients, draw_layer, draw_memory
    from asr.inspection.results import summarise, write_arrays, write_summary
    from asr.transcribe import Recogniser

    found = inspect_file(Recogniser.load(model), audio, text)
    summary = summarise(found)
    write_arrays(output / "inspect.npz", found)
    write_summary(output / "summary.json", summary)
    layers = sorted({one.layer for one in found.directions})
    for layer in layers:
        draw_layer(output / f"layer{layer}.png", found, layer)
    draw_gradients(output / "gradients.png", found)
    draw_memory(output / "memory.png", found)
    _print(summary)
    report(f"{output}: inspect.npz, summary.json and {len(layers) + 2} pictures written")


def _print(summary: "Summary") -> None:
    typer.echo(f"{printable(summary.audio)}: {summary.duration:.2f} s, {summary.cell}")
    typer.echo(f"heard  {summary.recognised}")
    typer.echo(f"loss   {summary.loss:.3f} nats of {summary.text!r}\n")
    typer.echo("layer direction   r mean  <0.1  >0.9   z mean  <0.1  >0.9   memory, frames      |dloss/dh|")
    typer.echo("                                                             10 % median   90 %     mean")
    for one in summary.directions:
        gates = [
            f"{gate.mean:6.3f} {100 * gate.closed:4.0f}% {100 * gate.open:4.0f}%"
            for gate in (one.reset, one.update)
        ]
        memory = " ".join(f"{frames:6.1f}" for frames in one.memory_frames)
        typer.echo(
            f"{one.layer:5} {one.direction:<10} {gates[0]}   {gates[1]}   {memory}  {one.gradient_mean:.2e}"
        )
