"""The recogniser: a model folder, from audio to text."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.config import DecodingConfig, writes_phones
from asr.errors import AsrError
from asr.features.array import waveform_of
from asr.features.sound_file import Source
from asr.model.bundle import Bundle, load_bundle
from asr.pretrained import chosen_model
from asr.records import Hypothesis
from asr.transcribe.batches import BATCH_SECONDS, batches_by_length, windows
from asr.transcribe.listening import End, Listener, Piece, Samples
from asr.transcribe.options import chosen_decoding, chosen_device
from asr.transcribe.results import Failure, Transcript, joined
from asr.transcribe.searches import Row, make_search
from asr.transcribe.voices import hear
from asr.units.kinds import Units, load_units


class Recogniser:
    """A model and everything around it, from audio to text.

    >>> recogniser = Recogniser.load(Path("exp/quickstart/model"))         # doctest: +SKIP
    >>> recogniser.transcribe("meeting.wav").text                          # doctest: +SKIP
    """

    def __init__(
        self,
        bundle: Bundle,
        device: torch.device,
        decoding: DecodingConfig,
        *,
        lexicon: Path | None = None,
        lm: Path | None = None,
        hotwords: Mapping[str, float] | None = None,
    ) -> None:
        """Join a model and a search; arguments and errors as for `load`, which see."""
        self.bundle, self.device, self.decoding = bundle, device, decoding
        self._search = make_search(bundle, decoding, lexicon=lexicon, lm=lm, hotwords=hotwords)
        self._model = bundle.build_model().to(device)
        self._listener = Listener(bundle, decoding.warps)
        features = bundle.config.features
        self.sample_rate = features.sample_rate
        self.frame_seconds = features.frame_shift_ms / 1000 * bundle.config.model.subsampling

    @classmethod
    def load(
        cls,
        model_dir: str | Path | None = None,
        device: str = "cpu",
        *,
        decoder: str | None = None,
        beam: int | None = None,
        top: int | None = None,
        nbest: int | None = None,
        lexicon: str | Path | None = None,
        lm: str | Path | None = None,
        lm_weight: float | None = None,
        word_score: float | None = None,
        hotwords: Mapping[str, float] | None = None,
    ) -> "Recogniser":
        """Load a model folder.

        Args:
            model_dir: folder written by `asr.model.bundle.save_bundle`; None takes the model that comes with
                the package.
            device: "cpu", "cuda" (or "cuda:1"), or "auto": CUDA where there is one.
            decoder: "greedy", "beam" or "words"; None leaves what the model's configuration says, unless
                another option asks for a search, as for the others.
            beam: width of the search, 0 for greedy.
            top: classes of a frame that a search tries.
            nbest: how many texts to return for each file; more than 1 needs a search.
            lexicon: the words that are read (see `asr.units.spellings`), in place of the model's own.
            lm: a language model of words, .arpa, .arpa.gz or .lm, in place of the model's own. Its words are
                the lexicon, if no other is given.
            lm_weight, word_score: as in `asr.config.DecodingConfig`.
            hotwords: words that are expected, such as names, with the nats that each adds; 5 prefer a word
                clearly. They may be outside the lexicon.

        Raises:
            AsrError: no model or a damaged one, no such device, files that cannot be read or do not fit the
                model, or options that do not fit each other.
        """
        where = chosen_device(device)
        bundle = load_bundle(chosen_model(model_dir))
        decoding = chosen_decoding(
            bundle.config.decoding,
            method=decoder,
            beam=beam,
            with_words=any(option is not None for option in (lexicon, lm, lm_weight, word_score, hotwords)),
            top=top,
            nbest=nbest,
            lm_weight=lm_weight,
            word_score=word_score,
        )
        return cls(bundle, where, decoding, lexicon=_path(lexicon), lm=_path(lm), hotwords=hotwords)

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
            results = self._results(self._listener.pieces("array", [waveform]))
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
        return self._results(itertools.chain.from_iterable(self._listener.read(path) for path in paths))

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
        for event in self._listener.read(source):
            if isinstance(event, Failure):
                raise AsrError(event.reason)
            if isinstance(event, End):
                seconds = event.seconds
            elif len(event.feats):
                log_probs, _ = hear(self._model, [event.feats], self.device)
                rows.append(log_probs[0].double().cpu().numpy())
                times.append(
                    event.offset + np.arange(log_probs.shape[1], dtype=np.float64) * self.frame_seconds
                )
        return np.concatenate(rows), np.concatenate(times), seconds

    def features(self, audio: str, samples: Samples) -> Tensor:
        """(S,) -> (T, F), without a warp, as the model was trained; `audio` names the samples in an error."""
        return self._listener.features(audio, samples)

    def _results(self, events: Iterable[Piece | End | Failure]) -> Iterator[Transcript | Failure]:
        """Decode pieces a window at a time, and join them at the end of each file."""
        heard: list[tuple[float, list[Hypothesis]]] = []
        for window in windows(events, len(self.decoding.warps)):
            decoded = self._decode([event for event in window if isinstance(event, Piece)])
            for event in window:
                if isinstance(event, Piece):
                    heard.append((event.offset, next(decoded)))
                    continue
                if isinstance(event, End):
                    yield joined(event.audio, event.seconds, heard, self.decoding.nbest)
                else:
                    yield event
                heard = []

    def _decode(self, pieces: list[Piece]) -> Iterator[list[Hypothesis]]:
        """The N best hypotheses of each piece, in the order given; the longest are decoded first."""
        results = [[Hypothesis(utt_id=piece.audio, text="", score=0.0)] for piece in pieces]
        most = self._listener.num_frames(BATCH_SECONDS / len(self.decoding.warps))
        for rows in batches_by_length([len(piece.feats) for piece in pieces], most):
            for row, hyps in zip(rows, self._decode_batch([pieces[row] for row in rows]), strict=True):
                results[row] = hyps
        return iter(results)

    @torch.inference_mode()
    def _decode_batch(self, pieces: list[Piece]) -> list[list[Hypothesis]]:
        log_probs, log_prob_lens = hear(self._model, [piece.feats for piece in pieces], self.device)
        named = [Row(piece.audio, piece.seconds, self.frame_seconds) for piece in pieces]
        return self._search(log_probs, log_prob_lens, named)


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)
