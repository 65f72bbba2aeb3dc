"""Audio to text: reading, features, model and decoder joined for inference.

A file becomes pieces of at most half a minute, cut at pauses; the pieces of a window of files become batches
of like length; what the decoder hears in them is put together again, file by file, in the order given. Memory
holds one window, whatever the length of the files and their number.
"""

import functools
import heapq
import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.config import DecodingConfig, writes_phones
from asr.decoding.greedy import greedy_search
from asr.decoding.prefix_beam import prefix_beam_search
from asr.decoding.words import to_hypothesis
from asr.errors import AsrError
from asr.features.array import waveform_of
from asr.features.audio import read_blocks
from asr.features.cmvn import apply_cmvn, utterance_cmvn
from asr.features.extract import FeatureExtractor
from asr.features.pauses import cut_at_pauses
from asr.features.sound_file import Source
from asr.model.bundle import Bundle, load_bundle
from asr.records import Hypothesis, Word
from asr.units.kinds import Units, load_units

Samples = NDArray[np.float32]

PIECE_SECONDS = 30.0
"""Longest stretch that the model hears at once; training saw little that is longer."""
WINDOW_SECONDS = 900.0
"""Audio that is read ahead and sorted by length before it is decoded."""
BATCH_SECONDS = 160.0
"""Audio in one batch, padding included."""
SILENCE = 1e-4
"""Peak below which there is nothing to hear: -80 dB of full scale, three steps of 16-bit audio."""

logger = logging.getLogger("asr")


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One of the N best texts; score is a natural-log probability."""

    text: str
    score: float


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard in one audio file.

    Attributes:
        audio: path as it was given; "array" for samples from memory.
        duration: of the audio, in seconds.
        text: the words; empty where nothing was heard.
        score: natural-log probability of the text, summed over the pieces of a long file.
        words: with times in seconds from the start of the file, and confidences.
        alternatives: the N best texts, best first, where more than one was asked for.
    """

    audio: str
    duration: float
    text: str
    score: float
    words: list[Word]
    alternatives: list[Alternative] = []


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An audio file that could not be transcribed; reason is a sentence that names it."""

    audio: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of one file. feats (T, F) on the CPU; T is 0 where there is nothing to hear."""

    audio: str
    offset: float
    seconds: float
    feats: Tensor


@dataclass(frozen=True, slots=True)
class _End:
    """All pieces of a file have come."""

    audio: str
    seconds: float


