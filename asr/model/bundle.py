"""A trained model on disk: one folder of plain files, each with a checksum, and nothing that can run code.

    model.safetensors   weights, float32
    config.toml         the configuration it was trained with, every key written out
    tokens.txt          one unit a line; line 1 is CTC's blank
    lexicon.txt, …      what the units need beside their tokens (`UnitsConfig.files`), where they are phones
    cmvn.json           mean and standard deviation of each feature, where `features.cmvn` is "global"
    card.md             data, ids, WER: what a reader should know before trusting the model
    bundle.json         version of this layout, sha256 of every file above

A pickle (`.pt`, `.pth`, `.ckpt`) can run any code when it is opened: it is refused, never opened.
"""

import hashlib
import os
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.config import Config, dump_config, parse_config
from asr.errors import AsrError
from asr.files import write_error
from asr.model.acoustic import AcousticModel
from asr.model.consistency import check_cmvn, check_tokens, check_unit_files, check_weights, untrained_model

FORMAT_VERSION = 1
WEIGHTS = "model.safetensors"
CONFIG = "config.toml"
TOKENS = "tokens.txt"
CMVN = "cmvn.json"
CARD = "card.md"
INDEX = "bundle.json"

_PICKLE_SUFFIXES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".bin"}
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of `torch.save`'s zip archive and of a bare pickle; a safetensors file starts with the length
of its header, which never looks like these."""


class _Index(msgspec.Struct, frozen=True, kw_only=True):
    """bundle.json: `files` maps each name to the sha256 of its content."""

    format: int
    files: dict[str, str]


class _Cmvn(msgspec.Struct, frozen=True, kw_only=True):
    """cmvn.json: F values each."""

    mean: list[float]
    std: list[float]


@dataclass(frozen=True)
class Bundle:
    """Everything that recognition needs.

    Attributes:
        config: the configuration the model was trained with.
        tokens: C names of the classes; number 0 is the blank.
        cmvn_mean, cmvn_std: (F,) each, where `config.features.cmvn` is "global"; otherwise None.
        weights: the model's `state_dict`.
        card: Markdown about data, ids and WER; `save_bundle` takes its own.
        unit_files: contents by name of what the units need beside the tokens.
    """

    config: Config
    tokens: list[str]
    cmvn_mean: NDArray[np.float32] | None
    cmvn_std: NDArray[np.float32] | None
    weights: Mapping[str, Tensor]
    card: str = ""
    unit_files: Mapping[str, bytes] = field(default_factory=dict)

    def build_model(self) -> AcousticModel:
        """The model with these weights, on the CPU and in evaluation mode.

        Raises:
            AsrError: the weights do not fit the configuration.
        """
        check_weights(self.config, len(self.tokens), self.weights, "the model")
        with torch.random.fork_rng(devices=[]):  # whoever loads a model keeps their random numbers
            model = untrained_model(self.config, len(self.tokens))
        model.load_state_dict(self.weights)
        return model.eval()


def save_bundle(path: Path, bundle: Bundle, card: str) -> None:
    """Write a model folder; a reader meets the whole old one or the whole new one.

    The files go into a temporary folder beside `path`, are flushed to disk, and the folder is renamed. A
    model folder that is there already is moved aside for that instant, and removed only after it.

    Args:
        path: the folder to make or to replace.
        bundle: what goes into it.
        card: Markdown about data, ids and WER.

    Raises:
        AsrError: the bundle would not load again, the disk is full, the place cannot be written, or `path`
            holds something else than a model.
    """
    path = path.resolve()
    contents = _contents(bundle, card)
    _check_replaceable(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    retired = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in contents.items():
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


def load_bundle(path: Path) -> Bundle:
    """Read a model folder and check all of it.

    Raises:
        AsrError: no such folder, a file is missing or changed, another version of the layout, a pickle, or
            parts that do not fit each other; the sentence names the file.
    """
    if path.suffix.lower() in _PICKLE_SUFFIXES and path.is_file():
        raise AsrError(_pickle_sentence(path))
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise AsrError(f"{path}: a model folder was expected, {found} is there; give the folder with {INDEX}")
    contents = _read_checked(path)
    config = _parse_config(path, contents[CONFIG])
    tokens = _decode(path / TOKENS, contents[TOKENS]).removesuffix("\n").split("\n")
    check_tokens(tokens, str(path / TOKENS))
    mean, std = _parse_cmvn(path, config, contents.get(CMVN))
    weights = _parse_weights(path / WEIGHTS, contents[WEIGHTS])
    check_weights(config, len(tokens), weights, str(path / WEIGHTS))
    unit_files = {name: contents[name] for name in config.units.files if name in contents}
    check_unit_files(config, unit_files, str(path))
    return Bundle(config, tokens, mean, std, weights, _decode(path / CARD, contents[CARD]), unit_files)


# --- writing -----------------------------------------------------------------------------------------------


def _contents(bundle: Bundle, card: str) -> dict[str, bytes]:
    """Every file of the folder, by name. The bundle passes the checks that loading it would make."""
    check_tokens(bundle.tokens, TOKENS)
    check_cmvn(bundle.config, bundle.cmvn_mean, bundle.cmvn_std, CMVN)
    check_weights(bundle.config, len(bundle.tokens), bundle.weights, WEIGHTS)
    check_unit_files(bundle.config, bundle.unit_files, "the model")
    # clones, because safetensors refuses tensors that share memory, and two weights may be views of one
    tensors = {name: weight.detach().cpu().contiguous().clone() for name, weight in bundle.weights.items()}
    files = {
        WEIGHTS: safetensors.torch.save(tensors),
        CONFIG: dump_config(bundle.config).encode(),
        TOKENS: ("\n".join(bundle.tokens) + "\n").encode(),
        CARD: card.encode(),
        **bundle.unit_files,
    }
    if bundle.cmvn_mean is not None and bundle.cmvn_std is not None:
        cmvn = _Cmvn(mean=bundle.cmvn_mean.tolist(), std=bundle.cmvn_std.tolist())
        files[CMVN] = msgspec.json.format(msgspec.json.encode(cmvn))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    index = _Index(format=FORMAT_VERSION, files=digests)
    return files | {INDEX: msgspec.json.format(msgspec.json.encode(index)) + b"\n"}


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


# --- reading -----------------------------------------------------------------------------------------------


def _read_checked(path: Path) -> dict[str, bytes]:
    """Content of every file that bundle.json lists, each compared with its checksum."""
    weights = path / WEIGHTS
    if not weights.is_file():
        pickles = sorted(file for file in path.iterdir() if file.suffix.lower() in _PICKLE_SUFFIXES)
        if pickles:
            raise AsrError(_pickle_sentence(pickles[0]))
    else:
        with weights.open("rb") as file:
            if file.read(4).startswith(_PICKLE_STARTS):
                raise AsrError(_pickle_sentence(weights))
    index = _read_index(path)
    contents = {name: _read(path / name) for name in index.files}
    for name, digest in index.files.items():
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            raise AsrError(
                f"{path / name}: its content differs from the checksum in {INDEX}; the file was changed or "
                "damaged after the model was made: copy the model folder again"
            )
    return contents


def _read_index(path: Path) -> _Index:
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
    for name in (WEIGHTS, CONFIG, TOKENS, CARD):
        if name not in index.files:
            raise AsrError(f"{path / INDEX}: does not list {name}; export the model again")
    return index


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise AsrError(f"{path.parent}: not a whole model folder: {path.name} is missing") from error
    except OSError as error:
        raise AsrError(f"{path}: cannot be read: {error.strerror}") from error


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise AsrError(f"{path}: not UTF-8 text: {error}; export the model again") from error


def _parse_config(path: Path, content: bytes) -> Config:
    try:
        tree = tomllib.loads(_decode(path / CONFIG, content))
    except tomllib.TOMLDecodeError as error:
        raise AsrError(f"{path / CONFIG}: not a TOML file: {error}; export the model again") from error
    return parse_config(tree, str(path / CONFIG))


def _parse_cmvn(
    path: Path, config: Config, content: bytes | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | tuple[None, None]:
    if content is None:
        check_cmvn(config, None, None, str(path / CMVN))
        return None, None
    try:
        stats = msgspec.json.decode(content, type=_Cmvn)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AsrError(f"{path / CMVN}: damaged: {error}; export the model again") from error
    mean, std = np.array(stats.mean, np.float32), np.array(stats.std, np.float32)
    check_cmvn(config, mean, std, str(path / CMVN))
    return mean, std


def _parse_weights(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise AsrError(f"{path}: not a safetensors file ({error}); export the model again") from error


def _pickle_sentence(path: Path) -> str:
    return (
        f"{path}: a pickle, which can run any code when it is opened, so it is refused; a model folder with "
        f"{WEIGHTS} was expected: export the model again with recipes/steps/10_export.py"
    )
