"""Speech recognition with a gated recurrent network, step by step.

>>> import asr
>>> recogniser = asr.load()                                # doctest: +SKIP
>>> recogniser.transcribe("meeting.wav").text              # doctest: +SKIP
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asr.transcribe import Recogniser

__version__ = "0.1.0"


def load(model_dir: str | Path | None = None, device: str = "cpu", **options: Any) -> "Recogniser":
    """Load a model folder, ready to transcribe; without one, the model that comes with the package.

    Args:
        model_dir, device, options: as for `asr.transcribe.Recogniser.load`, such as decoder="words", beam=64
            and lm="books.lm".
    """
    from asr.transcribe import Recogniser  # here, because it imports torch: `import asr` stays fast

    return Recogniser.load(model_dir, device, **options)
