"""SpecAugment (Park et al. 2019, arXiv:1904.08779): bands of features and stretches of time are masked."""

import numpy as np
from torch import Tensor


class SpecAugment:
    """Mask normalised features (T, F) with 0, their mean.

    The paper's letters: `frequency_masks` m_F, `frequency_width` F, `time_masks` m_T, `time_width` T and
    `time_ratio` p. A frequency mask takes f ~ U{0..F} features from f0 ~ U{0..ν−f}; a time mask takes
    t ~ U{0..min(T, p·τ)} frames from t0 ~ U{0..τ−t}, so that it hides at most p of the utterance's τ frames.
    Time is not warped: the paper finds it the least useful part, and the costly one.

    Args:
        streams: 1 + the number of deltas; a frequency mask hides a band in the features and in their deltas.
    """

    def __init__(
        self,
        *,
        frequency_masks: int,
        frequency_width: int,
        time_masks: int,
        time_width: int,
        time_ratio: float,
        streams: int = 1,
    ) -> None:
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width
        self.time_masks = time_masks
        self.time_width = time_width
        self.time_ratio = time_ratio
        self.streams = streams

    def __call__(self, feats: Tensor, rng: np.random.Generator) -> Tensor:
        """Features (T, F) with masks, new; frequency masks are drawn first, then time masks."""
        masked = feats.clone()
        num_frames, dim = feats.shape
        num_bins = dim // self.streams
        bands = masked.view(num_frames, self.streams, num_bins)
        for _ in range(self.frequency_masks):
            start, width = _span(num_bins, self.frequency_width, rng)
            bands[:, :, start : start + width] = 0
        widest = min(self.time_width, int(self.time_ratio * num_frames))
        for _ in range(self.time_masks):
            start, width = _span(num_frames, widest, rng)
            masked[start : start + width] = 0
        return masked


def _span(length: int, widest: int, rng: np.random.Generator) -> tuple[int, int]:
    """Start and width of a mask of at most `widest` within `length`."""
    width = int(rng.integers(0, min(widest, length), endpoint=True))
    return int(rng.integers(0, length - width, endpoint=True)), width
