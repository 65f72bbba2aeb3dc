"""A GRU language model on disk: a folder of plain files, each with a checksum (`asr.model_folder`).

model.safetensors   weights, float32
config.toml         its sizes
words.txt           a word a line; the line is the id: <unk>, <s>, </s>, then from frequent to rare
card.md             text, perplexity: what a reader should know before trusting the model
bundle.json         version of this layout, sha256 of every file above
"""

import tomllib
from pathlib import Path

import msgspec
import tomli_w
import torch

from asr.errors import AsrError
from asr.lm.gru import GruLanguageModel, GruNetwork, GruShape
from asr.lm.tables import SPECIAL
from asr.model_folder import (
    WEIGHTS,
    Layout,
    compare_weights,
    parse_text,
    parse_weights,
    read_folder,
    weights_bytes,
    write_folder,
)

CONFIG, WORDS, CARD = "config.toml", "words.txt", "card.md"
LAYOUT = Layout(
    version=1, required=(WEIGHTS, CONFIG, WORDS, CARD), again="train the model again", maker="asr lm train"
)


def save_gru(path: Path, shape: GruShape, model: GruLanguageModel, card: str) -> None:
    """Write a model folder, or replace one.

    Args:
        shape: of the model's network.
        card: Markdown about text and perplexity.

    Raises:
        AsrError: the model would not load again, or what `asr.model_folder.write_folder` raises.
    """
    weights = model.network.state_dict()
    _check_words(model.vocabulary, shape, WORDS)
    compare_weights(_expected(shape).state_dict(), weights, WEIGHTS)
    contents = {
        WEIGHTS: weights_bytes(weights),
        CONFIG: tomli_w.dumps(msgspec.to_builtins(shape)).encode(),
        WORDS: "".join(f"{word}\n" for word in model.vocabulary).encode(),
        CARD: card.encode(),
    }
    write_folder(path, contents, LAYOUT)


def load_gru(path: Path) -> GruLanguageModel:
    """Read a model folder and check all of it.

    Raises:
        AsrError: what `asr.model_folder.read_folder` raises, or parts that do not fit each other; the
            sentence names the file.
    """
    contents = read_folder(path, LAYOUT)
    shape = _parse_shape(path / CONFIG, contents[CONFIG])
    words = parse_text(path / WORDS, contents[WORDS], LAYOUT).removesuffix("\n").split("\n")
    _check_words(words, shape, str(path / WORDS))
    weights = parse_weights(path / WEIGHTS, contents[WEIGHTS], LAYOUT)
    network = _expected(shape)
    compare_weights(network.state_dict(), weights, str(path / WEIGHTS))
    network.load_state_dict(weights, assign=True)
    return GruLanguageModel(words, network)


def _expected(shape: GruShape) -> GruNetwork:
    """A network without memory for its weights, made without drawing random numbers."""
    with torch.device("meta"):
        return GruNetwork(shape)


def _parse_shape(path: Path, content: bytes) -> GruShape:
    try:
        return msgspec.convert(tomllib.loads(parse_text(path, content, LAYOUT)), GruShape)
    except tomllib.TOMLDecodeError as error:
        raise AsrError(f"{path}: not a TOML file: {error}; {LAYOUT.again}") from error
    except msgspec.ValidationError as error:
        raise AsrError(f"{path}: not the sizes of a GRU language model: {error}; {LAYOUT.again}") from error


def _check_words(words: list[str], shape: GruShape, origin: str) -> None:
    """The special words first, every word once, as many as the network knows."""
    if tuple(words[:3]) != SPECIAL:
        found = " ".join(words[:3])
        raise AsrError(f"{origin}: the first words must be {' '.join(SPECIAL)}, {found!r} was found")
    if len(words) != shape.vocabulary_size:
        raise AsrError(
            f"{origin}: {shape.vocabulary_size} words were expected, {len(words)} were found; {LAYOUT.again}"
        )
    if len(set(words)) < len(words) or any(word.encode().split() != [word.encode()] for word in words):
        raise AsrError(f"{origin}: words must be different from each other, not empty and without spaces")
