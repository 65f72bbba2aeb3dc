"""From text to word ids on disk, and which words a model knows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.lm.tables import EOS, SPECIAL, UNK
from asr.lm.text import Block, read_blocks


class Corpus(NamedTuple):
    """A text as numbers of its own words, on disk: every sentence ends with number 0."""

    path: Path  # int32, one number a token
    words: list[str]  # word of every number; 0 is </s>
    counts: NDArray[np.int64]  # occurrences of every word

    @property
    def num_tokens(self) -> int:
        return int(self.counts.sum())


class Vocabulary(NamedTuple):
    """The words of a model, and what the words of the text become."""

    words: list[str]  # (V,) index = id
    ids: NDArray[np.int32]  # id of every word of the corpus; <unk> for what the model does not know


def encode_texts(paths: Iterable[str], path: Path) -> Corpus:
    """Write texts as numbers to `path`, one sentence a line; blank lines are no sentences.

    The text may be larger than memory; its distinct words are held.

    Raises:
        AsrError: no text has a word, or one holds `<s>` or `</s>`, which models add themselves.
    """
    numbers: defaultdict[bytes, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    end = numbers[b"</s>"]
    counts = np.zeros(1, np.int64)
    names = []
    with path.open("wb") as file:
        for block in read_blocks(paths):
            _refuse_markers(block)
            names.append(block.name)
            tokens = block.content.replace(b"\n", b" </s> ").split()
            ids = np.fromiter(map(numbers.__getitem__, tokens), np.int32, len(tokens))
            ids = ids[(ids != end) | (np.concatenate([[end], ids[:-1]]) != end)]
            found = np.bincount(ids, minlength=len(numbers))
            found[: len(counts)] += counts
            counts = found
            file.write(ids.data)  # not tofile, which does not say that a disk is full
    if len(numbers) == 1:
        shown = ", ".join(dict.fromkeys(names)) or "the text"
        raise AsrError(f"{shown}: sentences were expected, one a line; there is not one word")
    return Corpus(path, [word.decode() for word in numbers], counts)


def _refuse_markers(block: Block) -> None:
    for marker in (b"<s>", b"</s>"):
        if marker in block.content:
            for number, line in enumerate(block.content.split(b"\n"), block.first_line):
                if marker in line.split():
                    raise AsrError(
                        f"{block.name}:{number}: holds {marker.decode()}, which the model adds to every line "
                        "itself; leave it out"
                    )


def choose_vocabulary(
    corpus: Corpus, limit: int | None = None, listed: Sequence[str] | None = None
) -> Vocabulary:
    """The words that a model shall know, the most frequent first, equals in alphabetical order.

    Args:
        limit: keep this many of the most frequent words.
        listed: keep the words of this list, whether they are in the text or not.
    """
    count = dict(zip(corpus.words, corpus.counts.tolist(), strict=True))
    known = {word for word in (corpus.words if listed is None else listed) if word not in SPECIAL}
    ranked = sorted(known, key=lambda word: (-count.get(word, 0), word))[:limit]
    if not ranked:
        raise AsrError("the vocabulary is empty; allow at least one word")
    words = [*SPECIAL, *ranked]
    ids = {word: index for index, word in enumerate(words)}
    numbers = np.array([ids.get(word, UNK) for word in corpus.words], np.int32)
    numbers[0] = EOS
    return Vocabulary(words, numbers)


def read_word_list(path: str) -> list[str]:
    """A list of words, one a line.

    Raises:
        AsrError: a line with more than one word, a word twice, no word at all.
    """
    lines: dict[str, int] = {}
    for block in read_blocks([path]):
        for number, line in enumerate(block.content.splitlines(), block.first_line):
            fields = line.split()
            if not fields:
                continue
            word = fields[0].decode()
            if len(fields) > 1:
                raise AsrError(f"{path}:{number}: one word a line was expected, found {len(fields)}")
            if word in lines:
                raise AsrError(f"{path}:{number}: '{word}' is in line {lines[word]} already; list it once")
            lines[word] = number
    if not lines:
        raise AsrError(f"{path}: a list of words was expected, the file is empty")
    return list(lines)
