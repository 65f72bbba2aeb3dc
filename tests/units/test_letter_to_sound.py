"""Learning how words are spoken: a small language whose rules are known, and the model's own arithmetic."""

from itertools import product

import numpy as np
import pytest

from asr.errors import AsrError
from asr.units.letter_to_sound import END, FIRST, START, LetterToSound, learn_once
from asr.units.lexicon import Lexicon

SOUNDS = {"A": "AH", "E": "EH", "K": "K", "T": "T", "S": "S", "H": "HH", "X": "K S"}


def spoken(word):
    """A language in which SH is one sound, X two, and E at the end is not said."""
    if len(word) > 2 and word.endswith("E"):
        word = word[:-1]
    phones = word.replace("SH", "$")
    return tuple(" ".join("SH" if c == "$" else SOUNDS[c] for c in phones).split())


def vocabulary(seed, count):
    rng = np.random.default_rng(seed)
    syllables = [a + b + c for a in ["K", "T", "S", "SH", "H"] for b in "AE" for c in ["", "K", "X", "SH"]]
    words = {"".join(rng.choice(syllables, rng.integers(1, 4))) + rng.choice(["", "E"]) for _ in range(count)}
    return sorted(word for word in words if "EE" not in word and "SHH" not in word)


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon({word: [spoken(word)] for word in vocabulary(1, 400)})


@pytest.fixture(scope="module")
def model(lexicon):
    return LetterToSound.learn(lexicon)


def test_rules_are_learnt_for_words_that_were_not_seen(model, lexicon):
    unseen = [word for word in vocabulary(2, 200) if word not in lexicon]
    assert len(unseen) > 80
    right = sum(model.pronounce(word) == spoken(word) for word in unseen)
    assert right / len(unseen) > 0.95


def test_probabilities_sum_to_one_after_any_history(model):
    radix = len(model.letters) + FIRST
    symbols = np.array([s for s in range(radix) if s != START])
    rng = np.random.default_rng(5)
    histories = np.array([START, START * radix + FIRST, *rng.integers(radix**5, size=50)])
    # the uniform distribution below all levels counts the beginning too, which never follows anything
    sums = model.probabilities(histories, symbols).sum(axis=1) + model.probabilities(
        histories, np.array([START])
    ).sum(axis=1)
    np.testing.assert_allclose(sums, 1, atol=1e-5)


def test_the_beam_finds_the_most_probable_sequence_of_pairs(model):
    radix = len(model.letters) + FIRST

    def log_prob(pairs):
        history, total = START, 0.0
        for symbol in [*pairs, END]:
            total += np.log(model.probabilities(np.array([history]), np.array([symbol]))[0, 0])
            history = (history * radix + symbol) % radix**5
        return total

    for word in ("KASH", "SHAX", "TEXE"):
        choices = [[i + FIRST for i, other in enumerate(model.letters) if other == letter] for letter in word]
        best = max(product(*choices), key=log_prob)
        assert model.pronounce(word) == tuple(p for symbol in best for p in model.sounds[symbol - FIRST])


def test_the_same_examples_give_the_same_bytes(model, lexicon):
    assert LetterToSound.learn(lexicon).to_bytes() == model.to_bytes()


def test_what_was_written_pronounces_the_same(model):
    again = LetterToSound.from_bytes(model.to_bytes(), "x")
    assert again.to_bytes() == model.to_bytes()
    for word in vocabulary(2, 20):
        assert again.pronounce(word) == model.pronounce(word)


def test_the_compact_form_is_small_and_nearly_the_same(model, lexicon):
    content = model.to_bytes(compact=True)
    assert len(content) < 0.4 * len(model.to_bytes())
    again = LetterToSound.from_bytes(content, "x")
    assert (again.letters, again.sounds) == (model.letters, model.sounds)
    rng = np.random.default_rng(3)
    radix = len(model.letters) + FIRST
    histories, symbols = np.array([START, *rng.integers(radix**5, size=50)]), np.arange(radix)
    found, expected = (one.probabilities(histories, symbols) for one in (again, model))
    np.testing.assert_allclose(found, expected, atol=0.02)
    words = [word for word in vocabulary(2, 200) if word not in lexicon]
    assert sum(again.pronounce(word) == model.pronounce(word) for word in words) > 0.97 * len(words)


def test_damage_of_the_compact_form_is_one_sentence(model):
    content = model.to_bytes(compact=True)
    for at in range(len(content) - 200, len(content), 17):
        damaged = content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]
        try:
            LetterToSound.from_bytes(damaged, "x")
        except AsrError as error:
            assert str(error).startswith("x: ")


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-9], lambda c: c[:40], lambda c: b"{}" + c])
def test_damaged_bytes_are_one_sentence(model, damage):
    with pytest.raises(AsrError, match=r"^x: "):
        LetterToSound.from_bytes(damage(model.to_bytes()), "x")


def test_a_word_that_cannot_be_pronounced_is_one_sentence(model):
    with pytest.raises(AsrError, match="ZAK: 'Z' is in no word"):
        model.pronounce("ZAK")
    with pytest.raises(AsrError, match="these letters stand for no sound"):
        model.pronounce("")


def test_examples_without_a_word_to_learn_from_are_refused():
    with pytest.raises(AsrError, match="found none that fit"):
        LetterToSound.learn([("3", ("TH", "R", "IY")), ("W", tuple("DAHBL"))])


def test_a_lexicon_is_learnt_from_once(tmp_path, lexicon, model, monkeypatch):
    assert learn_once(lexicon, tmp_path) == model.to_bytes()
    (kept,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(LetterToSound, "learn", None)
        assert learn_once(lexicon, tmp_path) == model.to_bytes()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert learn_once(lexicon, tmp_path) == model.to_bytes() == kept.read_bytes()
    learn_once(Lexicon({**lexicon.entries, "TAKATAK": [("T", "AH")]}), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
