"""What the caller asks for, put before what the model's configuration says."""

import math

import torch
from msgspec.structs import replace

from asr.config import DecodingConfig
from asr.errors import AsrError

METHODS = ("greedy", "beam", "words")


def chosen_device(name: str) -> torch.device:
    """The device that is called cpu, cuda, cuda:1, or auto: CUDA where there is one.

    Raises:
        AsrError: no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise AsrError(f"device {name}: auto, cpu or cuda expected") from error
    if device.type not in ("cpu", "cuda"):
        raise AsrError(f"device {name}: auto, cpu or cuda expected")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise AsrError(f"device {name}: torch finds {torch.cuda.device_count()} CUDA devices here; use cpu")
    return device


def chosen_decoding(
    config: DecodingConfig,
    *,
    method: str | None = None,
    beam: int | None = None,
    with_words: bool = False,
    top: int | None = None,
    nbest: int | None = None,
    lm_weight: float | None = None,
    word_score: float | None = None,
) -> DecodingConfig:
    """The model's options with the caller's in front.

    Args:
        config: of the model.
        method: "greedy", "beam" or "words"; None lets the other options decide.
        beam: 0 is greedy.
        with_words: whether the caller gave what only a search for words can use.

    Raises:
        AsrError: a value is impossible, or two of them do not fit each other.
    """
    for name, value, least in (("beam", beam, 0), ("top", top, 1), ("nbest", nbest, 1)):
        if value is not None and value < least:
            raise AsrError(f"{name}: {least} or more expected, found {value}")
    if lm_weight is not None and not 0 <= lm_weight < math.inf:
        raise AsrError(f"lm_weight: a number of at least 0 expected, found {lm_weight}")
    if word_score is not None and not math.isfinite(word_score):
        raise AsrError(f"word_score: a number of nats expected, found {word_score}")
    chosen = _method(config, method, beam, with_words)
    if chosen == "greedy" and (nbest or 1) > 1:
        raise AsrError(f"nbest {nbest}: greedy search finds one text; ask for a beam search, such as beam 16")
    return replace(
        config,
        method=chosen,
        beam=beam or config.beam,
        top=top or config.top,
        nbest=(nbest or config.nbest) if chosen != "greedy" else 1,
        lm_weight=config.lm_weight if lm_weight is None else lm_weight,
        word_score=config.word_score if word_score is None else word_score,
    )


def _method(config: DecodingConfig, method: str | None, beam: int | None, with_words: bool) -> str:
    if method is not None and method not in METHODS:
        raise AsrError(f"decoder {method}: {', '.join(METHODS)} expected")
    if beam == 0 and (method in ("beam", "words") or with_words):
        raise AsrError(f"beam 0: is greedy search; the decoder {method or 'words'} needs 1 or more")
    if with_words and method in ("greedy", "beam"):
        raise AsrError(
            f"decoder {method}: has no words; ask for the decoder words, or leave out what belongs to it"
        )
    if method is not None:
        return method
    if with_words:
        return "words"
    if beam is None:
        return config.method
    if beam == 0:
        return "greedy"
    return config.method if config.method != "greedy" else "beam"
