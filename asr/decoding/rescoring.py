"""A second look at the texts that a search found, by a language model that is too slow to search with.

    lm'   = Σ_w log(λ P_GRU(w | all words before) + (1 - λ) P_n-gram(w | the last few words))
    score = (total - lm_weight · lm) + lm_weight' · lm' + word_score' · words

What the search gave for sound and word counts stays; its language model's part is replaced. The two models
are mixed word by word in the probability domain, as n-gram models are (`asr.lm.interpolate`): the mixture is
a language model itself, whose perplexity can be measured, and whose share a held-out text can teach before
anything is decoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.lm.scorer import Scorer, mixed, shared_log_probs

Floats = NDArray[np.float64]


class Candidate(Protocol):
    """A text that a search found; scores are natural logarithms."""

    @property
    def words(self) -> Sequence[str]: ...

    @property
    def lm(self) -> float:
        """Of the words and the end after them, by the search's language model, without its weight."""

    @property
    def total(self) -> float:
        """By which the search ranks it: weighted `lm`, sound and word scores."""


class Weights(NamedTuple):
    """How a text is scored anew; see the module.

    Attributes:
        share: λ, of the GRU language model, from 0 to 1.
        lm_weight: of the mixture's logarithm.
        word_score: nats for each word, beside what the search gave.
    """

    share: float
    lm_weight: float
    word_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Rescored:
    """A text after the second look.

    Attributes:
        rank: its place in the search's list, from 0.
        words: the text.
        lm: log-probability by the mixture.
        total: the new score.
    """

    rank: int
    words: list[str]
    lm: float
    total: float


def word_log_probs(nbests: Sequence[Sequence[Candidate]], gru: Scorer, ngrams: Scorer) -> list[list[Floats]]:
    """What both language models say of every word, for `rescore` and `errors_by_weights`.

    Args:
        nbests: for each utterance its candidates.

    Returns:
        For every candidate of every utterance (2, words + 1): the GRU's and the n-gram's natural
        log-probabilities (see `asr.lm.scorer.shared_log_probs`).
    """
    texts = [candidate.words for candidate in chain.from_iterable(nbests)]
    found = iter(shared_log_probs([gru, ngrams], texts))
    return [[next(found) for _ in nbest] for nbest in nbests]


def rescore(
    nbest: Sequence[Candidate], log_probs: Sequence[Floats], weights: Weights, *, search_weight: float
) -> list[Rescored]:
    """Rank the candidates of one utterance anew.

    Args:
        nbest: what the search found.
        log_probs: of its words (see `word_log_probs`).
        weights: of the new score.
        search_weight: `lm_weight` of the search.

    Returns:
        All candidates, best first; equals in the search's order.

    Raises:
        AsrError: a weight is impossible.
    """
    lms = _mixtures(log_probs, weights)
    scores = _rests(nbest, search_weight) + lms @ [weights.lm_weight, weights.word_score]
    order = np.argsort(-scores, kind="stable").tolist()
    return [
        Rescored(rank, list(nbest[rank].words), float(lms[rank, 0]), float(scores[rank])) for rank in order
    ]


def errors_by_weights(
    nbests: Sequence[Sequence[Candidate]],
    log_probs: Sequence[Sequence[Floats]],
    errors: Sequence[Sequence[int]],
    grid: Sequence[Weights],
    *,
    search_weight: float,
) -> NDArray[np.int64]:
    """Errors over all utterances for each choice of weights: the first of the fewest is the one to use.

    Args:
        nbests, log_probs: of every utterance, as for `rescore`.
        errors: word errors of every candidate against the reference.
        grid: what is tried. Choices with the same share side by side are mixed only once.
        search_weight: `lm_weight` of the search.

    Returns:
        (len(grid),) errors of the texts that `rescore` puts first.

    Raises:
        AsrError: a weight is impossible, or an utterance has no candidate.
    """
    if not all(nbests):
        raise AsrError(f"rescoring: utterance {[len(nbest) for nbest in nbests].index(0)} has no candidate")
    offsets = np.cumsum([0, *(len(nbest) for nbest in nbests)])
    flat_probs = list(chain.from_iterable(log_probs))
    flat_errors = np.array(list(chain.from_iterable(errors)), np.int64)
    rests = _rests(list(chain.from_iterable(nbests)), search_weight)
    found = np.zeros(len(grid), np.int64)
    lms, share = np.zeros((0, 2)), None
    for place, weights in enumerate(grid):
        if weights.share != share:
            lms, share = _mixtures(flat_probs, weights), weights.share
        scores = rests + lms @ [weights.lm_weight, weights.word_score]
        best = [int(begin + scores[begin:end].argmax()) for begin, end in pairwise(offsets)]
        found[place] = flat_errors[best].sum()
    return found


def _mixtures(log_probs: Sequence[Floats], weights: Weights) -> Floats:
    """(candidates, 2): the log-probability by the mixture, and the number of words."""
    if not (0 <= weights.share <= 1 and np.isfinite(weights).all()):
        raise AsrError(f"rescoring: a share from 0 to 1 and finite weights expected, found {weights}")
    shares = [weights.share, 1 - weights.share]
    counts = [probs.shape[1] for probs in log_probs]
    if not counts:
        return np.zeros((0, 2))
    begins = np.cumsum([0, *counts])[:-1]
    sums = np.add.reduceat(mixed(np.concatenate(list(log_probs), axis=1), shares), begins)
    return np.column_stack([sums, np.array(counts) - 1.0])


def _rests(candidates: Sequence[Candidate], search_weight: float) -> Floats:
    """(candidates,) what the search gave for all but its language model."""
    return np.array([candidate.total - search_weight * candidate.lm for candidate in candidates])
