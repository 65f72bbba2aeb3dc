"""The tokens of a model on disk: `tokens.txt`, one token a line, the line's number (from 0) its class."""

from pathlib import Path

from asr.errors import AsrError
from asr.files import write_text

BLANK = "<blank>"
"""Class 0: CTC's blank, which stands for no text."""

SPACE = "|"
"""The token between two words."""


def check_tokens(tokens: list[str], origin: str) -> None:
    """Refuse a list of tokens that could not be a model's classes.

    Args:
        tokens: one token a class.
        origin: where they come from, named in the sentence.

    Raises:
        AsrError: the first token is not the blank, a token is empty, broken over lines, or there twice.
    """
    if not tokens:
        raise AsrError(f"{origin}: tokens expected, one a line with {BLANK} first; found none")
    if tokens[0] != BLANK:
        raise AsrError(f"{origin}: {BLANK} expected as the first token, found {tokens[0]!r}")
    lines: dict[str, int] = {}
    for number, token in enumerate(tokens, start=1):
        if not token:
            raise AsrError(f"{origin}:{number}: a token expected, found an empty line")
        if "\n" in token or "\r" in token:
            raise AsrError(f"{origin}:{number}: a token on one line expected, found {token!r}")
        if token in lines:
            raise AsrError(
                f"{origin}:{number}: every token is expected once, {token!r} is on line {lines[token]} too"
            )
        lines[token] = number


def write_tokens(path: Path, tokens: list[str]) -> None:
    """Write `tokens`, one a line, in one step.

    Raises:
        AsrError: the tokens are not a model's classes (see `check_tokens`), or `path` cannot be written.
    """
    check_tokens(tokens, str(path))
    write_text(path, "".join(f"{token}\n" for token in tokens))


def read_tokens(path: Path) -> list[str]:
    """Read what `write_tokens` wrote.

    Raises:
        AsrError: the file is missing, not UTF-8, cut short, or its tokens are not a model's classes.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise AsrError(f"{path}: the tokens cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise AsrError(
            f"{path}: tokens in UTF-8 expected, byte {error.start} is not; copy it again"
        ) from error
    if text and not text.endswith("\n"):
        raise AsrError(f"{path}: the last line has no end, so the file was cut short; copy it again")
    # not splitlines(): it would also cut at the separators of other scripts
    tokens = text.split("\n")[:-1]
    check_tokens(tokens, str(path))
    return tokens
