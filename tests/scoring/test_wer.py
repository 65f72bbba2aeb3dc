import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.scoring.breakdown import by_seconds, by_speaker, by_words, confusions, steps, worst
from asr.scoring.wer import Counts, Report, Scored, score

WORDS = st.lists(st.sampled_from(["A", "B", "CAT", "É", "你好", "DON'T"]), max_size=8)
PAIRS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6).filter(
    lambda pairs: any(ref for ref, _ in pairs)
)


def scored(*pairs: tuple[str | None, str | None]) -> Report:
    return score(
        [Scored(utt_id=f"s{index % 2}-{index}", ref=ref, hyp=hyp) for index, (ref, hyp) in enumerate(pairs)]
    )


def distance(ref: list[str], hyp: list[str]) -> int:
    """Edit distance by Wagner and Fischer's table, row by row."""
    row = list(range(len(hyp) + 1))
    for i, expected in enumerate(ref, start=1):
        above, row = row, [i]
        for j, found in enumerate(hyp, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (expected != found)))
    return row[-1]


@given(PAIRS)
def test_rates_equal_an_independent_dynamic_program(pairs: list[tuple[list[str], list[str]]]) -> None:
    report = scored(*((" ".join(ref), " ".join(hyp)) for ref, hyp in pairs))
    errors = [distance(ref, hyp) for ref, hyp in pairs]
    char_errors = [distance(list(" ".join(ref)), list(" ".join(hyp))) for ref, hyp in pairs]
    assert [item.words.errors for item in report.aligned] == errors
    assert report.wer == pytest.approx(100 * sum(errors) / sum(len(ref) for ref, _ in pairs))
    assert report.cer == pytest.approx(100 * sum(char_errors) / sum(len(" ".join(ref)) for ref, _ in pairs))
    assert report.ser == pytest.approx(100 * sum(error > 0 for error in errors) / len(pairs))


@given(PAIRS)
def test_alignments_spell_both_sides_and_carry_the_counts(pairs: list[tuple[list[str], list[str]]]) -> None:
    report = scored(*((" ".join(ref), " ".join(hyp)) for ref, hyp in pairs))
    for item, (ref, hyp) in zip(report.aligned, pairs, strict=True):
        walked = list(steps(item))
        assert [r for operation, r, _ in walked if operation != "I"] == ref == item.ref
        assert [h for operation, _, h in walked if operation != "D"] == hyp == item.hyp
        assert all((r == h) == (operation == "=") for operation, r, h in walked)
        counted = Counts(*(item.operations.count(letter) for letter in "=SDI"))
        assert counted == item.words
        assert counted.length == len(ref)


def test_the_three_kinds_of_errors_are_counted() -> None:
    report = scored(("A B C D", "A X C D E"), ("A B C", "A C"))
    assert report.total.words == Counts(hits=5, substitutions=1, deletions=1, insertions=1)
    assert report.wer == pytest.approx(100 * 3 / 7)
    assert report.total.wrong == 2


def test_a_missing_hypothesis_is_all_deletions_and_named() -> None:
    report = scored(("A B", "A B"), ("C D E", None))
    assert report.missing == ["s1-1"]
    assert report.total.words == Counts(hits=2, deletions=3)
    assert report.total.chars == Counts(hits=3, deletions=5)


def test_a_hypothesis_without_reference_is_named_and_not_counted() -> None:
    report = scored(("A B", "A B"), (None, "C D E"))
    assert report.without_reference == ["s1-1"]
    assert (report.total.utterances, report.wer) == (1, 0.0)


def test_an_empty_reference_counts_insertions() -> None:
    report = scored(("", "X Y"), ("A B C D", "A B C D"))
    assert report.total.words == Counts(hits=4, insertions=2)
    assert report.total.chars == Counts(hits=7, insertions=3)
    assert report.wer == pytest.approx(50.0)
    assert report.aligned[0].words.percent is None


