"""From texts to a language model: words to numbers, counts, probabilities."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from asr.errors import AsrError
from asr.files import write_error
from asr.lm.counting import RUN, count_ngrams
from asr.lm.kneser_ney import Discounts, estimate
from asr.lm.tables import Model
from asr.lm.vocabulary import choose_vocabulary, encode_texts


class Built(NamedTuple):
    """A model and how it came about."""

    model: Model
    discounts: list[Discounts]  # of every order
    num_sentences: int
    num_words: int  # in the text, without </s>
    num_unknown: int  # of these, words outside the vocabulary


def build(
    texts: Iterable[str],
    order: int,
    *,
    limit: int | None = None,
    listed: Sequence[str] | None = None,
    cutoffs: Sequence[int] = (),
    folder: Path | None = None,
    run: int = RUN,
) -> Built:
    """Estimate a model by modified Kneser-Ney.

    The text may be larger than memory: it and its runs lie on disk, and of it the distinct n-grams are held,
    about 40 bytes each.

    Args:
        texts: files with a sentence a line, plain, .gz or .xz; `-` is standard input.
        order: the longest n-gram, at least 1.
        limit: keep this many of the most frequent words; the others become <unk>.
        listed: the words to keep, instead of all.
        cutoffs: n-grams of order 1, 2, … that occur this often or less are left out.
        folder: where a temporary folder is made; the system's by default.
        run: tokens that are sorted in memory at a time.

    Raises:
        AsrError: a text that cannot be used, an order without n-grams, a full disk.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="asr-lm-", dir=folder) as temporary:
            corpus = encode_texts(texts, Path(temporary) / "words")
            vocabulary = choose_vocabulary(corpus, limit, listed)
            levels = count_ngrams(corpus, vocabulary, order, Path(temporary), run)
    except OSError as error:
        raise write_error(folder or Path(tempfile.gettempdir()), error) from error
    longest = max(n for n, level in enumerate(levels, 1) if len(level.raw))
    if longest < order:
        raise AsrError(
            f"the longest sentence has n-grams of order {longest}, with <s> and </s>, and a model of order "
            f"{order} was asked for; use --order {longest} or longer sentences"
        )
    model, discounts = estimate(levels, vocabulary.words, cutoffs)
    counts = corpus.counts.tolist()
    num_unknown = sum(count for count, index in zip(counts, vocabulary.ids, strict=True) if index == 0)
    return Built(model, discounts, counts[0], sum(counts) - counts[0], num_unknown)
