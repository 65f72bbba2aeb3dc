"""Words by a lexicon and a language model: opened, checked against the model, and searched for."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.config import DecodingConfig
from asr.decoding.lexicon_decoder import LexiconDecoder, Reading
from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.records import BLANK_ID
from asr.units.spellings import Spelling, character_spellings, read_spellings
from asr.units.tokens import SPACE


class Words(NamedTuple):
    """What may be read: words as classes of the acoustic model, and how probable they are."""

    spellings: list[Spelling]
    lm: LanguageModel | None


def open_words(tokens: Sequence[str], lexicon: Path | None, lm: Path | None) -> Words:
    """Open a lexicon and a language model for a model with these tokens.

    Args:
        tokens: of the model, by class.
        lexicon: see `asr.units.spellings`; None takes the words of the language model, by their characters.
        lm: .arpa, .arpa.gz or .lm; None gives every text the same probability.

    Raises:
        AsrError: neither is given, a file cannot be read, a word has other units than the model, or the two
            have no word in common.
    """
    if SPACE not in tokens:
        raise AsrError(f"decoder words: a model with the unit {SPACE} between words expected; use beam")
    model = LanguageModel.open(lm) if lm is not None else None
    if lexicon is not None:
        spellings, origin = read_spellings(lexicon, tokens), str(lexicon)
    elif model is None:
        raise AsrError(
            "decoder words: the model folder has no lexicon and no language model; give a language model "
            "(--lm FILE) or a list of words (--lexicon FILE)"
        )
    else:
        spellings, origin = _spelled(model, tokens, str(lm)), str(lm)
    if model is not None and not any(word in model.ids for word, _ in spellings):
        raise AsrError(
            f"{lm}: none of the words of {origin}, such as {spellings[0][0]}, is in this language model, "
            f"whose words are such as {' '.join(model.vocabulary[3:6])}; they belong to different models"
        )
    return Words(spellings, model)


def _spelled(model: LanguageModel, tokens: Sequence[str], origin: str) -> list[Spelling]:
    """The words of a language model by their characters; those with other characters are never read."""
    if any(len(token) > 1 for token in tokens[1:]):
        raise AsrError(
            f"{origin}: the units of this model are no characters; give a lexicon (--lexicon FILE)"
        )
    spellings, strange = character_spellings(model.vocabulary[3:], tokens)
    if not spellings:
        raise AsrError(
            f"{origin}: none of its words, such as {' '.join(strange[:3])}, can be spelled with the model's "
            f"units {''.join(tokens[1:])}; build it from text that is written as the transcripts are"
        )
    return spellings


def make_decoder(words: Words, tokens: Sequence[str], decoding: DecodingConfig) -> LexiconDecoder:
    """The search for `words`; about two seconds for 200,000 of them."""
    return LexiconDecoder(
        words.spellings,
        words.lm and words.lm.automaton,
        words.lm.vocabulary if words.lm else (),
        boundary=list(tokens).index(SPACE),
        beam=decoding.beam,
        top=decoding.top,
        threshold=decoding.threshold,
        lm_weight=decoding.lm_weight,
        word_score=decoding.word_score,
        unk_score=decoding.unk_score,
        recombine=False,
    )


def read_rows(
    decoder: LexiconDecoder, rows: Sequence[NDArray[np.generic]], *, blank_score: float, nbest: int
) -> list[list[Reading]]:
    """Search every row (T, C) of log-probabilities, on all processors.

    Args:
        blank_score: nats added to the blank of every frame.
        nbest: most readings of a row.
    """

    def read(row: NDArray[np.generic]) -> list[Reading]:
        log_probs = np.array(row, np.float64)[None]
        log_probs[:, :, BLANK_ID] += blank_score
        return decoder.decode(log_probs, [len(row)], nbest=nbest)[0]

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the search lets other threads run
        return list(pool.map(read, rows))