@pytest.mark.parametrize("pairs", [(), (("", ""),), (("", "X Y"),), ((None, "X"),)])
def test_no_reference_words_is_a_sentence(pairs: tuple[tuple[str | None, str | None], ...]) -> None:
    with pytest.raises(AsrError, match="at least one reference word"):
        scored(*pairs)


def test_an_id_twice_is_a_sentence() -> None:
    with pytest.raises(AsrError, match=r"u-7: .* more than once"):
        score([Scored(utt_id="u-7", ref="A", hyp="A"), Scored(utt_id="u-7", ref="B", hyp="B")])


def test_text_is_compared_as_it_is_given() -> None:
    assert scored(("Hello, world it is", "hello, world, it is")).wer == 50.0


def test_white_space_and_composition_do_not_matter() -> None:
    decomposed = unicodedata.normalize("NFD", "CAFÉ À LA CARTE")
    assert len(decomposed) == len("CAFÉ À LA CARTE") + 2
    report = scored((" CAFÉ\tÀ LA\u00a0 CARTE ", decomposed))
    assert (report.wer, report.total.chars.length) == (0.0, 15)


def test_results_do_not_depend_on_the_size_of_blocks() -> None:
    pairs = [
        Scored(utt_id=str(index), ref="A B C", hyp="A B" if index % 3 else "A B C D") for index in range(1201)
    ]
    report = score(pairs)
    assert [item.utt_id for item in report.aligned] == [item.utt_id for item in pairs]
    assert report.total.words == Counts(hits=2 * 800 + 3 * 401, deletions=800, insertions=401)


def test_speakers_are_summed_apart() -> None:
    report = score(
        [
            Scored(utt_id="1", speaker="b", ref="A B", hyp="A"),
            Scored(utt_id="2", speaker="a", ref="A B", hyp="A B"),
            Scored(utt_id="3", speaker="b", ref="A", hyp="A"),
        ]
    )
    groups = by_speaker(report)
    assert list(groups) == ["a", "b"]
    assert groups["b"].words == Counts(hits=2, deletions=1)
    assert (groups["b"].utterances, groups["b"].wrong, groups["b"].percent_wrong) == (2, 1, 50.0)


def test_bins_of_words() -> None:
    lengths = [0, 1, 5, 6, 10, 11, 20, 21, 30, 31, 90]
    report = scored(*((" ".join("A" * length), "") for length in lengths))
    found = {label: group.utterances for label, group in by_words(report).items()}
    assert list(found.items()) == [("0", 1), ("1-5", 2), ("6-10", 2), ("11-20", 2), ("21-30", 2), ("31+", 2)]


def test_bins_of_seconds() -> None:
    seconds = [1.99, 2.0, 4.9, 10.0, 20.0, 3600.0, None]
    pairs = [
        Scored(utt_id=str(index), ref="A", hyp="A", seconds=length) for index, length in enumerate(seconds)
    ]
    found = {label: group.utterances for label, group in by_seconds(score(pairs)).items()}
    assert list(found.items()) == [("0-2", 1), ("2-5", 2), ("10-15", 1), ("20+", 2), ("unknown", 1)]
    assert by_seconds(scored(("A", "A"))) == {}


def test_confusions_are_counted_word_by_word() -> None:
    report = scored(("A B X Y", "A B"), ("A B", "B B"), ("A C", "B C"), ("C", "C Y X"), ("C", "C Y"))
    found = confusions(report)
    assert found.substitutions == [("A", "B", 2)]
    assert found.deletions == [("X", 1), ("Y", 1)]
    assert found.insertions == [("Y", 2), ("X", 1)]


def test_worst_come_first_and_faultless_ones_not_at_all() -> None:
    report = scored(("A B C", "A B"), ("A B", "A B"), ("A B C D", ""), ("A B", "A"))
    assert [item.utt_id for item in worst(report, 10)] == ["s0-2", "s1-3", "s0-0"]
    assert [item.utt_id for item in worst(report, 1)] == ["s0-2"]
