"""Reading texts in blocks of whole lines: plain, .gz, .xz, or standard input."""

import gzip
import lzma
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from asr.errors import AsrError

_BLOCK = 1 << 22
_DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError)


class Block(NamedTuple):
    """Whole lines of a text, in UTF-8."""

    name: str  # of the file
    first_line: int  # number of the block's first line, from 1
    content: bytes  # ends with a newline


@contextmanager
def open_bytes(path: str) -> Iterator[BinaryIO]:
    """Open a file to read, unpacking .gz and .xz; `-` is standard input."""
    try:
        if path == "-":
            yield sys.stdin.buffer
            return
        opener = {".gz": gzip.open, ".xz": lzma.open}.get(Path(path).suffix, open)
        with cast(BinaryIO, opener(path, "rb")) as file:  # type: ignore[operator]
            yield file
    except OSError as error:
        if isinstance(error, _DAMAGED):
            raise _damaged(path, error) from error
        raise AsrError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: str, error: Exception) -> AsrError:
    what = "it ends too early" if isinstance(error, EOFError) else str(error)
    return AsrError(f"{path}: cannot be unpacked: {what}; the file is cut or damaged, get it again")


def read_blocks(paths: Iterable[str]) -> Iterator[Block]:
    """The texts, a few megabytes at a time.

    Raises:
        AsrError: a file cannot be read or unpacked, or holds bytes that are not UTF-8.
    """
    for path in paths:
        with open_bytes(path) as file:
            line, rest, name = 1, b"", "standard input" if path == "-" else path
            while piece := file.read(_BLOCK):
                content, newline, after = (rest + piece).rpartition(b"\n")
                rest = after
                if newline:
                    yield _checked(Block(name, line, content + newline))
                    line += content.count(b"\n") + 1
            if rest:
                yield _checked(Block(name, line, rest + b"\n"))


def _checked(block: Block) -> Block:
    if block.first_line == 1:
        block = block._replace(content=block.content.removeprefix(b"\xef\xbb\xbf"))  # a byte-order mark
    try:
        block.content.decode()
    except UnicodeDecodeError as error:
        line = block.first_line + block.content.count(b"\n", 0, error.start)
        bad = block.content[error.start]
        raise AsrError(
            f"{block.name}:{line}: text in UTF-8 was expected, byte 0x{bad:02x} is not; convert the file, "
            "for example with `iconv -t UTF-8`"
        ) from error
    return block
