"""Waveform to features in Kaldi's definition: log-mel filterbank and MFCC, with Δ and ΔΔ.

The definition is Kaldi's compute-fbank-feats and compute-mfcc-feats with dither 0 (so that features are the
same each time), snip-edges true (only whole frames), the Povey window, pre-emphasis 0.97 and, for MFCC,
use-energy false (C0 instead of the energy) and a cepstral lifter of 22. The mel filters and the cosine
transform come from torchaudio. Framing and the spectrum are written here, because torchaudio's fbank makes
the window and the filters anew for each utterance and takes 2.5 times as long; they are tested to be equal.
"""

import math

import torch
from torch import Tensor

from asr.errors import AsrError
from asr.features._torchaudio import functional, kaldi

_SCALE = 32768.0  # Kaldi reads 16-bit integers
_PREEMPHASIS = 0.97
_LIFTER = 22.0
_FLOOR = float(torch.finfo(torch.float32).eps)  # Kaldi's, under the logarithm
_CHUNK_FRAMES = 512  # so many frames at once stay in the processor's cache
_WARP_STEPS = 100  # filters are kept by warp in steps of 1/100


class FeatureExtractor:
    """Waveform float32 (S,) in [-1, 1] -> features float32 (T, F).

    Args:
        kind: "fbank" (log-mel energies) or "mfcc".
        sample_rate: of the waveform, in Hz.
        num_bins: mel filters.
        num_ceps: cepstral coefficients, C0 included ("mfcc" only).
        frame_length_ms, frame_shift_ms: frames, in milliseconds.
        low_hz, high_hz: edges of the filters; `high_hz` of 0 or less counts from half the sample rate.
        deltas: 0, 1 (Δ appended) or 2 (Δ and ΔΔ appended).

    Attributes:
        dim: F.

    Raises:
        AsrError: values that are impossible together; too many filters for the resolution of a frame.
    """

    def __init__(
        self,
        *,
        kind: str,
        sample_rate: int,
        num_bins: int,
        num_ceps: int,
        frame_length_ms: float,
        frame_shift_ms: float,
        low_hz: float,
        high_hz: float,
        deltas: int,
    ) -> None:
        self.kind = kind
        self.sample_rate = sample_rate
        self.deltas = deltas
        self._num_bins = num_bins
        self._window_size = int(sample_rate * frame_length_ms * 0.001)
        self._shift = int(sample_rate * frame_shift_ms * 0.001)
        self._low_hz = low_hz
        self._high_hz = high_hz if high_hz > 0 else sample_rate / 2 + high_hz
        self._check(num_ceps, frame_length_ms, frame_shift_ms)
        self._fft_size = 1 << (self._window_size - 1).bit_length()
        self._window = torch.hann_window(self._window_size, periodic=False).pow(0.85)
        self._cepstrum = _cepstral_transform(num_ceps, num_bins) if kind == "mfcc" else None
        self._filters: dict[int, Tensor] = {}
        self._filters_for(1.0)
        self.dim = (num_bins if self._cepstrum is None else num_ceps) * (1 + deltas)

    def num_frames(self, samples: int) -> int:
        """T for a waveform of `samples` samples; 0 if it is shorter than a frame."""
        return 0 if samples < self._window_size else 1 + (samples - self._window_size) // self._shift

    def __call__(self, waveform: Tensor, warp: float = 1.0) -> Tensor:
        """Compute the features of one utterance.

        Args:
            waveform: float32 (S,), mono, in [-1, 1].
            warp: vocal-tract-length perturbation in Kaldi's definition, in steps of 0.01: the filter at f
                looks at f / warp, so above 1 the voice seems to come from a shorter vocal tract.

        Returns:
            feats: float32 (T, F); T is 0 if the waveform is shorter than a frame.

        Raises:
            AsrError: no filters can be made for this warp.
        """
        feats = self._log_mel(waveform, self._filters_for(warp))
        if self._cepstrum is not None:
            feats = feats @ self._cepstrum
        if self.deltas == 0:
            return feats
        return append_deltas(feats, self.deltas)

    def _log_mel(self, waveform: Tensor, filters: Tensor) -> Tensor:
        """log(max(|FFT(window ∗ preemphasis(frame − mean))|² · filters, ε)), a chunk of frames at a time."""
        num_frames = self.num_frames(len(waveform))
        mel = torch.empty(num_frames, self._num_bins)
        if num_frames == 0:
            return mel
        size = self._window_size
        frames = (waveform * _SCALE).unfold(0, size, self._shift)
        padded = torch.zeros(min(_CHUNK_FRAMES, num_frames), self._fft_size)
        for first in range(0, num_frames, _CHUNK_FRAMES):
            chunk = frames[first : first + _CHUNK_FRAMES]
            chunk = chunk - chunk.mean(1, keepdim=True)
            # Kaldi's pre-emphasis of a frame's first sample does not matter: the window is 0 there
            emphasised = torch.sub(chunk[:, 1:], chunk[:, :-1], alpha=_PREEMPHASIS)
            windowed = padded[: len(chunk)]
            torch.mul(emphasised, self._window[1:], out=windowed[:, 1:size])
            spectrum = torch.view_as_real(torch.fft.rfft(windowed)).flatten(1)
            torch.mm(spectrum.square(), filters, out=mel[first : first + len(chunk)])
        return mel.clamp_(min=_FLOOR).log_()

    def _filters_for(self, warp: float) -> Tensor:
        """Mel filters (2 · FFT bins, num_bins): each row twice, for the real and the imaginary part."""
        step = round(warp * _WARP_STEPS)
        if step not in self._filters:
            banks = self._mel_banks(step / _WARP_STEPS)
            with_nyquist = torch.nn.functional.pad(banks, (0, 1))  # Kaldi leaves the last FFT bin out
            self._filters[step] = with_nyquist.T.repeat_interleave(2, dim=0).contiguous()
        return self._filters[step]

    def _mel_banks(self, warp: float) -> Tensor:
        # Kaldi's defaults, moved inwards where the filters do not reach so far
        vtln_low = max(100.0, 1.25 * self._low_hz)
        vtln_high = self._high_hz - min(500.0, self._high_hz / 8)
        reach = vtln_low * max(1.0, warp) < vtln_high * min(1.0, warp)
        if warp != 1.0 and not (warp > 0 and reach):
            raise AsrError(
                f"vocal-tract warp {warp:g}: impossible for filters from {self._low_hz:g} to "
                f"{self._high_hz:g} Hz; expected a number nearer to 1"
            )
        banks: Tensor = kaldi.get_mel_banks(
            self._num_bins,
            self._fft_size,
            float(self.sample_rate),
            self._low_hz,
            self._high_hz,
            vtln_low,
            vtln_high,
            warp,
        )[0]
        empty = int((banks.sum(1) == 0).sum())
        if empty:
            raise AsrError(
                f"features: {empty} of {self._num_bins} mel filters lie between two bins of a "
                f"{self._fft_size}-point spectrum (warp {warp:g}): expected fewer filters or longer frames"
            )
        return banks

    def _check(self, num_ceps: int, frame_length_ms: float, frame_shift_ms: float) -> None:
        problems = [
            (self.kind not in ("fbank", "mfcc"), f"kind fbank or mfcc, found {self.kind}"),
            (self._num_bins < 4, f"at least 4 mel filters, found {self._num_bins}"),
            (self._window_size < 2, f"frames of two samples or more, found {frame_length_ms:g} ms"),
            (self._shift < 1, f"a shift of a sample or more, found {frame_shift_ms:g} ms"),
            (self.deltas not in (0, 1, 2), f"deltas 0, 1 or 2, found {self.deltas}"),
            (
                not 0 <= self._low_hz < self._high_hz <= self.sample_rate / 2,
                f"0 ≤ low_hz < high_hz ≤ {self.sample_rate / 2:g}, found {self._low_hz:g}, {self._high_hz:g}",
            ),
            (
                self.kind == "mfcc" and not 1 <= num_ceps <= self._num_bins,
                f"1 to {self._num_bins} cepstral coefficients (as many as filters), found {num_ceps}",
            ),
        ]
        for is_wrong, expected in problems:
            if is_wrong:
                raise AsrError(f"features: expected {expected}")


