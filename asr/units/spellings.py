"""The words that a decoder may read, spelled in a model's units: `words.txt`.

A line is a word, a tab, and the names of its units with spaces between:

    HELLO<tab>H E L L O
    READ<tab>R IY D
    READ<tab>R EH D

A word with several spellings has several lines. A line without a tab is a word that is spelled by its
characters, so that a list of words is a lexicon for a model of characters.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from asr.errors import AsrError
from asr.units.tokens import BLANK, SPACE

Spelling = tuple[str, tuple[int, ...]]
"""A word and the classes of its units."""


def character_spellings(words: Iterable[str], tokens: Sequence[str]) -> tuple[list[Spelling], list[str]]:
    """Spell words by their characters.

    Returns:
        the spellings, and the words that have a character outside the units, both in the order given.
    """
    ids = _ids(tokens)
    spelled: list[Spelling] = []
    strange: list[str] = []
    for word in words:
        units = tuple(ids.get(character, -1) for character in word)
        if units and -1 not in units:
            spelled.append((word, units))
        else:
            strange.append(word)
    return spelled, strange


def format_spellings(spellings: Iterable[Spelling], tokens: Sequence[str]) -> str:
    """The text of a lexicon; `parse_spellings` reads it back."""
    return "".join(f"{word}\t{' '.join(tokens[unit] for unit in units)}\n" for word, units in spellings)


def read_spellings(path: Path, tokens: Sequence[str]) -> list[Spelling]:
    """Read a lexicon; `tokens` are those of the model.

    Raises:
        AsrError: the file cannot be read, and as for `parse_spellings`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AsrError(f"{path}: the lexicon cannot be read ({error.strerror})") from error
    return parse_spellings(content, tokens, str(path))


def parse_spellings(content: bytes, tokens: Sequence[str], origin: str) -> list[Spelling]:
    """The spellings of a lexicon, in its order.

    Args:
        content: of the file, in UTF-8; blank lines are passed over.
        tokens: of the model, by class.
        origin: where it comes from, named in the sentence.

    Raises:
        AsrError: bytes that are not UTF-8, a unit that the model has not, a word without units, the same
            spelling of a word twice, or not one word; the sentence names the line.
    """
    ids = _ids(tokens)
    lines: dict[Spelling, int] = {}
    for number, line in _lines(content, origin):
        word, tab, rest = line.partition("\t")
        word = word.strip()
        names: Sequence[str] = rest.split() if tab else word
        if not word or not names or len(word.split()) > 1:
            raise AsrError(f"{origin}:{number}: a word, a tab and its units expected, found {line[:60]!r}")
        spelling = (word, tuple(ids.get(name, -1) for name in names))
        if -1 in spelling[1]:
            raise AsrError(
                f"{origin}:{number}: {word!r} has the unit {names[spelling[1].index(-1)]!r}, which is not "
                f"among the {len(ids)} units of the model that spell words: {' '.join(ids)[:200]}"
            )
        first = lines.setdefault(spelling, number)
        if first != number:
            raise AsrError(
                f"{origin}:{number}: every spelling is expected once, {word!r} is on line {first} with the "
                "same; remove one"
            )
    if not lines:
        raise AsrError(f"{origin}: a lexicon expected, a word with its units a line; found no word")
    return list(lines)


def _ids(tokens: Sequence[str]) -> dict[str, int]:
    """The classes of the units that spell words."""
    return {token: unit for unit, token in enumerate(tokens) if token not in (BLANK, SPACE)}


def _lines(content: bytes, origin: str) -> Iterator[tuple[int, str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise AsrError(
            f"{origin}:{number}: a lexicon in UTF-8 expected, found the byte {content[error.start]:#04x}; "
            "convert it to UTF-8"
        ) from error
    # not splitlines(): it would also cut at the separators of other scripts
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.removesuffix("\r")
