"""Sound files made on the spot, for the tests of the corpus room."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

AudioMaker = Callable[..., Path]


@pytest.fixture
def make_audio() -> AudioMaker:
    """Writes a quiet tone of so many seconds; the suffix of the path is the format."""

    def make(path: Path, seconds: float = 0.5, sample_rate: int = 16000) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        times = np.arange(round(seconds * sample_rate)) / sample_rate
        soundfile.write(path, 0.1 * np.sin(2 * np.pi * 440 * times), sample_rate)
        return path

    return make
