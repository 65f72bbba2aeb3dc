"""The `asr` command: one module a subcommand, each thin: parses, calls, prints.

Results go to stdout, everything else to stderr. Exit status: 0 done, 1 some inputs failed and the others are
done and written, 2 the call was wrong, 130 interrupted. Nothing heavy is imported before a command runs.
"""

import errno
import logging
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from asr import __version__
from asr.errors import AsrError
from asr.files import printable


class _Group(TyperGroup):
    """Turns what ends a command early into one line on stderr and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except AsrError as error:
            _leave(2, str(error))
        except KeyboardInterrupt:
            _leave(130, "interrupted")
        except MemoryError:
            _leave(2, "there is not so much memory; a smaller --beam takes less")
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ENOSPC):
                raise
            # what is still in the buffer cannot be written either, and must not be tried again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno == errno.EPIPE:
                raise typer.Exit(1) from error
            _leave(2, "standard output: cannot be written: the disk is full")


def _leave(status: int, sentence: str) -> NoReturn:
    typer.echo(f"asr: {printable(sentence)}", err=True)
    raise typer.Exit(status)


app = typer.Typer(
    name="asr", cls=_Group, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asr {__version__}")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what is resampled, mixed down and cut, on stderr.")
    ] = False,
) -> None:
    """Speech recognition with a gated recurrent network.

    \b
    Example:
      asr transcribe meeting.wav
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("asr: %(message)s"))
    logger = logging.getLogger("asr")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO if verbose else logging.WARNING)


def _register() -> None:
    from asr.cli.align import align
    from asr.cli.evaluate import evaluate
    from asr.cli.info import info
    from asr.cli.inspect import inspect
    from asr.cli.lm import lm
    from asr.cli.score import score
    from asr.cli.transcribe import transcribe

    for command in (transcribe, align, evaluate, score, inspect):
        app.command(no_args_is_help=True)(command)
    app.command()(info)
    app.add_typer(lm, name="lm")


_register()


def main() -> None:
    """Entry point of the `asr` command."""
    app(prog_name="asr")
