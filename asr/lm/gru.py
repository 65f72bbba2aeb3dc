"""A language model whose memory is a GRU: P(word | all words of the sentence before it).

    x_t = E[w_{t-1}]                      w_0 = </s>: the end of one sentence is where the next begins
    h_t = GRU(h_{t-1}, x_t)               `asr.recurrent.Recurrent`, one direction
    P(w_t | w_1 … w_{t-1}) = softmax(E (W h_t + b))[w_t]

Input and output share one embedding E (Press and Wolf 2017). The softmax is adaptive (Grave et al. 2017): the
most frequent words and a name for each class of rarer ones are weighed first, the words of a class only where
it is meant. Rarer words have shorter vectors, which a matrix of their class makes as long as the others, as
input too (Baevski and Auli 2019). Probabilities are exact, and sum to one over the vocabulary without <s>,
which nobody says.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from asr.config import Fraction, Part, Positive
from asr.lm.tables import EOS, UNK
from asr.recurrent import Recurrent

PIECE = 64
"""Steps of a sentence that are held at a time: the gradient of longer ones is cut there, the state is not."""

_CUTOFFS = (2000, 8000, 24000)
"""Ranks at which classes end: of running English 82, 10, 5 and 2 % of the words are in the four."""
_NARROWING = 2.0  # by which the vectors of a class are shorter than those of the class before


class GruShape(Part, frozen=True, kw_only=True):
    """The sizes of a model.

    Attributes:
        vocabulary_size: V, words with <unk>, <s> and </s>.
        embedding_size: E, of the vectors of frequent words.
        hidden_size: H.
        num_layers: L.
        dropout: of inputs, between layers and of outputs, while training.
    """

    vocabulary_size: Annotated[int, Meta(ge=4)]
    embedding_size: Annotated[int, Meta(ge=16)] = 256
    hidden_size: Positive = 512
    num_layers: Positive = 1
    dropout: Fraction = 0.0


class GruNetwork(nn.Module):
    """The network; it counts words in classes: id 0 (<unk>) is class 0, id 2 (</s>) class 1, and so on.

    Args:
        shape: its sizes.
    """

    def __init__(self, shape: GruShape) -> None:
        super().__init__()
        self.recurrent = Recurrent(
            shape.embedding_size,
            shape.hidden_size,
            num_layers=shape.num_layers,
            bidirectional=False,
            dropout=shape.dropout,
            check_nan=False,
        )
        self.projection = nn.Linear(shape.hidden_size, shape.embedding_size)
        num_classes = shape.vocabulary_size - 1  # all but <s>
        cutoffs = [rank for rank in _CUTOFFS if rank < num_classes] or [num_classes - 1]
        self.output = nn.AdaptiveLogSoftmaxWithLoss(
            shape.embedding_size, num_classes, cutoffs, div_value=_NARROWING
        )
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, ids: Tensor, lens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Natural log-probability of every token that follows another.

        Args:
            ids: (N, T+1) word ids, the token before the first one included.
            lens: (N,) tokens of each row that are foretold, from 1 to T.
            state: (L, N, H) before the first token; zeros if None.

        Returns:
            log_probs: (K,) of the tokens of all rows, one row after the other.
            state: (L, N, H) after the last token but one.
        """
        classes = (ids - 1).clamp(min=0)
        y, state = self.recurrent(self.dropout(self._embedded(classes[:, :-1])), lens, state)
        valid = torch.arange(y.shape[1]) < lens[:, None]  # (N, T)
        vectors = self.projection(self.dropout(y[valid]))
        return self.output(vectors, classes[:, 1:][valid]).output, state

    def distribution(self, ids: Tensor) -> Tensor:
        """(N, V) natural log-probability of every word after rows of words (N, T); that of <s> is -inf."""
        y, _ = self.recurrent(self._embedded((ids - 1).clamp(min=0)), torch.full((len(ids),), ids.shape[1]))
        found = self.output.log_prob(self.projection(y[:, -1]))
        return torch.cat([found[:, :1], torch.full((len(ids), 1), -math.inf), found[:, 1:]], dim=1)

    def _embedded(self, classes: Tensor) -> Tensor:
        """(N, T) -> (N, T, E): what the output multiplies with, times √E for inputs near 1 in size."""
        flat = classes.flatten()
        shortlist, *ends = self.output.cutoffs
        vectors = functional.embedding(flat.clamp(max=shortlist - 1), self.output.head.weight)
        for begin, end, tail in zip([shortlist, *ends], ends, self.output.tail, strict=False):
            rows = ((flat >= begin) & (flat < end)).nonzero()[:, 0]
            widen, words = tail.parameters()  # (E / 2^i, E), (words, E / 2^i)
            vectors = vectors.index_copy(0, rows, functional.embedding(flat[rows] - begin, words) @ widen)
        return vectors.view(*classes.shape, -1) * math.sqrt(vectors.shape[1])


