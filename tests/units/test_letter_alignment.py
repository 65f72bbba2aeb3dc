"""Expectation maximisation over alignments, against sums over all of them."""

from itertools import product

import numpy as np
import pytest

from asr.units.letter_alignment import align_letters, best_alignment, expected_pairs

LETTERS, SYMBOLS = 3, 4  # symbol 0 is no phone
WORDS = [([0, 1, 2], [1, 2, 3, 3]), ([2, 2], [3]), ([1], [1, 2]), ([0, 2, 1, 0], [2, 2, 1])]


def arguments():
    """The words as the compiled functions take them, and probabilities of pairs."""
    letters, phones = (np.concatenate([np.array(w[k], np.int64) for w in WORDS]) for k in (0, 1))
    ends = [np.cumsum([0, *(len(w[k]) for w in WORDS)]) for k in (0, 1)]
    probs = np.random.default_rng(3).random((LETTERS, SYMBOLS, SYMBOLS))
    return letters, ends[0], phones, ends[1], probs / probs.sum()


def alignments(letters, phones, probs):
    """Every way to share the phones among the letters: (pairs, probability)."""
    for taken in product(range(3), repeat=len(letters)):
        if sum(taken) != len(phones):
            continue
        pairs, place = [], 0
        for letter, count in zip(letters, taken, strict=True):
            sounds = [*phones[place : place + count], 0, 0][:2]
            pairs.append((letter, *sounds))
            place += count
        yield taken, pairs, float(np.prod([probs[pair] for pair in pairs]))


def test_expected_counts_are_the_sums_over_all_alignments():
    *words, probs = arguments()
    expected = np.zeros_like(probs)
    for letters, phones in WORDS:
        found = list(alignments(letters, phones, probs))
        total = sum(probability for _, _, probability in found)
        for _, pairs, probability in found:
            for pair in pairs:
                expected[pair] += probability / total
    np.testing.assert_allclose(expected_pairs(*words, probs), expected, rtol=1e-10)


def test_the_best_alignment_is_the_most_probable_one():
    *words, probs = arguments()
    best = [max(alignments(*word, probs), key=lambda found: found[2])[0] for word in WORDS]
    assert best_alignment(*words, probs).tolist() == [count for taken in best for count in taken]


def test_a_word_whose_probability_cannot_be_written_does_no_harm():
    letters, phones = np.zeros(400, np.int64), np.ones(400, np.int64)
    ends = np.array([0, 400])
    counts = expected_pairs(letters, ends, phones, ends, np.full((1, 2, 2), 1e-3))
    assert np.isfinite(counts).all()


def test_silent_letters_and_letters_of_two_phones_are_found():
    words = [
        ("SAX", "S AE K S"),
        ("BOX", "B AA K S"),
        ("LAMB", "L AE M"),
        ("BOB", "B AA B"),
        ("LAB", "L AE B"),
    ]
    words += [("AX", "AE K S"), ("LAX", "L AE K S"), ("SOB", "S AA B"), ("MOB", "M AA B"), ("LAM", "L AE M")]
    aligned = align_letters([(word, tuple(phones.split())) for word, phones in words])
    assert aligned[0] == [("S", ("S",)), ("A", ("AE",)), ("X", ("K", "S"))]
    assert aligned[2] == [("L", ("L",)), ("A", ("AE",)), ("M", ("M",)), ("B", ())]


def test_words_with_more_phones_than_their_letters_can_stand_for_are_left_out():
    assert align_letters([("W", tuple("DAHBL"))]) == []
    assert len(align_letters([("W", tuple("DAHBL")), ("A", ("AH",))])) == 1


@pytest.mark.parametrize("word", [("", ("AH",)), ("A", ())])
def test_empty_words_are_left_out(word):
    assert align_letters([word]) == []
