"""Which weights read dev with the fewest errors: pairs of weights and the blank score in turn, then beams."""

import itertools
import time
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from asr.config import DecodingConfig, RescoringConfig, TuningConfig
from asr.decoding.lexicon_decoder import Reading
from asr.lm.scorer import Scorer
from asr.progress import track
from asr.scoring.calibration import right_words
from asr.scoring.wer import Report, Scored, score
from asr.transcribe.second_look import SecondLook, num_readings
from asr.transcribe.words import Words, make_decoder, read_rows
from asr.tuning.confidence import Fitted, evidence_in, fit_confidence
from asr.tuning.heard import Heard
from asr.tuning.second_look import Looks, tune_second_look
from asr.units.kinds import Units


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One way to read dev: the settings, the word error rate in percent, and the seconds that it took."""

    lm_weight: float
    word_score: float
    blank_score: float
    beam: int
    wer: float
    seconds: float


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        chosen: the trial whose settings are taken.
        confidence: weights of the map from evidence to confidence that fits dev's right and wrong words.
        ece_before, ece: expected calibration error on dev with the vote alone and with these weights.
        trials: all that was tried, in order.
        second_look: what was found for rescoring, where there is a GRU language model.
    """

    chosen: Trial
    confidence: tuple[float, float, float]
    ece_before: float
    ece: float
    trials: list[Trial]
    second_look: Looks | None = None

    def settings(self, decoding: DecodingConfig) -> DecodingConfig:
        """`decoding` with what was found."""
        chosen = self.chosen
        if self.second_look is not None:
            decoding = _looking(decoding, self.second_look)
        return replace(
            decoding,
            lm_weight=chosen.lm_weight,
            word_score=chosen.word_score,
            blank_score=chosen.blank_score,
            beam=chosen.beam,
            confidence=self.confidence,
        )


def tune(
    heard: Heard,
    refs: Mapping[str, str],
    words: Words,
    units: Units,
    decoding: DecodingConfig,
    options: TuningConfig,
    gru: Scorer | None = None,
    rescoring: RescoringConfig | None = None,
) -> Tuned:
    """Read dev with every pair of `lm_weights` and `word_scores`, with the best the blank scores, then beams.

    Where another blank score is better than that of the pairs, the pairs are tried again with it, since they
    depend on each other, until it stays. Of equal word error rates the earlier setting is taken. Of the beams
    it is the smallest whose WER is within `options.tolerance` of the best.

    Args:
        heard: log-probabilities of dev.
        refs: what is said in each utterance, by its id.
        words, units: what may be read, see `asr.transcribe.words`.
        decoding: the settings that are not tuned, and the first of those that are.
        options: what is tried.
        gru, rescoring: a GRU language model, and the weights that are tried with it on what the settings find
            that were chosen before.

    Raises:
        AsrError: there is not one word in the references, or what the decoder refuses.
    """
    trials: list[Trial] = []

    def attempt(settings: Sequence[DecodingConfig]) -> list[Trial]:
        """Try settings, those that were tried already from memory."""
        known = {_key(trial): trial for trial in trials}
        fresh = [one for one in settings if _key(one) not in known]
        for one in track(fresh, "tuning"):
            trials.append(known.setdefault(_key(one), _try(heard, refs, words, units, one)))
        return [known[_key(one)] for one in settings]

    pairs = itertools.product(
        options.lm_weights or (decoding.lm_weight,), options.word_scores or (decoding.word_score,)
    )
    grid, blanks = list(pairs), options.blank_scores or (decoding.blank_score,)
    base = decoding
    while True:
        found = attempt([replace(base, lm_weight=weight, word_score=score) for weight, score in grid])
        best, before = min(found, key=_wer), base.blank_score
        base = replace(base, lm_weight=best.lm_weight, word_score=best.word_score)
        best = min([best, *attempt([replace(base, blank_score=value) for value in blanks])], key=_wer)
        base = replace(base, blank_score=best.blank_score)
        if best.blank_score == before:  # otherwise it is strictly better, so this comes to an end
            break
    beams = attempt([replace(base, beam=beam) for beam in sorted(options.beams or (decoding.beam,))])
    least = min(map(_wer, beams))
    chosen = next(trial for trial in beams if trial.wer <= least + options.tolerance)

    settings, looks, second = replace(base, beam=chosen.beam, gru_share=0.0), None, None
    if gru is not None and rescoring is not None and words.lm is not None:
        several = _read(heard, words, units, settings, num_readings(replace(settings, gru_share=1.0)))
        looks = tune_second_look(several, heard.utt_ids, refs, gru, words.lm, settings, rescoring)
        settings = _looking(settings, looks)
        second = SecondLook(gru, words.lm, settings) if settings.gru_share else None
    fitted = _fit(heard, refs, words, units, settings, second)
    return Tuned(
        chosen=chosen,
        confidence=fitted.weights,
        ece_before=fitted.ece_before,
        ece=fitted.ece,
        trials=trials,
        second_look=looks,
    )


def _looking(decoding: DecodingConfig, looks: Looks) -> DecodingConfig:
    """`decoding` with the weights of the second look."""
    chosen = looks.chosen
    return replace(
        decoding, gru_share=chosen.share, gru_factor=chosen.factor, gru_word_score=chosen.word_score
    )


def _wer(trial: Trial) -> float:
    return trial.wer


def _key(settings: Trial | DecodingConfig) -> tuple[float, ...]:
    return (settings.lm_weight, settings.word_score, settings.blank_score, settings.beam)


def _try(
    heard: Heard, refs: Mapping[str, str], words: Words, units: Units, settings: DecodingConfig
) -> Trial:
    began = time.perf_counter()
    readings = _read(heard, words, units, settings, 1)
    seconds = time.perf_counter() - began
    return Trial(
        lm_weight=settings.lm_weight,
        word_score=settings.word_score,
        blank_score=settings.blank_score,
        beam=settings.beam,
        wer=_score(heard, refs, readings).wer,
        seconds=seconds,
    )


def _fit(
    heard: Heard,
    refs: Mapping[str, str],
    words: Words,
    units: Units,
    settings: DecodingConfig,
    second: SecondLook | None,
) -> Fitted:
    """How sure words should be when dev is read with these settings."""
    readings = _read(heard, words, units, settings, num_readings(settings))
    readings = second.ranked(readings) if second else readings
    facts = [evidence_in(row, best, units) for row, best in zip(heard.rows, readings, strict=True)]
    right = [word for item in _score(heard, refs, readings).aligned for word in right_words(item)]
    return fit_confidence(np.concatenate(facts), np.array(right, np.bool_))


def _read(
    heard: Heard, words: Words, units: Units, settings: DecodingConfig, nbest: int
) -> list[list[Reading]]:
    decoder = make_decoder(words, units, settings)
    return read_rows(decoder, heard.rows, nbest=nbest)


def _score(heard: Heard, refs: Mapping[str, str], readings: Sequence[Sequence[Reading]]) -> Report:
    return score(
        [
            Scored(utt_id=utt_id, ref=refs[utt_id], hyp=" ".join(best[0].words))
            for utt_id, best in zip(heard.utt_ids, readings, strict=True)
        ]
    )
