"""Modified Kneser-Ney as Chen and Goodman write it, n-gram by n-gram in dictionaries: slow and readable."""

from collections import Counter, defaultdict


class Reference:
    def __init__(self, sentences, order, vocabulary, discounts):
        """`discounts` gives D1, D2 and D3+ of every order; words outside `vocabulary` become <unk>."""
        self.order, self.discounts = order, discounts
        self.vocabulary = [word for word in vocabulary if word != "<s>"]
        self.raw = defaultdict(Counter)
        for sentence in sentences:
            words = [word if word in self.vocabulary else "<unk>" for word in sentence.split()]
            words = ["<s>", *words, "</s>"]
            for n in range(1, order + 1):
                for begin in range(len(words) - n + 1):
                    if n > 1 or words[begin] != "<s>":
                        self.raw[n][tuple(words[begin : begin + n])] += 1
        before = defaultdict(set)
        for n in range(2, order + 1):
            for gram in self.raw[n]:
                before[gram[1:]].add(gram[0])
        self.adjusted = {
            gram: count if n == order or gram[0] == "<s>" else len(before[gram])
            for n in range(1, order + 1)
            for gram, count in self.raw[n].items()
        }
        self.followers = defaultdict(list)
        for gram in self.adjusted:
            self.followers[gram[:-1]].append(gram)

    def discount(self, n, count):
        return self.discounts[n - 1][min(count, 3) - 1]

    def prob(self, history, word):
        """P(word | history), by the recursion over shorter histories."""
        history = tuple(history)[-(self.order - 1) :] if self.order > 1 else ()
        lower = 1 / len(self.vocabulary) if not history else self.prob(history[1:], word)
        grams = self.followers[history]
        if not grams:
            return lower
        n, total = len(history) + 1, sum(self.adjusted[gram] for gram in grams)
        gamma = sum(self.discount(n, self.adjusted[gram]) for gram in grams) / total
        count = self.adjusted.get((*history, word), 0)
        own = (count - self.discount(n, count)) / total if count else 0.0
        return own + gamma * lower
