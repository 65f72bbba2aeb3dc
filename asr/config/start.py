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


def inherit(tree: dict[str, Any], root: Path) -> None:
    """Fill in what a configuration leaves out, from the model in `training.start_from`, in place.

    The folders in `distillation.teachers` become absolute paths too.

    Of [features] and [model] it is each key that is not written, of [units] all of it or nothing. A folder
    that is not there changes nothing, so that a configuration can be read without it.

    Args:
        tree: a nested dictionary; `training.start_from` becomes an absolute path if `root` is one.
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
    training["start_from"] = str(root / start)
    path = root / start / "config.toml"
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
