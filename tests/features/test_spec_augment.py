import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from asr.features.spec_augment import SpecAugment

OPTIONS = {
    "frequency_masks": 2,
    "frequency_width": 27,
    "time_masks": 2,
    "time_width": 40,
    "time_ratio": 1.0,
}


def masks(frames=300, dim=80, seed=0, **changes):
    """Which cells of (frames, dim) are masked."""
    augment = SpecAugment(**(OPTIONS | changes))
    return (augment(torch.ones(frames, dim), np.random.default_rng(seed)) == 0).numpy()


def test_what_is_not_masked_stays_and_the_input_too():
    feats = torch.randn(200, 80)
    before = feats.clone()
    masked = SpecAugment(**OPTIONS)(feats, np.random.default_rng(3))
    assert torch.equal(feats, before)
    changed = masked != feats
    assert changed.any() and not masked[changed].any()


def test_masks_are_whole_bands_and_whole_frames():
    for seed in range(50):
        hidden = masks(seed=seed)
        bands, stretches = hidden.all(0), hidden.all(1)
        assert (hidden == (bands[None] | stretches[:, None])).all()
        assert np.count_nonzero(np.diff(np.concatenate(([0], bands, [0]))) == 1) <= 2
        assert bands.sum() <= 54 and stretches.sum() <= 80


@pytest.mark.parametrize("width,dim", [(0, 20), (1, 20), (5, 20), (5, 5)])
def test_frequency_widths_are_uniform_from_0_to_F(width, dim):
    """The paper's f ~ U{0..F} and f0 ~ U{0..ν−f}, by χ² at one in a million."""
    counts, starts = np.zeros(width + 1), np.zeros(dim)
    for seed in range(1500):
        hidden = masks(4, dim, seed, frequency_masks=1, frequency_width=width, time_masks=0).all(0)
        counts[hidden.sum()] += 1
        if hidden.sum() == 1:
            starts[hidden.argmax()] += 1
    if width == 0:
        assert counts[0] == 1500
        return
    assert chisquare(counts).pvalue > 1e-6
    assert chisquare(starts).pvalue > 1e-6


@pytest.mark.parametrize("frames,ratio,most", [(300, 1.0, 40), (300, 0.1, 30), (20, 0.2, 4), (3, 0.2, 0)])
def test_time_masks_hide_at_most_p_of_the_frames(frames, ratio, most):
    hidden = [
        masks(frames, 80, seed, frequency_masks=0, time_masks=1, time_ratio=ratio).all(1).sum()
        for seed in range(600)
    ]
    assert max(hidden) == most  # reached, never passed


def test_wider_than_the_features():
    hidden = [masks(10, 5, seed, frequency_width=100, time_width=100).mean() for seed in range(200)]
    assert min(hidden) < 0.7 and max(hidden) == 1.0


def test_a_band_is_hidden_in_the_deltas_too():
    for seed in range(20):
        hidden = masks(50, 240, seed, streams=3, time_masks=0)
        parts = hidden.reshape(50, 3, 80)
        assert (parts == parts[:, :1]).all()
    assert hidden.any()


def test_one_seed_one_mask():
    assert (masks(seed=5) == masks(seed=5)).all()
    assert (masks(seed=5) != masks(seed=6)).any()


def test_nothing_asked_nothing_done():
    assert not masks(frequency_masks=0, time_masks=0).any()


@pytest.mark.parametrize("frames", [0, 1])
def test_hardly_any_frames(frames):
    feats = SpecAugment(**OPTIONS)(torch.ones(frames, 80), np.random.default_rng(0))
    assert feats.shape == (frames, 80)
