"""The units of a model of any kind: made for a corpus by `build_units`, read again by `load_units`.

What a kind needs beside tokens.txt are files, which pass between rooms as bytes by name
(`UnitsConfig.files`): phones have their lexicon, and what was learnt from it about words that it lacks;
pieces have the model of sentencepiece.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asr.config import CMUDICT, LETTER_TO_SOUND, LEXICON, PIECES, UnitsConfig
from asr.errors import AsrError
from asr.units.characters import CharacterUnits
from asr.units.compact import lexicon_of, whole_files
from asr.units.letter_to_sound import LetterToSound, learn_once
from asr.units.lexicon import (
    ARPABET,
    STRESSED,
    Lexicon,
    cmudict_lexicon,
    format_lexicon,
    read_lexicon,
)
from asr.units.phones import PhoneUnits
from asr.units.pieces import PieceUnits, train_pieces
from asr.units.tokens import BLANK, SPACE

SHOWN = 10
"""Words that a summary names before it counts the others."""


class Units(Protocol):
    """Text to classes and back.

    Attributes:
        tokens: C names of the classes; number 0 is the blank.
    """

    tokens: list[str]

    @property
    def boundary(self) -> int | None:
        """The class between two words; None where units themselves say that a word begins."""

    def encode(self, text: str) -> list[int]:
        """Classes of a normalised text; AsrError where it has no classes."""

    def decode(self, ids: Iterable[int]) -> str:
        """What a model has written: text, or phones with spaces between."""

    def reference(self, text: str) -> str:
        """What `decode` gives where a text is heard without an error."""

    def spell(self, word: str) -> list[tuple[int, ...]]:
        """The ways in which a word may be written in classes, without boundary."""


@dataclass(frozen=True)
class Built:
    """Units that were made for a corpus.

    Attributes:
        tokens: names of the classes.
        files: contents by name, those of `UnitsConfig.files`.
        told: sentences for the user.
    """

    tokens: list[str]
    files: dict[str, bytes]
    told: list[str]


def build_units(
    config: UnitsConfig,
    texts: Sequence[str],
    measured: Sequence[str],
    *,
    lexicon: Path | None,
    cache: Path,
) -> Built:
    """Make the units that a configuration asks for.

    Args:
        config: which kind, and its settings.
        texts: normalised training transcripts.
        measured: transcripts that errors will be counted against; all of their words must be pronounced.
        lexicon: file in CMUdict's format; None takes CMUdict itself.
        cache: folder that keeps what was learnt from a lexicon.

    Raises:
        AsrError: transcripts without text or with a sign that cannot be a unit, a lexicon that is missing or
            wrong, a word of `measured` that it lacks and nothing pronounces, a package that is not installed.
    """
    if config.kind == "characters":
        tokens = CharacterUnits.build(texts).tokens
        return Built(tokens, {}, [f"{len(tokens)} classes, {''.join(tokens[1:])} and the blank"])
    if config.kind == "bpe":
        tokens, model = train_pieces(texts, config.pieces)
        return Built(tokens, {PIECES: model}, [_told_of_pieces(PieceUnits(tokens, model), texts)])
    symbols = config.phones or (STRESSED if config.stress else ARPABET)
    known = cmudict_lexicon(symbols) if lexicon is None else read_lexicon(lexicon, symbols)
    files = {LEXICON: format_lexicon(known).encode()}
    if config.letter_to_sound:
        files[LETTER_TO_SOUND] = learn_once(known, cache)
    units = load_units(config, [BLANK, SPACE, *symbols], files)
    for text in measured:
        units.encode(text)
    return Built(units.tokens, files, _told(known, units.tokens, texts, config.letter_to_sound))


def continue_units(
    config: UnitsConfig, tokens: Sequence[str], files: Mapping[str, bytes], texts: Iterable[str]
) -> Built:
    """The units of a model that is trained further: its own, and behind them characters that it lacks.

    Args:
        config, tokens, files: of the model.
        texts: normalised training transcripts.

    Raises:
        AsrError: as for `build_units`.
    """
    new: list[str] = []
    if config.kind == "characters":
        new = [token for token in CharacterUnits.build(texts).tokens if token not in tokens]
    units = load_units(config, [*tokens, *new], files)
    added = f", and behind them {''.join(new)}" if new else ""
    told = f"{len(tokens)} classes of the model that is trained further{added}"
    return Built(units.tokens, whole_files(files, tokens[2:]), [told])


def load_units(config: UnitsConfig, tokens: Sequence[str], files: Mapping[str, bytes]) -> Units:
    """Make units of what `build_units` gave.

    Raises:
        AsrError: tokens or files do not belong to this kind, or are damaged.
    """
    missing = set(config.compact_files if CMUDICT in files else config.files) - set(files)
    if missing:
        raise AsrError(f'units of the kind "{config.kind}" need {min(missing)}, which is not there')
    if config.kind == "characters":
        return CharacterUnits.from_tokens(tokens)
    if config.kind == "bpe":
        return PieceUnits(tokens, files[PIECES])
    lexicon = lexicon_of(files, tokens[2:])
    if not config.letter_to_sound:
        return PhoneUnits(tokens, lexicon)
    return PhoneUnits(tokens, lexicon, LetterToSound.from_bytes(files[LETTER_TO_SOUND], LETTER_TO_SOUND))


def _told_of_pieces(units: PieceUnits, texts: Sequence[str]) -> str:
    cut = sum(len(units.encode(text)) for text in texts)
    mean = sum(map(len, texts)) / max(1, cut)
    return f"{len(units.tokens)} classes, pieces of words of {mean:.2f} characters on average, and the blank"


def _told(lexicon: Lexicon, tokens: Sequence[str], texts: Iterable[str], is_guessed: bool) -> list[str]:
    told = [f"{len(tokens)} classes, {len(tokens) - 2} phones, the boundary {SPACE} and the blank"]
    if lexicon.repeated:
        told.append(
            f"{len(lexicon.repeated)} lines of the lexicon repeat others: {_few(lexicon.repeated, '; ')}"
        )
    words = {word for text in texts for word in text.split()}
    missing = sorted(word for word in words if word not in lexicon)
    if missing:
        what = (
            "pronounced by letter to sound"
            if is_guessed
            else "not pronounced, and left out with their utterances"
        )
        told.append(
            f"{len(missing)} of {len(words)} words in the transcripts are not among the lexicon's "
            f"{len(lexicon)} and are {what}: {_few(missing, ', ')}"
        )
    return told


def _few(names: Sequence[str], comma: str) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return comma.join(names[:SHOWN]) + more
