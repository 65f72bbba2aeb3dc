"""Linear interpolation of models: P(w | h) = Σ_i λ_i P_i(w | h), with weights learnt on held-out text.

The weights are those of Jelinek and Mercer (1980): expectation maximisation of the held-out text's
probability, λ_i ← mean over its tokens of λ_i P_i / Σ_j λ_j P_j. The mixture is written out as one back-off
model over the n-grams of all: each gets its mixed probability, and the back-off weights make every context
sum to one. What no model lists is then approximate, as in SRILM's static interpolation.

A model gives no probability to a word that only another knows; in a history such a word is its <unk>.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.lm.closure import Section, closed_model
from asr.lm.scorer import Scorer
from asr.lm.sorting import Rows, first_differences, sorted_order
from asr.lm.tables import (
    BOS,
    EOS,
    NEVER,
    UNK,
    Floats,
    Model,
    Table,
    find,
    keys_of,
    last_words,
    normalised_backoffs,
)
from asr.lm.text import read_blocks

_LEAST = 1e-9  # a weight of nothing would leave words without probability


class Learnt(NamedTuple):
    """Weights, and perplexities on the text they were learnt on: unknown words count as <unk>."""

    weights: list[float]
    perplexities: list[float]  # of each model; infinite where a word is only known to another
    mixed: float  # of the mixture


def learn_weights(
    models: Sequence[Scorer], texts: Iterable[str], tolerance: float = 1e-6, rounds: int = 1000
) -> Learnt:
    """Learn the weights of models on a held-out text.

    Args:
        tolerance: stop when no weight changes by more in a round.
        rounds: at most.

    Raises:
        AsrError: a text cannot be read, or none has a word.
    """
    log_probs = _token_log_probs(models, texts)
    probs = np.exp(log_probs)
    weights = np.full(len(models), 1 / len(models))
    for _ in range(rounds):
        shares = weights[:, None] * probs
        shares /= shares.sum(0)
        before, weights = weights, np.maximum(shares.mean(1), _LEAST)
        weights /= weights.sum()
        if np.abs(weights - before).max() < tolerance:
            break
    mixed = np.exp(-np.log(weights @ probs).mean())
    return Learnt(weights.tolist(), np.exp(-log_probs.mean(1)).tolist(), float(mixed))


def _token_log_probs(models: Sequence[Scorer], texts: Iterable[str]) -> Floats:
    """(models, K) natural log-probability of every token of texts; -inf where only another model knows it."""
    known = set().union(*(model.ids for model in models))
    columns = []
    for block in read_blocks(texts):
        # split as bytes, as in building: str.split would also cut at the spaces of other scripts
        sentences = [line for line in map(bytes.split, block.content.split(b"\n")) if line]
        tokens = [word.decode() for sentence in sentences for word in (*sentence, b"</s>")]
        elsewhere = np.array([word in known for word in tokens], np.bool_)
        rows = []
        for model in models:
            ids = {**model.ids, "</s>": EOS}
            numbers = np.fromiter((ids.get(word, UNK) for word in tokens), np.int32, len(tokens))
            found = model.token_log_probs(numbers)
            found[(numbers == UNK) & elsewhere & (np.array(tokens) != "<unk>")] = -np.inf
            rows.append(found)
        columns.append(np.array(rows))
    if not sum(column.shape[1] for column in columns):
        raise AsrError("held-out sentences were expected, one a line; the text has not one word")
    return np.concatenate(columns, axis=1)


def interpolate(models: Sequence[Model], weights: Sequence[float]) -> Model:
    """One back-off model over all n-grams of several.

    Args:
        weights: one a model, positive; they are divided by their sum.
    """
    share = np.array(weights) / np.sum(weights)
    vocabulary = list(dict.fromkeys(word for model in models for word in model.vocabulary))
    union = _union(models, vocabulary)
    tables, lasts = union.tables, last_words(union.tables)
    mixed = [np.zeros(len(table.first_words)) for table in tables]
    for weight, model in zip(share, models, strict=True):
        for total, probs in zip(mixed, _probs_under(model, vocabulary, tables, lasts), strict=True):
            total += weight * probs
    found = [table._replace(log_probs=np.log(probs)) for table, probs in zip(tables, mixed, strict=True)]
    found[0].log_probs[BOS] = NEVER
    return Model(vocabulary, normalised_backoffs(found))


def _union(models: Sequence[Model], vocabulary: list[str]) -> Model:
    """The n-grams of all models, with probabilities still to be given."""
    index = {word: number for number, word in enumerate(vocabulary)}
    sections = []
    numbers = [np.array([index[word] for word in model.vocabulary], np.int32) for model in models]
    rows = [number[:, None] for number in numbers]
    for n in range(max(model.order for model in models)):
        pieces = [piece for piece, model in zip(rows, models, strict=True) if model.order > n]
        joined = np.concatenate(pieces)
        joined = joined[sorted_order(joined, len(vocabulary))]
        joined = joined[first_differences(joined) < n + 1]
        nothing = np.zeros(len(joined))
        sections.append(Section(joined, nothing, nothing, 0))
        rows = [
            _longer(piece, number, model.tables[n + 1]) if model.order > n + 1 else piece
            for piece, number, model in zip(rows, numbers, models, strict=True)
        ]
    return closed_model("the models", vocabulary, sections)


def _longer(rows: Rows, numbers: NDArray[np.int32], table: Table) -> Rows:
    """(M, n) the n-grams of a table, from the rows of the table below."""
    return np.column_stack([rows[table.suffixes], numbers[table.first_words]])


def _probs_under(
    model: Model, vocabulary: list[str], tables: list[Table], lasts: list[NDArray[np.int32]]
) -> list[Floats]:
    """What a model says of the n-grams of `tables`, whose words are `vocabulary`: an array an order."""
    own = {word: number for number, word in enumerate(model.vocabulary)}
    numbers = np.array([own.get(word, UNK) for word in vocabulary], np.int32)
    known = np.array([word in own for word in vocabulary])
    index = numbers  # of every n-gram in the model's own table; -1 where it has it not
    found = [np.exp(model.tables[0].log_probs[index]) * known]
    for n in range(1, len(tables)):
        table = tables[n]
        backoffs = np.zeros(len(table.first_words))
        if n <= model.order:
            contexts = index[table.contexts]
            backoffs = np.where(contexts >= 0, model.tables[n - 1].backoffs[contexts], 0.0)
        probs = np.exp(backoffs) * found[-1][table.suffixes]
        if n < model.order:
            mine = model.tables[n]
            wanted = keys_of(index[table.suffixes], numbers[table.first_words])
            index = find(keys_of(mine.suffixes, mine.first_words), wanted)
            probs = np.where(index >= 0, np.exp(mine.log_probs[index]) if len(mine.log_probs) else 0.0, probs)
        else:
            index = np.full(len(table.first_words), -1, np.int32)
        found.append(probs * known[lasts[n]])
    return found
