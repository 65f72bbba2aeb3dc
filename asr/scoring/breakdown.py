"""Where the errors are: by speaker, by length, by word, and in which utterances."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import msgspec

from asr.scoring.wer import Aligned, Report, Tally, tally

_WORD_BINS = ((0, 0), (1, 5), (6, 10), (11, 20), (21, 30))
_SECOND_EDGES = (2, 5, 10, 15, 20)


class Confusions(msgspec.Struct, frozen=True, kw_only=True):
    """Word errors by word, most frequent first: (reference, hypothesis, count) and (word, count)."""

    substitutions: list[tuple[str, str, int]]
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]


def by_speaker(report: Report) -> dict[str, Tally]:
    """Totals of each speaker, sorted by name."""
    return dict(sorted(_grouped(report, lambda item: item.speaker).items()))


def by_words(report: Report) -> dict[str, Tally]:
    """Totals by the number of words in the reference, short to long; bins without utterances are left out."""
    labels = [f"{low}-{high}" if high else "0" for low, high in _WORD_BINS]
    last = f"{_WORD_BINS[-1][1] + 1}+"

    def bin_of(item: Aligned) -> str:
        inside = (label for label, (_, high) in zip(labels, _WORD_BINS, strict=True) if len(item.ref) <= high)
        return next(inside, last)

    groups = _grouped(report, bin_of)
    return {label: groups[label] for label in [*labels, last] if label in groups}


def by_seconds(report: Report) -> dict[str, Tally]:
    """Totals by the utterance's length in seconds, short to long; empty where no length is known.

    A bin takes its lower end and not its upper end.
    """
    edges = [0, *_SECOND_EDGES]
    labels = [*(f"{low}-{high}" for low, high in pairwise(edges)), f"{edges[-1]}+", "unknown"]

    def bin_of(item: Aligned) -> str:
        if item.seconds is None:
            return "unknown"
        return labels[sum(item.seconds >= edge for edge in _SECOND_EDGES)]

    groups = _grouped(report, bin_of)
    if groups.keys() == {"unknown"}:
        return {}
    return {label: groups[label] for label in labels if label in groups}


def confusions(report: Report) -> Confusions:
    """Which words were taken for which, left out and put in, most frequent first."""
    substitutions: Counter[tuple[str, str]] = Counter()
    deletions: Counter[str] = Counter()
    insertions: Counter[str] = Counter()
    for item in report.aligned:
        for operation, ref, hyp in steps(item):
            if operation == "S":
                substitutions[ref, hyp] += 1
            elif operation == "D":
                deletions[ref] += 1
            elif operation == "I":
                insertions[hyp] += 1
    pairs = sorted(substitutions.items(), key=lambda entry: (-entry[1], entry[0]))
    return Confusions(
        substitutions=[(ref, hyp, count) for (ref, hyp), count in pairs],
        deletions=sorted(deletions.items(), key=lambda entry: (-entry[1], entry[0])),
        insertions=sorted(insertions.items(), key=lambda entry: (-entry[1], entry[0])),
    )


def worst(report: Report, count: int) -> list[Aligned]:
    """The `count` utterances with the most word errors, the shorter reference first among equals; utterances
    without an error are not among them."""
    wrong = [item for item in report.aligned if item.words.errors]
    return sorted(wrong, key=lambda item: (-item.words.errors, item.words.length, item.utt_id))[:count]


def steps(item: Aligned) -> Iterator[tuple[str, str, str]]:
    """The alignment word by word: (operation, reference word or "", hypothesis word or "")."""
    ref, hyp = iter(item.ref), iter(item.hyp)
    for operation in item.operations:
        yield operation, "" if operation == "I" else next(ref), "" if operation == "D" else next(hyp)


def _grouped(report: Report, key: Callable[[Aligned], str]) -> dict[str, Tally]:
    groups: dict[str, list[Aligned]] = {}
    for item in report.aligned:
        groups.setdefault(key(item), []).append(item)
    return {name: tally(items) for name, items in groups.items()}
