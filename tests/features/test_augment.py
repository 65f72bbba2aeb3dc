import pickle

import numpy as np
import pytest
import torch

from asr.errors import AsrError
from asr.features import augment
from asr.features.augment import WaveformAugment, rng_for

RATE = 16000
NOTHING = {
    "speeds": (1.0,),
    "gain_db": 0.0,
    "noise": 0.0,
    "noise_snr_db": (10.0, 30.0),
    "lowpass": 0.0,
    "telephone": 0.0,
    "reverb": 0.0,
    "sample_rate": RATE,
}
EVERYTHING = {
    "speeds": (0.9, 1.0, 1.1),
    "gain_db": 6.0,
    "noise": 0.5,
    "lowpass": 0.5,
    "telephone": 0.5,
    "reverb": 0.5,
}


def changer(**changes):
    return WaveformAugment(**(NOTHING | changes))


def white(samples=2 * RATE, seed=0):
    return torch.from_numpy(0.1 * np.random.default_rng(seed).standard_normal(samples, dtype=np.float32))


def sine(hertz, samples=2 * RATE, rate=RATE):
    return torch.sin(2 * torch.pi * hertz / rate * torch.arange(samples, dtype=torch.float64)).float()


def rng(seed=0):
    return np.random.default_rng(seed)


def decibels(ratio):
    return 10 * np.log10(max(float(ratio), 1e-30))


def band_power(waveform, low, high, rate=RATE):
    """Mean power of (S,) between two frequencies."""
    spectrum = torch.fft.rfft(waveform.double() * torch.hann_window(len(waveform), dtype=torch.float64))
    hertz = torch.fft.rfftfreq(len(waveform), 1 / rate)
    return spectrum[(hertz >= low) & (hertz < high)].abs().square().mean()


def test_random_numbers_of_an_utterance_are_pinned():
    """A change here changes every training run."""
    assert rng_for(1, 2, "84-121123-0003").integers(1000, size=4).tolist() == [446, 139, 902, 402]


def test_random_numbers_differ_by_seed_epoch_and_utterance():
    draws = {
        tuple(rng_for(seed, epoch, name).integers(1 << 30, size=4))
        for seed in range(3)
        for epoch in range(12)
        for name in ("a", "b", "2:a", "")
    }
    assert len(draws) == 3 * 12 * 4


def test_nothing_asked_nothing_done():
    waveform = white()
    assert torch.equal(changer()(waveform, rng()), waveform)


def test_same_numbers_same_sound_and_the_input_stays():
    waveform, change = white(), changer(**EVERYTHING)
    before = waveform.clone()
    results = [change(waveform, rng_for(1, epoch, "a")) for epoch in range(12)]
    again = pickle.loads(pickle.dumps(change))
    for epoch, result in enumerate(results):
        assert torch.equal(result, again(waveform, rng_for(1, epoch, "a")))
        assert result.dtype == torch.float32 and torch.isfinite(result).all()
    assert torch.equal(waveform, before)
    assert len({tuple(result[:50].tolist()) for result in results}) == 12


def test_clean_epochs_have_other_speeds_and_levels_alone():
    waveform, damages = white(), dict.fromkeys(("noise", "lowpass", "telephone", "reverb", "codec"), 1.0)
    change, plain = changer(**(EVERYTHING | damages), clean_epochs=2), changer(speeds=(0.9, 1.1), gain_db=6.0)
    change.speeds = plain.speeds
    for epoch in range(2):
        assert torch.equal(
            change(waveform, rng_for(1, epoch, "a"), epoch), plain(waveform, rng_for(1, epoch, "a"))
        )
    damaged, sound = change(waveform, rng_for(1, 2, "a"), 2), plain(waveform, rng_for(1, 2, "a"))
    assert len(damaged) == len(sound) and not torch.allclose(damaged, sound, atol=1e-2)


@pytest.mark.parametrize("samples", [0, 1, 2, 37, 400])
def test_short_waveforms(samples):
    change = changer(**(EVERYTHING | {"noise": 1.0, "lowpass": 1.0, "telephone": 1.0, "reverb": 1.0}))
    for seed in range(6):
        result = change(white(samples), rng(seed))
        assert torch.isfinite(result).all()
        assert abs(len(result) - samples) <= 0.12 * samples + 1


def test_silence_stays_silent():
    change = changer(**(EVERYTHING | {"noise": 1.0, "lowpass": 1.0, "telephone": 1.0, "reverb": 1.0}))
    for seed in range(6):
        result = change(torch.zeros(4000), rng(seed))
        assert not result.any()


@pytest.mark.parametrize("speed", [0.9, 1.1, 1.0])
def test_speed(speed):
    faster = augment.change_speed(sine(1000), speed)
    assert abs(len(faster) - 2 * RATE / speed) <= 1
    expected = sine(1000 * speed, len(faster))
    assert decibels((faster - expected)[500:-500].square().mean() / 0.5) < -60


def test_speeds_are_drawn_evenly():
    change = changer(speeds=(0.9, 1.0, 1.1))
    lengths = [len(change(torch.zeros(990), rng_for(0, 0, str(i)))) for i in range(600)]
    counts = [lengths.count(length) for length in (1100, 990, 900)]
    assert sum(counts) == 600 and min(counts) > 150


