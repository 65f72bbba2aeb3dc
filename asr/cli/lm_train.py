"""`asr lm train`: a GRU language model from text."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.lm_options import Texts, Vocabulary, Words

if TYPE_CHECKING:
    from asr.training.gru_trainer import Report


def train(
    texts: Texts,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The model folder that is written.")
    ],
    minutes: Annotated[
        float, typer.Option("--minutes", metavar="M", min=0.0, help="Time budget; 0: none.")
    ] = 0.0,
    epochs: Annotated[
        int, typer.Option("--epochs", metavar="N", min=1, help="Times that the text is read at most.")
    ] = 10,
    held_out: Annotated[
        list[str] | None,
        typer.Option("--held-out", metavar="TEXT", help="Text whose perplexity is shown every few minutes."),
    ] = None,
    vocabulary: Vocabulary = None,
    words: Words = None,
    hidden: Annotated[
        int, typer.Option("--hidden", metavar="H", min=1, help="Hidden units of a layer.")
    ] = 512,
    embedding: Annotated[
        int, typer.Option("--embedding", metavar="E", min=16, help="Numbers for a frequent word.")
    ] = 256,
    layers: Annotated[int, typer.Option("--layers", metavar="L", min=1, help="Recurrent layers.")] = 1,
    dropout: Annotated[
        float,
        typer.Option("--dropout", metavar="P", min=0.0, max=0.9, help="For texts that are read many times."),
    ] = 0.0,
    rate: Annotated[
        float, typer.Option("--rate", metavar="R", min=1e-9, help="Highest learning rate.")
    ] = 5e-3,
    tokens: Annotated[
        int, typer.Option("--tokens", metavar="K", min=1, help="Words and sentence ends in an update.")
    ] = 1024,
    every: Annotated[
        float, typer.Option("--every", metavar="M", min=0.01, help="Minutes between two checkpoints.")
    ] = 5.0,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, help="Of weights, order and dropout.")
    ] = 1,
    threads: Annotated[
        int, typer.Option("--threads", metavar="T", min=0, help="Processor threads; 0: torch's choice.")
    ] = 0,
) -> None:
    """Train a GRU language model for rescoring; the same command again goes on where it was stopped.

    Checkpoints lie in DIR.training, which may be removed when the model is done.

    \b
    Example:
      asr lm train books.txt.xz --vocabulary 60000 --minutes 60 --held-out dev.txt --output gru
    """
    import torch

    from asr.lm.vocabulary import read_word_list
    from asr.training.gru_trainer import GruTraining
    from asr.training.language_model import train_gru

    if threads:
        torch.set_num_threads(threads)
    end = train_gru(
        texts,
        output,
        training=GruTraining(
            seed=seed,
            epochs=epochs,
            max_minutes=minutes,
            learning_rate=rate,
            tokens=tokens,
            every_minutes=every,
        ),
        embedding_size=embedding,
        hidden_size=hidden,
        num_layers=layers,
        dropout=dropout,
        limit=vocabulary,
        listed=None if words is None else read_word_list(str(words)),
        held_out=held_out or [],
        report=_show,
    )
    typer.echo(f"updates                {end.step}")
    typer.echo(f"minutes                {end.seconds / 60:.1f}")
    if held_out:
        typer.echo(f"held-out perplexity    {end.perplexity:.2f}")


def _show(report: "Report") -> None:
    figures = [("held out", report.perplexity)]
    if math.isfinite(report.loss):
        figures.insert(0, ("read", math.exp(min(report.loss, 700))))
    shown = ", ".join(f"{name} {figure:.2f}" for name, figure in figures if not math.isnan(figure))
    typer.echo(
        f"epoch {report.epoch}, update {report.step}, {report.seconds / 60:.1f} minutes, perplexity: {shown}",
        err=True,
    )
