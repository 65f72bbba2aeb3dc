"""The words that a decoder may read, spelled in a model's units: `words.txt`.

A line is a word, a tab, and the names of its units with spaces between:

    HELLO<tab>H E L L O
    READ<tab>R IY D
    READ<tab>R EH D

A word with several spellings has several lines. A line without a tab is a word that the units know how to
spell, so that a list of words is a lexicon too.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from asr.errors import AsrError
from asr.progress import track
from asr.units.tokens import BLANK, SPACE

Spelling = tuple[str, tuple[int, ...]]
"""A word and the classes of its units."""


class Speller(Protocol):
    """Units that words can be spelled in (see `asr.units.kinds.Units`)."""

    tokens: list[str]

    def spell(self, word: str) -> list[tuple[int, ...]]:
        """The ways in which a word may be written in classes; AsrError where there is none."""


def spell_words(words: Iterable[str], units: Speller) -> tuple[list[Spelling], list[str]]:
    """Spell words in every way that the units know.

    Returns:
        the spellings, and the words that cannot be spelled, both in the order given.
    """
    spelled: list[Spelling] = []
    strange: list[str] = []
    for word in track(words, "spelling words"):
        found = _spelled(word, units)
        spelled += [(word, classes) for classes in found]
        strange += [] if found else [word]
    return spelled, strange


def _spelled(word: str, units: Speller) -> list[tuple[int, ...]]:
    try:
        return [classes for classes in dict.fromkeys(units.spell(word)) if classes]
    except AsrError:
        return []


def format_spellings(spellings: Iterable[Spelling], tokens: Sequence[str]) -> str:
    """The text of a lexicon; `parse_spellings` reads it back."""
    return "".join(f"{word}\t{' '.join(tokens[unit] for unit in units)}\n" for word, units in spellings)


def read_spellings(path: Path, units: Speller) -> list[Spelling]:
    """Read a lexicon for a model of these units.

    Raises:
        AsrError: the file cannot be read, and as for `parse_spellings`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AsrError(f"{path}: the lexicon cannot be read ({error.strerror})") from error
    return parse_spellings(content, units, str(path))


def parse_spellings(content: bytes, units: Speller, origin: str) -> list[Spelling]:
    """The spellings of a lexicon, in its order.

    Args:
        content: of the file, in UTF-8; blank lines are passed over.
        units: of the model.
        origin: where it comes from, named in the sentence.

    Raises:
        AsrError: bytes that are not UTF-8, a unit that the model has not, a word without units, the same
            spelling of a word twice, or not one word; the sentence names the line.
    """
    ids = {token: unit for unit, token in enumerate(units.tokens) if token not in (BLANK, SPACE)}
    lines: dict[Spelling, int] = {}
    for number, line in _lines(content, origin):
        word, rest = (line.partition("\t")[part].strip() for part in (0, 2))
        names = rest.split()
        if len(word.split()) != 1 or ("\t" in line and not names):
            raise AsrError(f"{origin}:{number}: a word, a tab and its units expected, found {line[:60]!r}")
        strange = next((name for name in names if name not in ids), None)
        if strange is not None:
            raise AsrError(
                f"{origin}:{number}: {word!r} has the unit {strange!r}, which is not among the {len(ids)} "
                f"units of the model that spell words: {' '.join(ids)[:200]}"
            )
        found = [tuple(ids[name] for name in names)] if names else _spelled(word, units)
        if not found:
            raise AsrError(
                f"{origin}:{number}: {word!r} cannot be spelled in the units of the model, "
                f"{' '.join(ids)[:200]}; correct it, or write a tab and its units after it"
            )
        for spelling in ((word, classes) for classes in found):
            first = lines.setdefault(spelling, number)
            if first != number:
                raise AsrError(
                    f"{origin}:{number}: every spelling is expected once, {word!r} is on line {first} "
                    "with the same; remove one"
                )
    if not lines:
        raise AsrError(f"{origin}: a lexicon expected, a word with its units a line; found no word")
    return list(lines)


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
