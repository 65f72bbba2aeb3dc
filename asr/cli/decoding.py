"""The options of every command that decodes: which model, on what, and by which search."""

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    Path, typer.Option("--model", metavar="DIR", envvar="ASR_MODEL", help="Model folder, made by a recipe.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
DecoderOption = Annotated[
    str | None,
    typer.Option(
        "--decoder", metavar="NAME", help="greedy, beam, or words: with a lexicon; else the model's."
    ),
]
BeamOption = Annotated[
    int | None,
    typer.Option("--beam", metavar="N", min=0, help="Width of the beam search; 0 is greedy, the fastest."),
]
LmOption = Annotated[
    Path | None,
    typer.Option("--lm", metavar="FILE", help="Language model of words: .lm, .arpa or .arpa.gz."),
]
LexiconOption = Annotated[
    Path | None,
    typer.Option("--lexicon", metavar="FILE", help="Words to read: one a line, or word, tab and its units."),
]
LmWeightOption = Annotated[
    float | None, typer.Option("--lm-weight", metavar="X", min=0.0, help="Weight of the language model.")
]
