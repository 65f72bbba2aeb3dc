"""Changes of the waveform in training, seeded by utterance and epoch: speed, room, noise, line, level, codec.

They follow the way that sound takes: the voice (speed), the room (reverberation), what else sounds there
(noise), the line (low-pass, then telephone), the level of the recording (gain) and the file that keeps it
(codec).
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import soxr
import torch
from torch import Tensor

from asr.errors import AsrError
from asr.features.codec import LEVELS, MP3_RATES, through_codec

NOISES = ("white", "pink", "babble")
LOWPASS_HZ = (3400.0, 7000.0)
TELEPHONE_HZ = (300.0, 3400.0)
REVERB_SECONDS = (0.1, 0.5)
"""Time in which the room's sound falls by 60 dB."""
DIRECT_DB = (0.0, 15.0)
"""Energy of the direct sound against the room's."""

_MU = 255.0  # ITU-T G.711, as a smooth curve
_NARROW_RATE = 8000
_FILTER_TAPS = 511


def rng_for(seed: int, epoch: int, utt_id: str) -> np.random.Generator:
    """The random numbers of one utterance in one epoch: the same on every machine and in any order."""
    digest = hashlib.blake2b(f"{seed}:{epoch}:{utt_id}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


class WaveformAugment:
    """Waveform (S,) -> waveform (S',); S' = S / speed, all other changes keep S and the times of words.

    Args:
        speeds: one is drawn for each utterance; 1.1 is faster and higher.
        gain_db: largest change of level, up or down, in dB.
        noise, lowpass, telephone, reverb, codec: probability of each change.
        noise_snr_db: lowest and highest signal-to-noise ratio.
        sample_rate: in Hz.
        clean_epochs: at the beginning, in which none of these five changes is made: a curriculum from clean
            speech to damaged.

    Raises:
        AsrError: `lowpass` or `telephone` at a sample rate that leaves nothing to cut off, `codec` at one
            that MP3 does not have.
    """

    def __init__(
        self,
        *,
        speeds: Sequence[float],
        gain_db: float,
        noise: float,
        noise_snr_db: tuple[float, float],
        lowpass: float,
        telephone: float,
        reverb: float,
        sample_rate: int,
        codec: float = 0.0,
        clean_epochs: int = 0,
    ) -> None:
        if (lowpass or telephone) and sample_rate < _NARROW_RATE:
            raise AsrError(
                f"augment: lowpass and telephone need a sample rate of {_NARROW_RATE} Hz or more, found "
                f"{sample_rate} Hz; set both to 0"
            )
        if codec and sample_rate not in MP3_RATES:
            raise AsrError(
                f"augment: codec needs a sample rate that MP3 has ({', '.join(map(str, MP3_RATES))} Hz), "
                f"found {sample_rate} Hz; set it to 0"
            )
        self.speeds = tuple(speeds)
        self.gain_db = gain_db
        self.noise = noise
        self.noise_snr_db = noise_snr_db
        self.lowpass = lowpass
        self.telephone = telephone
        self.reverb = reverb
        self.codec = codec
        self.clean_epochs = clean_epochs
        self.sample_rate = sample_rate

    def __call__(self, waveform: Tensor, rng: np.random.Generator, epoch: int = 0) -> Tensor:
        """Change one utterance; which changes happen is drawn first, then their details, in the room's order.

        Args:
            waveform: float32 (S,).
            rng: see `rng_for`.
            epoch: from 0.

        Returns:
            waveform: float32 (S',); nothing is clipped.
        """
        speed = self.speeds[int(rng.integers(len(self.speeds)))]
        gain_db = rng.uniform(-self.gain_db, self.gain_db)
        damages = 0.0 if epoch < self.clean_epochs else 1.0
        reverberates, is_noisy, is_dull, is_telephone = rng.random(4) < damages * np.array(
            (self.reverb, self.noise, self.lowpass, self.telephone)
        )
        if len(waveform) == 0:
            return waveform
        waveform = change_speed(waveform, speed)
        if reverberates:
            waveform = add_reverb(
                waveform, self.sample_rate, rng.uniform(*REVERB_SECONDS), rng.uniform(*DIRECT_DB), rng
            )
        if is_noisy:
            kind = NOISES[int(rng.integers(len(NOISES)))]
            waveform = add_noise(waveform, self.sample_rate, kind, rng.uniform(*self.noise_snr_db), rng)
        if is_dull:
            highest = min(LOWPASS_HZ[1], 0.475 * self.sample_rate)
            waveform = band_pass(waveform, self.sample_rate, 0.0, rng.uniform(LOWPASS_HZ[0], highest))
        if is_telephone:
            waveform = telephone_line(waveform, self.sample_rate)
        if gain_db:
            waveform = waveform * 10 ** (gain_db / 20)
        if self.codec and damages and rng.random() < self.codec:
            kind = tuple(LEVELS)[int(rng.integers(len(LEVELS)))]
            waveform = through_codec(waveform, self.sample_rate, kind, rng.uniform(*LEVELS[kind]))
        return waveform


def change_speed(waveform: Tensor, speed: float) -> Tensor:
    """Play (S,) faster or slower, by resampling: (S / speed,). Pitch and formants move with it."""
    if speed == 1.0:
        return waveform
    return torch.from_numpy(soxr.resample(waveform.numpy(), speed, 1.0, quality="HQ"))


def add_noise(
    waveform: Tensor, sample_rate: int, kind: str, snr_db: float, rng: np.random.Generator
) -> Tensor:
    """Add noise at a signal-to-noise ratio over the whole utterance; silence stays silent.

    White noise has the same power at all frequencies, pink noise 3 dB less an octave. "Babble" has the
    long-term spectrum of speech (flat to 500 Hz, then 9 dB less an octave) and swells about four times a
    second, like many voices at once.
    """
    signal = float(waveform.square().mean())
    if signal == 0.0:
        return waveform
    noise = torch.from_numpy(rng.standard_normal(len(waveform), dtype=np.float32))
    if kind != "white":
        noise = convolve(noise, _colour(kind, sample_rate))
    if kind == "babble":
        knots = torch.from_numpy(rng.uniform(0.3, 1.0, 2 + int(4 * len(waveform) / sample_rate)))
        swell = torch.nn.functional.interpolate(knots[None, None], len(waveform), mode="linear")
        noise = noise * swell[0, 0].float()
    power = signal * 10 ** (-snr_db / 10)
    return waveform + noise * math.sqrt(power / max(float(noise.square().mean()), 1e-30))


def band_pass(waveform: Tensor, sample_rate: int, low_hz: float, high_hz: float) -> Tensor:
    """Keep frequencies between two edges, by a windowed sinc of 511 taps without delay: (S,) -> (S,)."""
    times = torch.arange(_FILTER_TAPS, dtype=torch.float64) - _FILTER_TAPS // 2
    high, low = 2 * high_hz / sample_rate, 2 * low_hz / sample_rate
    taps = high * torch.sinc(high * times) - low * torch.sinc(low * times)
    window = torch.hann_window(_FILTER_TAPS + 2, periodic=False, dtype=torch.float64)[1:-1]
    return convolve(waveform, (taps * window).float(), delay=_FILTER_TAPS // 2)


def telephone_line(waveform: Tensor, sample_rate: int) -> Tensor:
    """300 to 3400 Hz, 8 kHz, 8 bits with μ-law companding, and back: (S,) -> (S,)."""
    narrow = waveform.numpy()
    if sample_rate != _NARROW_RATE:
        narrow = soxr.resample(narrow, sample_rate, _NARROW_RATE, quality="MQ")
    heard = band_pass(torch.from_numpy(narrow), _NARROW_RATE, *TELEPHONE_HZ).clamp(-1, 1)
    companded = heard.sign() * torch.log1p(_MU * heard.abs()) / math.log1p(_MU)
    levels = torch.round(companded * 127) / 127
    decoded = levels.sign() * torch.expm1(levels.abs() * math.log1p(_MU)) / _MU
    if sample_rate == _NARROW_RATE:
        return decoded
    wide = torch.from_numpy(soxr.resample(decoded.numpy(), _NARROW_RATE, sample_rate, quality="MQ"))
    return torch.nn.functional.pad(wide, (0, max(0, len(waveform) - len(wide))))[: len(waveform)]


def add_reverb(
    waveform: Tensor, sample_rate: int, seconds: float, direct_db: float, rng: np.random.Generator
) -> Tensor:
    """A simple room: the direct sound, and noise that dies away exponentially; the level stays: (S,) -> (S,).

    Args:
        seconds: in which the room's sound falls by 60 dB.
        direct_db: energy of the direct sound against the room's.
    """
    taps = max(2, round(seconds * sample_rate))
    decay = torch.exp(torch.arange(taps) * (-math.log(1000.0) / taps))
    response = torch.from_numpy(rng.standard_normal(taps, dtype=np.float32)) * decay
    response *= math.sqrt(10 ** (-direct_db / 10) / float(response[1:].square().sum()))
    response[0] = 1.0
    wet = convolve(waveform, response)
    return wet * torch.sqrt(waveform.square().mean() / wet.square().mean().clamp(min=1e-30))


def convolve(waveform: Tensor, response: Tensor, delay: int = 0) -> Tensor:
    """Convolve (S,) with (K,) and keep samples `delay` to `delay + S`.

    By overlap-add, in blocks that stay in the processor's cache.
    """
    taps, samples = len(response), len(waveform)
    size = 1 << max(12, (4 * taps - 1).bit_length())
    step = size - taps + 1
    blocks = -(-(samples + delay) // step)
    padded = torch.nn.functional.pad(waveform, (0, blocks * step - samples)).view(blocks, step)
    spectrum = torch.fft.rfft(padded, n=size) * torch.fft.rfft(response, n=size)
    pieces: Tensor = torch.fft.irfft(spectrum, n=size)
    pieces[1:, : taps - 1] += pieces[:-1, step:]
    return pieces[:, :step].reshape(-1)[delay : delay + samples]


def _colour(kind: str, sample_rate: int) -> Tensor:
    """Taps (511,) that turn white noise into `kind`."""
    hertz = torch.fft.rfftfreq(_FILTER_TAPS + 1, 1 / sample_rate).clamp(min=20.0)
    gain = hertz**-0.5 if kind == "pink" else (hertz / 500).clamp(min=1.0) ** -1.5
    taps: Tensor = torch.fft.irfft(gain).roll(_FILTER_TAPS // 2)[:_FILTER_TAPS]
    return taps * torch.hann_window(_FILTER_TAPS, periodic=False)
