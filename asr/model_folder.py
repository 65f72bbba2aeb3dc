"""A model on disk: one folder of plain files, each with a checksum, and nothing that can run code.

Every kind of model has its weights in model.safetensors, and an index, bundle.json: the version
of the layout and the sha256 of every other file. A pickle (`.pt`, `.pth`, `.ckpt`) can run any code when it
is opened: it is refused, never opened.
"""

import hashlib
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import safetensors
import safetensors.torch
from torch import Tensor

from asr.errors import AsrError
from asr.files import file_digest, write_error

WEIGHTS = "model.safetensors"
INDEX = "bundle.json"

_PICKLE_SUFFIXES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin"}
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of `torch.save`'s zip archive and of a bare pickle; a safetensors file starts with the length
of its header, which never looks like these."""


class Layout(NamedTuple):
    """One kind of model folder.

    Attributes:
        version: of the layout that is written; earlier ones are read too.
        required: names of the files that every such folder has, beside the index.
        again: what to do about a bad folder, such as "export the model again".
        maker: what makes such folders: a command.
        unread: names of files that may be large: they stay on disk when a folder is read. These may be in a
            folder below.
    """

    version: int
    required: tuple[str, ...]
    again: str
    maker: str
    unread: tuple[str, ...] = ()


class _Index(msgspec.Struct, frozen=True, kw_only=True):
    """bundle.json: `files` maps each name to the sha256 of its content."""

    format: int
    files: dict[str, str]


# --- writing -----------------------------------------------------------------------------------------------


def write_folder(
    path: Path, contents: dict[str, bytes], layout: Layout, copies: Mapping[str, Path] | None = None
) -> None:
    """Write a model folder; a reader meets the whole old one or the whole new one.

    The files go into a temporary folder beside `path`, are flushed to disk, and the folder is renamed. A
    model folder that is there already is moved aside for that instant, and removed only after it.

    Args:
        path: the folder to make or to replace.
        contents: every file by name; the index is added.
        layout: of this kind of model.
        copies: further files by name, copied from where they are; that may be `path` itself.

    Raises:
        AsrError: a file to copy is missing, the disk is full, the place cannot be written, or `path` holds
            something else than a model.
    """
    path = path.resolve()
    check_replaceable(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    retired = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, source in (copies or {}).items():
            _copy(source, partial / name)
        digests = {name: file_digest(partial / name) for name in copies or {}}
        for name, content in (contents | {INDEX: _index_of(contents, digests, layout)}).items():
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


def check_replaceable(path: Path) -> None:
    """Refuse to remove what is no model folder: a mistyped path must not cost a user's data."""
    if path.is_dir() and any(path.iterdir()) and not (path / INDEX).is_file():
        raise AsrError(f"{path}: holds files but no {INDEX}, so it is no model folder; choose another folder")
    if path.exists() and not path.is_dir():
        raise AsrError(f"{path}: a file is there already; choose another folder for the model")


def weights_bytes(weights: Mapping[str, Tensor]) -> bytes:
    """Weights as the content of a safetensors file."""
    # clones, because safetensors refuses tensors that share memory, and two weights may be views of one
    tensors = {name: weight.detach().cpu().contiguous().clone() for name, weight in weights.items()}
    return safetensors.torch.save(tensors)


def _index_of(contents: Mapping[str, bytes], digests: Mapping[str, str], layout: Layout) -> bytes:
    """The index of files by their content, and of those whose digests are known."""
    made = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    index = _Index(format=layout.version, files=dict(sorted((made | dict(digests)).items())))
    return msgspec.json.format(msgspec.json.encode(index)) + b"\n"


def _copy(source: Path, place: Path) -> None:
    """Copy a file of any size, flushed to disk."""
    if not source.is_file():
        raise AsrError(f"{source}: a {place.name} for the model was expected, there is no such file")
    place.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, place)
    with place.open("rb+") as file:
        os.fsync(file.fileno())


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


# --- reading -----------------------------------------------------------------------------------------------


