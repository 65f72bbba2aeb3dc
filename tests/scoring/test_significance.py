import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.scoring.significance import bootstrap_interval, compare, mapsswe, segment_errors
from asr.scoring.wer import Aligned, Counts, Report, Scored, score, tally

Texts = list[tuple[str, str, str]]
"""(speaker, reference, hypothesis)"""


def scored(texts: Texts) -> Report:
    return score(
        [Scored(utt_id=f"u{i:05}", speaker=s, ref=ref, hyp=hyp) for i, (s, ref, hyp) in enumerate(texts)]
    )


def aligned(operations: str) -> Aligned:
    none = Counts()
    return Aligned(
        utt_id="u", speaker="s", seconds=None, ref=[], hyp=[], operations=operations,
        words=none, chars=none, missing=False,
    )  # fmt: skip


def random_texts(rng: np.random.Generator, speakers: int, utterances: int, rate: float) -> Texts:
    """References of twenty words; a word in `rate` is wrong."""
    ref = [f"W{i}" for i in range(20)]
    return [
        (
            f"s{index % speakers:03}",
            " ".join(ref),
            " ".join("X" if wrong else word for word, wrong in zip(ref, rng.random(20) < rate, strict=True)),
        )
        for index in range(utterances)
    ]


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.text("XY ", min_size=1, max_size=12), st.text("XY ", max_size=12)
        ),
        min_size=1,
        max_size=12,
    ).filter(lambda texts: any(ref.split() for _, ref, _ in texts)),
    st.integers(0, 9),
)
def test_interval_covers_the_point_estimate(texts: Texts, seed: int) -> None:
    report = scored(texts)
    interval = bootstrap_interval(report, replicates=200, seed=seed)
    assert interval.low - 1e-9 <= report.wer <= interval.high + 1e-9
    assert interval.low >= 0


def test_interval_resamples_speakers_or_utterances_of_one_speaker() -> None:
    rng = np.random.default_rng(0)
    many = bootstrap_interval(scored(random_texts(rng, 12, 60, 0.2)), replicates=20)
    one = bootstrap_interval(scored(random_texts(rng, 1, 60, 0.2)), replicates=20)
    assert (many.unit, many.units) == ("speaker", 12)
    assert (one.unit, one.units) == ("utterance", 60)


def test_interval_is_wider_where_speakers_differ() -> None:
    ref = "A B C D E F G H I J"
    even = [(f"s{i % 10}", ref, ref if i < 50 else "") for i in range(100)]
    uneven = [(f"s{i % 10}", ref, ref if i % 10 < 5 else "") for i in range(100)]
    narrow, wide = (bootstrap_interval(scored(texts)) for texts in (even, uneven))
    assert scored(even).wer == scored(uneven).wer == 50.0
    assert narrow.high - narrow.low == 0  # every speaker is wrong half of the time
    # ten draws of 0 % or 100 %: the standard error is 100 · 0.5 / √10 = 15.8
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * 15.8, rel=0.15)


def test_interval_is_that_of_the_binomial_for_independent_words() -> None:
    texts = [("s", "A", "A" if i % 4 else "B") for i in range(400)]
    interval = bootstrap_interval(scored(texts), replicates=4000)
    half = 1.96 * 100 * math.sqrt(0.25 * 0.75 / 400)
    assert interval.low == pytest.approx(25 - half, abs=0.6)
    assert interval.high == pytest.approx(25 + half, abs=0.6)


def test_interval_depends_on_the_seed_and_not_on_the_order() -> None:
    texts = random_texts(np.random.default_rng(1), 7, 50, 0.3)
    pairs = [Scored(utt_id=str(i), speaker=s, ref=r, hyp=h) for i, (s, r, h) in enumerate(texts)]
    forward, backward = score(pairs), score(pairs[::-1])
    assert bootstrap_interval(forward, seed=3) == bootstrap_interval(backward, seed=3)
    assert bootstrap_interval(forward, seed=3) != bootstrap_interval(forward, seed=4)


def test_interval_survives_speakers_without_reference_words() -> None:
    interval = bootstrap_interval(scored([("a", "A B", "A X"), ("b", "", ""), ("c", "", "")]), replicates=50)
    assert (interval.low, interval.high) == (50.0, 50.0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("====", "====", []),
        ("S==S", "====", [(1, 0), (1, 0)]),  # two good words between: a new segment
        ("S=S=", "====", [(2, 0)]),  # one good word: the same segment
        ("S===", "===D", [(1, 0), (0, 1)]),
        ("S===", "==S=", [(1, 1)]),  # good in one system is not good enough
        ("=I===", "====", [(1, 0)]),
        ("S=I==", "====", [(2, 0)]),  # the inserted word stands after the one good word
        ("S==IS", "====", [(1, 0), (2, 0)]),
        ("S=I=S", "===S", [(3, 1)]),  # an insertion between the two good words joins
        ("III", "", [(3, 0)]),
        ("IIS=", "D=I", [(3, 2)]),
    ],
)
def test_segments_by_hand(first: str, second: str, expected: list[tuple[int, int]]) -> None:
    assert segment_errors(aligned(first), aligned(second)) == expected
    assert segment_errors(aligned(second), aligned(first)) == [(b, a) for a, b in expected]


