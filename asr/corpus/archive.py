"""Unpacking archives that strangers made: nothing leaves the folder, half an archive never looks whole."""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from asr.errors import AsrError
from asr.files import write_error
from asr.progress import track

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a zip with a compression that Python does not know
)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or zip archive into `folder`, which appears only when all is there.

    The files are written to a temporary folder beside it (its name ends in `.partial`), which is renamed at
    the end and removed if anything goes wrong; what an interrupted run left behind is removed first.

    Args:
        archive: decided by its content, not by its name.
        folder: must not exist yet, or be empty.

    Raises:
        AsrError: the folder holds something; the archive is damaged, cut short, empty or encrypted; a member
            is a link or device or would be written outside the folder; the disk is full.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AsrError(f"{folder}: exists already; {archive.name} is unpacked into a new folder only")
    partial = folder.with_name(f".{folder.name}.unpacking.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        count = sum(1 for _ in track(_members(archive, partial), f"unpacking {archive.name}"))
        if not count:
            raise AsrError(f"{archive}: the archive holds no files; download it again")
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    except _DAMAGED as error:
        raise _damaged(archive, error) from error
    except OSError as error:  # without a number it comes from a decompressor, not from the disk
        raise (write_error(folder, error) if error.errno else _damaged(archive, error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _members(archive: Path, folder: Path) -> Iterator[str]:
    """Unpack member by member, yielding the name of each file."""
    try:
        with archive.open("rb") as file:
            is_zip = file.read(2) == b"PK"
    except OSError as error:
        raise AsrError(f"{archive}: the archive cannot be read ({error.strerror})") from error
    yield from _zip_members(archive, folder) if is_zip else _tar_members(archive, folder)


def _tar_members(archive: Path, folder: Path) -> Iterator[str]:
    with tarfile.open(archive, "r:*") as tar:
        while (member := tar.next()) is not None:
            _check_name(archive, member.name)
            if not (member.isfile() or member.isdir()):
                raise _refused(archive, member.name, "is a link or a device")
            tar.extract(member, folder, filter="data")
            if member.isfile():
                yield member.name
            # the list of all members of a large corpus would fill the memory
            tar.members = []  # type: ignore[attr-defined]
        while tar.fileobj is not None and tar.fileobj.read(1 << 20):
            pass  # to the end of the compressed stream, whose checksum is read there


def _zip_members(archive: Path, folder: Path) -> Iterator[str]:
    with zipfile.ZipFile(archive) as pack:
        for member in pack.infolist():
            _check_name(archive, member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, member.filename, "is a link or a device")
            if member.flag_bits & 1:
                raise AsrError(f"{archive}: the archive is encrypted; unpack it by hand")
            pack.extract(member, folder)
            if not member.is_dir():
                yield member.filename


def _check_name(archive: Path, name: str) -> None:
    """Refuse a name that leads out of the folder on any system."""
    windows = PureWindowsPath(name)
    if windows.drive or windows.root or PurePosixPath(name).is_absolute() or ".." in windows.parts:
        raise _refused(archive, name, "would be written outside the folder")


def _damaged(archive: Path, error: Exception) -> AsrError:
    reason = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
    return AsrError(
        f"{archive}: the archive is damaged or cut short ({reason}); nothing was "
        "unpacked; remove it and download it again"
    )


def _refused(archive: Path, name: str, why: str) -> AsrError:
    return AsrError(
        f"{archive}: member '{name}' {why}, which no speech corpus needs; nothing was unpacked; "
        "remove the archive and get it from a source you trust"
    )
