"""Pieces of words as the units of the model, found by byte-pair encoding; sentencepiece does the work.

Of the pieces that stand beside each other in the transcripts, at first characters, the most frequent pair
becomes one, until there are as many as wanted (Sennrich et al. 2016, "Neural machine translation of rare
words with subword units"). The first piece of a word begins with "▁" (U+2581), so no unit stands between two
words.
"""

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from asr.errors import AsrError
from asr.records import BLANK_ID
from asr.units.tokens import BLANK, check_tokens

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

WORD_START = "▁"
"""What a piece begins with that begins a word."""


class PieceUnits:
    """The pieces that a model can write, with their classes.

    sentencepiece's number 0, the unknown piece, is the blank's place; the other numbers are the classes.

    Attributes:
        tokens: class 0 is the blank; the others are pieces.
    """

    boundary: int | None = None

    def __init__(self, tokens: Sequence[str], model: bytes) -> None:
        """Take the classes and the model that `train_pieces` gave.

        Raises:
            AsrError: sentencepiece is not installed, the model is damaged, or has other pieces than `tokens`.
        """
        self.tokens = list(tokens)
        check_tokens(self.tokens, "pieces")
        self._processor = _open(model)
        if _tokens(self._processor) != self.tokens:
            raise AsrError("pieces: tokens.txt and pieces.model belong to different models; export it again")
        self._characters = set("".join(self.tokens[1:])) - {WORD_START}

    def encode(self, text: str) -> list[int]:
        """Classes of a normalised text; the same text has always the same.

        Raises:
            AsrError: a character is in no piece.
        """
        strange = next((c for c in text if c not in self._characters and c != " "), None)
        if strange is not None:
            raise AsrError(
                f"{text[:60]!r} has {strange!r} (U+{ord(strange):04X}), which is in none of the model's "
                "pieces; normalise the transcript, or build the units from it"
            )
        ids: list[int] = self._processor.encode(text)
        return ids

    def spell(self, word: str) -> list[tuple[int, ...]]:
        """The one way in which `encode` cuts a word; errors as there."""
        return [tuple(self.encode(word))]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a sequence of classes: words with single spaces between; blanks are passed over.

        `decode(encode(text)) == text` for a normalised text.

        Raises:
            AsrError: a class is not among the units.
        """
        pieces = []
        for unit in ids:
            if not 0 <= unit < len(self.tokens):
                raise AsrError(f"class {unit} is not among the {len(self.tokens)} units of the model")
            if unit != BLANK_ID:
                pieces.append(self.tokens[unit])
        return " ".join("".join(pieces).replace(WORD_START, " ").split())

    def reference(self, text: str) -> str:
        """The text itself, which is what a model of pieces should write."""
        return text


def train_pieces(texts: Sequence[str], count: int) -> tuple[list[str], bytes]:
    """Find the pieces of transcripts. The same texts in the same order give the same bytes.

    Args:
        texts: normalised.
        count: classes wanted, the blank among them.

    Returns:
        The tokens of the classes, and sentencepiece's model.

    Raises:
        AsrError: sentencepiece is not installed; no text, or too little for so many pieces; fewer pieces than
            there are characters; a text has "▁", or white space other than the space.
    """
    characters = set("".join(texts)) - {" "}
    strange = next((c for c in sorted(characters) if c == WORD_START or c.isspace()), None)
    if not characters or strange is not None:
        found = "none" if strange is None else f"{strange!r} (U+{ord(strange):04X})"
        raise AsrError(f"pieces: normalised transcripts expected, found {found} in them")
    least = len(characters) + 2  # the blank and the beginning of a word
    if count < least:
        raise AsrError(
            f"units.pieces: {least} or more expected for {len(characters)} characters, found {count}"
        )
    model = io.BytesIO()
    try:
        _sentencepiece().SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=count,
            character_coverage=1.0,
            normalization_rule_name="identity",
            max_sentence_length=max(10, *(len(text.encode()) for text in texts)),  # longer ones are skipped
            num_threads=1,
            unk_id=BLANK_ID,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = str(error).rpartition("] ")[2].strip() or str(error)  # without places in its source
        raise AsrError(
            f"units.pieces = {count}: sentencepiece cannot find so many in {len(texts)} transcripts: {reason}"
        ) from error
    return _tokens(_open(model.getvalue())), model.getvalue()


def _tokens(processor: "SentencePieceProcessor") -> list[str]:
    return [BLANK, *(processor.id_to_piece(unit) for unit in range(1, processor.get_piece_size()))]


def _open(model: bytes) -> "SentencePieceProcessor":
    if not model:  # which sentencepiece takes for no argument
        raise AsrError("pieces: not a model of sentencepiece (0 bytes); export the model again")
    try:
        processor: SentencePieceProcessor = _sentencepiece().SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise AsrError(f"pieces: not a model of sentencepiece ({error}); export the model again") from error
    return processor


def _sentencepiece() -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise AsrError(
            "pieces of words need the package sentencepiece, which is not installed: pip install 'asr[bpe]'"
        ) from error
    return sentencepiece
