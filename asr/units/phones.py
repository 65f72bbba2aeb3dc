"""Phones as the units of the model: text to classes by a lexicon, and classes to phones."""

from collections.abc import Iterable, Sequence

from asr.errors import AsrError
from asr.records import BLANK_ID
from asr.units.letter_to_sound import LetterToSound
from asr.units.lexicon import Lexicon, Pronunciation
from asr.units.tokens import BLANK, SPACE, check_tokens


class PhoneUnits:
    """The phones that a model can write, with their classes, and how words are said in them.

    Attributes:
        tokens: class 0 is the blank, class 1 the boundary between two words ("|"); the others are phones.
        boundary: the class of "|".
    """

    boundary = BLANK_ID + 1

    def __init__(
        self, tokens: Sequence[str], lexicon: Lexicon, letter_to_sound: LetterToSound | None = None
    ) -> None:
        """Take `tokens` as the classes, in order.

        Args:
            tokens: the blank, "|" and the phones.
            lexicon: how words are said.
            letter_to_sound: pronounces the words that the lexicon lacks; None refuses them.

        Raises:
            AsrError: the tokens do not begin so, one is there twice or has white space.
        """
        self.tokens = list(tokens)
        check_tokens(self.tokens, "phone units")
        if self.tokens[1:2] != [SPACE] or len(self.tokens) < 3:
            raise AsrError(f"phone units: {BLANK}, {SPACE} and phones expected as tokens, found {tokens!r}")
        for token in self.tokens:
            if token.split() != [token]:
                raise AsrError(f"phone units: phones without white space expected as tokens, found {token!r}")
        self.lexicon, self._letter_to_sound = lexicon, letter_to_sound
        self._ids = {token: unit for unit, token in enumerate(self.tokens) if unit > self.boundary}
        self._guessed: dict[str, Pronunciation] = {}

    def pronounce(self, word: str) -> Sequence[Pronunciation]:
        """The pronunciations of a word, at least one, likeliest first; only one where the lexicon lacks it.

        Raises:
            AsrError: nothing says how this word sounds.
        """
        if word in self.lexicon:
            return self.lexicon.entries[word]
        if self._letter_to_sound is None:
            raise AsrError(
                f"{word}: not in the lexicon of {len(self.lexicon)} words; add it there, or set "
                "units.letter_to_sound = true"
            )
        if word not in self._guessed:
            self._guessed[word] = self._letter_to_sound.pronounce(word)
        return [self._guessed[word]]

    def spell(self, word: str) -> list[tuple[int, ...]]:
        """Every pronunciation of a word as classes: what a search for words goes through.

        Raises:
            AsrError: nothing says how the word sounds, or with phones that are not among the units.
        """
        return [self._classes(word, phones) for phones in self.pronounce(word)]

    def encode(self, text: str) -> list[int]:
        """Classes of a normalised text: of each word the first pronunciation, "|" between two words.

        Raises:
            AsrError: as for `spell`.
        """
        ids: list[int] = []
        for word in text.split():
            ids += [self.boundary] * bool(ids) + [*self._classes(word, self.pronounce(word)[0])]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The phones of a sequence of classes with single spaces between; blanks and boundaries are left out.

        Raises:
            AsrError: a class is not among the units.
        """
        phones = []
        for unit in ids:
            if not 0 <= unit < len(self.tokens):
                raise AsrError(f"class {unit} is not among the {len(self.tokens)} units of the model")
            if unit > self.boundary:
                phones.append(self.tokens[unit])
        return " ".join(phones)

    def reference(self, text: str) -> str:
        """What `decode` gives where a text is heard without an error; errors as for `encode`."""
        return self.decode(self.encode(text))

    def _classes(self, word: str, phones: Pronunciation) -> tuple[int, ...]:
        try:
            return tuple(self._ids[phone] for phone in phones)
        except KeyError as error:
            raise AsrError(
                f"lexicon: {word} has the phone {error.args[0]}, which is not among the units of the model; "
                "use the lexicon that the model was trained with"
            ) from error
