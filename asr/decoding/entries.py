"""The words of a decoder, checked: their spellings in flat arrays, hotwords, and the language model's ids."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.lm.automaton import Automaton
from asr.lm.tables import SPECIAL, UNK
from asr.records import BLANK_ID

MOST_NATS = 100.0
"""That a score may add to a word, a factor of 10^43: several of them together must stay finite."""

Lexicon = Sequence[tuple[str, Sequence[int]]]


class Entries(NamedTuple):
    """L words and E spellings of them."""

    words: list[str]  # each once; the place is the label
    labels: NDArray[np.int32]  # (E,) the word of each spelling
    units: NDArray[np.int32]  # the spellings one after the other
    offsets: NDArray[np.int64]  # (E+1,) spelling e is units[offsets[e]:offsets[e+1]]


def with_hotwords(lexicon: Lexicon, hotwords: Mapping[str, float], tokens: Sequence[str] | None) -> Lexicon:
    """The lexicon, and after it the hotwords that it lacks, spelled letter by letter.

    Raises:
        AsrError: a hotword has no possible score, or is not in the lexicon and cannot be spelled.
    """
    if not hotwords:
        return lexicon
    known = {word for word, _ in lexicon}
    added = []
    classes = {token: index for index, token in enumerate(tokens or ()) if index != BLANK_ID}
    for word, nats in hotwords.items():
        if not -math.inf < nats <= MOST_NATS:
            raise AsrError(f"hotword {word!r}: a number of nats up to {MOST_NATS:g} expected, found {nats:g}")
        if word in known:
            continue
        strange = [letter for letter in word if letter not in classes]
        if strange or not word:
            raise AsrError(
                f"hotword {word!r}: not in the lexicon, and "
                + (f"{strange[0]!r} is none of the model's units" if strange else "empty")
                + "; write it as the lexicon's words are written, or add it there with its spelling"
            )
        added.append((word, [classes[letter] for letter in word]))
    return [*lexicon, *added]


def flat_entries(lexicon: Lexicon, boundary: int | None) -> Entries:
    """The words and spellings in arrays.

    Raises:
        AsrError: no word, an empty spelling, or one with the blank or the boundary in it.
    """
    if not lexicon:
        raise AsrError("lexicon: at least one word expected, found none")
    places: dict[str, int] = {}
    labels = np.array([places.setdefault(word, len(places)) for word, _ in lexicon], np.int32)
    lens = np.array([len(spelling) for _, spelling in lexicon], np.int64)
    units = np.fromiter(chain.from_iterable(spelling for _, spelling in lexicon), np.int64, int(lens.sum()))
    offsets = np.concatenate([[0], np.cumsum(lens)])
    if not lens.all():
        raise AsrError(f"lexicon: {lexicon[int(lens.argmin())][0]!r} has no units; give it a spelling")
    wrong = np.flatnonzero((units <= BLANK_ID) | (units >= 2**31) | (units == boundary))
    if wrong.size:
        word = lexicon[int(np.searchsorted(offsets, wrong[0], side="right")) - 1][0]
        raise AsrError(
            f"lexicon: {word!r} is spelled with class {units[wrong[0]]}; classes from 1, other than the "
            f"boundary {boundary}, expected"
        )
    return Entries(list(places), labels, units.astype(np.int32), offsets)


def ids_in_model(words: Sequence[str], vocabulary: Sequence[str], num_words: int) -> NDArray[np.int32]:
    """The language model's id of each word; that of <unk> where it has none.

    Args:
        vocabulary: of the model, by id.
        num_words: that the model has probabilities for.

    Raises:
        AsrError: the vocabulary is not the model's, or has none of the words.
    """
    if tuple(vocabulary[:3]) != SPECIAL or len(vocabulary) != num_words:
        raise AsrError(
            f"language model: a vocabulary of {num_words} words that begins with <unk>, <s>, </s> expected, "
            f"found {len(vocabulary)} that begin with {' '.join(vocabulary[:3])}"
        )
    ids = {word: index for index, word in enumerate(vocabulary) if index >= len(SPECIAL)}
    found = np.array([ids.get(word, UNK) for word in words], np.int32)
    if not found.any():
        last = vocabulary[-1] if ids else "nothing"
        raise AsrError(
            f"the language model's {len(ids)} words (such as {last!r}) and the lexicon's {len(words)} (such "
            f"as {words[0]!r}) have none in common; use a lexicon of this model, written as its text is"
        )
    return found


def bonuses_of(
    words: Sequence[str],
    is_unknown: NDArray[np.bool_],
    hotwords: Mapping[str, float],
    word_score: float,
    unk_score: float,
) -> NDArray[np.float64]:
    """(L,) what each word adds beside the language model; see `LexiconDecoder`."""
    bonuses = np.where(is_unknown, word_score + unk_score, word_score)
    labels = {word: label for label, word in enumerate(words)} if hotwords else {}
    for word, nats in hotwords.items():
        label = labels[word]
        if bonuses[label] == -math.inf:  # who names a word wants it read
            bonuses[label] = word_score
        bonuses[label] += nats
    return bonuses


def every_text_alike(num_words: int) -> Automaton:
    """A model to which every text is equally good: all log-probabilities are 0."""
    return Automaton(
        offsets=np.array([0, num_words], np.int64),
        words=np.arange(num_words, dtype=np.int32),
        log_probs=np.zeros(num_words, np.float32),
        targets=np.zeros(num_words, np.int32),
        backoff_states=np.array([-1], np.int32),
        backoff_log_probs=np.zeros(1, np.float32),
    )


def classes_that_spell(
    tokens: Sequence[str] | None, boundary: int | None, word_score: float
) -> NDArray[np.bool_]:
    """(C,) whether a class is a letter of words outside the lexicon; (0,) where there may be none."""
    if word_score == -math.inf:
        return np.zeros(0, np.bool_)
    if tokens is None or boundary is None:
        raise AsrError(
            "lexicon decoder: words outside the lexicon are spelled with tokens and end with a boundary; "
            f"{'no tokens' if tokens is None else 'no boundary'} given"
        )
    spells = np.array([not (token.startswith("<") and token.endswith(">")) for token in tokens])
    spells[[BLANK_ID, boundary]] = False
    return spells
