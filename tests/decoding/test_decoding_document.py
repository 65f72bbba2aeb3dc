"""The lattice of docs/decoding.md: its numbers are those of its equations, and of the decoder."""

import math
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from asr.decoding.lexicon_decoder import LexiconDecoder
from asr.lm.automaton import LanguageModel
from asr.lm.tables import NEVER, Model, Table

PAGE = (Path(__file__).parents[2] / "docs" / "decoding.md").read_text()
BLANK, BOUNDARY, A, T = range(4)
WORDS = {"A": (A,), "AT": (A, T)}
PROBS = {"A": 0.5, "AT": 0.3, "</s>": 0.2}
AHEAD = {(): 1.0, (A,): 1.0, (A, T): 0.6}
Hypothesis = tuple[tuple[str, ...], tuple[int, ...]]


def table(head: str) -> list[list[str]]:
    """The cells of the rows of the table whose first line begins with `head`."""
    lines = PAGE[PAGE.index(f"\n| {head} |") + 1 :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def lattice() -> np.ndarray:
    return np.array([[float(cell) for cell in row[1:]] for row in table("t")])


def by_the_equations(y: np.ndarray) -> list[dict[Hypothesis, tuple[float, float]]]:
    """b and u of every hypothesis after every frame: (3) to (7) with nothing left out."""
    found = [{((), ()): (1.0, 0.0)}]
    for frame in y:
        new: dict[Hypothesis, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for (words, prefix), (b, u) in found[-1].items():
            new[words, prefix][0] += frame[BLANK] * (b + u)  # (3)
            new[words, prefix][1] += frame[prefix[-1]] * u if prefix else frame[BOUNDARY] * (b + u)  # (4)
            for unit in (A, T):
                if (*prefix, unit) in AHEAD:  # (5), (7)
                    before = b if prefix[-1:] == (unit,) else b + u
                    factor = AHEAD[(*prefix, unit)] / AHEAD[prefix]
                    new[words, (*prefix, unit)][1] += frame[unit] * before * factor
            for word, spelling in WORDS.items():
                if spelling == prefix:  # (6)
                    gain = PROBS[word] / AHEAD[prefix]
                    new[(*words, word), ()][1] += frame[BOUNDARY] * (b + u) * gain
        found.append({key: (b, u) for key, (b, u) in new.items() if b + u > 0})
    return found


def name_of(hypothesis: Hypothesis) -> str:
    words, prefix = hypothesis
    return f"{' '.join(words)} · {''.join('∅|AT'[unit] for unit in prefix)}".strip()


def test_the_frames() -> None:
    for t, expected in enumerate(by_the_equations(lattice())[1:], start=1):
        shown = {cells[0]: [float(cell) for cell in cells[1:]] for cells in table(f"t = {t}")}
        assert shown == {name_of(key): pytest.approx([b, u, b + u]) for key, (b, u) in expected.items()}


def language_model() -> LanguageModel:
    words = ["<unk>", "<s>", "</s>", "A", "AT"]
    log_probs = np.array([NEVER, NEVER, *(math.log(PROBS[word]) for word in words[2:])])
    none, index = np.zeros(5, np.int32), np.arange(5, dtype=np.int32)
    return LanguageModel.from_model(Model(words, [Table(index, none, none, log_probs, np.zeros(5))]))


def test_the_texts() -> None:
    """The last table against the decoder; its first line is the text that wins."""
    lm = language_model()
    decoder = LexiconDecoder(
        list(WORDS.items()),
        lm.automaton,
        lm.vocabulary,
        boundary=BOUNDARY,
        beam=50,
        top=4,
        recombine=False,
    )
    readings = decoder.decode(np.log(lattice())[None], [3], nbest=9)[0]
    found = [
        [" ".join(r.words) or "nothing", *(f"{math.exp(x):.4g}" for x in (r.acoustic, r.lm, r.total))]
        for r in readings
    ]
    assert table("text") == found


def test_the_whole_of_the_sums() -> None:
    """What the equations give at the end is what the decoder sums."""
    last = by_the_equations(lattice())[-1]
    total: dict[str, float] = defaultdict(float)
    for (words, prefix), (b, u) in last.items():
        ends = [(words, 1.0)] if not prefix else []
        ends += [((*words, w), PROBS[w]) for w, spelling in WORDS.items() if spelling == prefix]
        for text, gain in ends:
            total[" ".join(text) or "nothing"] += (b + u) * gain / AHEAD[prefix] * PROBS["</s>"]
    assert {cells[0]: float(cells[3]) for cells in table("text")} == pytest.approx(total, rel=1e-3)
