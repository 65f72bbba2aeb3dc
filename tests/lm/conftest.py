"""Small texts, and models of them."""

import numpy as np
import pytest

from asr.lm.build import build


@pytest.fixture
def written(tmp_path):
    """A function that writes lines to a file and gives its path as text."""

    def write(lines, name="text.txt"):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    return write


@pytest.fixture(scope="session")
def babbled():
    """A function that makes sentences whose words depend on the word before: Zipf's law, with habits."""

    def make(num_sentences, num_words=30, seed=1):
        rng = np.random.default_rng(seed)
        weights = 1 / np.arange(1, num_words + 1)
        follows = np.array([rng.permutation(weights) * weights for _ in range(num_words)])
        follows /= follows.sum(1, keepdims=True)
        sentences = []
        for _ in range(num_sentences):
            word, words = rng.integers(num_words), []
            for _ in range(rng.integers(1, 9)):
                word = rng.choice(num_words, p=follows[word])
                words.append(f"W{word}")
            sentences.append(" ".join(words))
        return sentences

    return make


@pytest.fixture(scope="session")
def trigrams(babbled, tmp_path_factory):
    """An order-3 model of 2000 sentences."""
    path = tmp_path_factory.mktemp("babbled") / "text.txt"
    path.write_text("".join(f"{line}\n" for line in babbled(2000)))
    return build([str(path)], 3).model
