"""The options of every command that decodes: which model, on what, and by which search."""

from pathlib import Path
from typing import Annotated

import typer

from asr.errors import AsrError

HOTWORD_NATS = 5.0
"""What a hotword adds where nothing is said."""

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="DIR",
        envvar="ASR_MODEL",
        help="Model folder, made by a recipe; else the model that comes with asr.",
    ),
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
HotwordOption = Annotated[
    list[str] | None,
    typer.Option("--hotword", metavar="WORD[:X]", help="Expect WORD, by X nats (5); may be given often."),
]


def hotwords_of(options: list[str] | None) -> dict[str, float] | None:
    """`--hotword` as words with their nats; None without.

    Raises:
        AsrError: no word, or what follows the colon is no number.
    """
    if not options:
        return None
    found = {}
    for option in options:
        word, _, nats = option.rpartition(":") if ":" in option else (option, "", str(HOTWORD_NATS))
        try:
            found[word] = float(nats)
        except ValueError as error:
            raise AsrError(f"--hotword {option}: WORD or WORD:NATS expected, such as LOVELACE:5") from error
        if len(word.split()) != 1:
            raise AsrError(
                f"--hotword {option}: one WORD or WORD:NATS expected, such as LOVELACE:5; give each word "
                "with a --hotword of its own"
            )
    return found
