"""Log-probabilities to hypotheses, by the search that is asked for."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from torch import Tensor

from asr.config import DecodingConfig, UnitKind
from asr.decoding.greedy import greedy_search
from asr.decoding.lexicon_decoder import LexiconDecoder
from asr.decoding.prefix_beam import prefix_beam_search
from asr.decoding.readings import to_hypotheses
from asr.decoding.rows import checked_rows
from asr.decoding.words import to_hypothesis
from asr.model.bundle import Bundle
from asr.records import Hypothesis
from asr.transcribe.second_look import SecondLook, num_readings, open_second_look
from asr.transcribe.words import make_decoder, open_words, read_rows
from asr.units.kinds import Units, load_units

logger = logging.getLogger("asr")


class Row(NamedTuple):
    """One row of log-probabilities: whose it is, how long the audio, and the time between two frames."""

    audio: str
    seconds: float
    frame_seconds: float


Search: TypeAlias = Callable[[Tensor, Tensor, Sequence[Row]], list[list[Hypothesis]]]
"""(N, T, C) log-probabilities, (N,) lengths and N rows -> for each row its hypotheses, best first; words with
their times for the first at least."""


def make_search(
    bundle: Bundle,
    decoding: DecodingConfig,
    *,
    lexicon: Path | None = None,
    lm: Path | None = None,
    hotwords: Mapping[str, float] | None = None,
) -> Search:
    """The search that `decoding.method` names.

    Args:
        bundle: whose tokens are searched, and whose words where no others are given.
        decoding: the options.
        lexicon, lm, hotwords: see `Recogniser.load`. Without `lm`, what the search finds is rescored where
            `decoding` says so: the weights of the GRU language model belong to the model's own n-grams.

    Raises:
        AsrError: the files cannot be read, or do not fit the model or each other.
    """
    if decoding.method != "words":
        return _unit_search(bundle.tokens, bundle.config.units.kind, decoding)
    units = load_units(bundle.config.units, bundle.tokens, bundle.unit_files)
    words = open_words(units, bundle.lexicon if lm is None and lexicon is None else lexicon, lm or bundle.lm)
    second = open_second_look(bundle.gru, words.lm, decoding) if lm is None else None
    return _word_search(make_decoder(words, units, decoding, hotwords), units, decoding, second)


def _unit_search(tokens: Sequence[str], kind: UnitKind, options: DecodingConfig) -> Search:
    def search(log_probs: Tensor, lens: Tensor, rows: Sequence[Row]) -> list[list[Hypothesis]]:
        if options.method == "greedy":
            paths = [[path] for path in greedy_search(log_probs, lens)]
        else:
            paths = prefix_beam_search(
                log_probs, lens, beam=options.beam, top=options.top, nbest=options.nbest
            )
        return [
            [
                to_hypothesis(
                    row.audio,
                    path,
                    tokens,
                    frame_seconds=row.frame_seconds,
                    duration=row.seconds,
                    kind=kind,
                )
                for path in best
            ]
            for row, best in zip(rows, paths, strict=True)
        ]

    return search


def _word_search(
    decoder: LexiconDecoder, units: Units, options: DecodingConfig, second: SecondLook | None
) -> Search:
    def search(log_probs: Tensor, lens: Tensor, rows: Sequence[Row]) -> list[list[Hypothesis]]:
        frames = checked_rows(log_probs, lens)
        best = read_rows(decoder, frames, nbest=num_readings(options))
        if second is not None:
            best = second.ranked(best)
        for row, readings in zip(rows, best, strict=True):
            if not readings[0].is_whole:
                logger.warning(
                    "%s: no hypothesis ends with a whole word, so the last one is left out: the sound is cut "
                    "there, or the beam of %d is too narrow",
                    row.audio,
                    options.beam,
                )
        return [
            to_hypotheses(
                row.audio,
                readings,
                row_frames,
                boundary=units.boundary,
                frame_seconds=row.frame_seconds,
                duration=row.seconds,
                weights=options.confidence,
            )[: options.nbest]
            for row, readings, row_frames in zip(rows, best, frames, strict=True)
        ]

    return search
