"""What every command that makes a language model from text is told alike."""

from pathlib import Path
from typing import Annotated

import typer

Texts = Annotated[
    list[str], typer.Argument(metavar="TEXT...", help="A sentence a line; plain, .gz, .xz, or - for stdin.")
]
Vocabulary = Annotated[
    int | None,
    typer.Option("--vocabulary", metavar="V", min=1, help="Keep the V most frequent words; else <unk>."),
]
Words = Annotated[
    Path | None,
    typer.Option("--words", metavar="FILE", help="Keep the words of FILE, one a line; others are <unk>."),
]
