"""How well a model foretells a text."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from asr.errors import AsrError
from asr.lm.scorer import Scorer
from asr.lm.tables import EOS, UNK
from asr.lm.text import read_blocks


class Perplexity(NamedTuple):
    """Totals over a text; </s> of every sentence is foretold, and counted, as a word is."""

    num_sentences: int
    num_words: int  # without </s>
    num_unknown: int  # of these, words outside the vocabulary
    log_prob: float  # natural log, of all tokens, unknown words with the probability of <unk>
    log_prob_unknown: float  # the part of the unknown words

    @property
    def with_unknown(self) -> float:
        """Perplexity over all tokens, an unknown word having the probability of <unk>."""
        return float(np.exp(-self.log_prob / (self.num_words + self.num_sentences)))

    @property
    def without_unknown(self) -> float:
        """Perplexity over the tokens that the model knows."""
        known = self.num_words + self.num_sentences - self.num_unknown
        return float(np.exp((self.log_prob_unknown - self.log_prob) / known))


def perplexity(model: Scorer, texts: Iterable[str]) -> Perplexity:
    """The perplexity of texts, a sentence a line; blank lines are no sentences.

    Raises:
        AsrError: a text cannot be read, or none has a word.
    """
    ids = {word.encode(): index for word, index in model.ids.items()}
    totals = np.zeros(5)
    for block in read_blocks(texts):
        sentences = [line for line in map(bytes.split, block.content.split(b"\n")) if line]
        tokens = [[*(ids.get(word, UNK) for word in line), EOS] for line in sentences]
        numbers = np.fromiter((index for line in tokens for index in line), np.int32)
        log_probs = model.token_log_probs(numbers)
        unknown = numbers == UNK
        num_words = len(numbers) - len(sentences)
        totals += [len(sentences), num_words, unknown.sum(), log_probs.sum(), log_probs[unknown].sum()]
    if not totals[0]:
        raise AsrError("sentences were expected, one a line; the text has not one word")
    return Perplexity(*(int(total) for total in totals[:3]), *(float(total) for total in totals[3:]))
