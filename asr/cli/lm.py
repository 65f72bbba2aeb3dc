"""`asr lm`: language models from text."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.lm_options import Texts, Vocabulary, Words
from asr.cli.lm_train import train
from asr.cli.transcribe import check_writable
from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.lm.tables import Model as Tables

lm = typer.Typer(
    help="Language models: estimate them from text, prune, mix and measure them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Model = Annotated[Path, typer.Argument(metavar="LM", help="A model: .arpa, .arpa.gz or .lm.")]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="LM",
        help="Written: .arpa, .arpa.gz, or .lm, the compact form for decoding.",
    ),
]


@lm.command(no_args_is_help=True)
def build(
    texts: Texts,
    output: Output,
    order: Annotated[int, typer.Option("--order", metavar="N", min=1, max=9, help="Longest n-gram.")] = 3,
    vocabulary: Vocabulary = None,
    words: Words = None,
    cutoff: Annotated[
        list[int] | None,
        typer.Option(
            "--cutoff",
            metavar="C",
            min=0,
            help="Leave out n-grams that occur C times or less; give it for order 2, 3, ... in turn.",
        ),
    ] = None,
    temporary: Annotated[
        Path | None, typer.Option("--temporary", metavar="DIR", help="Where counts lie meanwhile.")
    ] = None,
) -> None:
    """Estimate an n-gram model: modified Kneser-Ney, interpolated.

    Text may be larger than memory. Words are what spaces separate, case included: write the text as the
    transcripts are written.

    \b
    Examples:
      asr lm build books.txt.xz --order 3 --output books.arpa.gz
      xz -dc books.txt.xz | asr lm build - --order 4 --cutoff 0 --cutoff 1 --output books.arpa
    """
    from asr.lm.build import build as build_model
    from asr.lm.vocabulary import read_word_list

    _check_output(output)
    listed = None if words is None else read_word_list(str(words))
    cutoffs = [0, *(cutoff or [])]
    if len(cutoffs) > order:
        raise AsrError(
            f"--cutoff: one for each order from 2 to {order} was expected, at most {order - 1}, found "
            f"{len(cutoffs) - 1}"
        )
    built = build_model(texts, order, limit=vocabulary, listed=listed, cutoffs=cutoffs, folder=temporary)
    for discounts in built.discounts:
        if discounts.problem:
            typer.echo(f"asr: {discounts.problem}", err=True)
    _save(output, built.model)
    typer.echo(f"sentences      {built.num_sentences}")
    typer.echo(f"words          {built.num_words}")
    typer.echo(f"vocabulary     {len(built.model.vocabulary)}")
    typer.echo(f"unknown words  {built.num_unknown} ({built.num_unknown / built.num_words:.2%})")
    for n, table in enumerate(built.model.tables, 1):
        shown = ", ".join(f"{discount:.3f}" for discount in built.discounts[n - 1].values)
        typer.echo(f"{n}-grams        {len(table.first_words)}, discounts {shown}")


lm.command(no_args_is_help=True)(train)


@lm.command(no_args_is_help=True)
def perplexity(
    model: Annotated[
        Path, typer.Argument(metavar="LM", help="A model: .arpa, .arpa.gz, .lm, or a folder of `lm train`.")
    ],
    texts: Texts,
    mix: Annotated[
        Path | None,
        typer.Option("--mix", metavar="LM", help="Another model: show what a mixture of both foretells."),
    ] = None,
) -> None:
    """Say how well a model foretells a text, with and without unknown words.

    \b
    Examples:
      asr lm perplexity books.arpa.gz dev.txt
      asr lm perplexity gru dev.txt --mix books.lm
    """
    from asr.lm.interpolate import learn_weights
    from asr.lm.perplexity import perplexity as measure
    from asr.lm.scorer import open_scorer

    scorer = open_scorer(model, verify=True)
    other = None if mix is None else open_scorer(mix, verify=True)
    if other is not None and "-" in texts:
        raise AsrError("--mix reads the text twice, which standard input cannot give; name a file")
    found = measure(scorer, texts)
    tokens = found.num_words + found.num_sentences
    typer.echo(f"sentences                  {found.num_sentences}")
    typer.echo(f"words                      {found.num_words}")
    typer.echo(f"unknown words              {found.num_unknown} ({found.num_unknown / found.num_words:.2%})")
    typer.echo(f"log10 probability          {found.log_prob / 2.302585092994046:.2f}")
    typer.echo(f"perplexity                 {found.with_unknown:.2f} over {tokens} tokens with </s>")
    typer.echo(f"perplexity, unknown apart  {found.without_unknown:.2f} over {tokens - found.num_unknown}")
    if other is not None:
        learnt = learn_weights([scorer, other], texts)
        shares = ", ".join(f"{weight:.4f}" for weight in learnt.weights)
        typer.echo(f"the other alone            {learnt.perplexities[1]:.2f}")
        typer.echo(f"mixed                      {learnt.mixed:.2f}, shares {shares}, learnt on this text")


@lm.command(no_args_is_help=True)
def prune(
    model: Model,
    output: Output,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold", metavar="T", min=0.0, help="Growth of perplexity that is minded, as 1e-8."
        ),
    ] = None,
    megabytes: Annotated[
        float | None,
        typer.Option(
            "--megabytes", metavar="MB", min=0.0, help="Instead: a packed .lm of so many million bytes."
        ),
    ] = None,
) -> None:
    """Make a model smaller: leave out the n-grams without which it foretells nearly as well.

    An n-gram goes where perplexity grows, without it, by less than the factor 1 + T. --megabytes finds the T
    for a size, and writes probabilities of 8 bits.

    \b
    Examples:
      asr lm prune books.arpa.gz --threshold 1e-8 --output small.arpa.gz
      asr lm prune books.arpa.gz --megabytes 12 --output small.lm
    """
    from asr.lm.listing import open_tables
    from asr.lm.pruning import prune as prune_model
    from asr.lm.pruning import prune_to

    _check_output(output)
    if (threshold is None) == (megabytes is None):
        raise AsrError("prune: one of --threshold and --megabytes was expected")
    if megabytes is not None and output.suffix != ".lm":
        raise AsrError(f"{output}: --megabytes is the size of a .lm file; give it such a name")
    whole = open_tables(model)
    if megabytes is None:
        small = prune_model(whole, threshold or 0.0)
        _save(output, small)
    else:
        small, threshold = prune_to(whole, round(1e6 * megabytes))
        _save(output, small, bits=8, is_packed=True)
        typer.echo(f"threshold      {threshold:.3g}")
    for n, (table, before) in enumerate(zip(small.tables, whole.tables, strict=True), 1):
        typer.echo(f"{n}-grams        {len(table.first_words)} of {len(before.first_words)}")


@lm.command(no_args_is_help=True)
def interpolate(
    models: Annotated[
        list[Path], typer.Argument(metavar="LM...", help="Two models or more: .arpa, .arpa.gz or .lm.")
    ],
    text: Annotated[
        list[str], typer.Option("--text", metavar="TEXT", help="Held-out text, on which weights are learnt.")
    ],
    output: Output,
) -> None:
    """Mix models into one, with the weights that a held-out text asks for.

    \b
    Example:
      asr lm interpolate books.arpa.gz talks.arpa.gz --text dev.txt --output mixed.arpa.gz
    """
    from asr.lm.automaton import LanguageModel
    from asr.lm.interpolate import interpolate as mix
    from asr.lm.interpolate import learn_weights
    from asr.lm.listing import open_tables

    _check_output(output)
    if len(models) < 2:
        raise AsrError(f"two models or more were expected, found {models[0]}")
    read = [open_tables(path) for path in models]
    learnt = learn_weights([LanguageModel.from_model(model) for model in read], text)
    _save(output, mix(read, learnt.weights))
    for path, weight, figure in zip(models, learnt.weights, learnt.perplexities, strict=True):
        typer.echo(f"weight {weight:.4f}, perplexity {figure:.2f}  {path}")
    typer.echo(f"mixed, perplexity {learnt.mixed:.2f}  {output}")


@lm.command(no_args_is_help=True)
def convert(
    model: Model,
    output: Output,
    bits: Annotated[
        int, typer.Option("--bits", metavar="B", help="Of a probability in .lm: 32, or rounded to 16 or 8.")
    ] = 32,
    packed: Annotated[
        bool, typer.Option("--packed", help="In a third of the room; such a .lm takes a second to open.")
    ] = False,
) -> None:
    """Write a model in another form, such as the compact one, which opens in milliseconds.

    \b
    Examples:
      asr lm convert 3-gram.pruned.1e-7.arpa.gz --output 3-gram.lm --bits 16
      asr lm convert 3-gram.lm --output 3-gram.arpa
    """
    from asr.lm.listing import open_tables

    _check_output(output)
    if bits not in (8, 16, 32):
        raise AsrError(f"--bits {bits}: 32, 16 or 8 was expected")
    _save(output, open_tables(model), bits, is_packed=packed)


def _check_output(path: Path) -> None:
    """Refuse a name, or a folder that cannot be written, before any work starts."""
    if not path.name.endswith((".arpa", ".arpa.gz", ".lm")):
        raise AsrError(f"{path}: a name that ends with .arpa, .arpa.gz or .lm was expected")
    if path.is_dir():
        raise AsrError(f"{path}: is a folder; name a file")
    check_writable(path.parent)


def _save(path: Path, model: "Tables", bits: int = 32, *, is_packed: bool = False) -> None:
    from asr.lm.arpa import write_arpa
    from asr.lm.automaton import LanguageModel

    if path.suffix == ".lm":
        LanguageModel.from_model(model).save(path, bits, is_packed=is_packed)
    else:
        write_arpa(path, model)
