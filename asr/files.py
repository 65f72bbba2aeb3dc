"""Writing files so that a reader meets either the old content or the new, never half of it."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asr.errors import AsrError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EACCES: "no permission to write there; choose another folder or change its permissions",
    errno.EPERM: "no permission to write there; choose another folder or change its permissions",
    errno.EROFS: "the file system is read-only; choose another folder",
}


def write_error(path: Path, error: OSError) -> AsrError:
    """The sentence for a failed write: which path, why, what to do."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return AsrError(f"{path}: cannot be written: {reason}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; rename it to `path` when the block ends well.

    The folder is made if it is missing. The content is flushed to disk before the rename. If the block
    raises, the temporary file is removed and `path` is left as it was.

    Raises:
        AsrError: the disk is full, or the folder cannot be written.
    """
    partial = path.with_name(f".{_short(path.name)}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _short(name: str, most: int = 40) -> str:
    """A name that leaves room for more within the 255 bytes of a file name, and is still one of its own."""
    if len(name) <= most:
        return name
    return f"{name[:most]}.{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step (see `atomic_path`)."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 to `path` in one step (see `atomic_path`)."""
    write_bytes(path, content.encode())


def printable(text: str) -> str:
    """The same text, with what is not UTF-8 in the name of a file replaced, so that it can be written."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)  # where Python puts such bytes


def one_line(text: str) -> str:
    """The same, with line ends and other control characters as they are written in code, such as \\n."""
    return re.sub(r"[\0-\x1f\x7f-\x9f\u2028\u2029]", lambda found: repr(found[0])[1:-1], printable(text))


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
