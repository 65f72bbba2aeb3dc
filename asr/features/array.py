"""Samples that are in memory already, as a waveform."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from asr.errors import AsrError
from asr.features.audio import resample

MAX_CHANNELS = 64
"""More columns than this are samples: the array is the wrong way round."""


def waveform_of(samples: NDArray[Any] | Tensor, *, rate: int, sample_rate: int) -> NDArray[np.float32]:
    """Turn samples of any type, rate and number of channels into a waveform.

    Args:
        samples: (S,), or (S, channels) as soundfile gives them: floats within [-1, 1], or integers, whose
            full scale is that of their type.
        rate: of the samples, in Hz.
        sample_rate: of the result, in Hz.

    Returns:
        waveform (S,), float32, mono.

    Raises:
        AsrError: these are no samples, or some are not finite.
    """
    array = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else np.asarray(samples)
    if array.ndim not in (1, 2) or 0 in array.shape[1:] or array.dtype.kind not in "fiu":
        raise AsrError(f"array: samples (S,) or (S, channels) expected, found {array.shape} of {array.dtype}")
    if array.ndim == 2 and array.shape[1] > MAX_CHANNELS:
        raise AsrError(f"array: samples (S, channels) expected, found {array.shape}; transpose the array")
    if rate <= 0:
        raise AsrError(f"array: a sample rate above 0 Hz expected, found {rate}")
    waveform = _scaled(array)
    if not np.isfinite(waveform).all():
        raise AsrError("array: some samples are not finite numbers; look where they come from")
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1)
    return np.ascontiguousarray(resample(waveform, rate, sample_rate))


def _scaled(array: NDArray[Any]) -> NDArray[np.float32]:
    """float32 with full scale 1; unsigned integers have their zero in the middle."""
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            return array.astype(np.float32)
    full = 2.0 ** (8 * array.dtype.itemsize - 1)
    zero = full if array.dtype.kind == "u" else 0.0
    return ((array - zero) / full).astype(np.float32)
