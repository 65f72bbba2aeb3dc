"""The model that comes with the package: who names no model gets it.

It lies in `model/` beside this file: a compact model folder (`asr.compact`), made by the recipe pretrained. A
copy of the package may come without one; it then says what to do.
"""

import atexit
import shutil
import tempfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from asr.errors import AsrError
from asr.files import write_error

FOLDER = "model"


def chosen_model(given: str | Path | None) -> Path:
    """The folder that was given, or that of the model that comes with the package; errors as for it."""
    return pretrained_model() if given is None else Path(given)


def pretrained_model() -> Path:
    """The folder of the model that comes with the package, which is only read.

    Where the package is a zip file, the model is unpacked to a temporary folder, for as long as the process
    lives.

    Raises:
        AsrError: there is none, or no room to unpack it.
    """
    place = _place()
    if not (place / "bundle.json").is_file():
        raise AsrError(
            "no model was named, and this copy of asr comes without one; name the folder of a model (--model "
            "DIR, or asr.load(DIR)), which a recipe makes in minutes: python recipes/run.py quickstart"
        )
    return place if isinstance(place, Path) else _unpacked(place)


def _place() -> Traversable:
    return resources.files(__name__) / FOLDER


def _unpacked(place: Traversable) -> Path:
    folder = Path(tempfile.gettempdir())
    try:
        folder = Path(tempfile.mkdtemp(prefix="asr-model-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for file in place.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    except OSError as error:
        raise write_error(folder, error) from error
    return folder
