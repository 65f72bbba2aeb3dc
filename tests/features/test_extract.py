"""Features against Kaldi's definition in plain numpy, against torchaudio and against librosa.

Kaldi's definition below is written from its documentation and equations (feature-window, mel-computations,
feature-mfcc, feature-functions), in float64 and sample by sample, and shares no code with `asr`.
"""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.features._torchaudio import functional, kaldi
from asr.features.extract import FeatureExtractor, append_deltas

RATE = 16000
OPTIONS = {
    "kind": "fbank",
    "sample_rate": RATE,
    "num_bins": 80,
    "num_ceps": 13,
    "frame_length_ms": 25.0,
    "frame_shift_ms": 10.0,
    "low_hz": 20.0,
    "high_hz": 0.0,
    "deltas": 0,
}


def extractor(**changes):
    return FeatureExtractor(**(OPTIONS | changes))


def speechlike(seconds=1.5, rate=RATE, seed=0):
    """A gliding harmonic tone in noise with an offset, (S,) float32."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * time)) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.1 * tone + 0.02 * noise + 0.01).astype(np.float32)


def mel(hertz):
    return 1127.0 * np.log(1.0 + np.asarray(hertz, np.float64) / 700.0)


def kaldi_warped(mels, low, high, warp):
    """Kaldi's VtlnWarpMelFreq with its defaults vtln-low 100 and vtln-high 500 under Nyquist."""
    hertz = 700.0 * (np.exp(mels / 1127.0) - 1.0)
    lower, upper = 100.0 * max(1.0, warp), (high - 500.0) * min(1.0, warp)
    knots = [low, lower, upper, high]
    inside = np.interp(hertz, knots, [low, lower / warp, upper / warp, high])
    return mel(np.where((hertz < low) | (hertz > high), hertz, inside))


def kaldi_filters(bins, size, rate, low, high, warp=1.0):
    edges = np.linspace(mel(low), mel(high), bins + 2)
    if warp != 1.0:
        edges = kaldi_warped(edges, low, high, warp)
    filters = np.zeros((bins, size // 2 + 1))
    for b in range(bins):
        left, centre, right = edges[b : b + 3]
        for k in range(size // 2):  # the Nyquist bin is left out
            m = mel(k * rate / size)
            if left < m <= centre:
                filters[b, k] = (m - left) / (centre - left)
            elif centre < m < right:
                filters[b, k] = (right - m) / (right - centre)
    return filters


def kaldi_log_mel(waveform, *, rate=RATE, bins=80, low=20.0, high=None, warp=1.0, length=400, shift=160):
    samples = waveform.astype(np.float64) * 32768
    size = 1
    while size < length:
        size *= 2
    n = np.arange(length)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * n / (length - 1))) ** 0.85
    filters = kaldi_filters(bins, size, rate, low, high or rate / 2, warp)
    rows = []
    for start in range(0, len(samples) - length + 1, shift):
        frame = samples[start : start + length].copy()
        frame -= frame.mean()
        frame[1:] -= 0.97 * frame[:-1].copy()
        frame[0] -= 0.97 * frame[0]
        spectrum = np.fft.rfft(frame * window, size)
        rows.append(np.log(np.maximum(filters @ np.abs(spectrum) ** 2, np.finfo(np.float32).eps)))
    return np.array(rows)


def kaldi_mfcc(log_mel, ceps, lifter=22.0):
    bins = log_mel.shape[1]
    n = np.arange(bins) + 0.5
    transform = np.array(
        [np.sqrt((1 if k == 0 else 2) / bins) * np.cos(np.pi * k * n / bins) for k in range(ceps)]
    )
    return log_mel @ transform.T * (1 + 0.5 * lifter * np.sin(np.pi * np.arange(ceps) / lifter))


def kaldi_deltas(feats, order):
    """Kaldi's DeltaFeatures: ΔΔ's weights are Δ's, convolved with themselves; the ends are repeated."""
    weights = [np.ones(1)]
    for _ in range(order):
        weights.append(np.convolve(weights[-1], np.array([-2, -1, 0, 1, 2]) / 10))
    out = np.zeros((len(feats), feats.shape[1] * (order + 1)))
    for t in range(len(feats)):
        for i, scale in enumerate(weights):
            half = len(scale) // 2
            rows = np.clip(np.arange(t - half, t + half + 1), 0, len(feats) - 1)
            out[t, i * feats.shape[1] : (i + 1) * feats.shape[1]] = scale @ feats[rows]
    return out


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_bins": 40},
        {"high_hz": 5700.0},
        {"high_hz": -400.0, "low_hz": 60.0},
        {"sample_rate": 8000, "num_bins": 40},
        {"frame_length_ms": 32.0, "frame_shift_ms": 8.0},
    ],
    ids=str,
)
def test_fbank_is_kaldis(changes):
    options = OPTIONS | changes
    rate, high = options["sample_rate"], options["high_hz"]
    waveform = speechlike(rate=rate)
    expected = kaldi_log_mel(
        waveform,
        rate=rate,
        bins=options["num_bins"],
        low=options["low_hz"],
        high=high if high > 0 else rate / 2 + high,
        length=int(rate * options["frame_length_ms"] / 1000),
        shift=int(rate * options["frame_shift_ms"] / 1000),
    )
    found = extractor(**changes)(torch.from_numpy(waveform)).numpy()
    # the natural logarithm of energy: 1e-3 is 0.004 dB; the worst cells hold 60 dB less than their frame
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
    assert np.abs(found - expected).mean() < 2e-5


