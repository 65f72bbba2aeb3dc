"""Decoders of words with one face, for benchmarks: log-probabilities (T, C) of letters in, text out.

All look for the words W with the largest log P(W | sound) + lm_weight · log P(W) + word_score · |W|, natural
logarithms, over the same lexicon and ARPA file. A decoder that is not installed is None.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asr.lm.automaton import LanguageModel
from asr.units.tokens import SPACE

Decode = Callable[[np.ndarray], str]
LOG10 = float(np.log(10.0))


class Task(NamedTuple):
    """What every decoder is given."""

    tokens: list[str]
    lexicon: list[tuple[str, list[int]]]
    arpa: Path
    lm: LanguageModel
    lm_weight: float
    word_score: float
    top: int


def ours(task: Task, **options: Any) -> Callable[[int], Decode]:
    """The lexicon decoder, built once for all beams."""
    from asr.decoding.lexicon_decoder import LexiconDecoder

    decoder = LexiconDecoder(
        task.lexicon,
        task.lm.automaton,
        task.lm.vocabulary,
        boundary=task.tokens.index(SPACE),
        beam=16,
        top=task.top,
        lm_weight=task.lm_weight,
        word_score=task.word_score,
        **options,
    )

    def with_beam(beam: int) -> Decode:
        one = copy.copy(decoder)
        one.beam = beam
        return lambda log_probs: " ".join(one.decode(log_probs[None], [len(log_probs)])[0][0].words)

    return with_beam


def flashlight(task: Task, threshold: float) -> Callable[[int], Decode] | None:
    """flashlight-text's lexicon decoder with KenLM; its look-ahead is the best unigram below a node.

    It wants a word separator in the end, so a frame of one is added. KenLM's scores are log10.
    """
    try:
        from flashlight.lib.text import decoder as fl
        from flashlight.lib.text.decoder.kenlm import KenLM
        from flashlight.lib.text.dictionary import Dictionary
    except ImportError:
        return None
    words = Dictionary()
    for word, _ in task.lexicon:
        words.add_entry(word)
    words.add_entry("<unk>")
    model = KenLM(str(task.arpa), words)
    space = task.tokens.index(SPACE)
    trie = fl.Trie(len(task.tokens), space)
    start = model.start(False)
    for word, spelling in task.lexicon:
        index = words.get_index(word)
        trie.insert([*spelling, space], index, model.score(start, index)[1])
    trie.smear(fl.SmearingMode.MAX)

    def with_beam(beam: int) -> Decode:
        options = fl.LexiconDecoderOptions(
            beam_size=beam,
            beam_size_token=task.top,
            beam_threshold=threshold,
            lm_weight=task.lm_weight * LOG10,
            word_score=task.word_score,
            unk_score=float("-inf"),
            sil_score=0.0,
            log_add=True,
            criterion_type=fl.CriterionType.CTC,
        )
        decoder = fl.LexiconDecoder(options, trie, model, space, 0, words.get_index("<unk>"), [], False)

        def decode(log_probs: np.ndarray) -> str:
            emissions = np.full((len(log_probs) + 1, len(task.tokens)), -30.0, np.float32)
            emissions[:-1] = log_probs
            emissions[-1, space] = 0.0
            found = decoder.decode(emissions.ctypes.data, *emissions.shape)
            return " ".join(words.get_entry(word) for word in found[0].words if word >= 0) if found else ""

        return decode

    return with_beam


def pyctcdecode(task: Task) -> Callable[[int], Decode] | None:
    """pyctcdecode with KenLM, as it is set up by default; it spells words that the lexicon lacks, too."""
    try:
        import kenlm  # noqa: F401
        from pyctcdecode import build_ctcdecoder
    except ImportError:
        return None
    labels = ["" if k == 0 else " " if token == SPACE else token for k, token in enumerate(task.tokens)]
    decoder = build_ctcdecoder(
        labels,
        str(task.arpa),
        [word for word, _ in task.lexicon],
        alpha=task.lm_weight,
        beta=task.word_score,
    )
    return lambda beam: lambda log_probs: decoder.decode(log_probs, beam_width=beam)


def fast_ctc_decode(task: Task) -> Callable[[int], Decode] | None:
    """fast-ctc-decode, which has neither lexicon nor language model: letters as they are heard."""
    try:
        from fast_ctc_decode import beam_search
    except ImportError:
        return None
    alphabet = "".join("-" if k == 0 else token for k, token in enumerate(task.tokens))

    def with_beam(beam: int) -> Decode:
        def decode(log_probs: np.ndarray) -> str:
            probs = np.exp(log_probs).astype(np.float32)
            text, _ = beam_search(probs, alphabet, beam_size=beam, beam_cut_threshold=1e-3)
            return " ".join(text.replace(SPACE, " ").split())

        return decode

    return with_beam