def read_folder(path: Path, layout: Layout, *, verify: bool = True) -> dict[str, bytes]:
    """The content of every file that the index of a model folder lists, each compared with its checksum.

    Args:
        path: the folder.
        layout: of this kind of model. Its `unread` files stay on disk: their content is empty here.
        verify: compare them with their checksums all the same.

    Raises:
        AsrError: no such folder, a file is missing or changed, another version of the layout, or a pickle;
            the sentence names the file.
    """
    try:
        return _checked_contents(path, layout, verify)
    except OSError as error:
        place = error.filename or path
        raise AsrError(f"{place}: cannot be read: {error.strerror}") from error


def _checked_contents(path: Path, layout: Layout, verify: bool) -> dict[str, bytes]:
    if path.suffix.lower() in _PICKLE_SUFFIXES and path.is_file():
        raise AsrError(_pickle_sentence(path, layout))
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise AsrError(f"{path}: a model folder was expected, {found} is there; give the folder with {INDEX}")
    weights = path / WEIGHTS
    if not weights.is_file():
        pickles = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICKLE_SUFFIXES)
        if pickles:
            raise AsrError(_pickle_sentence(pickles[0], layout))
    else:
        with weights.open("rb") as file:
            if file.read(4).startswith(_PICKLE_STARTS):
                raise AsrError(_pickle_sentence(weights, layout))
    index = _read_index(path, layout)
    contents: dict[str, bytes] = {}
    for name, digest in index.files.items():
        if name in layout.unread:
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


def parse_text(path: Path, content: bytes, layout: Layout) -> str:
    """The content of a text file.

    Raises:
        AsrError: not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise AsrError(f"{path}: not UTF-8 text: {error}; {layout.again}") from error


def parse_weights(path: Path, content: bytes, layout: Layout) -> dict[str, Tensor]:
    """The tensors in the content of a safetensors file.

    Raises:
        AsrError: not a safetensors file.
    """
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise AsrError(f"{path}: not a safetensors file ({error}); {layout.again}") from error


def compare_weights(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], origin: str) -> None:
    """Do weights have the names and shapes that a model needs, and finite values?

    Raises:
        AsrError: otherwise; the sentence begins with `origin`.
    """
    for name in sorted(expected.keys() | weights.keys()):
        wanted = "no such weight" if name not in expected else _shape(expected[name])
        found = "no such weight" if name not in weights else _shape(weights[name])
        if wanted != found:
            raise AsrError(
                f"{origin}: the weights do not fit the configuration and the tokens: {name}: expected "
                f"{wanted}, found {found}"
            )
        total = weights[name].detach().double().abs().sum()
        if not math.isfinite(float(total)):
            raise AsrError(f"{origin}: {name} holds values that are not finite; the training went astray")


def _read_index(path: Path, layout: Layout) -> _Index:
    raw = _read(path / INDEX)
    try:
        told = msgspec.json.decode(raw, type=dict[str, Any])
        found, listed = told.get("format"), told.get("files")
        # The names first, since models of another kind have versions of their own.
        for name in listed if isinstance(listed, dict) else ():
            if Path(name).name != name and name not in layout.unread:
                raise AsrError(f"{path / INDEX}: lists {name}, which is outside of the model folder")
        for name in layout.required:
            if isinstance(listed, dict) and name not in listed:
                raise AsrError(f"{path / INDEX}: does not list {name}; {layout.again}")
        if not isinstance(found, int) or not 1 <= found <= layout.version:
            raise AsrError(
                f"{path / INDEX}: model format {layout.version} or an earlier one was expected, {found} was "
                f"found; use the version of asr that made this model, or {layout.again}"
            )
        index = msgspec.json.decode(raw, type=_Index)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AsrError(f"{path / INDEX}: damaged: {error}; copy the model folder again") from error
    return index


def _require(path: Path) -> None:
    if not path.exists():
        raise AsrError(f"{path.parent}: not a whole model folder: {path.name} is missing")


def _read(path: Path) -> bytes:
    _require(path)
    return path.read_bytes()


def _shape(weight: Tensor) -> str:
    return "×".join(str(size) for size in weight.shape) or "a single number"


def _pickle_sentence(path: Path, layout: Layout) -> str:
    return (
        f"{path}: a pickle, which can run any code when it is opened, so it is refused; a model folder with "
        f"{WEIGHTS} was expected: {layout.again} with {layout.maker}"
    )
