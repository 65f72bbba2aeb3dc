"""What a model hears in a set of utterances, kept on disk: searched many times, computed once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from asr.files import write_bytes

Floats = NDArray[np.float32]


class Heard(NamedTuple):
    """Log-probabilities of utterances, (T', C) each."""

    utt_ids: list[str]
    rows: list[Floats]


def write_heard(path: Path, heard: Heard, origin: str) -> None:
    """Write log-probabilities; `origin` says what they were computed from.

    Raises:
        AsrError: the file cannot be written.
    """
    lens = np.array([len(row) for row in heard.rows], np.int64)
    tensors: dict[str, NDArray[Any]] = {"log_probs": np.concatenate(heard.rows), "lens": lens}
    metadata = {"origin": origin, "utt_ids": "\n".join(heard.utt_ids)}
    write_bytes(path, safetensors.numpy.save(tensors, metadata))


def read_heard(path: Path, origin: str) -> Heard | None:
    """Read what `write_heard` wrote; None where it is not there, damaged, or of another origin."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("origin") != origin:
                return None
            log_probs, lens = file.get_tensor("log_probs"), file.get_tensor("lens")
    except (OSError, safetensors.SafetensorError):
        return None
    return Heard(metadata["utt_ids"].split("\n"), list(_cut(log_probs, lens.tolist())))


def _cut(log_probs: Floats, lens: Sequence[int]) -> Iterator[Floats]:
    begin = 0
    for length in lens:
        yield log_probs[begin : begin + length]
        begin += length