@pytest.mark.parametrize("kind", augment.NOISES)
@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 30.0])
def test_noise_has_the_ratio_asked_for(kind, snr_db):
    waveform = sine(440)
    noise = augment.add_noise(waveform, RATE, kind, snr_db, rng()) - waveform
    assert decibels(waveform.square().mean() / noise.square().mean()) == pytest.approx(snr_db, abs=0.05)


def test_colours_of_noise():
    """Decibels from 1–1.2 kHz to 4–4.8 kHz: as frequency to the power 0, −1 and −3."""
    silence = torch.full((20 * RATE,), 1e-9)
    for kind, expected in {"white": 0.0, "pink": -6.0, "babble": -18.1}.items():
        noise = augment.add_noise(silence, RATE, kind, -180.0, rng())
        slope = decibels(band_power(noise, 4000, 4800) / band_power(noise, 1000, 1200))
        assert slope == pytest.approx(expected, abs=1.0)


def test_snr_and_gain_are_drawn_within_their_limits():
    waveform = sine(440)
    ratios, gains = [], []
    for seed in range(200):
        noise = changer(noise=1.0, noise_snr_db=(12.0, 15.0))(waveform, rng(seed)) - waveform
        ratios.append(decibels(waveform.square().mean() / noise.square().mean()))
        gains.append(decibels(changer(gain_db=6.0)(waveform, rng(seed)).square().mean() / 0.5))
    assert 11.95 < min(ratios) < 12.3 and 14.7 < max(ratios) < 15.05
    assert -6.01 < min(gains) < -5.5 and 5.5 < max(gains) < 6.01


def test_low_pass():
    """Nothing is left 250 Hz above the edge, and nothing is lost or moved 250 Hz below it."""
    dull = augment.band_pass(white(), RATE, 0.0, 4000.0)
    assert len(dull) == 2 * RATE
    assert decibels(band_power(dull, 4250, 8000) / band_power(dull, 0, 3750)) < -60
    tone = sine(3000)
    assert decibels((augment.band_pass(tone, RATE, 0.0, 4000.0) - tone)[300:-300].square().mean() / 0.5) < -60


def test_low_pass_edges_are_drawn_within_limits():
    edges = []
    for seed in range(60):
        power = torch.fft.rfft(changer(lowpass=1.0)(white(), rng(seed))).abs().square()
        levels = power[: 2 * 7800].view(-1, 200).mean(1)  # in bands of 100 Hz
        edges.append(100 * int((levels > 0.1 * levels[20]).nonzero().max()) + 100)
    assert 3400 <= min(edges) < 3800 and 6600 < max(edges) <= 7200


@pytest.mark.parametrize("rate", [16000, 8000, 44100])
def test_telephone(rate):
    heard = augment.telephone_line(white(2 * rate), rate)
    assert len(heard) == 2 * rate
    inside = band_power(heard, 500, 3200, rate)
    assert decibels(band_power(heard, 0, 150, rate) / inside) < -25  # what is left is the 8 bits' noise
    if rate > 8000:
        assert decibels(band_power(heard, 4400, rate / 2, rate) / inside) < -60
    tone = sine(1000, 2 * rate, rate) * 0.3
    error = (augment.telephone_line(tone, rate) - tone)[rate // 10 : -rate // 10]
    assert -45 < decibels(error.square().mean() / tone.square().mean()) < -30  # μ-law's 38 dB


def test_room_dies_away_in_the_time_asked_for():
    impulse = torch.zeros(RATE)
    impulse[100] = 1.0
    room = augment.add_reverb(impulse, RATE, 0.4, 0.0, rng())
    assert not room[:100].abs().max() > 1e-5  # no sound before its cause
    assert int(room.abs().argmax()) == 100  # words stay where they are
    assert float(room[100].square() / room[101:].square().sum()) == pytest.approx(1.0, rel=0.01)
    early, late = room[101:901].square().mean(), room[100 + 4800 : 100 + 5600].square().mean()
    assert decibels(late / early) == pytest.approx(-60 * 0.3 / 0.4, abs=1.5)
    assert float(room[100 + 6400 + 1 :].abs().max()) < 1e-5


def test_room_keeps_the_level():
    waveform = white()
    room = augment.add_reverb(waveform, RATE, 0.3, 3.0, rng())
    assert len(room) == len(waveform)
    assert decibels(room.square().mean() / waveform.square().mean()) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    "samples,taps,delay", [(1, 5, 0), (3000, 511, 255), (20000, 511, 0), (9000, 8000, 10)]
)
def test_convolution(samples, taps, delay):
    waveform, response = white(samples), white(taps, 1)
    expected = np.convolve(waveform.double(), response.double())
    expected = np.pad(expected, (0, samples))[delay : delay + samples]
    np.testing.assert_allclose(augment.convolve(waveform, response, delay), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["noise", "lowpass", "telephone", "reverb"])
def test_probabilities(name):
    waveform, change = white(400), changer(**{name: 0.3})
    changed = sum(not torch.equal(change(waveform, rng_for(0, 0, str(i))), waveform) for i in range(200))
    assert 35 < changed < 85


@pytest.mark.parametrize("name", ["lowpass", "telephone"])
def test_nothing_to_cut_off(name):
    with pytest.raises(AsrError, match="8000 Hz or more, found 4000 Hz"):
        changer(**{name: 0.1, "sample_rate": 4000})
