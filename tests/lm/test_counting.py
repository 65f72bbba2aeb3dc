"""Counts by runs on disk are the counts in memory."""

from collections import Counter

import numpy as np
import pytest

from asr.lm.counting import count_ngrams
from asr.lm.tables import BOS, EOS
from asr.lm.vocabulary import choose_vocabulary, encode_texts


def counted(path, folder, order, run, limit=None):
    folder.mkdir()
    corpus = encode_texts([path], folder / "words")
    vocabulary = choose_vocabulary(corpus, limit)
    return vocabulary.words, count_ngrams(corpus, vocabulary, order, folder, run)


def grams(levels, n):
    """Every n-gram of an order with its two counts, its words found through its suffixes."""
    level = levels[n - 1]
    found = {}
    for i in range(len(level.raw)):
        words, index = [], i
        for below in levels[n - 1 : 0 : -1]:
            words.append(int(below.first_words[index]))
            index = int(below.suffixes[index])
        words.append(index if n > 1 else int(level.first_words[i]))  # in order 1 the index is the word
        found[tuple(words)] = (int(level.raw[i]), int(level.adjusted[i]))
    return found


@pytest.mark.parametrize("run", [1, 7, 100, 3000])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_size_of_runs_changes_nothing(written, babbled, tmp_path, order, run):
    path = written(babbled(60))
    _, levels = counted(path, tmp_path / "runs", order, run)
    _, whole = counted(path, tmp_path / "memory", order, 1 << 22)
    for level, expected in zip(levels, whole, strict=True):
        for array, other in zip(level, expected, strict=True):
            np.testing.assert_array_equal(array, other)
    assert not list((tmp_path / "runs").glob("run*"))


@pytest.mark.parametrize("limit", [None, 10])
def test_counts_are_those_of_a_dictionary(written, babbled, tmp_path, limit):
    sentences = babbled(80)
    words, levels = counted(written(sentences), tmp_path / "counts", 3, 50, limit)
    ids = {word: index for index, word in enumerate(words)}
    raw = {n: Counter() for n in (1, 2, 3)}
    for sentence in sentences:
        line = [BOS, *(ids.get(word, 0) for word in sentence.split()), EOS]
        for n in raw:
            raw[n].update(tuple(line[i : i + n]) for i in range(len(line) - n + 1))
    del raw[1][(BOS,)]
    for n in (1, 2, 3):
        found = grams(levels, n)
        assert {gram: counts[0] for gram, counts in found.items()} == raw[n]
        for gram, (count, adjusted) in found.items():
            if n == 3 or gram[0] == BOS:
                assert adjusted == count
            else:
                assert adjusted == sum(longer[1:] == gram for longer in raw[n + 1])


def test_blank_lines_and_lines_without_end_make_no_difference(written, tmp_path):
    (tmp_path / "odd.txt").write_bytes(b"\xef\xbb\xbf\n\n A\tB \r\n\n  \nB")
    corpus = encode_texts([str(tmp_path / "odd.txt")], tmp_path / "words")
    assert corpus.words == ["</s>", "A", "B"]
    assert np.fromfile(corpus.path, np.int32).tolist() == [1, 2, 0, 2, 0]
    assert corpus.counts.tolist() == [2, 1, 2]
