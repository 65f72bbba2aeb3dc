"""Characters as the units of the model: text to classes and back."""

from collections.abc import Iterable, Sequence

from asr.errors import AsrError
from asr.records import BLANK_ID
from asr.units.tokens import BLANK, SPACE, check_tokens


class CharacterUnits:
    """The characters that a model can write, with their classes.

    Attributes:
        tokens: class 0 is the blank; the space is written "|"; the others are single characters.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        """Take `tokens` as the classes, in order.

        Raises:
            AsrError: the first token is not the blank, a token is there twice, or one is no character.
        """
        self.tokens = list(tokens)
        check_tokens(self.tokens, "character units")
        for token in self.tokens[1:]:
            if len(token) != 1 or token.isspace():
                raise AsrError(f"character units: single characters expected as tokens, found {token!r}")
        self._ids = {token: unit for unit, token in enumerate(self.tokens) if unit != BLANK_ID}

    @classmethod
    def build(cls, texts: Iterable[str]) -> "CharacterUnits":
        """Collect the characters of normalised transcripts: blank, space, then the others in code order.

        Raises:
            AsrError: no text has a character; a text has "|", or white space other than the space.
        """
        characters: set[str] = set()
        for text in texts:
            characters.update(text)
        characters.discard(" ")
        if not characters:
            raise AsrError("character units: transcripts with text expected, found none")
        for character in sorted(characters):
            if character == SPACE or character.isspace():
                raise AsrError(
                    f"character units: {_name(character)} cannot be a unit, because {SPACE!r} and white "
                    "space separate words; normalise the transcripts first"
                )
        return cls([BLANK, SPACE, *sorted(characters)])

    @classmethod
    def from_tokens(cls, tokens: Sequence[str]) -> "CharacterUnits":
        """The units of a model's `tokens.txt`; errors as in the constructor."""
        return cls(tokens)

    def encode(self, text: str) -> list[int]:
        """Classes of a text's characters, one each; the blank is never among them.

        Raises:
            AsrError: a character is not among the units; the sentence names it.
        """
        ids = []
        for position, character in enumerate(text, start=1):
            unit = None if character == SPACE else self._ids.get(SPACE if character == " " else character)
            if unit is None:
                known = "".join(self.tokens[1:])
                raise AsrError(
                    f"character {position} of {text[:60]!r} is {_name(character)}, which is not among the "
                    f"units {known!r}; normalise the transcript, or build the units from it"
                )
            ids.append(unit)
        return ids

    @property
    def boundary(self) -> int | None:
        """The class of the space between two words; None where no text had one."""
        return self._ids.get(SPACE)

    def spell(self, word: str) -> list[tuple[int, ...]]:
        """The one way to write a word, character by character; errors as for `encode`."""
        return [tuple(self.encode(word))]

    def reference(self, text: str) -> str:
        """The text itself, which is what a model of characters should write."""
        return text

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of classes: words with single spaces between them; blanks are passed over.

        `decode(encode(text)) == text` for a normalised text.

        Raises:
            AsrError: a class is not among the units.
        """
        characters = []
        for unit in ids:
            if not 0 <= unit < len(self.tokens):
                raise AsrError(f"class {unit} is not among the {len(self.tokens)} units of the model")
            if unit != BLANK_ID:
                characters.append(self.tokens[unit])
        return " ".join("".join(characters).replace(SPACE, " ").split())


def _name(character: str) -> str:
    """A character as it looks and by its code, because many look alike: 'é' (U+00E9)."""
    return f"{character!r} (U+{ord(character):04X})"
