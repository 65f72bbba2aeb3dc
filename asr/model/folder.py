"""A folder of files with their checksums in bundle.json, written as a whole and checked when it is read.

A pickle (`.pt`, `.pth`, `.ckpt`) can run any code when it is opened: it is refused, never opened.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from asr.errors import AsrError
from asr.files import file_digest, write_error

FORMAT_VERSION = 1
WEIGHTS = "model.safetensors"
INDEX = "bundle.json"

_PICKLE_SUFFIXES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin"}
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of `torch.save`'s zip archive and of a bare pickle; a safetensors file starts with the length
of its header, which never looks like these."""


class _Index(msgspec.Struct, frozen=True, kw_only=True):
    """bundle.json: `files` maps each name to the sha256 of its content."""

    format: int
    files: dict[str, str]


def replace_folder(path: Path, contents: Mapping[str, bytes], copies: Mapping[str, Path]) -> None:
    """Write a folder of `contents` and of `copies` of files, by name, with bundle.json.

    A reader meets the whole old folder or the whole new one: the files go into a temporary folder beside
    `path`, are flushed to disk, and the folder is renamed. One that is there already is moved aside for that
    instant, and removed only after it.

    Raises:
        AsrError: a file to copy is missing, the disk is full, the place cannot be written, or `path` holds
            something else than a model.
    """
    path = path.resolve()
    _check_replaceable(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    retired = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, source in copies.items():
            _copy(source, partial / name)
        digests = {copy.name: file_digest(copy) for copy in partial.iterdir()}
        for name, content in {**contents, INDEX: _index(contents, digests)}.items():
            with (partial / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _swap(partial, path, retired)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


def _index(contents: Mapping[str, bytes], digests: Mapping[str, str]) -> bytes:
    """bundle.json, for files by their content and for those whose digests are known."""
    made = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    index = _Index(format=FORMAT_VERSION, files=dict(sorted((made | dict(digests)).items())))
    return msgspec.json.format(msgspec.json.encode(index)) + b"\n"


def _copy(source: Path, place: Path) -> None:
    """Copy a file of any size, flushed to disk."""
    if not source.is_file():
        raise AsrError(f"{source}: a {place.name} for the model was expected, there is no such file")
    shutil.copyfile(source, place)
    with place.open("rb+") as file:
        os.fsync(file.fileno())


def _check_replaceable(path: Path) -> None:
    """Refuse to remove what is no model folder: a mistyped path must not cost a user's data."""
    if path.is_dir() and any(path.iterdir()) and not (path / INDEX).is_file():
        raise AsrError(f"{path}: holds files but no {INDEX}, so it is no model folder; choose another folder")
    if path.exists() and not path.is_dir():
        raise AsrError(f"{path}: a file is there already; choose another folder for the model")


def _swap(new: Path, path: Path, retired: Path) -> None:
    """Put the folder `new` at `path`; what was there goes to `retired`, and comes back if that fails."""
    if not path.exists():
        new.rename(path)
        return
    shutil.rmtree(retired, ignore_errors=True)
    path.rename(retired)
    try:
        new.rename(path)
    except OSError:
        retired.rename(path)
        raise


def read_folder(path: Path, *, required: Collection[str], unread: str, verify: bool) -> dict[str, bytes]:
    """The content of every file that bundle.json lists, each compared with its checksum.

    Args:
        path: the folder.
        required: files that it has to list.
        unread: a file that may be large: its content is empty here, and it stays on disk.
        verify: compare that file with its checksum as well.

    Raises:
        AsrError: no such folder, a file is missing or changed, another version of the layout, or a pickle.
    """
    if path.suffix.lower() in _PICKLE_SUFFIXES and path.is_file():
        raise AsrError(_pickle_sentence(path))
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise AsrError(f"{path}: a model folder was expected, {found} is there; give the folder with {INDEX}")
    _refuse_pickles(path)
    index = _read_index(path, required)
    contents: dict[str, bytes] = {}
    for name, digest in index.files.items():
        if name == unread:
            _require(path / name)
            contents[name] = b""
            found = file_digest(path / name) if verify else digest
        else:
            contents[name] = _read(path / name)
            found = hashlib.sha256(contents[name]).hexdigest()
        if found != digest:
            raise AsrError(
                f"{path / name}: its content differs from the checksum in {INDEX}; the file was changed or "
                "damaged after the model was made: copy the model folder again"
            )
    return contents


def _refuse_pickles(path: Path) -> None:
    weights = path / WEIGHTS
    if not weights.is_file():
        pickles = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICKLE_SUFFIXES)
        if pickles:
            raise AsrError(_pickle_sentence(pickles[0]))
    else:
        with weights.open("rb") as file:
            if file.read(4).startswith(_PICKLE_STARTS):
                raise AsrError(_pickle_sentence(weights))


def _read_index(path: Path, required: Collection[str]) -> _Index:
    raw = _read(path / INDEX)
    try:
        version = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("format")
        found = None if version is None else msgspec.json.decode(version)
        if found != FORMAT_VERSION:
            raise AsrError(
                f"{path / INDEX}: model format {FORMAT_VERSION} was expected, {found} was found; use the "
                "version of asr that made this model, or export the model again"
            )
        index = msgspec.json.decode(raw, type=_Index)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AsrError(f"{path / INDEX}: damaged: {error}; copy the model folder again") from error
    for name in index.files:
        if Path(name).name != name:
            raise AsrError(f"{path / INDEX}: lists {name}, which is outside of the model folder")
    for name in required:
        if name not in index.files:
            raise AsrError(f"{path / INDEX}: does not list {name}; export the model again")
    return index


def _require(path: Path) -> None:
    if not path.exists():
        raise AsrError(f"{path.parent}: not a whole model folder: {path.name} is missing")


def _read(path: Path) -> bytes:
    _require(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise AsrError(f"{path}: cannot be read: {error.strerror}") from error


def _pickle_sentence(path: Path) -> str:
    return (
        f"{path}: a pickle, which can run any code when it is opened, so it is refused; a model folder with "
        f"{WEIGHTS} was expected: export the model again with recipes/steps/10_export.py"
    )