@pytest.mark.parametrize("warp", [0.85, 0.93, 1.07, 1.15])
def test_warped_fbank_is_kaldis(warp):
    waveform = speechlike()
    found = extractor()(torch.from_numpy(waveform), warp=warp).numpy()
    np.testing.assert_allclose(found, kaldi_log_mel(waveform, warp=warp), rtol=0, atol=1e-3)


def test_mfcc_is_kaldis():
    waveform = speechlike()
    found = extractor(kind="mfcc", num_bins=23, num_ceps=13)(torch.from_numpy(waveform)).numpy()
    expected = kaldi_mfcc(kaldi_log_mel(waveform, bins=23), 13)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)  # values reach 100


@pytest.mark.parametrize("warp", [1.0, 0.9, 1.1])
def test_as_near_to_float64_as_torchaudio(warp):
    waveform = torch.from_numpy(speechlike(seconds=3))
    options = {"num_mel_bins": 80, "vtln_warp": warp, "vtln_low": 100.0, "vtln_high": -500.0}
    exact = kaldi.fbank(waveform[None].double() * 32768, **options)
    theirs = kaldi.fbank(waveform[None] * 32768, **options)
    ours = extractor()(waveform, warp=warp)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=5e-4)
    assert (ours - theirs).abs().mean() < 1e-5
    assert (ours - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()


def test_mfcc_equals_torchaudios():
    waveform = torch.from_numpy(speechlike())
    theirs = kaldi.mfcc(waveform[None] * 32768, num_mel_bins=40, num_ceps=20)
    ours = extractor(kind="mfcc", num_bins=40, num_ceps=20)(waveform)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


def test_mel_filters_against_librosa():
    """The same edges; librosa's triangles are straight in Hz, Kaldi's in mel: at most 0.03 apart."""
    import librosa

    edges = librosa.mel_frequencies(42, fmin=20.0, fmax=8000.0, htk=True)
    ours = extractor(num_bins=40)._mel_banks(1.0).numpy()
    hertz = np.arange(256) * RATE / 512
    for b, row in enumerate(ours):
        covered = hertz[row > 0]
        assert edges[b] <= covered.min() and covered.max() <= edges[b + 2]
        assert len(covered) == np.count_nonzero((hertz > edges[b]) & (hertz < edges[b + 2]))
    theirs = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=40, fmin=20, fmax=8000, htk=True, norm=None)
    np.testing.assert_allclose(ours, theirs[:, :256], atol=0.03)
    assert np.abs(ours - theirs[:, :256]).mean() < 5e-4


def test_log_mel_and_mfcc_against_librosa():
    """librosa's chain, which leaves offsets in: log energies 0.01 apart, MFCC without the lifter 0.05."""
    import librosa

    waveform = speechlike()
    waveform -= waveform.mean()
    emphasised = 32768 * np.append(waveform[0], waveform[1:] - 0.97 * waveform[:-1])
    window = np.hanning(400) ** 0.85
    power = np.abs(
        librosa.stft(
            np.pad(emphasised, 56), n_fft=512, hop_length=160, win_length=400, window=window, center=False
        )
    )
    mels = librosa.feature.melspectrogram(
        S=power**2, sr=RATE, n_fft=512, n_mels=40, fmin=20, fmax=8000, htk=True, norm=None
    )
    theirs = np.log(mels)
    ours = extractor(num_bins=40)(torch.from_numpy(waveform)).numpy().T
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 0.01
    ceps = librosa.feature.mfcc(S=theirs, n_mfcc=13, dct_type=2, norm="ortho", lifter=0)
    lifter = 1 + 11 * np.sin(np.pi * np.arange(13) / 22)  # librosa counts from 1, Kaldi from 0
    mfcc = extractor(kind="mfcc", num_bins=40)(torch.from_numpy(waveform)).numpy().T
    assert np.abs(mfcc / lifter[:, None] - ceps).mean() < 0.05


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 3, 5, 40])
def test_deltas_are_kaldis(order, frames):
    feats = np.random.default_rng(frames).standard_normal((frames, 3)).astype(np.float32)
    found = append_deltas(torch.from_numpy(feats), order).numpy()
    np.testing.assert_allclose(found, kaldi_deltas(feats, order), atol=1e-6)


