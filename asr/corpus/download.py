"""Downloading large files: resumed where they were cut, from several mirrors, checked by size and MD5."""

import http.client
import io
import logging
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from asr.errors import AsrError
from asr.files import file_digest, write_error

logger = logging.getLogger("asr")

_BLOCK = 1 << 18
_GONE = (400, 401, 403, 404, 405, 410)  # asking again will not help


class _MirrorError(Exception):
    """This mirror failed; `final` where it would fail again."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def check_disk(folder: Path, needed: int, purpose: str) -> None:
    """See to it that `needed` bytes fit before any work starts.

    Args:
        folder: may not exist yet; its nearest existing parent is asked.
        needed: bytes.
        purpose: what they are for, such as "dev-clean (download and unpacked)".

    Raises:
        AsrError: with both amounts.
    """
    existing = next(parent for parent in [folder, *folder.absolute().parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise AsrError(
            f"{folder}: {purpose} needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "free some space or choose another folder with --set corpus.root=DIR"
        )


def download(
    urls: Sequence[str],
    path: Path,
    *,
    size: int,
    md5: str,
    attempts: int = 3,
    pause: float = 2.0,
    timeout: float = 30.0,
) -> None:
    """Download one file to `path`; a file there with the right content is kept as it is.

    Data is gathered in `path` + ".partial", which stays when the download is cut, so that the next attempt,
    from whatever mirror and in whatever run, asks only for the rest. `path` appears when size and MD5 agree.

    Args:
        urls: addresses of the same file, tried in this order.
        path: where it goes; the folder is made.
        size, md5: of the whole file; MD5 in hexadecimal.
        attempts: rounds over all mirrors without any new byte before giving up.
        pause: seconds between two rounds; it doubles from round to round.
        timeout: seconds that a mirror may be silent.

    Raises:
        AsrError: no mirror has the file, the network is away, the content is wrong (the damaged file is
            removed), the disk is full or the folder cannot be written.
    """
    if path.exists():
        if path.stat().st_size == size and file_digest(path, "md5") == md5:
            return
        logger.warning("%s: not the file that is expected (size or MD5 differ); downloading it again", path)
    partial = path.with_name(path.name + ".partial")
    _prepare(partial, size)
    mirrors, failures, mixed = list(urls), dict[str, str](), set[str]()
    rounds, best = 0, _size(partial)
    while mirrors and rounds < attempts:
        for url in list(mirrors):
            begun_at = _size(partial)
            try:
                if begun_at < size:
                    _fetch(url, partial, size, timeout)
                _check(partial, size, md5)
                partial.replace(path)
                return
            except _MirrorError as error:
                logger.warning("%s: %s", url, error)
                failures[url] = str(error)
                if begun_at and not partial.exists() and url not in mixed:
                    mixed.add(url)  # wrong, but its beginning came from elsewhere: once more from the start
                elif error.final:
                    mirrors.remove(url)
            except OSError as error:
                raise write_error(path, error) from error
            best = best if partial.exists() else 0
        rounds, best = (0 if _size(partial) > best else rounds + 1), max(best, _size(partial))
        if mirrors and 0 < rounds < attempts:
            time.sleep(pause * 2 ** (rounds - 1))
    raise AsrError(_sentence(path, partial, size, failures))


def _prepare(partial: Path, size: int) -> None:
    """Make the folder; a partial file that is larger than the whole belongs to something else."""
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("ab"):
            pass
        if _size(partial) > size:
            logger.warning("%s: larger than the whole file; starting again", partial)
            partial.unlink()
    except OSError as error:
        raise write_error(partial, error) from error


def _fetch(url: str, partial: Path, size: int, timeout: float) -> None:
    """Add what is missing to `partial` from one mirror.

    A server that does not know Range sends the file from its beginning; what is here already is then read
    and thrown away, so that nothing that was gained is lost.

    Raises:
        _MirrorError: with the reason; whatever arrived is in `partial`.
    """
    have = _size(partial)
    if not url.startswith(("http://", "https://")):
        raise _MirrorError("not an http or https address", final=True)
    try:
        with _opened(url, have, timeout) as response, partial.open("ab", buffering=0) as file:
            skip = have - _offset(response, have, size)
            with _progress(partial.name.removesuffix(".partial"), size) as show:
                while file.tell() <= size and (block := response.read(_BLOCK)):
                    _write(file, block[skip:], partial)
                    skip = max(0, skip - len(block))
                    show(file.tell())
    except urllib.error.HTTPError as error:
        raise _MirrorError(
            f"the server answers {error.code} {error.reason}", final=error.code in _GONE
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise _MirrorError(f"the connection failed ({reason})") from error
    if _size(partial) < size:
        raise _MirrorError(f"the download was cut at {_size(partial):,} of {size:,} bytes")


def _opened(url: str, have: int, timeout: float) -> http.client.HTTPResponse:
    """Ask for the file from byte `have` on; for all of it where the server refuses that (416)."""
    request = urllib.request.Request(url, headers={"User-Agent": "asr", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        return _opened(url, 0, timeout)
    return response


def _offset(response: http.client.HTTPResponse, have: int, size: int) -> int:
    """Where in the file the response begins: what was asked for, or 0 where Range is not known.

    Raises:
        _MirrorError: the mirror's file has another size, or it answers with another part.
    """
    if response.status == 206:
        begin, total = _content_range(response.headers.get("Content-Range", ""))
        if begin != have:
            raise _MirrorError(
                f"the server answers with bytes from {begin}, asked for bytes from {have}", final=True
            )
    else:
        begin, total = 0, response.headers.get("Content-Length", "")
    if total.isdigit() and int(total) != size:
        kind = response.headers.get("Content-Type", "unknown type")
        raise _MirrorError(f"its file has {int(total):,} bytes ({kind}), expected {size:,}", final=True)
    return begin


def _content_range(header: str) -> tuple[int, str]:
    """`bytes 100-199/200` as (100, "200"); (-1, "") where it says something else."""
    span, _, total = header.removeprefix("bytes ").partition("/")
    begin = span.partition("-")[0]
    return (int(begin) if begin.isdigit() else -1), total


def _write(file: io.RawIOBase, block: bytes, partial: Path) -> None:
    """Write without a buffer, telling a full disk from a broken connection, which are both OSError."""
    rest = memoryview(block)
    while rest:
        try:
            rest = rest[file.write(rest) :]
        except OSError as error:
            raise write_error(partial, error) from error


def _check(partial: Path, size: int, md5: str) -> None:
    """Compare size and MD5 and flush to disk; a file that is wrong is removed.

    Raises:
        _MirrorError: with what was expected and what was found.
    """
    logger.info("%s: checking MD5", partial)
    found_size, found = _size(partial), file_digest(partial, "md5")
    if found_size == size and found == md5:
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        return
    partial.unlink()
    raise _MirrorError(
        f"wrong content: MD5 {md5} and {size:,} bytes expected, found {found} and {found_size:,} bytes; "
        "the damaged file was removed",
        final=True,
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sentence(path: Path, partial: Path, size: int, failures: dict[str, str]) -> str:
    have = _size(partial)
    if not have:
        partial.unlink(missing_ok=True)
    kept = f"; {have:,} of {size:,} bytes are kept and the next run goes on from there" if have else ""
    reasons = "; ".join(f"{url}: {reason}" for url, reason in failures.items()) or "no address to try"
    return (
        f"{path.name}: could not be downloaded ({reasons}){kept}; check the network and run the same command "
        "again, name another address with --set corpus.mirrors, or unpack the corpus by hand and give its "
        "folder with --set corpus.root=DIR"
    )


@contextmanager
def _progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar in bytes on stderr; silent where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"downloading {name}", total=size)
        yield lambda done: bar.update(task, completed=done)
