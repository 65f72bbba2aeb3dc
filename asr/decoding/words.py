"""Units with frames become words with times."""

from collections.abc import Sequence

from asr.config import UnitKind
from asr.decoding.path import Path
from asr.errors import AsrError
from asr.records import Hypothesis, Word
from asr.units.pieces import WORD_START
from asr.units.tokens import SPACE


def to_hypothesis(
    utt_id: str,
    path: Path,
    tokens: Sequence[str],
    *,
    frame_seconds: float,
    duration: float,
    kind: UnitKind = "characters",
) -> Hypothesis:
    """Join units to words: characters between two spaces ("|"), pieces up to the next that begins with "▁".

    Phones stay single, each a word by itself, and their boundaries go.

    CTC marks a unit by a spike, not by its extent, so times are good to a few frames: a word starts with the
    frame in which its first unit begins, and ends after the frame in which its last unit begins.

    Args:
        utt_id: whose words these are.
        path: what a search returned.
        tokens: the model's tokens, by class.
        frame_seconds: time between two frames of the log-probabilities.
        duration: of the audio in seconds; no word starts or ends after it.
        kind: what the tokens are.

    Returns:
        Text with single spaces, the path's score, and the words: starts never fall, start ≤ end. A word is
        as sure as its least sure unit, since one wrong unit makes a wrong word. A path without units, or of
        spaces alone, gives the empty text.

    Raises:
        AsrError: the path has a class that `tokens` lacks.
    """
    names = [token.removeprefix(WORD_START) for token in tokens] if kind == "bpe" else tokens
    words: list[Word] = []
    units: list[int] = []  # places in the path of the units of the word that has begun
    for place, unit in enumerate([*path.ids, None]):
        if unit is not None and not 0 <= unit < len(tokens):
            raise AsrError(
                f"{utt_id}: class {unit} was decoded, but the model has {len(tokens)} tokens; "
                "tokens.txt and the weights belong to different models"
            )
        token = None if unit is None else tokens[unit]
        if units and _begins_anew(token, kind):
            word = _word(path, units, names, frame_seconds, duration)
            words += [word] if word.text else []  # a "▁" may stand by itself
            units = []
        if token is not None and (token != SPACE or kind == "bpe"):
            units.append(place)
    return Hypothesis(utt_id=utt_id, text=" ".join(w.text for w in words), score=path.score, words=words)


def _begins_anew(token: str | None, kind: UnitKind) -> bool:
    """Whether the word before a unit, or before the end, is over."""
    if token is None or kind == "phones":
        return True
    return token.startswith(WORD_START) if kind == "bpe" else token == SPACE


def _word(path: Path, units: list[int], names: Sequence[str], frame_seconds: float, duration: float) -> Word:
    return Word(
        text="".join(names[path.ids[place]] for place in units),
        start=min(path.frames[units[0]] * frame_seconds, duration),
        end=min((path.frames[units[-1]] + 1) * frame_seconds, duration),
        confidence=min(path.confidences[place] for place in units),
    )