@given(st.text("=SDI", max_size=30), st.text("=SDI", max_size=30))
def test_segments_hold_all_errors(first: str, second: str) -> None:
    segments = segment_errors(aligned(first), aligned(second))
    assert sum(a for a, _ in segments) == sum(first.count(letter) for letter in "SDI")
    assert sum(b for _, b in segments) == sum(second.count(letter) for letter in "SDI")
    assert all(a + b > 0 for a, b in segments)


def test_mapsswe_by_hand() -> None:
    # differences −1, 0, 2, 1: mean 0.5, variance (2.25 + 0.25 + 2.25 + 0.25) / 3 = 5/3,
    # W = 0.5 / √(5/3 / 4) = 0.7746, p = 2 (1 − Φ(0.7746)) = 0.4386
    z, p = mapsswe([(1, 0), (1, 1), (0, 2), (0, 1)])
    assert z == pytest.approx(0.7745966692)
    assert p == pytest.approx(0.4385780, abs=1e-6)


def test_mapsswe_without_variance() -> None:
    assert mapsswe([]) == (None, 1.0)
    assert mapsswe([(2, 2)] * 9) == (None, 1.0)
    assert mapsswe([(1, 0)]) == (None, 1.0)  # one segment proves nothing
    assert mapsswe([(1, 0)] * 5) == (None, 2 / 2**5)


def test_compare_by_hand() -> None:
    ref = "A B C D E F G H"
    first = scored([("s", ref, "X B C D X F G H"), ("t", ref, "X X C D E F G H")])
    second = scored([("s", ref, "A B C D E F G X"), ("t", ref, ref)])
    found = compare(first, second)
    # segments: (1, 0), (1, 1) as F G stand between E and H, hence (1, 0), (1, 0), (0, 1), and (2, 0)
    assert found.segments == 4
    assert (found.first, found.second) == (25.0, 6.25)
    assert found.difference == pytest.approx(-18.75)
    # differences −1, −1, 1, −2: mean −0.75, variance 4.75 / 3, W = −0.75 / √(1.58333 / 4)
    assert found.mapsswe_z == pytest.approx(-0.75 / math.sqrt(4.75 / 3 / 4))
    assert (found.unit, found.units) == ("speaker", 2)
    assert found.ci95 == (-25.0, -12.5)
    assert found.bootstrap_p == pytest.approx(2 / 1001)


def test_compare_swapped_is_the_mirror_image() -> None:
    rng = np.random.default_rng(2)
    a, b = scored(random_texts(rng, 9, 90, 0.20)), scored(random_texts(rng, 9, 90, 0.23))
    there, back = compare(a, b), compare(b, a)
    assert there.difference == pytest.approx(-back.difference)
    assert there.mapsswe_p == pytest.approx(back.mapsswe_p)
    assert there.bootstrap_p == back.bootstrap_p
    assert there.ci95 == pytest.approx((-back.ci95[1], -back.ci95[0]))


def test_compare_with_itself_finds_nothing() -> None:
    report = scored(random_texts(np.random.default_rng(4), 9, 40, 0.2))
    found = compare(report, report)
    assert (found.difference, found.mapsswe_p, found.bootstrap_p, found.ci95) == (0.0, 1.0, 1.0, (0.0, 0.0))


def test_a_real_difference_is_found() -> None:
    rng = np.random.default_rng(5)
    found = compare(scored(random_texts(rng, 20, 200, 0.20)), scored(random_texts(rng, 20, 200, 0.15)))
    assert found.difference < 0
    assert found.mapsswe_p < 1e-4
    assert found.bootstrap_p < 0.01
    assert found.ci95[1] < 0


def test_compare_wants_the_same_references() -> None:
    one = scored([("s", "A B", "A"), ("s", "C", "C")])
    with pytest.raises(AsrError, match="those of u00000 differ"):
        compare(one, scored([("s", "A X", "A"), ("s", "C", "C")]))
    with pytest.raises(AsrError, match="u00001 is only in one"):
        compare(one, scored([("s", "A B", "A")]))
    with pytest.raises(AsrError, match="u00001 is only in one"):
        compare(scored([("s", "A B", "A")]), one)


def dealt(first: Report, second: Report, swap: NDArray[np.bool_]) -> Report:
    """The first's utterances, and the second's where `swap` says so."""
    items = [b if s else a for a, b, s in zip(first.aligned, second.aligned, swap, strict=True)]
    return Report(aligned=items, total=tally(items), missing=[], without_reference=[])


def test_p_values_are_uniform_under_the_null() -> None:
    """Two systems of one quality: each utterance's two results are dealt to them at random."""
    trials = 300
    rng = np.random.default_rng(6)
    a, b = (scored(random_texts(rng, 1, 150, 0.15)) for _ in range(2))
    found = []
    for trial in range(trials):
        swap = rng.random(150) < 0.5
        found.append(compare(dealt(a, b, swap), dealt(a, b, ~swap), replicates=200, seed=trial))
    for p_values in ([each.mapsswe_p for each in found], [each.bootstrap_p for each in found]):
        ordered = np.sort(p_values)
        shares = np.arange(1, trials + 1) / trials
        distance = max(np.max(shares - ordered), np.max(ordered - shares + 1 / trials))
        assert distance < 1.63 / math.sqrt(trials)  # the 1 % point of Kolmogorov's statistic
        assert 0.02 < np.mean(ordered < 0.05) < 0.10