def append_deltas(feats: Tensor, order: int) -> Tensor:
    """Append Δ, or Δ and ΔΔ, as Kaldi's add-deltas does: (T, F) -> (T, (1 + order) · F).

    d[t] = (c[t+1] − c[t−1] + 2 (c[t+2] − c[t−2])) / 10; the first and the last frame are repeated outwards.
    torchaudio's compute_deltas applied twice differs at the ends of ΔΔ, where it repeats Δ instead of c.
    """
    if len(feats) == 0:
        return feats.new_empty(0, feats.shape[1] * (1 + order))
    margin = 2 * order
    padded = torch.cat((feats[:1].expand(margin, -1), feats, feats[-1:].expand(margin, -1)))
    streams = [feats]
    for remaining in range(order - 1, -1, -1):
        padded = ((padded[3:-1] - padded[1:-3]) + 2 * (padded[4:] - padded[:-4])) / 10
        streams.append(padded[2 * remaining : len(padded) - 2 * remaining])
    return torch.cat(streams, dim=1)


def _cepstral_transform(num_ceps: int, num_bins: int) -> Tensor:
    """Orthonormal DCT-II and Kaldi's lifter in one matrix (num_bins, num_ceps)."""
    transform: Tensor = functional.create_dct(num_ceps, num_bins, "ortho")
    lifter = 1 + 0.5 * _LIFTER * torch.sin(math.pi * torch.arange(num_ceps) / _LIFTER)
    return transform * lifter
