"""From a line of the manifest to what the model sees: read, change, measure, normalise, mask."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.batching.batch import Batch, Example, collate
from asr.batching.cache import WaveformCache
from asr.errors import AsrError
from asr.features.audio import read_audio
from asr.features.augment import WaveformAugment, rng_for
from asr.features.cmvn import apply_cmvn, utterance_cmvn
from asr.features.extract import FeatureExtractor
from asr.features.spec_augment import SpecAugment
from asr.model.ctc import frames_needed
from asr.records import Utterance


class SpeechDataset:
    """Utterances as examples: `dataset[index, epoch]`.

    What an example holds depends on the utterance, the seed and the epoch, and on nothing else: neither on
    the order of reading nor on the process that reads.

    Args:
        utterances: the rows; an index counts in them.
        sample_rate: Hz, of the waveform that `extractor` takes.
        extractor: waveform to feats (T, F).
        cmvn: mean (F,) and standard deviation (F,) of the training data, or "utterance" for each
            utterance's own, or None to leave feats as they are.
        encode: transcript to the ids of its units. None leaves targets empty, as evaluation does.
        encode_intermediate: likewise for the model's intermediate output, where it has one.
        output_frames: T to T', the frames that the model makes of T. With it, a waveform whose change of
            speed leaves fewer frames than its target needs stays as it was. None where no target must fit.
        waveform_augment, spec_augment: changes of waveform and feats for training; None for none.
        warp: the mel axis is stretched by a factor drawn between 1 − warp and 1 + warp.
        seed: of all that is drawn.
        cache_bytes: memory in which decoded sound is kept from epoch to epoch.

    Attributes:
        reported: sentences about utterances left out that the user has seen.

    Raises:
        AsrError: a warp that the features do not allow.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        *,
        sample_rate: int,
        extractor: FeatureExtractor,
        cmvn: tuple[Tensor, Tensor] | Literal["utterance"] | None,
        encode: Callable[[str], list[int]] | None = None,
        encode_intermediate: Callable[[str], list[int]] | None = None,
        output_frames: Callable[[int], int] | None = None,
        waveform_augment: WaveformAugment | None = None,
        spec_augment: SpecAugment | None = None,
        warp: float = 0.0,
        seed: int = 0,
        cache_bytes: int = 0,
    ) -> None:
        self.utterances = utterances
        self.reported: set[str] = set()
        self._sample_rate = sample_rate
        self._extractor = extractor
        self._cmvn = cmvn
        self._encode, self._encode_intermediate = encode, encode_intermediate
        self._output_frames = output_frames
        self._waveform_augment = waveform_augment
        self._spec_augment = spec_augment
        self._warp = warp
        self._seed = seed
        samples = [round(utterance.duration * sample_rate) for utterance in utterances]
        self._cache = WaveformCache(samples, cache_bytes)
        if warp:  # refused here and now, not once for each utterance in the middle of training
            for extreme in (1 - warp, 1 + warp):
                extractor(torch.zeros(sample_rate), extreme)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, key: tuple[int, int]) -> Example:
        """The example for (index, epoch).

        Raises:
            AsrError: the audio cannot be read or the transcript cannot be a target; the sentence begins
                with the utterance's name.
        """
        index, epoch = key
        utterance = self.utterances[index]
        try:
            waveform = torch.from_numpy(self._read(index))
            return self._example(utterance, waveform, epoch)
        except AsrError as error:
            raise AsrError(f"{utterance.utt_id}: {error}") from error

    def batch(self, indices: Sequence[int], epoch: int) -> Batch:
        """The batch of these rows. One that cannot be made is left out and named in `Batch.skipped`."""
        examples: list[Example] = []
        skipped: list[str] = []
        for index in indices:
            try:
                examples.append(self[index, epoch])
            except AsrError as error:
                skipped.append(str(error))
        return collate(examples, self._extractor.dim, skipped)

    def _read(self, index: int) -> NDArray[np.float32]:
        waveform = self._cache.get(index)
        if waveform is None:
            utterance = self.utterances[index]
            waveform = read_audio(
                utterance.audio,
                sample_rate=self._sample_rate,
                start=utterance.start,
                duration=utterance.duration,
            )
            self._cache.put(index, waveform)
        return waveform

    def _example(self, utterance: Utterance, original: Tensor, epoch: int) -> Example:
        rng = rng_for(self._seed, epoch, utterance.utt_id)
        target = self._encode(utterance.text) if self._encode else []
        halfway = self._encode_intermediate(utterance.text) if self._encode_intermediate else []
        waveform = original
        if self._waveform_augment is not None:
            waveform = self._waveform_augment(original, rng, epoch)
            if not self._fits(waveform, target, halfway):
                waveform = original
        if not self._fits(waveform, target, halfway):
            raise AsrError(
                f"{len(waveform) / self._sample_rate:.2f} s of audio were found, where the manifest has "
                f"{utterance.duration:.2f} s; too short for the {len(target)} units of the transcript"
            )
        warp = 1.0 if self._warp == 0 else float(rng.uniform(1 - self._warp, 1 + self._warp))
        feats = self._normalise(self._extractor(waveform, warp))
        if self._spec_augment is not None:
            feats = self._spec_augment(feats, rng)
        return Example(utterance.utt_id, feats, target, len(waveform) / self._sample_rate, halfway)

    def _fits(self, waveform: Tensor, *targets: list[int]) -> bool:
        """Whether the model makes enough frames of the waveform for CTC to align the targets."""
        frames = self._extractor.num_frames(len(waveform))
        if self._output_frames is None:
            return frames > 0
        return frames > 0 and self._output_frames(frames) >= max(map(frames_needed, targets))

    def _normalise(self, feats: Tensor) -> Tensor:
        if self._cmvn is None:
            return feats
        if isinstance(self._cmvn, str):
            return utterance_cmvn(feats)
        return apply_cmvn(feats, *self._cmvn)
