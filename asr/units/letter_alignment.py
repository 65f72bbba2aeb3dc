"""Which letters of a word stand for which of its phones, found from many words by expectation maximisation.

Every letter takes none, one or two phones, from left to right. A pair of a letter and its phones has a
probability; an alignment has the product of its pairs'. Each round counts how often every pair is expected
over all alignments of all words, by the forward-backward algorithm, and makes the counts the probabilities
(Dempster, Laird and Rubin 1977; for this use Bisani and Ney 2008, section 3).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.compiled import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Pair = tuple[str, tuple[str, ...]]

ROUNDS = 8
SILENT, DOUBLE = 0.1, 0.01
"""What a letter with none and with two phones counts before anything is known, where one with one counts 1.
Words of one form, such as CAT and SAT, do not say by themselves that A is the vowel."""


def align_letters(words: Sequence[tuple[str, tuple[str, ...]]]) -> list[list[Pair]]:
    """Align words with their phones.

    Returns:
        The pairs of each word, in the order given. Words with more phones than twice their letters cannot be
        aligned and are left out.
    """
    words = [(word, phones) for word, phones in words if 0 < len(phones) <= 2 * len(word)]
    alphabet = sorted({letter for word, _ in words for letter in word})
    symbols = ["", *sorted({phone for _, phones in words for phone in phones})]
    letters = _numbers([word for word, _ in words], alphabet)
    phones = _numbers([phones for _, phones in words], symbols)
    word_ends = np.cumsum([0, *(len(word) for word, _ in words)])
    phone_ends = np.cumsum([0, *(len(phones) for _, phones in words)])
    probs = np.full((len(alphabet), len(symbols), len(symbols)), DOUBLE)
    probs[:, 1:, 0], probs[:, 0, 0] = 1, SILENT
    for _ in range(ROUNDS):
        probs = expected_pairs(letters, word_ends, phones, phone_ends, probs)
        probs /= probs.sum()
    taken = best_alignment(letters, word_ends, phones, phone_ends, probs).tolist()
    aligned = []
    for number, (word, sounds) in enumerate(words):
        pairs, place = [], 0
        for letter, count in zip(word, taken[word_ends[number] : word_ends[number + 1]], strict=True):
            pairs.append((letter, sounds[place : place + count]))
            place += count
        aligned.append(pairs)
    return aligned


def _numbers(sequences: Sequence[Sequence[str]], symbols: list[str]) -> Ints:
    places = {symbol: number for number, symbol in enumerate(symbols)}
    return np.array([places[symbol] for sequence in sequences for symbol in sequence], np.int64)


@compiled
def expected_pairs(letters: Ints, word_ends: Ints, phones: Ints, phone_ends: Ints, probs: Floats) -> Floats:
    """How often each pair is expected.

    Args:
        letters: of all words, one word after the other.
        word_ends: (W+1,) word w has the letters word_ends[w]:word_ends[w+1].
        phones, phone_ends: likewise; 0 stands for no phone.
        probs: (letters, phones, phones) of each pair, up to a factor.

    Returns:
        Counts in the shape of `probs`.
    """
    counts = np.zeros_like(probs)
    for w in range(len(word_ends) - 1):
        word, sounds = letters[word_ends[w] : word_ends[w + 1]], phones[phone_ends[w] : phone_ends[w + 1]]
        size, length = len(word), len(sounds)
        forward, backward = np.zeros((size + 1, length + 1)), np.zeros((size + 1, length + 1))
        forward[0, 0], backward[size, length] = 1.0, 1.0
        for i in range(size):
            for j in range(length + 1):
                for k in range(min(2, length - j) + 1):
                    first = sounds[j] if k > 0 else 0
                    second = sounds[j + 1] if k > 1 else 0
                    forward[i + 1, j + k] += forward[i, j] * probs[word[i], first, second]
        if forward[size, length] == 0:  # a word so long that its probability cannot be written
            continue
        for i in range(size - 1, -1, -1):
            for j in range(length + 1):
                for k in range(min(2, length - j) + 1):
                    first = sounds[j] if k > 0 else 0
                    second = sounds[j + 1] if k > 1 else 0
                    here = probs[word[i], first, second] * backward[i + 1, j + k]
                    backward[i, j] += here
                    counts[word[i], first, second] += forward[i, j] * here / forward[size, length]
    return counts


@compiled
def best_alignment(letters: Ints, word_ends: Ints, phones: Ints, phone_ends: Ints, probs: Floats) -> Ints:
    """The number of phones that each letter takes in the most probable alignment; arguments as above."""
    taken = np.zeros(len(letters), np.int64)
    for w in range(len(word_ends) - 1):
        start = word_ends[w]
        word, sounds = letters[start : word_ends[w + 1]], phones[phone_ends[w] : phone_ends[w + 1]]
        size, length = len(word), len(sounds)
        best = np.full((size + 1, length + 1), -1.0)
        came = np.zeros((size + 1, length + 1), np.int64)
        best[0, 0] = 1.0
        for i in range(size):
            for j in range(length + 1):
                if best[i, j] < 0:
                    continue
                for k in range(min(2, length - j) + 1):
                    first = sounds[j] if k > 0 else 0
                    second = sounds[j + 1] if k > 1 else 0
                    score = best[i, j] * probs[word[i], first, second]
                    if score > best[i + 1, j + k]:
                        best[i + 1, j + k], came[i + 1, j + k] = score, k
        j = length
        for i in range(size, 0, -1):
            taken[start + i - 1] = came[i, j]
            j -= came[i, j]
    return taken
