"""What a search for words found, ranked anew with the model's GRU language model, where it has one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asr.config import DecodingConfig
from asr.decoding.lexicon_decoder import Reading
from asr.decoding.rescoring import Weights, rescore, word_log_probs
from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.lm.scorer import Scorer, open_scorer

VOTERS = 32
"""Readings that have a say in how sure a word is."""


class SecondLook:
    """Two language models and their weights.

    Args:
        gru, ngrams: the models.
        decoding: the weights of the search and of the second look.
    """

    def __init__(self, gru: Scorer, ngrams: Scorer, decoding: DecodingConfig) -> None:
        self._gru, self._ngrams = gru, ngrams
        self._search_weight = decoding.lm_weight
        self._weights = Weights(
            decoding.gru_share, decoding.gru_factor * decoding.lm_weight, decoding.gru_word_score
        )

    def ranked(self, nbests: Sequence[Sequence[Reading]]) -> list[list[Reading]]:
        """The readings of each utterance, best first, with `lm` and `total` of the second look.

        Those that are `comparable` stay before the others.
        """
        log_probs = word_log_probs(nbests, self._gru, self._ngrams)
        found = []
        for nbest, probs in zip(nbests, log_probs, strict=True):
            order = rescore(nbest, probs, self._weights, search_weight=self._search_weight)
            anew = [replace(nbest[item.rank], lm=item.lm, total=item.total) for item in order]
            found.append(sorted(anew, key=lambda reading: not reading.is_whole))
        return found


def comparable(nbest: Sequence[Reading]) -> list[Reading]:
    """The readings that rescoring may put first: those that end with a whole word, where there is one."""
    return [reading for reading in nbest if reading.is_whole == nbest[0].is_whole]


def num_readings(decoding: DecodingConfig) -> int:
    """How many readings of an utterance are looked for."""
    return max(VOTERS, decoding.nbest, decoding.gru_nbest if decoding.gru_share else 0)


def open_second_look(
    gru: Path | None, ngrams: LanguageModel | None, decoding: DecodingConfig
) -> SecondLook | None:
    """What `decoding` asks for; None where it does not ask.

    Raises:
        AsrError: a language model is missing or damaged.
    """
    if not decoding.gru_share:
        return None
    if gru is None or ngrams is None:
        missing = "GRU" if gru is None else "n-gram"
        raise AsrError(
            f"decoding.gru_share: {decoding.gru_share:g} asks for rescoring, and the model folder has no "
            f"{missing} language model; set it to 0, or export the model again"
        )
    return SecondLook(open_scorer(gru), ngrams, decoding)
