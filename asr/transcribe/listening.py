"""Audio to features, piece by piece."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.errors import AsrError
from asr.features.audio import read_blocks
from asr.features.cmvn import apply_cmvn, utterance_cmvn
from asr.features.extract import FeatureExtractor
from asr.features.pauses import cut_at_pauses
from asr.features.sound_file import Source
from asr.model.bundle import Bundle
from asr.transcribe.results import Failure

Samples = NDArray[np.float32]

PIECE_SECONDS = 30.0
"""Longest stretch that the model hears at once; training saw little that is longer."""
SILENCE = 1e-4
"""Peak below which there is nothing to hear: -80 dB of full scale, three steps of 16-bit audio."""

logger = logging.getLogger("asr")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of one file. feats (T, K, F), of K warps, on the CPU; T is 0 if there is nothing to hear."""

    audio: str
    offset: float
    seconds: float
    feats: Tensor


@dataclass(frozen=True, slots=True)
class End:
    """All pieces of a file have come."""

    audio: str
    seconds: float


class Listener:
    """Cuts audio into pieces and computes their features as the model was trained.

    Args:
        bundle: the model.
        warps: of the mel axis, for each of which a piece has features (`asr.config.DecodingConfig`).

    Raises:
        AsrError: a warp that the features do not allow.
    """

    def __init__(self, bundle: Bundle, warps: Sequence[float] = (0.0,)) -> None:
        features = bundle.config.features
        self.bundle, self.sample_rate, self.warps = bundle, features.sample_rate, tuple(warps)
        self._extract = FeatureExtractor(**features.extraction)
        for warp in self.warps:  # refused here and now, not once for each file
            self._extract(torch.zeros(0), 1 + warp)

    def read(self, source: Source) -> Iterator[Piece | End | Failure]:
        """The pieces of one file, in blocks, so that hours of audio take the memory of minutes."""
        audio = os.fspath(source) if isinstance(source, str | os.PathLike) else _stream_name(source)
        try:
            blocks = read_blocks(source, sample_rate=self.sample_rate, seconds=PIECE_SECONDS)
            yield from self.pieces(audio, blocks)
        except AsrError as error:
            yield Failure(audio=audio, reason=str(error))

    def pieces(self, audio: str, blocks: Iterable[Samples]) -> Iterator[Piece | End]:
        """The pieces of a waveform that comes in blocks; `audio` names it."""
        offset, peak = 0.0, 0.0
        for samples in cut_at_pauses(blocks, self.sample_rate, PIECE_SECONDS):
            seconds = len(samples) / self.sample_rate
            loudest = float(np.abs(samples).max(initial=0.0))
            # a model may well hear words in digital silence, which it never met in training
            heard = samples if loudest >= SILENCE else samples[:0]
            voices = [self.features(audio, heard, warp) for warp in self.warps]
            yield Piece(audio, offset, seconds, torch.stack(voices, dim=1))
            offset, peak = offset + seconds, max(peak, loudest)
        if self.num_frames(offset) == 0:
            logger.warning("%s: %.3f s is shorter than a frame; its text is empty", audio, offset)
        elif peak < SILENCE:
            logger.warning("%s: silence (%.1f s); its text is empty", audio, offset)
        yield End(audio, offset)

    def num_frames(self, seconds: float) -> int:
        """How many frames of features a stretch of audio has."""
        return self._extract.num_frames(round(seconds * self.sample_rate))

    def features(self, audio: str, samples: Samples, warp: float = 0.0) -> Tensor:
        """(S,) -> (T, F), normalised as the model was trained; `audio` names the samples in an error."""
        feats = self._extract(torch.from_numpy(samples), 1 + warp)
        mean, std = self.bundle.cmvn_mean, self.bundle.cmvn_std
        if mean is not None and std is not None:
            feats = apply_cmvn(feats, mean, std)
        elif self.bundle.config.features.cmvn == "utterance":
            feats = utterance_cmvn(feats)
        if not torch.isfinite(feats).all():
            raise AsrError(f"{audio}: samples within [-1, 1] expected, found such that overflow the features")
        return feats


def _stream_name(stream: BinaryIO) -> str:
    name = getattr(stream, "name", "-")
    return name if isinstance(name, str) and name != "<stdin>" else "-"