class Recogniser:
    """A model and everything around it, from audio to text.

    >>> recogniser = Recogniser.load(Path("exp/quickstart/model"))         # doctest: +SKIP
    >>> recogniser.transcribe("meeting.wav").text                          # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle, device: torch.device, decoding: DecodingConfig) -> None:
        features = bundle.config.features
        self.bundle, self.device, self.decoding = bundle, device, decoding
        self.sample_rate = features.sample_rate
        self._model = bundle.build_model().to(device)
        self._extract = FeatureExtractor(
            kind=features.kind,
            sample_rate=features.sample_rate,
            num_bins=features.num_bins,
            num_ceps=features.num_ceps,
            frame_length_ms=features.frame_length_ms,
            frame_shift_ms=features.frame_shift_ms,
            low_hz=features.low_hz,
            high_hz=features.high_hz,
            deltas=features.deltas,
        )
        self.frame_seconds = features.frame_shift_ms / 1000 * bundle.config.model.subsampling

    @classmethod
    def load(
        cls,
        model_dir: str | Path,
        device: str = "cpu",
        *,
        beam: int | None = None,
        top: int | None = None,
        nbest: int | None = None,
    ) -> "Recogniser":
        """Load a model folder.

        Args:
            model_dir: folder written by `asr.model.bundle.save_bundle`.
            device: "cpu", "cuda" (or "cuda:1"), or "auto": CUDA where there is one.
            beam: width of the prefix beam search, 0 for greedy; None leaves what the model's configuration
                says, as for the others.
            top: classes of a frame that the beam search tries.
            nbest: how many texts to return for each file; more than 1 needs a beam search.

        Raises:
            AsrError: a damaged model folder, no such device, or options that do not fit.
        """
        where = _device(device)
        bundle = load_bundle(Path(model_dir))
        return cls(bundle, where, _decoding(bundle.config.decoding, beam, top, nbest))

    @functools.cached_property
    def units(self) -> Units:
        """How texts are written in the model's classes; read when it is first asked for.

        Raises:
            AsrError: the model's files are not what its units need.
        """
        return load_units(self.bundle.config.units, self.bundle.tokens, self.bundle.unit_files)

    @property
    def writes_phones(self) -> bool:
        """Whether transcripts are phones, not words: each stands as a word, with its time."""
        return writes_phones(self.bundle.config.units, self.decoding)

    def transcribe(
        self, audio: str | Path | NDArray[np.generic] | Tensor, sample_rate: int | None = None
    ) -> Transcript:
        """Transcribe one file, or samples from memory.

        Args:
            audio: a path, or samples (S,), or (S, channels) as soundfile gives them: floats within [-1, 1],
                or integers, whose full scale is that of their type.
            sample_rate: of samples, in Hz; None means that of the model. A file knows its own.

        Raises:
            AsrError: the file cannot be read, or the samples are no audio.
        """
        if isinstance(audio, str | Path):
            results: Iterator[Transcript | Failure] = self.transcribe_files([audio])
        else:
            rate = self.sample_rate if sample_rate is None else sample_rate
            waveform = waveform_of(audio, rate=rate, sample_rate=self.sample_rate)
            results = self._results(self._pieces("array", [waveform]))
        result = next(results)
        if isinstance(result, Failure):
            raise AsrError(result.reason)
        return result

    def transcribe_files(self, paths: Iterable[Source]) -> Iterator[Transcript | Failure]:
        """Transcribe files in batches of like length.

        Args:
            paths: audio files; they are read as the results are asked for, a window at a time. A binary
                stream such as `sys.stdin.buffer` counts as a file and is called by its name, or "-".

        Yields:
            One result a path, in the order given; a file that cannot be read is a `Failure`, and the others
            go on.
        """
        return self._results(itertools.chain.from_iterable(self._read(path) for path in paths))

    @torch.inference_mode()
    def log_probs(self, source: Source) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """What the model hears in one file, piece by piece.

        Returns:
            (T', C) natural-log probabilities, (T',) the second at which each frame begins, and the length of
            the audio in seconds. Silent stretches have no frames.

        Raises:
            AsrError: the file cannot be read.
        """
        rows, times, seconds = [np.zeros((0, len(self.bundle.tokens)))], [np.zeros(0)], 0.0
        for event in self._read(source):
            if isinstance(event, Failure):
                raise AsrError(event.reason)
            if isinstance(event, _End):
                seconds = event.seconds
            elif len(event.feats):
                lens = torch.tensor([len(event.feats)], device=self.device)
                log_probs, _ = self._model(event.feats[None].to(self.device), lens)
                rows.append(log_probs[0].double().cpu().numpy())
                times.append(event.offset + np.arange(log_probs.shape[1]) * self.frame_seconds)
        return np.concatenate(rows), np.concatenate(times), seconds

    def _read(self, source: Source) -> Iterator[_Piece | _End | Failure]:
        """The pieces of one file, in blocks, so that hours of audio take the memory of minutes."""
        audio = os.fspath(source) if isinstance(source, str | os.PathLike) else _stream_name(source)
        try:
            blocks = read_blocks(source, sample_rate=self.sample_rate, seconds=PIECE_SECONDS)
            yield from self._pieces(audio, blocks)
        except AsrError as error:
            yield Failure(audio=audio, reason=str(error))

    def _pieces(self, audio: str, blocks: Iterable[Samples]) -> Iterator[_Piece | _End]:
        offset, peak = 0.0, 0.0
        for samples in cut_at_pauses(blocks, self.sample_rate, PIECE_SECONDS):
            seconds = len(samples) / self.sample_rate
            loudest = float(np.abs(samples).max(initial=0.0))
            # a model may well hear words in digital silence, which it never met in training
            heard = samples if loudest >= SILENCE else samples[:0]
            yield _Piece(audio, offset, seconds, self.features(audio, heard))
            offset, peak = offset + seconds, max(peak, loudest)
        if self._extract.num_frames(round(offset * self.sample_rate)) == 0:
            logger.warning("%s: %.3f s is shorter than a frame; its text is empty", audio, offset)
        elif peak < SILENCE:
            logger.warning("%s: silence (%.1f s); its text is empty", audio, offset)
        yield _End(audio, offset)

    def features(self, audio: str, samples: Samples) -> Tensor:
        """(S,) -> (T, F), normalised as the model was trained; `audio` names the samples in an error."""
        feats = self._extract(torch.from_numpy(samples))
        mean, std = self.bundle.cmvn_mean, self.bundle.cmvn_std
        if mean is not None and std is not None:
            feats = apply_cmvn(feats, mean, std)
        elif self.bundle.config.features.cmvn == "utterance":
            feats = utterance_cmvn(feats)
        if not torch.isfinite(feats).all():
            raise AsrError(f"{audio}: samples within [-1, 1] expected, found such that overflow the features")
        return feats

    def _results(self, events: Iterable[_Piece | _End | Failure]) -> Iterator[Transcript | Failure]:
        """Decode pieces a window at a time, and join them at the end of each file."""
        heard: list[tuple[_Piece, list[Hypothesis]]] = []
        for window in _windows(events):
            decoded = self._decode([event for event in window if isinstance(event, _Piece)])
            for event in window:
                if isinstance(event, _Piece):
                    heard.append((event, next(decoded)))
                    continue
                yield _joined(event, heard, self.decoding.nbest) if isinstance(event, _End) else event
                heard = []

    def _decode(self, pieces: list[_Piece]) -> Iterator[list[Hypothesis]]:
        """The N best hypotheses of each piece, in the order given; the longest are decoded first."""
        results = [[Hypothesis(utt_id=piece.audio, text="", score=0.0)] for piece in pieces]
        most = self._extract.num_frames(round(BATCH_SECONDS * self.sample_rate))
        for rows in batches_by_length([len(piece.feats) for piece in pieces], most):
            for row, hyps in zip(rows, self._decode_batch([pieces[row] for row in rows]), strict=True):
                results[row] = hyps
        return iter(results)

    @torch.inference_mode()
    def _decode_batch(self, pieces: list[_Piece]) -> list[list[Hypothesis]]:
        feats = torch.nn.utils.rnn.pad_sequence([piece.feats for piece in pieces], batch_first=True)
        feat_lens = torch.tensor([len(piece.feats) for piece in pieces])
        log_probs, log_prob_lens = self._model(feats.to(self.device), feat_lens.to(self.device))
        options = self.decoding
        if options.method == "greedy":
            paths = [[path] for path in greedy_search(log_probs, log_prob_lens)]
        else:
            paths = prefix_beam_search(
                log_probs, log_prob_lens, beam=options.beam, top=options.top, nbest=options.nbest
            )
        return [
            [
                to_hypothesis(
                    piece.audio,
                    path,
                    self.bundle.tokens,
                    frame_seconds=self.frame_seconds,
                    duration=piece.seconds,
                    kind=self.bundle.config.units.kind,
                )
                for path in best
            ]
            for piece, best in zip(pieces, paths, strict=True)
        ]


# --- windows and batches -----------------------------------------------------------------------------------


def _windows(events: Iterable[_Piece | _End | Failure]) -> Iterator[list[_Piece | _End | Failure]]:
    """Group events, in order, into windows of about `WINDOW_SECONDS` of audio."""
    window: list[_Piece | _End | Failure] = []
    seconds = 0.0
    for event in events:
        window.append(event)
        seconds += event.seconds if isinstance(event, _Piece) else 0.0
        if seconds >= WINDOW_SECONDS:
            yield window
            window, seconds = [], 0.0
    if window:
        yield window


def batches_by_length(lens: Sequence[int], most: int) -> list[list[int]]:
    """Group rows of like length, longest first.

    Args:
        lens: frames of each row.
        most: frames in a batch, padding included; a row that is longer makes a batch of its own.

    Returns:
        The numbers of the rows in each batch. Rows without frames are left out.
    """
    batches: list[list[int]] = []
    for row in sorted((row for row, length in enumerate(lens) if length), key=lambda row: -lens[row]):
        if batches and (len(batches[-1]) + 1) * lens[batches[-1][0]] <= most:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


# --- putting together --------------------------------------------------------------------------------------


def _stream_name(stream: BinaryIO) -> str:
    name = getattr(stream, "name", "-")
    return name if isinstance(name, str) and name != "<stdin>" else "-"


def _joined(end: _End, heard: Sequence[tuple[_Piece, list[Hypothesis]]], nbest: int) -> Transcript:
    """The pieces of one file as one transcript, times counted from its start."""
    words = [
        msgspec.structs.replace(word, start=word.start + piece.offset, end=word.end + piece.offset)
        for piece, hyps in heard
        for word in hyps[0].words
    ]
    return Transcript(
        audio=end.audio,
        duration=end.seconds,
        text=" ".join(word.text for word in words),
        score=sum(hyps[0].score for _, hyps in heard),
        words=words,
        alternatives=_alternatives([hyps for _, hyps in heard], nbest) if nbest > 1 else [],
    )


def _alternatives(pieces: Iterable[list[Hypothesis]], nbest: int) -> list[Alternative]:
    """The N best ways to take one hypothesis of each piece, different in text."""
    best = [Alternative(text="", score=0.0)]
    for hyps in pieces:
        joined: dict[str, float] = {}
        for before, hyp in itertools.product(best, hyps):
            text, score = f"{before.text} {hyp.text}".strip(), before.score + hyp.score
            joined[text] = max(score, joined.get(text, score))
        best = [
            Alternative(text=text, score=score)
            for text, score in heapq.nlargest(nbest, joined.items(), key=lambda item: item[1])
        ]
    return best


# --- options -----------------------------------------------------------------------------------------------


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise AsrError(f"device {name}: auto, cpu or cuda expected") from error
    if device.type not in ("cpu", "cuda"):
        raise AsrError(f"device {name}: auto, cpu or cuda expected")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise AsrError(f"device {name}: torch finds {torch.cuda.device_count()} CUDA devices here; use cpu")
    return device


def _decoding(config: DecodingConfig, beam: int | None, top: int | None, nbest: int | None) -> DecodingConfig:
    """The model's options with the caller's in front."""
    for name, value, least in (("beam", beam, 0), ("top", top, 1), ("nbest", nbest, 1)):
        if value is not None and value < least:
            raise AsrError(f"{name}: {least} or more expected, found {value}")
    method = config.method if beam is None else "beam" if beam else "greedy"
    if method == "greedy" and (nbest or 1) > 1:
        raise AsrError(f"nbest {nbest}: greedy search finds one text; ask for a beam search, such as beam 16")
    return DecodingConfig(
        method=method,
        beam=beam or config.beam,
        top=top or config.top,
        nbest=(nbest or config.nbest) if method == "beam" else 1,
    )
