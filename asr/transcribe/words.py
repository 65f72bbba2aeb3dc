"""Words by a lexicon and a language model: opened, checked against the model, and searched for."""

import copy
import logging
import math
import os
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.config import DecodingConfig
from asr.decoding.lexicon_decoder import LexiconDecoder, Reading
from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.units.characters import CharacterUnits
from asr.units.kinds import Units
from asr.units.spellings import Spelling, read_spellings, spell_words

logger = logging.getLogger("asr")


class Words(NamedTuple):
    """What may be read: words as classes of the acoustic model, and how probable they are."""

    spellings: list[Spelling]
    lm: LanguageModel | None


def open_words(units: Units, lexicon: Path | None, lm: Path | None) -> Words:
    """Open a lexicon and a language model for a model of these units.

    Args:
        units: of the model.
        lexicon: see `asr.units.spellings`; None takes the words of the language model.
        lm: .arpa, .arpa.gz or .lm; None gives every text the same probability.

    Raises:
        AsrError: neither is given, a file cannot be read, a word has other units than the model, or the two
            have no word in common.
    """
    model = LanguageModel.open(lm) if lm is not None else None
    if lexicon is not None:
        spellings, origin = read_spellings(lexicon, units), str(lexicon)
    elif model is None:
        raise AsrError(
            "decoder words: the model folder has no lexicon and no language model; give a language model "
            "(--lm FILE) or a list of words (--lexicon FILE)"
        )
    else:
        spellings, origin = _spelled(model, units, str(lm)), str(lm)
    if model is not None and not any(word in model.ids for word, _ in spellings):
        raise AsrError(
            f"{lm}: none of the words of {origin}, such as {spellings[0][0]}, is in this language model, "
            f"whose words are such as {' '.join(model.vocabulary[3:6])}; they belong to different models"
        )
    return Words(spellings, model)


def _spelled(model: LanguageModel, units: Units, origin: str) -> list[Spelling]:
    """The words of a language model; those that cannot be spelled are never read."""
    spellings, strange = spell_words(model.vocabulary[3:], units)
    if not spellings:
        raise AsrError(
            f"{origin}: none of its words, such as {' '.join(strange[:3])}, can be spelled with the model's "
            f"units {' '.join(units.tokens[1:])[:200]}; build it from text written as the transcripts are"
        )
    if strange:
        logger.warning(
            "%s: %d of its %d words cannot be spelled with the model's units and are never read: %s",
            origin,
            len(strange),
            len(model.vocabulary) - 3,
            ", ".join(strange[:10]) + (", …" if len(strange) > 10 else ""),
        )
    return spellings


def make_decoder(
    words: Words, units: Units, decoding: DecodingConfig, hotwords: Mapping[str, float] | None = None
) -> LexiconDecoder:
    """The search for `words`; seconds for 200,000 of them.

    Args:
        words, units: see `open_words`.
        decoding: the options.
        hotwords: nats for words that are expected, such as names; they may be outside the lexicon, and in
            small letters where the units and the lexicon have none.

    Raises:
        AsrError: a hotword that is not one word or cannot be spelled or pronounced, or words outside the
            lexicon for units that are no characters.
    """
    for hotword in hotwords or {}:
        if len(hotword.split()) > 1:
            raise AsrError(
                f"hotword {hotword!r}: one word expected, found {len(hotword.split())}; give each by itself"
            )
    hotwords = _as_written(hotwords or {}, {word for word, _ in words.spellings}, units)
    spellings = [*words.spellings, *_expected(words.spellings, units, hotwords)]
    if decoding.spelled_word_score > -math.inf and not isinstance(units, CharacterUnits):
        raise AsrError("decoding.spelled_word_score: words are spelled by characters only; set it to -inf")
    return LexiconDecoder(
        spellings,
        words.lm.automaton if words.lm else None,
        words.lm.vocabulary if words.lm else (),
        boundary=units.boundary,
        beam=decoding.beam,
        top=decoding.top,
        threshold=decoding.threshold,
        class_threshold=decoding.class_threshold,
        blank_score=decoding.blank_score,
        lm_weight=decoding.lm_weight,
        word_score=decoding.word_score,
        unk_score=decoding.unk_score,
        tokens=units.tokens,
        hotwords=hotwords,
        spelled_word_score=decoding.spelled_word_score,
        spelled_unit_score=decoding.spelled_unit_score,
    )


def _as_written(hotwords: Mapping[str, float], known: Set[str], units: Units) -> dict[str, float]:
    """Hotwords in capitals, as transcripts are, but for what the lexicon or the units have as it is."""
    letters = set(units.tokens)
    return {
        word if word in known or letters.issuperset(word) else word.upper(): nats
        for word, nats in hotwords.items()
    }


def _expected(known: Sequence[Spelling], units: Units, hotwords: Mapping[str, float]) -> list[Spelling]:
    """Hotwords that a lexicon lacks, as the units say them; the decoder spells by characters itself."""
    if isinstance(units, CharacterUnits) or not hotwords:
        return []
    words = {word for word, _ in known}
    new = [word for word in hotwords if word not in words]
    try:
        return [(word, classes) for word in new for classes in dict.fromkeys(units.spell(word))]
    except AsrError as error:
        raise AsrError(
            f"hotword {error}, or write it as the lexicon's words are written, such as {known[0][0]}"
        ) from error


def read_rows(
    decoder: LexiconDecoder, rows: Sequence[NDArray[np.generic]], *, nbest: int
) -> list[list[Reading]]:
    """Search every row (T, C) of log-probabilities, on all processors.

    Each is searched twice. With recombination the best text is found by a narrower beam; but the texts that
    come out with it differ in their last words only. The search without gives the others, which say how sure
    the words are.

    Returns:
        for each row up to `nbest` readings, best first, different in their words; readings that end with a
        whole word before those that do not.
    """
    apart = copy.copy(decoder)
    apart.recombine = False

    def read(row: NDArray[np.generic]) -> list[Reading]:
        found: dict[tuple[str, ...], Reading] = {}
        for search in (decoder, apart):
            for reading in search.decode(row[None], [len(row)], nbest=nbest)[0]:
                known = found.setdefault(tuple(reading.words), reading)
                if _rank(reading) < _rank(known):
                    found[tuple(reading.words)] = reading
        return sorted(found.values(), key=_rank)[:nbest]

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the search lets other threads run
        return list(pool.map(read, rows))


def _rank(reading: Reading) -> tuple[bool, float, int, list[str]]:
    return (not reading.is_whole, -reading.total, len(reading.words), reading.words)
