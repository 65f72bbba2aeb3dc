"""Pronunciations of words that no dictionary has, learnt from those that one has.

A word is a sequence of pairs, each a letter with the none, one or two phones that it stands for:

    P H O N E     (P,F) (H,-) (O,OW) (N,N) (E,-)

Which pairs those are is found by expectation maximisation (`letter_alignment`); an n-gram model of pairs with
interpolated Kneser-Ney smoothing is then estimated, and a word is pronounced as the most probable sequence of
pairs with its letters: the joint-sequence model of Bisani and Ney (2008), "Joint-sequence models for
grapheme-to-phoneme conversion", with pairs of one letter.

With h the pairs before g, and h' the same without the first, a level of the model says

    p(g | h) = gain(h g) + rest(h) · p(g | h'),      gain(h g) = max(c(h g) - D, 0) / c(h ·)

where c counts, for the longest h, how often pairs follow each other, and below how many pairs come before
them. Sequences that were counted once have no gain of their own at the upper levels; rest(h) is what the
gains leave, so that probabilities sum to one.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.files import write_bytes
from asr.units.letter_alignment import align_letters
from asr.units.levels import LEAST, PACKED, Floats, Keys, Level, packed, unpacked
from asr.units.lexicon import Lexicon, Pronunciation, format_lexicon

VERSION = 1
"""Of the method: whatever changes what is learnt from the same examples changes it too."""

ORDER = 6
BEAM = 12
PRUNED_FROM = 4
"""Level from which sequences that were counted once are dropped: half the size, and a little better."""
END, START, FIRST = 0, 1, 2
"""Symbols: the end of a word, its beginning, the first pair. A history is a number whose digits are symbols,
with zeros where the word had not begun."""


class LetterToSound:
    """Pronounces words; made by `learn`.

    Attributes:
        letters, sounds: of each pair.
    """

    def __init__(self, letters: list[str], sounds: list[Pronunciation], levels: list[Level]) -> None:
        self.letters, self.sounds, self._levels = letters, sounds, levels
        self._radix = len(letters) + FIRST
        self._choices = {
            letter: np.array([i + FIRST for i, other in enumerate(letters) if other == letter], np.int64)
            for letter in dict.fromkeys(letters)
        }

    @classmethod
    def learn(cls, examples: Iterable[tuple[str, Pronunciation]], order: int = ORDER) -> "LetterToSound":
        """Learn from words with their phones. The same examples give the same model.

        Args:
            examples: such as a `Lexicon`; words with other signs than letters and apostrophes are passed
                over, and those that are read in another way than letter by letter (AAA, "triple A").
            order: symbols in the longest sequence; less where the pairs are too many for 63 bits.

        Raises:
            AsrError: no example can be learnt from.
        """
        words = [(word, phones) for word, phones in examples if word.replace("'", "").isalpha()]
        aligned = align_letters(words)
        if not aligned:
            raise AsrError(
                "letter to sound: words with their phones expected to learn from, found none that fit"
            )
        pairs = sorted({pair for word in aligned for pair in word})
        numbers = {pair: number + FIRST for number, pair in enumerate(pairs)}
        radix = len(pairs) + FIRST
        while radix**order >= 2**63:
            order -= 1
        sequences = [[START, *(numbers[pair] for pair in word), END] for word in aligned]
        levels = _estimate(sequences, radix, order)
        return cls([letter for letter, _ in pairs], [sounds for _, sounds in pairs], levels)

    def pronounce(self, word: str) -> Pronunciation:
        """The phones of a word, at least one: the best of a beam search that is all but exact.

        Raises:
            AsrError: a letter that no example had, or letters that stand for no sound.
        """
        radix, keep = self._radix, self._radix ** (len(self._levels) - 1)
        histories, scores = np.array([START], np.int64), np.zeros(1)
        paths: list[tuple[int, ...]] = [()]
        for letter in word:
            choices = self._choices.get(letter)
            if choices is None:
                raise AsrError(
                    f"{word}: {letter!r} is in no word that letter to sound was learnt from, so the word "
                    "cannot be pronounced; add it to the lexicon"
                )
            grown = (scores[:, None] + np.log(self.probabilities(histories, choices))).ravel()
            states = ((histories[:, None] * radix + choices) % keep).ravel()
            best = np.argsort(-grown, kind="stable")
            # of those with the same future the best
            best = best[np.sort(np.unique(states[best], return_index=True)[1])][:BEAM]
            histories, scores = states[best], grown[best]
            paths = [(*paths[k // len(choices)], int(choices[k % len(choices)])) for k in best.tolist()]
        scores = scores + np.log(self.probabilities(histories, np.array([END])))[:, 0]
        for k in np.argsort(-scores, kind="stable").tolist():
            phones = tuple(phone for symbol in paths[k] for phone in self.sounds[symbol - FIRST])
            if phones:
                return phones
        raise AsrError(f"{word}: these letters stand for no sound; add the word to the lexicon")

    def probabilities(self, histories: Keys, symbols: Keys) -> NDArray[np.float64]:
        """p(symbol | history): (B,) and (G,) -> (B, G)."""
        found = np.full((len(histories), len(symbols)), 1 / self._radix)
        for n, level in enumerate(self._levels):
            contexts = histories % self._radix**n
            rests = _look_up(level.contexts, level.rests, contexts, 1.0)
            found = rests[:, None] * found + _look_up(
                level.grams, level.gains, contexts[:, None] * self._radix + symbols, 0.0
            )
        return found

    def to_bytes(self, *, compact: bool = False) -> bytes:
        """The model as a safetensors file; `compact` rounds the gains and takes a seventh of the room."""
        tensors = {
            f"{name}.{n}": array
            for n, level in enumerate(self._levels)
            for name, array in (packed(level) if compact else level._asdict()).items()
        }
        pairs = json.dumps(
            [[letter, *sounds] for letter, sounds in zip(self.letters, self.sounds, strict=True)]
        )
        return safetensors.numpy.save(tensors, {"pairs": pairs})

    @classmethod
    def from_bytes(cls, content: bytes, origin: str) -> "LetterToSound":
        """Read what `to_bytes` gave.

        Raises:
            AsrError: anything else; the sentence begins with `origin`.
        """
        try:
            size = int.from_bytes(content[:8], "little")
            tensors = safetensors.numpy.load(content)
            pairs = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["pairs"])
            if "steps.0" in tensors:
                levels = [
                    unpacked({name: tensors[f"{name}.{n}"] for name in PACKED}, len(pairs) + FIRST)
                    for n in range(len(tensors) // len(PACKED))
                ]
            else:
                levels = [
                    Level(*(tensors[f"{name}.{n}"] for name in Level._fields))
                    for n in range(len(tensors) // len(Level._fields))
                ]
            model = cls([letter for letter, *_ in pairs], [tuple(sounds) for _, *sounds in pairs], levels)
        except (safetensors.SafetensorError, zlib.error, KeyError, ValueError, TypeError) as error:
            raise AsrError(
                f"{origin}: not a letter-to-sound model ({error}); run the units step again"
            ) from error
        for level in levels:
            if level.grams.shape != level.gains.shape or level.contexts.shape != level.rests.shape:
                raise AsrError(f"{origin}: a damaged letter-to-sound model; run the units step again")
        return model


def learn_once(lexicon: Lexicon, cache: Path) -> bytes:
    """The model that is learnt from a lexicon, as `to_bytes` gives it, kept by the lexicon's content.

    Args:
        lexicon: the examples.
        cache: folder for what was learnt; a file there that is damaged is learnt again.

    Raises:
        AsrError: no word can be learnt from, or the folder cannot be written.
    """
    learnt_from = f"{VERSION} {ORDER}\n{format_lexicon(lexicon)}"
    path = cache / f"letter_to_sound-{hashlib.sha256(learnt_from.encode()).hexdigest()[:32]}.safetensors"
    try:
        content = path.read_bytes()
        LetterToSound.from_bytes(content, str(path))
    except (OSError, AsrError):
        content = LetterToSound.learn(lexicon).to_bytes()
        write_bytes(path, content)
    return content


def _estimate(sequences: list[list[int]], radix: int, order: int) -> list[Level]:
    """Level n-1 for sequences of n symbols, from n = 1 on."""
    symbols = np.concatenate([np.array(sequence, np.int64) for sequence in sequences])
    lens = np.array([len(sequence) for sequence in sequences])
    places = np.concatenate([np.arange(length) for length in lens])
    grams, counts = _grams(symbols, np.flatnonzero(places >= order - 1), radix, order)
    levels = []
    for n in range(order, 0, -1):
        levels.append(_level(grams, counts, radix, 2 if n >= PRUNED_FROM else 1))
        # a shorter sequence counts once for each symbol before it; at the beginning of a word there is none
        followed, kinds = np.unique(grams % radix ** (n - 1), return_counts=True)
        begins, times = _grams(symbols, np.flatnonzero(places == n - 2), radix, n - 1)
        grams, counts = np.concatenate([followed, begins]), np.concatenate([kinds, times])
        order_of_grams = np.argsort(grams)
        grams, counts = grams[order_of_grams], counts[order_of_grams]
    return levels[::-1]


def _grams(symbols: Keys, places: Keys, radix: int, n: int) -> tuple[Keys, Keys]:
    """The different sequences of n symbols that end at `places`, ascending, and how often each is there."""
    if n < 1 or not len(places):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.unique(sum(symbols[places - back] * radix**back for back in range(n)), return_counts=True)


def _level(grams: Keys, counts: Keys, radix: int, least: int) -> Level:
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else 0.5
    contexts, owner = np.unique(grams // radix, return_inverse=True)
    gains = np.maximum(counts - discount, 0) / np.bincount(owner, counts)[owner]
    kept = counts >= least
    rests = 1 - np.bincount(owner[kept], gains[kept], len(contexts))
    some = np.bincount(owner[kept], minlength=len(contexts)) > 0
    return Level(
        grams[kept],
        gains[kept].astype(np.float32),
        contexts[some],
        np.maximum(rests[some], LEAST).astype(np.float32),
    )


def _look_up(keys: Keys, values: Floats, wanted: Keys, default: float) -> NDArray[np.float64]:
    if not len(keys):
        return np.full(wanted.shape, default)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places].astype(np.float64), default)
