"""Samples in memory: every type and layout gives the waveform that the same sound in a file gives."""

import numpy as np
import pytest
import torch

from asr.errors import AsrError
from asr.features.array import waveform_of


def ramp():
    return np.linspace(-1, 1, 401, dtype=np.float32)[:-1]


@pytest.mark.parametrize(
    "samples",
    [
        ramp(),
        ramp().astype(np.float64),
        torch.from_numpy(ramp()),
        torch.from_numpy(ramp()).requires_grad_(),
        np.round(ramp() * 2**15).astype(np.int16),
        np.round(ramp().astype(np.float64) * 2**31).astype(np.int32),
        np.stack([ramp(), ramp()], axis=1),
        np.stack([ramp() + 0.5, ramp() - 0.5], axis=1),
        ramp()[::-1][::-1],
    ],
)
def test_types_and_layouts(samples):
    waveform = waveform_of(samples, rate=16000, sample_rate=16000)
    assert waveform.dtype == np.float32 and waveform.shape == (400,)
    np.testing.assert_allclose(waveform, ramp(), atol=2**-15)


def test_eight_bits_have_their_zero_in_the_middle():
    waveform = waveform_of(np.array([0, 128, 255], np.uint8), rate=16000, sample_rate=16000)
    np.testing.assert_allclose(waveform, [-1, 0, 127 / 128])


def test_another_rate_is_resampled():
    times = np.arange(8000) / 8000
    waveform = waveform_of(np.sin(2 * np.pi * 440 * times), rate=8000, sample_rate=16000)
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    assert len(waveform) == 16000
    np.testing.assert_allclose(waveform[1000:-1000], expected[1000:-1000], atol=1e-3)


def test_no_samples_are_no_error():
    assert waveform_of(np.zeros(0), rate=44100, sample_rate=16000).shape == (0,)
    assert waveform_of(np.zeros((0, 2), np.int16), rate=16000, sample_rate=16000).shape == (0,)


@pytest.mark.parametrize(
    ("samples", "rate", "sentence"),
    [
        (np.array([0.1, np.nan]), 16000, "not finite numbers"),
        (np.array([0.1, 1e300]), 16000, "not finite numbers"),
        (np.zeros((2, 16000)), 16000, r"found \(2, 16000\); transpose"),
        (np.zeros((4, 0)), 16000, r"found \(4, 0\)"),
        (np.zeros((1, 2, 3)), 16000, r"found \(1, 2, 3\)"),
        (np.array(["a"]), 16000, "of <U1"),
        (np.zeros(4, np.complex64), 16000, "of complex64"),
        (np.float32(1), 16000, r"found \(\)"),
        (np.zeros(4), 0, "sample rate above 0"),
    ],
)
def test_what_is_no_sound(samples, rate, sentence):
    with pytest.raises(AsrError, match=sentence):
        waveform_of(samples, rate=rate, sample_rate=16000)
