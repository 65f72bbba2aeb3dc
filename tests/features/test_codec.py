"""Lossy codecs: the sound keeps its place and its length, and loses what compressed copies lose."""

import numpy as np
import pytest
import torch

from asr.errors import AsrError
from asr.features.augment import WaveformAugment, rng_for
from asr.features.codec import LEVELS, MP3_RATES, through_codec

NOTHING = {
    "speeds": (1.0,),
    "gain_db": 0.0,
    "noise": 0.0,
    "noise_snr_db": (10.0, 30.0),
    "lowpass": 0.0,
    "telephone": 0.0,
    "reverb": 0.0,
    "sample_rate": 16000,
}


def syllables(samples: int, rate: int, seed: int = 0) -> torch.Tensor:
    """Tones that swell four times a second, in pink noise."""
    times = torch.arange(samples, dtype=torch.float64) / rate
    swell = torch.sin(2 * torch.pi * 2 * times).square()
    tones = sum(torch.sin(2 * torch.pi * hertz * times) for hertz in (150, 450, 1300))
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal(samples))
    return (0.1 * swell * tones + 0.003 * noise).float()


@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("edge", [0, 1])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_sound_stays_where_it_is(kind: str, edge: int, rate: int) -> None:
    """In the mildest and the strongest compression, with and without room for LAME's tag."""
    waveform = syllables(rate, rate)
    heard = through_codec(waveform, rate, kind, LEVELS[kind][edge])
    assert heard.shape == waveform.shape and heard.dtype == torch.float32
    spectrum = torch.fft.rfft(waveform, 2 * rate).conj() * torch.fft.rfft(heard, 2 * rate)
    assert int(torch.fft.irfft(spectrum).argmax()) == 0  # the delay at which the two agree best
    error = (heard - waveform).square().mean() / waveform.square().mean()
    assert 1e-5 < float(error) < 0.05


def test_strong_compression_cuts_high_frequencies() -> None:
    noise = 0.1 * torch.from_numpy(np.random.default_rng(1).standard_normal(32000, dtype=np.float32))
    power = torch.fft.rfft(through_codec(noise, 16000, "MP3", 0.895)).abs().square()  # 24 kbit/s
    assert power[2 * 7500 :].mean() < 1e-4 * power[2 * 1000 : 2 * 4000].mean()


@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("samples", [1, 2, 37, 400, 1151, 1153])
def test_short_sound_and_silence(kind: str, samples: int) -> None:
    for level in LEVELS[kind]:
        heard = through_codec(syllables(samples, 16000), 16000, kind, level)
        assert len(heard) == samples and torch.isfinite(heard).all()
        assert not through_codec(torch.zeros(samples), 16000, kind, level).any()


def test_the_same_numbers_give_the_same_sound_and_others_another() -> None:
    waveform, change = syllables(8000, 16000), WaveformAugment(**NOTHING, codec=1.0)
    results = [change(waveform, rng_for(1, epoch, "a")) for epoch in range(6)]
    for epoch, result in enumerate(results):
        assert torch.equal(result, change(waveform, rng_for(1, epoch, "a")))
    assert len({tuple(result.tolist()) for result in results}) == 6


def test_its_probability_and_that_nothing_else_is_drawn_without_it() -> None:
    waveform, change = syllables(400, 16000), WaveformAugment(**NOTHING, codec=0.3)
    changed = sum(not torch.equal(change(waveform, rng_for(0, 0, str(i))), waveform) for i in range(200))
    assert 35 < changed < 85
    one, other = rng_for(0, 0, "a"), rng_for(0, 0, "a")
    WaveformAugment(**NOTHING, codec=0.0)(waveform, one)
    WaveformAugment(**NOTHING)(waveform, other)
    assert one.random() == other.random()


def test_a_rate_without_mp3_is_refused_at_once() -> None:
    assert 16000 in MP3_RATES
    with pytest.raises(AsrError, match=r"codec needs a sample rate that MP3 has .* found 10000 Hz"):
        WaveformAugment(**(NOTHING | {"sample_rate": 10000}), codec=0.1)
    WaveformAugment(**(NOTHING | {"sample_rate": 10000}), codec=0.0)