class GruLanguageModel:
    """A network with its words, ready to be asked as an n-gram model is.

    Args:
        vocabulary: the words; the index is the id. `<unk>`, `<s>` and `</s>` are the first three, the others
            stand in the order of their frequency.
        network: its weights; it is put into evaluation mode.
    """

    def __init__(self, vocabulary: list[str], network: GruNetwork) -> None:
        self.vocabulary, self.network = vocabulary, network.eval()

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of every word that a text may hold: not `<s>` and `</s>`, which nobody says."""
        ids = {word: index for index, word in enumerate(self.vocabulary)}
        del ids["<s>"], ids["</s>"]
        return ids

    @torch.inference_mode()
    def token_log_probs(self, ids: NDArray[np.int32]) -> NDArray[np.float64]:
        """Natural log-probability of every token of sentences.

        The same sentences give the same numbers; beside other sentences they differ by rounding.

        Args:
            ids: (K,) the sentences one after the other, each with its </s>.
        """
        found = np.empty(len(ids))
        ends = np.flatnonzero(ids == EOS) + 1
        begins = np.concatenate([[0], ends[:-1]])
        for rows in batches_of(ends - begins):
            padded, lens = padded_rows([ids[begins[row] : ends[row]] for row in rows])
            parts: list[list[NDArray[np.float32]]] = [[] for _ in rows]
            state = None
            for piece, left in pieces_of(padded, lens):
                state = None if state is None else state[:, : len(piece)]
                log_probs, state = self.network(piece, left, state)
                split = np.split(log_probs.numpy(), np.cumsum(left.numpy())[:-1])
                for row_parts, part in zip(parts, split, strict=False):
                    row_parts.append(part)
            for row, row_parts in zip(rows, parts, strict=True):
                found[begins[row] : ends[row]] = np.concatenate(row_parts)
        return found


def batches_of(lens: NDArray[np.int64], tokens: int = 4096) -> list[NDArray[np.int64]]:
    """Rows of like lengths together: every batch holds rows, longest first, and about `tokens` tokens.

    Args:
        lens: (N,) length of every row; of equals the earlier comes first.
        tokens: of one piece of a batch; at least one row is in it, whatever its length.
    """
    order = np.argsort(-lens, kind="stable")
    held = np.minimum(lens[order], PIECE)  # falls
    batches, begin = [], 0
    while begin < len(order):
        end = begin + max(1, tokens // int(held[begin]))
        batches.append(order[begin:end])
        begin = end
    return batches


def padded_rows(sentences: Sequence[NDArray[np.int32]]) -> tuple[Tensor, Tensor]:
    """Sentences (T,), each with its </s>, as rows (N, T+1) after another </s>, and their lengths (N,)."""
    lens = [len(sentence) for sentence in sentences]
    rows = np.full((len(lens), max(lens) + 1), UNK, np.int64)
    rows[:, 0] = EOS
    for row, sentence in zip(rows, sentences, strict=True):
        row[1 : 1 + len(sentence)] = sentence
    return torch.from_numpy(rows), torch.tensor(lens)


def pieces_of(rows: Tensor, lens: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Walk rows (N, T+1), longest first, in pieces of `PIECE` steps; rows that are over are left out."""
    for begin in range(0, int(lens.max()), PIECE):
        left = (lens[lens > begin] - begin).clamp(max=PIECE)
        yield rows[: len(left), begin : begin + int(left.max()) + 1], left
