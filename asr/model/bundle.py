"""A trained model on disk: one folder of plain files, each with a checksum, and nothing that can run code.

    model.safetensors   weights, float32; or matrices in 8 bits with a step a row (`asr.model.quantise`)
    config.toml         the configuration it was trained with, every key written out
    tokens.txt          one unit a line; line 1 is CTC's blank
    lexicon.txt, …      what the units need beside their tokens (`UnitsConfig.files`), where they are phones;
                        cmudict.json in its place says that CMUdict is the lexicon (`asr.units.compact`)
    cmvn.json           mean and standard deviation of each feature, where `features.cmvn` is "global"
    words.txt           the words that `decoding.method = "words"` may read, spelled in units (optional)
    words.lm            a language model of words in its compact form (optional)
    gru/                a GRU language model, a model folder itself, for a second look at words (optional)
    card.md             data, ids, WER: what a reader should know before trusting the model
    bundle.json         version of this layout, sha256 of every file above (`asr.model_folder`)

A pickle (`.pt`, `.pth`, `.ckpt`) can run any code when it is opened: it is refused, never opened.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.config import Config, dump_config, parse_config
from asr.errors import AsrError
from asr.model.acoustic import AcousticModel
from asr.model.consistency import check_cmvn, check_tokens, check_unit_files, check_weights, untrained_model
from asr.model.quantise import in_int8, restored
from asr.model_folder import (
    WEIGHTS,
    Layout,
    parse_text,
    parse_weights,
    read_folder,
    weights_bytes,
    write_folder,
)

FORMAT_VERSION = 2
"""Version 1 had no weights in 8 bits and no cmudict.json."""
CONFIG = "config.toml"
TOKENS = "tokens.txt"
CMVN = "cmvn.json"
CARD = "card.md"
WORDS = "words.txt"
LANGUAGE_MODEL = "words.lm"
GRU = "gru"
GRU_FILES = ("model.safetensors", "config.toml", "words.txt", "card.md", "bundle.json")
"""What `asr.lm.gru_folder` writes."""
LAYOUT = Layout(
    FORMAT_VERSION,
    required=(WEIGHTS, CONFIG, TOKENS, CARD),
    again="export the model again",
    maker="recipes/steps/10_export.py",
    unread=(LANGUAGE_MODEL, *(f"{GRU}/{name}" for name in GRU_FILES)),
)


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
        lexicon, lm: files of the words and of their language model, which whoever decodes with them opens;
            None where there is none.
        gru: folder of a GRU language model, likewise.
        unit_files: contents by name of what the units need beside the tokens.
        is_quantised: whether the weights are multiples of a step a row, which `save_bundle` keeps in 8 bits
            (`asr.model.quantise.quantise`).
    """

    config: Config
    tokens: list[str]
    cmvn_mean: NDArray[np.float32] | None
    cmvn_std: NDArray[np.float32] | None
    weights: Mapping[str, Tensor]
    card: str = ""
    lexicon: Path | None = None
    lm: Path | None = None
    unit_files: Mapping[str, bytes] = field(default_factory=dict)
    gru: Path | None = None
    is_quantised: bool = False

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

    Args:
        path: the folder to make or to replace.
        bundle: what goes into it.
        card: Markdown about data, ids and WER.

    Raises:
        AsrError: the bundle would not load again, or what `asr.model_folder.write_folder` raises.
    """
    places = {WORDS: bundle.lexicon, LANGUAGE_MODEL: bundle.lm}
    copies = {name: place for name, place in places.items() if place is not None}
    if bundle.gru is not None:
        copies |= {f"{GRU}/{name}": bundle.gru / name for name in GRU_FILES}
    write_folder(path, _contents(bundle, card), LAYOUT, copies)


def load_bundle(path: Path, *, verify: bool = False) -> Bundle:
    """Read a model folder and check all of it, but for the language models, which may be large.

    Args:
        path: the folder.
        verify: compare the language models with their checksums too.

    Raises:
        AsrError: what `asr.model_folder.read_folder` raises, or parts that do not fit each other; the
            sentence names the file.
    """
    contents = read_folder(path, LAYOUT, verify=verify)
    config = _parse_config(path, contents[CONFIG])
    tokens = parse_text(path / TOKENS, contents[TOKENS], LAYOUT).removesuffix("\n").split("\n")
    check_tokens(tokens, str(path / TOKENS))
    mean, std = _parse_cmvn(path, config, contents.get(CMVN))
    kept = parse_weights(path / WEIGHTS, contents[WEIGHTS], LAYOUT)
    weights = restored(kept, str(path / WEIGHTS))
    check_weights(config, len(tokens), weights, str(path / WEIGHTS))
    names = {*config.units.files, *config.units.compact_files}
    unit_files = {name: content for name, content in contents.items() if name in names}
    check_unit_files(config, unit_files, str(path))
    card = parse_text(path / CARD, contents[CARD], LAYOUT)
    lexicon, lm = (path / name if name in contents else None for name in (WORDS, LANGUAGE_MODEL))
    gru = path / GRU if f"{GRU}/{GRU_FILES[0]}" in contents else None
    is_quantised = any(weight.dtype == torch.int8 for weight in kept.values())
    return Bundle(config, tokens, mean, std, weights, card, lexicon, lm, unit_files, gru, is_quantised)


def _contents(bundle: Bundle, card: str) -> dict[str, bytes]:
    """Every file of the folder, by name. The bundle passes the checks that loading it would make."""
    check_tokens(bundle.tokens, TOKENS)
    check_cmvn(bundle.config, bundle.cmvn_mean, bundle.cmvn_std, CMVN)
    check_weights(bundle.config, len(bundle.tokens), bundle.weights, WEIGHTS)
    check_unit_files(bundle.config, bundle.unit_files, "the model")
    files = {
        WEIGHTS: weights_bytes(in_int8(bundle.weights) if bundle.is_quantised else bundle.weights),
        CONFIG: dump_config(bundle.config).encode(),
        TOKENS: ("\n".join(bundle.tokens) + "\n").encode(),
        CARD: card.encode(),
        **bundle.unit_files,
    }
    if bundle.cmvn_mean is not None and bundle.cmvn_std is not None:
        cmvn = _Cmvn(mean=bundle.cmvn_mean.tolist(), std=bundle.cmvn_std.tolist())
        files[CMVN] = msgspec.json.format(msgspec.json.encode(cmvn))
    return files


def _parse_config(path: Path, content: bytes) -> Config:
    try:
        tree = tomllib.loads(parse_text(path / CONFIG, content, LAYOUT))
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
