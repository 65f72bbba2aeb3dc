"""Transcripts in LibriSpeech's convention: upper case A–Z, apostrophes within words, single spaces."""

import re
import unicodedata
from functools import lru_cache

from asr.corpus.spelling import spell
from asr.errors import AsrError

_NORMAL = re.compile(r"[A-Z]+(?:'[A-Z]+)*(?: [A-Z]+(?:'[A-Z]+)*)*")
_ALPHABET = re.compile(r"[A-Z']+(?: [A-Z']+)*")
_EDGE_APOSTROPHES = re.compile(r"(?<![A-Z])'+|'+(?![A-Z])")
_APOSTROPHES = frozenset("'’‘ʼʹ′`´＇")
_SPOKEN = frozenset("@#%‰")  # punctuation for Unicode, words for a reader
_LETTERS = {"Æ": "AE", "Œ": "OE", "Ø": "O", "Đ": "D", "Ð": "D", "Þ": "TH", "Ł": "L", "Ħ": "H", "ẞ": "SS"}
_WORDS = {"MR": "MISTER", "MRS": "MISSUS", "DR": "DOCTOR"}  # as LibriSpeech writes them


def normalise(text: str, spell_numbers: bool = False) -> str:
    """Write a transcript in LibriSpeech's convention.

    Letters lose their accents and become capitals, punctuation becomes a space, an apostrophe stays only
    between two letters, `&` is AND, and Mr, Mrs and Dr are MISTER, MISSUS and DOCTOR. Text that is in the
    convention already comes back as it is, so applying the function twice changes nothing.

    Args:
        text: a transcript as somebody wrote it.
        spell_numbers: read numbers aloud (see `asr.corpus.spelling`); otherwise digits are an error.

    Returns:
        words of A–Z and inner apostrophes with one space between; empty where the text has no letters.

    Raises:
        AsrError: characters of another script or unspeakable symbols, each named; digits, where they are
            not to be spelled or cannot be read aloud with certainty.
    """
    if _NORMAL.fullmatch(text):
        return text
    text = unicodedata.normalize("NFC", text)
    if spell_numbers:
        text = spell(text)
    folded = [(char, _fold(char)) for char in text]
    unknown = list(dict.fromkeys(char for char, written in folded if written is None))
    if unknown:
        raise AsrError(_sentence(text, unknown))
    letters = "".join(written for _, written in folded if written is not None)
    words = _EDGE_APOSTROPHES.sub(" ", re.sub("'+", "'", letters)).split()
    return " ".join(_WORDS.get(word, word) for word in words)


def in_convention(text: str) -> bool:
    """Whether a transcript needs no change: A–Z, apostrophes anywhere, single spaces, not empty."""
    return _ALPHABET.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _fold(char: str) -> str | None:
    """What one character becomes: letters, an apostrophe, spaces or nothing; None where it has no place."""
    if "A" <= char <= "Z":
        return char
    if char in _APOSTROPHES:
        return "'"
    if char == "&":
        return " AND "
    category = unicodedata.category(char)
    if char in _SPOKEN:
        return None
    if char.isspace() or category[0] == "P":
        return " "
    if category in ("Cf", "Mn"):  # soft hyphens, zero-width marks, accents without a letter of their own
        return ""
    if category[0] != "L":
        return None
    plain = "".join(c for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) != "Mn").upper()
    plain = "".join(_LETTERS.get(c, c) for c in plain)
    return plain if plain.isascii() and plain.isalpha() else None


def _sentence(text: str, unknown: list[str]) -> str:
    if any(char in "0123456789" for char in unknown):
        tokens = dict.fromkeys(token for token in text.split() if any(char in "0123456789" for char in token))
        shown = ", ".join(f"'{token}'" for token in list(tokens)[:5])
        return f"the transcript holds digits ({shown}); write the numbers in words"
    shown = ", ".join(_described(char) for char in unknown[:5])
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return (
        f"the transcript holds characters that cannot be written with A–Z: {shown}{more}; "
        "write it in Latin letters and words, or leave it out"
    )


def _described(char: str) -> str:
    name = unicodedata.name(char, f"U+{ord(char):04X}")
    return f"'{char}' ({name})" if char.isprintable() else name
