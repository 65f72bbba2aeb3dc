"""Sentences for synthesised speech: a small grammar and short texts, both written for this project.

`grammar.txt` is a context-free grammar (its first lines say how to read it); `short_texts.txt` holds little
stories, one sentence a line, in words that the grammar has too. So the vocabulary is the grammar's, and
what a test says was never said in training, but each of its words was.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files

import numpy as np

from asr.errors import AsrError

SPLITS = ("train", "dev", "test")
FEWEST_WORDS, MOST_WORDS = 4, 10
SHORT_TEXT_SHARE = 0.02  # of the sentences of each split
CANDIDATES = 8  # drawn for each sentence that is kept
GIVE_UP_AFTER = 20_000  # draws in a row without a new sentence

REFERENCE = re.compile(r"\{(\w+)\}")

Rules = Mapping[str, tuple[str, ...]]


def read_grammar() -> dict[str, tuple[str, ...]]:
    """The rules of `grammar.txt`: name to alternatives, in which `{name}` stands for another rule."""
    rules: dict[str, list[str]] = {}
    name = ""
    for line in _lines("grammar.txt"):
        if line.startswith(" "):
            rules[name] += [alternative.strip() for alternative in line.split("|")]
        else:
            name = line.strip()
            rules[name] = []
    return {name: tuple(alternatives) for name, alternatives in rules.items()}


def read_short_texts() -> list[str]:
    """The sentences of `short_texts.txt`, in their order."""
    return [line.strip() for line in _lines("short_texts.txt")]


def spoken_words(sentence: str) -> list[str]:
    """The words of a sentence in its own spelling, without punctuation."""
    return re.findall(r"[A-Za-z']+", sentence)


def transcript(sentence: str) -> str:
    """What is written under the audio: upper case, single spaces, apostrophes kept."""
    return " ".join(spoken_words(sentence)).upper()


def vocabulary(rules: Rules) -> set[str]:
    """Every word that the rules can say, in upper case."""
    plain = (REFERENCE.sub(" ", text) for texts in rules.values() for text in texts)
    return {word.upper() for text in plain for word in spoken_words(text)}


def expand(rules: Rules, rng: np.random.Generator, name: str = "sentence") -> str:
    """One random expansion of a rule; each alternative is as likely as the others."""
    alternatives = rules[name]
    chosen = alternatives[int(rng.integers(len(alternatives)))]
    return REFERENCE.sub(lambda match: expand(rules, rng, match[1]), chosen)


def draw_sentences(*, train: int, dev: int, test: int, seed: int) -> dict[str, list[str]]:
    """Distinct sentences of 4 to 10 words for each split; no transcript is in two of them.

    Test is drawn first, then dev, then train: asking for more training sentences leaves the others as
    they are.

    Raises:
        AsrError: more sentences are asked for than the grammar has.
    """
    rules = read_grammar()
    texts = read_short_texts()
    texts = [texts[i] for i in np.random.default_rng([seed, 0]).permutation(len(texts))]
    taken = {transcript(text) for text in texts}  # the grammar must not say a short text by chance
    drawn = {}
    for index, (split, count) in enumerate((("test", test), ("dev", dev), ("train", train)), start=1):
        rng = np.random.default_rng([seed, index])
        from_texts, texts = _cut(texts, round(count * SHORT_TEXT_SHARE))
        sentences = _draw(rules, count - len(from_texts), rng, taken, from_texts)
        drawn[split] = [sentences[i] for i in rng.permutation(count)]
    return {split: drawn[split] for split in SPLITS}


def _draw(
    rules: Rules, count: int, rng: np.random.Generator, taken: set[str], sentences: Iterable[str]
) -> list[str]:
    """Add `count` new sentences to `sentences`, and their transcripts to `taken`.

    Of a few candidates the one with the words said least so far is kept. The grammar reaches some words
    from many rules and some from one only; this evens out how often a learner meets them.
    """
    kept = list(sentences)
    said = Counter(word for sentence in kept for word in transcript(sentence).split())
    for _ in range(count):
        candidates = [_new_sentence(rules, rng, taken) for _ in range(CANDIDATES)]
        best = max(candidates, key=lambda sentence: _rarity(sentence, said))
        kept.append(best)
        taken.add(transcript(best))
        said.update(transcript(best).split())
    return kept


def _rarity(sentence: str, said: Mapping[str, int]) -> float:
    words = transcript(sentence).split()
    return sum(1 / (1 + said[word]) for word in words) / len(words)


def _new_sentence(rules: Rules, rng: np.random.Generator, taken: set[str]) -> str:
    for _ in range(GIVE_UP_AFTER):
        sentence = expand(rules, rng)
        text = transcript(sentence)
        if FEWEST_WORDS <= text.count(" ") + 1 <= MOST_WORDS and text not in taken:
            return sentence
    raise AsrError(
        f"synthesised speech: the grammar has about {len(taken)} sentences and more are asked for; lower "
        "synthesis.train_utterances, synthesis.dev_utterances or synthesis.test_utterances"
    )


def _cut(items: list[str], count: int) -> tuple[list[str], list[str]]:
    return items[:count], items[count:]


def _lines(name: str) -> list[str]:
    """The lines of a packaged text, without comments and empty lines."""
    content = files("asr.corpus").joinpath(name).read_text(encoding="utf-8")
    return [line.rstrip() for line in content.splitlines() if line.strip() and not line.startswith("#")]
