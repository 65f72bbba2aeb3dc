"""A light room, background noise and a recording level for synthesised speech, from a seeded generator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.floating[Any]]  # float32 throughout: it is accurate enough and twice as fast

LEVEL_DB = (-29.0, -19.0)  # RMS of the speech, against full scale
LARGEST_PEAK = 0.9
NOISE_SNR_DB = (25.0, 45.0)
NOISE_TILT = (0.0, 2.0)  # exponent of 1/f in the noise's power: 0 white, 1 pink, 2 brown
ROOM_SHARE = 0.3  # of utterances that are heard in a room
ROOM_SECONDS = (0.1, 0.3)  # time in which the reverberation falls by 60 dB
ROOM_DIRECT_DB = (9.0, 18.0)  # direct sound over reverberation
SILENCE_SECONDS = (0.1, 0.4)  # before and after the speech


def record(speech: Signal, *, sample_rate: int, rng: np.random.Generator) -> tuple[NDArray[np.int16], float]:
    """Turn clean speech into a recording.

    Args:
        speech: (S,), any scale, not all zero.
        sample_rate: in Hz.
        rng: decides on room, level, noise and the silence around the speech.

    Returns:
        16-bit samples (S',) with S' > S, and where the speech begins, in seconds.
    """
    lead, trail = (int(seconds * sample_rate) for seconds in rng.uniform(*SILENCE_SECONDS, size=2))
    signal = np.pad(speech, (lead, trail))
    if rng.random() < ROOM_SHARE:
        signal = _convolve(signal, room_response(sample_rate, rng))
    spoken = slice(lead, lead + len(speech))
    signal = signal * (_amplitude(rng.uniform(*LEVEL_DB)) / _rms(signal[spoken]))
    signal = signal * min(1.0, LARGEST_PEAK / np.abs(signal).max())
    noise_rms = _rms(signal[spoken]) / _amplitude(rng.uniform(*NOISE_SNR_DB))
    signal = signal + noise_rms * coloured_noise(len(signal), rng.uniform(*NOISE_TILT), rng)
    return np.rint(np.clip(signal, -1, 1) * 32767).astype(np.int16), lead / sample_rate


def room_response(sample_rate: int, rng: np.random.Generator) -> Signal:
    """A simple room: the direct sound, then noise that decays exponentially.

    The direct sound is the first sample, so the room delays nothing.
    """
    seconds = rng.uniform(*ROOM_SECONDS)
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    response = rng.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    response[: int(0.002 * sample_rate)] = 0  # no wall is nearer than about 30 cm
    response /= np.sqrt(np.sum(response**2)) * _amplitude(rng.uniform(*ROOM_DIRECT_DB))
    response[0] = 1
    return response.astype(np.float32)


def coloured_noise(samples: int, tilt: float, rng: np.random.Generator) -> Signal:
    """Noise of RMS 1 whose power falls as 1/f^tilt; flat below a hundredth of the sample rate."""
    size = _power_of_two(samples)  # other lengths can be slow to transform
    spectrum = rng.standard_normal(size + 2, dtype=np.float32).view(np.complex64)
    frequencies = np.maximum(np.fft.rfftfreq(size), 0.01).astype(np.float32)
    noise = np.fft.irfft(spectrum * frequencies ** np.float32(-tilt / 2), size)[:samples]
    return noise / _rms(noise)


def _convolve(signal: Signal, response: Signal) -> Signal:
    """The signal in the room, as long as it was."""
    size = _power_of_two(len(signal) + len(response))
    product = np.fft.rfft(signal, size) * np.fft.rfft(response, size)
    return np.fft.irfft(product, size)[: len(signal)]


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


def _amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))
