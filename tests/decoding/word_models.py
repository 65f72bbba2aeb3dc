"""Tiny n-gram models: drawn, asked in the plainest way, and as the arrays that the decoder reads."""

from dataclasses import dataclass

import numpy as np

from asr.lm.automaton import Automaton

Gram = tuple[int, ...]


@dataclass(frozen=True)
class WordModel:
    """Log-probabilities and back-offs by n-gram of word ids; the words by id, <unk>, <s>, </s> first."""

    vocabulary: list[str]
    log_probs: dict[Gram, float]
    backoffs: dict[Gram, float]
    order: int

    def log_prob(self, context: Gram, word: int) -> float:
        """By the definition of back-off."""
        if (*context, word) in self.log_probs:
            return self.log_probs[*context, word]
        return self.backoffs.get(context, 0.0) + self.log_prob(context[1:], word)

    def sentence(self, words: tuple[str, ...]) -> float:
        ids = [1, *(self.vocabulary.index(w) if w in self.vocabulary else 0 for w in words), 2]
        return sum(
            self.log_prob(tuple(ids[max(0, k - self.order + 1) : k]), ids[k]) for k in range(1, len(ids))
        )


def draw_model(rng: np.random.Generator, words: list[str], order: int) -> WordModel:
    """Half of the n-grams of every order, each after one of the shorter order, with weights of any size."""
    vocabulary = ["<unk>", "<s>", "</s>", *words]
    grams: list[Gram] = [(w,) for w in range(len(vocabulary))]
    chosen = list(grams)
    for _ in range(order - 1):
        longer = [(*g, w) for g in grams if g[-1] != 2 for w in range(len(vocabulary)) if w != 1]
        grams = [g for g in longer if g[1:] in chosen and rng.random() < 0.5]
        chosen += grams
    # float32, as the arrays have them
    log_probs = {g: float(np.float32(np.log(rng.uniform(0.01, 1.0)))) for g in chosen}
    backoffs = {g: float(np.float32(np.log(rng.uniform(0.1, 1.0)))) for g in chosen if len(g) < order}
    return WordModel(vocabulary, log_probs, backoffs, order)


def arrays_of(model: WordModel) -> Automaton:
    """States are the contexts with an arc or a back-off; a word leads to the longest that is one."""
    contexts = {(), *(g[:-1] for g in model.log_probs), *model.backoffs}
    states = sorted(contexts, key=lambda c: (len(c), c))
    place = {context: index for index, context in enumerate(states)}

    def longest(gram: Gram) -> int:
        while gram not in place:
            gram = gram[1:]
        return place[gram]

    arcs = [sorted(g for g in model.log_probs if g[:-1] == context) for context in states]
    flat = [gram for grams in arcs for gram in grams]
    return Automaton(
        offsets=np.cumsum([0, *(len(grams) for grams in arcs)]),
        words=np.array([gram[-1] for gram in flat], np.int32),
        log_probs=np.array([model.log_probs[gram] for gram in flat], np.float32),
        targets=np.array([longest(gram) for gram in flat], np.int32),
        backoff_states=np.array([longest(context[1:]) if context else -1 for context in states], np.int32),
        backoff_log_probs=np.array([model.backoffs.get(context, 0.0) for context in states], np.float32),
    )
