"""Beginning with the weights of a model that is there, instead of random ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from asr.config import Config, differing_keys
from asr.errors import AsrError
from asr.files import file_digest
from asr.model.acoustic import AcousticModel
from asr.model.bundle import Bundle, load_bundle
from asr.model_folder import INDEX

OUTPUT = ("output.weight", "output.bias")
"""The weights with a row for each class."""


def open_start(config: Config) -> tuple[Bundle, str] | None:
    """The model in `training.start_from`, and a digest of all its files; None where none is named.

    Raises:
        AsrError: no model is there, it is damaged, or the configuration is not the one that it was trained
            with; the sentence names the key and both values.
    """
    if not config.training.start_from:
        return None
    path = Path(config.training.start_from)
    try:
        bundle = load_bundle(path)
    except AsrError as error:
        raise AsrError(f"training.start_from: {error}") from error
    check_same(config, bundle.config, path)
    return bundle, file_digest(path / INDEX)


def check_same(config: Config, theirs: Config, path: Path) -> None:
    """Are features and model those of the model in the folder `path`?

    Raises:
        AsrError: otherwise.
    """
    parts = ({"features": one.features, "model": one.model} for one in (config, theirs))
    for key, found, expected in differing_keys(*parts):
        raise AsrError(
            f"training.start_from: {path} was trained with {key} = {_toml(expected)}, and the configuration "
            f"says {_toml(found)}; leave {key} out to take the model's own"
        )


def copy_weights(model: AcousticModel, tokens: Sequence[str], kind: str, bundle: Bundle) -> str:
    """Put the weights of a bundle into a new model.

    Where the classes are others, the output layer keeps, of units of the same kind, the rows of the classes
    that have the same name, and what the new model has for the others; of another kind it keeps nothing,
    since a character and a phone of the same name are different things.

    Args:
        model: of the bundle's sizes, but for the number of classes C.
        tokens: C names of its classes.
        kind: of its units.
        bundle: the model to start from.

    Returns:
        what was copied and what is new, in words.
    """
    copied = weights_for(model.state_dict(), tokens, kind, bundle)
    model.load_state_dict(copied)
    known = set(bundle.tokens) if kind == bundle.config.units.kind else set[str]()
    both = [token for token in tokens if token in known]
    told = f"{len(copied) - len(OUTPUT)} weights copied"
    if list(tokens) == list(bundle.tokens) and known:
        return f"{told}, and the output layer with its {len(tokens)} classes"
    if not known:
        return f"{told}; the output layer is new: {len(tokens)} classes, of another kind of units"
    new = [token for token in tokens if token not in known]
    gone = [token for token in bundle.tokens if token not in set(tokens)]
    parts = [f"of the output layer {len(both)} classes copied"]
    parts += [f"{len(new)} new: {_few(new)}"] if new else []
    parts += [f"{len(gone)} left out: {_few(gone)}"] if gone else []
    return f"{told}; {', '.join(parts)}"


def weights_for(
    weights: Mapping[str, Tensor], tokens: Sequence[str], kind: str, bundle: Bundle
) -> dict[str, Tensor]:
    """The weights of a bundle for a model of these classes, whose own `weights` give what the bundle lacks.

    Args:
        weights: of the model, by name; of their output layer the rows of new classes are taken.
        tokens, kind, bundle: as for `copy_weights`.
    """
    found = {name: weight for name, weight in bundle.weights.items() if name not in OUTPUT}
    known: dict[str, int] = {}
    if kind == bundle.config.units.kind:
        known = {token: place for place, token in enumerate(bundle.tokens)}
    ours = torch.tensor([place for place, token in enumerate(tokens) if token in known], dtype=torch.long)
    theirs = torch.tensor([known[token] for token in tokens if token in known], dtype=torch.long)
    for name in OUTPUT:
        rows = weights[name].clone()
        rows[ours] = bundle.weights[name][theirs]
        found[name] = rows
    return found


def told_of_criterion(config: Config, theirs: Config) -> str:
    """What is made small, and whether the model that the training starts from was trained so."""
    own, before = config.training.criterion, theirs.training.criterion
    if own != before:
        return (
            f"criterion {own}, where the model was trained with {before}: its search may weigh sound wrongly"
        )
    if own == "ctc_crf" and config.crf != theirs.crf:
        return f"criterion {own}, as the model was trained with, and another [crf]"
    return f"criterion {own}, as the model was trained with"


def _few(tokens: Sequence[str]) -> str:
    """Some of the tokens; there may be thousands of pieces."""
    shown = 40
    return " ".join(tokens[:shown]) + (" …" if len(tokens) > shown else "")


def _toml(value: object) -> str:
    """A value as it is written in the configuration."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
