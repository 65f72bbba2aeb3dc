"""What a training that starts from a model takes over from the configuration of that model."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from asr.config.part import Part
from asr.errors import AsrError

KEPT = ("features", "model")
"""Parts that must be those of the model, since its weights were learnt with them."""

FREE = {("model", "dropout"), ("model", "layer_drop")}
"""What may change all the same: no weight depends on it."""

PRETRAINED = "pretrained"
"""In place of a folder: the first of `PLACES` with a model."""

PLACES = ("asr/pretrained/model", "data/exp/pretrained/model")
"""The model that comes with the package, and that of the recipe which makes it."""

WORDS = "words.lm"
GRU = "gru/bundle.json"
"""What a model folder has where it reads words, and where it rescores them."""


def inherit(tree: dict[str, Any], root: Path) -> None:
    """Fill in what a configuration leaves out, from the model in `training.start_from`, in place.

    The folders in `distillation.teachers` become absolute paths too.

    Of [features] and [model] it is each key that is not written, of [units] all of it or nothing. Where the
    units are of the same kind it is also how the model was trained and how it reads: each key of the
    criterion, [crf] and [decoding], and its language model. A folder that is not there changes nothing, so
    that a configuration can be read without it.

    Args:
        tree: a nested dictionary; `training.start_from` becomes an absolute path if `root` is one, that of
            the model which `PRETRAINED` stands for.
        root: where a relative path counts from.

    Raises:
        AsrError: the folder's config.toml cannot be read.
    """
    distillation = tree.get("distillation")
    teachers = distillation.get("teachers") if isinstance(distillation, dict) else None
    if isinstance(distillation, dict) and isinstance(teachers, list):
        distillation["teachers"] = [str(root / name) if isinstance(name, str) else name for name in teachers]
    training = tree.get("training")
    start = training.get("start_from") if isinstance(training, dict) else None
    if not isinstance(training, dict) or not isinstance(start, str) or not start:
        return
    folder = pretrained(root) if start == PRETRAINED else root / start
    training["start_from"] = str(folder)
    path = folder / "config.toml"
    if not path.is_file():
        return
    try:
        theirs = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AsrError(
            f"training.start_from: {path}: cannot be read ({error}); export the model again"
        ) from error
    for part in KEPT:
        written = tree.get(part, {})
        if isinstance(written, dict):
            tree[part] = theirs.get(part, {}) | written
    tree.setdefault("units", theirs.get("units", {}))
    if _kind(tree) == _kind(theirs):
        _inherit_criterion(tree, theirs)
        _inherit_words(tree, theirs, folder)


def pretrained(root: Path) -> Path:
    """The first of `PLACES` below `root` that has a model; the first of all where none has."""
    folders = [root / place for place in PLACES]
    return next((folder for folder in folders if (folder / "bundle.json").is_file()), folders[0])


def _kind(tree: Mapping[str, Any]) -> Any:
    """Of the units, as a tree says it."""
    units = tree.get("units", {})
    return units.get("kind", "characters") if isinstance(units, dict) else None


def _inherit_criterion(tree: dict[str, Any], theirs: Mapping[str, Any]) -> None:
    """With another criterion the search would weigh the sound wrongly: CTC-CRF counts on a language model."""
    criterion = theirs.get("training", {}).get("criterion", "ctc")
    written = tree.get("crf", {})
    if tree["training"].setdefault("criterion", criterion) == criterion and isinstance(written, dict):
        tree["crf"] = theirs.get("crf", {}) | written


def _inherit_words(tree: dict[str, Any], theirs: Mapping[str, Any], folder: Path) -> None:
    """The language model, and the settings of the search, which were found for it.

    `decoding.also` is a recipe's, not the model's. The weights of a second look belong to the model's own
    language models.
    """
    model, written = tree.setdefault("language_model", {}), tree.get("decoding", {})
    if not (isinstance(model, dict) and isinstance(written, dict)):
        return
    if (folder / WORDS).is_file():
        model.setdefault("source", "start")
    source = model.get("source", "none")
    decoding = {key: value for key, value in theirs.get("decoding", {}).items() if key != "also"}
    if source != "start" or not (folder / GRU).is_file():
        decoding["gru_share"] = 0.0
    if source != "none" or decoding.get("method") != "words":
        tree["decoding"] = decoding | written


def differing_keys(parts: Mapping[str, Part], theirs: Mapping[str, Part]) -> list[tuple[str, Any, Any]]:
    """Where two configurations differ that should not: (part.key, own value, the model's value).

    Args:
        parts, theirs: the parts in `KEPT`, by name.
    """
    return [
        (f"{part}.{key}", value, other[key])
        for part in KEPT
        for other in [msgspec.to_builtins(theirs[part])]
        for key, value in msgspec.to_builtins(parts[part]).items()
        if value != other[key] and (part, key) not in FREE
    ]