def test_deltas_against_torchaudio_and_librosa():
    import librosa

    feats = torch.from_numpy(np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32))
    found = append_deltas(feats, 2)
    once = functional.compute_deltas(feats.T)
    np.testing.assert_allclose(found[:, 4:8], once.T, atol=1e-6)
    twice = functional.compute_deltas(once).T
    np.testing.assert_allclose(found[2:-2, 8:], twice[2:-2], atol=1e-6)
    assert not np.allclose(found[:2, 8:], twice[:2], atol=1e-3)  # torchaudio repeats Δ at the ends, not c
    theirs = librosa.feature.delta(feats.numpy().T, width=5, mode="nearest").T
    np.testing.assert_allclose(found[:, 4:8], theirs, atol=1e-6)


def test_deltas_of_a_line():
    line = torch.arange(20.0)[:, None] * 0.5
    found = append_deltas(line, 2)
    np.testing.assert_allclose(found[2:-2, 1], 0.5)
    np.testing.assert_allclose(found[4:-4, 2], 0.0, atol=1e-7)


@given(samples=st.integers(0, 3000))
@settings(max_examples=50, deadline=None)
def test_number_of_frames(samples):
    extract = extractor(deltas=2)
    feats = extract(torch.zeros(samples))
    assert feats.shape == (extract.num_frames(samples), extract.dim) and extract.dim == 240
    assert len(feats) == sum(1 for start in range(0, samples, 160) if start + 400 <= samples)


@pytest.mark.parametrize("kind,dim", [("fbank", 240), ("mfcc", 39)])
def test_shorter_than_a_frame(kind, dim):
    feats = extractor(kind=kind, deltas=2)(torch.ones(399))
    assert feats.shape == (0, dim) and feats.dtype == torch.float32


def test_chunks_do_not_show():
    """A long utterance has the features of its parts."""
    waveform = torch.from_numpy(speechlike(seconds=12))
    extract = extractor()
    whole = extract(waveform)
    for first in (0, 500, 511, 512, 1100):
        part = extract(waveform[first * 160 : first * 160 + 400])
        np.testing.assert_allclose(whole[first : first + 1], part, atol=1e-4)


def test_deterministic_and_leaves_its_input():
    waveform = torch.from_numpy(speechlike())
    before = waveform.clone()
    extract = extractor(deltas=2)
    assert torch.equal(extract(waveform), extract(waveform))
    assert torch.equal(waveform, before)
    again = pickle.loads(pickle.dumps(extract))
    assert torch.equal(again(waveform, warp=1.05), extract(waveform, warp=1.05))


def test_silence_is_the_floor():
    feats = extractor()(torch.zeros(1600))
    assert torch.equal(feats, torch.full_like(feats, float(np.log(np.finfo(np.float32).eps))))


def test_louder_is_an_offset():
    waveform = torch.from_numpy(speechlike())
    extract = extractor()
    difference = extract(waveform * 2) - extract(waveform)
    np.testing.assert_allclose(difference, np.log(4), atol=1e-3)


def test_warp_moves_a_tone_up():
    """A filter at f looks at f / warp: a tone at 2 kHz seems to be at 2.2 kHz."""
    tone = torch.sin(2 * np.pi * 2000 / RATE * torch.arange(16000))
    extract = extractor()
    plain, warped = (extract(tone, warp=warp).mean(0).argmax() for warp in (1.0, 1.1))
    edges = np.linspace(mel(20), mel(8000), 82)
    assert abs(edges[int(plain) + 1] - mel(2000)) < 40
    assert abs(edges[int(warped) + 1] - mel(2200)) < 40


def test_filters_are_kept_by_hundredths():
    extract = extractor()
    waveform = torch.from_numpy(speechlike(0.2))
    assert torch.equal(extract(waveform, warp=1.0499), extract(waveform, warp=1.0501))
    assert not torch.equal(extract(waveform, warp=1.05), extract(waveform, warp=1.06))
    for warp in np.random.default_rng(0).uniform(0.9, 1.1, 500):
        extract(waveform[:400], warp=float(warp))
    assert len(extract._filters) <= 21


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"kind": "plp"}, "fbank or mfcc"),
        ({"num_bins": 3}, "at least 4"),
        ({"num_bins": 200}, "fewer filters or longer frames"),
        ({"kind": "mfcc", "num_ceps": 81}, "as many as filters"),
        ({"low_hz": 4000.0, "high_hz": 3000.0}, "low_hz < high_hz"),
        ({"high_hz": 8001.0}, "8000"),
        ({"frame_shift_ms": 0.01}, "shift"),
        ({"frame_length_ms": 0.01}, "frames of two samples"),
        ({"deltas": 3}, "deltas 0, 1 or 2"),
    ],
    ids=str,
)
def test_impossible_values(changes, words):
    with pytest.raises(AsrError, match=words):
        extractor(**changes)


@pytest.mark.parametrize("warp", [0.0, -1.0, 0.01, 50.0])
def test_impossible_warp(warp):
    with pytest.raises(AsrError, match="warp"):
        extractor()(torch.zeros(800), warp=warp)


def test_warp_with_filters_that_start_high():
    feats = extractor(num_bins=30, low_hz=300.0, high_hz=3400.0)(torch.from_numpy(speechlike(0.3)), warp=1.1)
    assert torch.isfinite(feats).all()
