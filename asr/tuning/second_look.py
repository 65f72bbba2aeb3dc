"""How much a second look should count: the weights of rescoring that read dev with the fewest errors."""

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from asr.config import DecodingConfig, RescoringConfig
from asr.decoding.lexicon_decoder import Reading
from asr.decoding.rescoring import Weights, errors_by_weights, word_log_probs
from asr.lm.scorer import Scorer
from asr.scoring.wer import Scored, score
from asr.transcribe.second_look import comparable


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One way to rescore dev, as in `DecodingConfig` without "gru_", and the word error rate in percent."""

    share: float
    factor: float
    word_score: float
    wer: float


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        chosen: the weights that are taken; with a share of 0 nothing is rescored, since nothing read better
            than the search alone.
        before: word error rate of the search alone.
        best: word error rate of the best reading of every utterance: what no weights can go below.
        trials: all that was tried, the search alone first.
    """

    chosen: Look
    before: float
    best: float
    trials: list[Look]


def tune_second_look(
    nbests: Sequence[Sequence[Reading]],
    utt_ids: Sequence[str],
    refs: Mapping[str, str],
    gru: Scorer,
    ngrams: Scorer,
    decoding: DecodingConfig,
    options: RescoringConfig,
) -> Looks:
    """Try every combination of shares, factors and word scores. Of equals the earlier is taken.

    Args:
        nbests: of every utterance what the search found with `decoding`.
        utt_ids: whose they are.
        refs: what is said in each utterance, by its id.
        gru, ngrams: the language models.
        options: what is tried.
    """
    nbests = [comparable(nbest) for nbest in nbests]
    errors, num_words = _errors(nbests, utt_ids, refs)
    combinations = itertools.product(options.shares, options.factors, options.word_scores)
    tried = [(0.0, 1.0, 0.0), *combinations]
    grid = [Weights(share, factor * decoding.lm_weight, word_score) for share, factor, word_score in tried]
    log_probs = word_log_probs(nbests, gru, ngrams)
    found = errors_by_weights(nbests, log_probs, errors, grid, search_weight=decoding.lm_weight)
    trials = [
        Look(share=share, factor=factor, word_score=word_score, wer=100 * int(count) / num_words)
        for (share, factor, word_score), count in zip(tried, found, strict=True)
    ]
    return Looks(
        chosen=min(trials, key=lambda trial: trial.wer),
        before=trials[0].wer,
        best=100 * sum(map(min, errors)) / num_words,
        trials=trials,
    )


def _errors(
    nbests: Sequence[Sequence[Reading]], utt_ids: Sequence[str], refs: Mapping[str, str]
) -> tuple[list[list[int]], int]:
    """The word errors of every reading, and how many words are said in all."""
    pairs = [
        Scored(utt_id=f"{utt_id} {rank}", ref=refs[utt_id], hyp=" ".join(reading.words))
        for utt_id, nbest in zip(utt_ids, nbests, strict=True)
        for rank, reading in enumerate(nbest)
    ]
    counted = iter(score(pairs).aligned)
    aligned = [[next(counted) for _ in nbest] for nbest in nbests]
    errors = [[item.words.errors for item in items] for items in aligned]
    return errors, sum(items[0].words.length for items in aligned)
