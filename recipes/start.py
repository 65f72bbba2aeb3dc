"""What a recipe takes over from the model that its training starts from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asr.config import PLACES
from asr.errors import AsrError
from recipes.recipe import REPOSITORY, Recipe

if TYPE_CHECKING:  # a list of steps is printed without loading torch
    from torch import Tensor

    from asr.features.cmvn import CmvnStats
    from asr.units.kinds import Built


def require_start(recipe: Recipe) -> None:
    """Check, before any work starts, that the model is there and is of this recipe's configuration; and that
    the teachers are there.

    Raises:
        AsrError: otherwise; the sentence says how to name another one.
    """
    for path in recipe.teacher_files:
        if not path.is_file():
            raise AsrError(f"distillation.teachers: {path.parent}: no model is there; train it first")
    if recipe.start is None:
        return
    from asr.training.start import open_start

    if not recipe.start.exists():
        place = f"{recipe.start}: no model is there"
        if recipe.start == REPOSITORY / PLACES[0]:
            place = f"this copy comes without a model ({PLACES[0]}), and the recipe pretrained made none "
            place += f"({PLACES[1]})"
        raise AsrError(
            f"training.start_from: {place}; name the folder of one with --set training.start_from=DIR"
        )
    open_start(recipe.config)


def start_statistics(recipe: Recipe) -> "CmvnStats | None":
    """The mean and deviation of features that the model was trained with; None where there are none."""
    if recipe.start is None:
        return None
    from asr.features.cmvn import CmvnStats
    from asr.model.bundle import load_bundle

    bundle = load_bundle(recipe.start)
    if bundle.cmvn_mean is None or bundle.cmvn_std is None:
        return None
    return CmvnStats.of(bundle.cmvn_mean, bundle.cmvn_std)


def start_units(recipe: Recipe, texts: Sequence[str]) -> "Built | None":
    """The units of the model, where [units] is as it was there; None where new ones are asked for.

    Args:
        recipe: that starts from the model, or not.
        texts: of train, whose characters are added to those of the model.
    """
    if recipe.start is None:
        return None
    from asr.model.bundle import load_bundle
    from asr.units.kinds import continue_units

    bundle = load_bundle(recipe.start)
    if bundle.config.units != recipe.config.units:
        return None
    return continue_units(bundle.config.units, bundle.tokens, bundle.unit_files, texts)


def held_near_start(
    recipe: Recipe, weights: "dict[str, Tensor]", tokens: Sequence[str]
) -> "tuple[dict[str, Tensor], str]":
    """Trained weights mixed with those of the model, by `averaging.start_share`; and what is said of that.

    The rows of classes that the model has not stay as they were trained.
    """
    share = recipe.config.averaging.start_share
    if recipe.start is None or not share:
        return weights, ""
    from asr.model.bundle import load_bundle
    from asr.training.average import mix_with_start
    from asr.training.start import weights_for

    start = weights_for(weights, tokens, recipe.config.units.kind, load_bundle(recipe.start))
    return mix_with_start(weights, start, share), f", {1 - share:g} of it and {share:g} of the start model"
