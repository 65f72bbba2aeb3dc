"""The sentences of synthesised speech: a sane grammar, disjoint splits, no unheard word in a test."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.corpus import grammar
from asr.corpus.text import normalise
from asr.errors import AsrError

RULES = grammar.read_grammar()
TEXTS = grammar.read_short_texts()


@pytest.fixture(scope="module")
def default_size() -> dict[str, list[str]]:
    return grammar.draw_sentences(train=1500, dev=150, test=300, seed=1)


def transcripts(sentences: list[str]) -> list[str]:
    return [grammar.transcript(sentence) for sentence in sentences]


def words_of(sentences: list[str]) -> Counter[str]:
    return Counter(word for text in transcripts(sentences) for word in text.split())


def test_every_rule_is_defined_reached_and_not_empty() -> None:
    named = {name for texts in RULES.values() for text in texts for name in grammar.REFERENCE.findall(text)}
    assert named | {"sentence"} == set(RULES)
    assert all(alternative for texts in RULES.values() for alternative in texts)


def test_no_rule_leads_back_to_itself() -> None:
    reached = {
        name: {found for text in texts for found in grammar.REFERENCE.findall(text)}
        for name, texts in RULES.items()
    }
    for name in RULES:
        seen: set[str] = set()
        waiting = set(reached[name])
        while waiting:
            found = waiting.pop()
            seen.add(found)
            waiting |= reached[found] - seen
        assert name not in seen, name


def test_every_alternative_of_sentence_can_be_said() -> None:
    rng = np.random.default_rng(0)
    for part in RULES["sentence"]:
        lengths = [len(grammar.spoken_words(grammar.expand(RULES, rng, part[1:-1]))) for _ in range(50)]
        assert any(grammar.FEWEST_WORDS <= length <= grammar.MOST_WORDS for length in lengths), part


def test_sentences_end_in_a_full_stop_or_question_mark_and_need_no_other_sign() -> None:
    for sentence in [*TEXTS, *grammar.draw_sentences(train=400, dev=1, test=1, seed=3)["train"]]:
        assert sentence[-1] in ".?"
        plain = sentence[:-1]
        assert " ".join(grammar.spoken_words(plain)) == plain, sentence


def test_the_article_fits_the_next_word() -> None:
    sentences = grammar.draw_sentences(train=2000, dev=1, test=1, seed=4)["train"] + TEXTS
    for sentence in sentences:
        for word, following in pairwise(sentence.split()):
            if word in ("a", "an"):
                assert (following[0] in "aeiou") == (word == "an"), sentence


def test_transcripts_follow_the_convention_of_the_corpora() -> None:
    for sentence in TEXTS:
        assert grammar.transcript(sentence) == normalise(sentence)
        assert grammar.transcript(sentence) == normalise(grammar.transcript(sentence))


def test_short_texts_are_distinct_fit_the_length_and_use_only_words_of_the_grammar() -> None:
    assert len(set(transcripts(TEXTS))) == len(TEXTS) >= 40
    vocabulary = grammar.vocabulary(RULES)
    for text in transcripts(TEXTS):
        assert grammar.FEWEST_WORDS <= len(text.split()) <= grammar.MOST_WORDS, text
        assert set(text.split()) <= vocabulary, set(text.split()) - vocabulary


def test_words_that_sound_alike_are_not_both_in_the_vocabulary() -> None:
    vocabulary = grammar.vocabulary(RULES)
    alike = (
        "TO TWO TOO|FOR FOUR|ATE EIGHT|ONE WON|RED READ|THERE THEIR THEY'RE|HERE HEAR|KNOW NO|SEE SEA|"
        "MEET MEAT|BUY BY BYE|WEAK WEEK|WRITE RIGHT|OUR HOUR|WHERE WEAR|WOULD WOOD|SON SUN|PIECE PEACE|"
        "FLOWER FLOUR|ROAD RODE|MALE MAIL|PLANE PLAIN|TREE THREE|WEATHER WHETHER|AUNT ANT|NIGHT KNIGHT"
    )
    for group in alike.split("|"):
        assert len(set(group.split()) & vocabulary) <= 1, group


def test_the_default_size_has_distinct_sentences_in_all_splits(default_size: dict[str, list[str]]) -> None:
    assert {split: len(found) for split, found in default_size.items()} == {
        "train": 1500,
        "dev": 150,
        "test": 300,
    }
    everything = [text for found in default_size.values() for text in transcripts(found)]
    assert len(set(everything)) == 1950
    assert all(4 <= len(text.split()) <= 10 for text in everything)


def test_training_says_every_word_of_the_vocabulary_several_times(
    default_size: dict[str, list[str]],
) -> None:
    said = words_of(default_size["train"])
    vocabulary = grammar.vocabulary(RULES)
    assert set(said) == vocabulary
    assert 150 <= len(vocabulary) <= 400
    assert min(said.values()) >= 5
    assert set(words_of(default_size["dev"] + default_size["test"])) <= set(said)


def test_some_of_each_split_are_short_texts(default_size: dict[str, list[str]]) -> None:
    for found in default_size.values():
        assert len(set(found) & set(TEXTS)) == round(grammar.SHORT_TEXT_SHARE * len(found))


def test_same_seed_same_sentences_other_seed_others() -> None:
    first, again, other = (grammar.draw_sentences(train=60, dev=10, test=10, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert len(set(first["train"]) & set(other["train"])) < 15


def test_more_training_sentences_leave_dev_and_test_as_they_are() -> None:
    few, many = (grammar.draw_sentences(train=count, dev=12, test=20, seed=1) for count in (10, 200))
    assert few["dev"] == many["dev"]
    assert few["test"] == many["test"]


def test_several_thousand_distinct_sentences_can_be_had() -> None:
    found = grammar.draw_sentences(train=6000, dev=300, test=300, seed=1)
    assert len({text for split in found.values() for text in transcripts(split)}) == 6600


def test_asking_for_more_than_the_grammar_has_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        grammar, "read_grammar", lambda: {"sentence": ("the dog sees {animal}.",), "animal": ("cats", "cows")}
    )
    monkeypatch.setattr(grammar, "GIVE_UP_AFTER", 50)
    with pytest.raises(AsrError, match=r"lower synthesis\.train_utterances"):
        grammar.draw_sentences(train=3, dev=0, test=0, seed=1)


@given(st.integers(0, 40), st.integers(0, 10), st.integers(0, 10), st.integers(0, 2**63))
@settings(max_examples=15, deadline=None)
def test_any_counts_and_seed_give_disjoint_splits_of_that_size(
    train: int, dev: int, test: int, seed: int
) -> None:
    found = grammar.draw_sentences(train=train, dev=dev, test=test, seed=seed)
    assert [len(found[split]) for split in ("train", "dev", "test")] == [train, dev, test]
    everything = [text for split in found.values() for text in transcripts(split)]
    assert len(set(everything)) == train + dev + test
