"""Units in the experiment folder: those of the output, and those of an intermediate output beside them."""

from pathlib import Path
from typing import TYPE_CHECKING

from recipes.recipe import Recipe

if TYPE_CHECKING:  # a list of steps is printed without loading torch
    from asr.units.kinds import Built, Units


def write_units(built: "Built", folder: Path, recipe: Recipe) -> list[str]:
    """Write units, and return what is told of them."""
    from asr.files import write_bytes
    from asr.units.tokens import write_tokens

    folder.mkdir(exist_ok=True)
    for name, content in built.files.items():
        write_bytes(folder / name, content)
    write_tokens(folder / "tokens.txt", built.tokens)
    return [f"{built.told[0]}; {recipe.shown(folder / 'tokens.txt')}", *built.told[1:]]


def intermediate_units(recipe: Recipe) -> "Units | None":
    """The units of the intermediate output, as step 04 wrote them; None where they are the output's."""
    from asr.units.kinds import load_units
    from asr.units.tokens import read_tokens

    kind, files = recipe.config.intermediate_units, recipe.intermediate_files
    if kind is None:
        return None
    return load_units(kind, read_tokens(files[0]), {path.name: path.read_bytes() for path in files[1:]})
