"""What any language model can be asked, n-gram or GRU, and what several say of the same sentences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr.lm.automaton import LanguageModel
from asr.lm.tables import EOS, UNK, Floats


class Scorer(Protocol):
    """A language model of words."""

    @property
    def ids(self) -> dict[str, int]:
        """The id of every word that a text may hold, `<unk>` among them."""

    def token_log_probs(self, ids: NDArray[np.int32]) -> Floats:
        """Natural log-probability of every token (K,) of sentences, one after the other, each with </s>."""


def open_scorer(path: Path, verify: bool = False) -> Scorer:
    """Open a model of any form: .arpa, .arpa.gz, the compact .lm, or the folder of a GRU language model.

    Args:
        verify: compare checksums; those of a folder always are.

    Raises:
        AsrError: something else, of another version, cut or damaged.
    """
    if not path.is_dir():
        return LanguageModel.open(path, verify)
    from asr.lm.gru_folder import load_gru  # torch is loaded only where it is needed

    return load_gru(path)


def shared_log_probs(scorers: Sequence[Scorer], sentences: Sequence[Sequence[str]]) -> list[Floats]:
    """What each model says of every word of sentences, so that their probabilities can be mixed.

    Models may know different words. Each spreads its <unk> evenly over the words that only others know and
    all words that none knows, as one: then each still sums to one over what any of them may say.

    Args:
        scorers: the models.
        sentences: words; the empty sentence too is one.

    Returns:
        For every sentence (models, words + 1) natural log-probabilities, those of </s> last.
    """
    union = set().union(*(scorer.ids for scorer in scorers))
    rows = []
    for scorer in scorers:
        ids = scorer.ids
        numbers = [number for words in sentences for number in (*(ids.get(word, UNK) for word in words), EOS)]
        tokens = np.array(numbers, np.int32)
        unknown = len(union) - len(ids) + 1
        rows.append(scorer.token_log_probs(tokens) - np.where(tokens == UNK, np.log(unknown), 0.0))
    ends = np.cumsum([len(words) + 1 for words in sentences])
    return np.split(np.array(rows), ends[:-1], axis=1) if len(ends) else []


def mixed(log_probs: Floats, shares: Sequence[float]) -> Floats:
    """log Σ_i shares_i P_i: (models, tokens) and a share for each model, which sum to one -> (tokens,)."""
    with np.errstate(divide="ignore"):
        weights = np.log(np.array(shares))
    return np.asarray(np.logaddexp.reduce(log_probs + weights[:, None], axis=0))
