"""Speaker balance: who takes part how often, and that a position in training still says everything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.batching.balance import Turns, speaker_shares
from asr.batching.sampler import BucketSampler

# 2 speakers with 100 utterances of 6 s, 40 with one: 20 minutes and 4, a mean of 24 / 42
SECONDS = [6.0] * 240
SPEAKERS = ["big-0"] * 100 + ["big-1"] * 100 + [f"small-{n}" for n in range(40)]
MEAN = 240 * 6.0 / 42


def buckets(power: float, seed: int = 1, **others) -> BucketSampler:  # type: ignore[no-untyped-def]
    shares = speaker_shares(SECONDS, SPEAKERS, power) if power else None
    options = {
        "batch_seconds": 30.0,
        "max_utterances": 8,
        "seed": seed,
        "shortest_first": 1,
        "shares": shares,
    }
    return BucketSampler(SECONDS, **(options | others))


def taking(sampler: BucketSampler, epoch: int) -> list[int]:
    return sorted(index for batch in sampler.batches(epoch) for index in batch)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_shares_follow_the_hours_of_the_speaker(power: float) -> None:
    shares = speaker_shares(SECONDS, SPEAKERS, power)
    assert shares[:200] == pytest.approx(np.full(200, (MEAN / 600) ** power))
    assert shares[200:].tolist() == [1.0] * 40


def test_with_power_one_nobody_is_heard_longer_than_the_mean() -> None:
    shares = speaker_shares(SECONDS, SPEAKERS, 1.0)
    assert sum(shares[:100]) * 6.0 == pytest.approx(MEAN)
    assert speaker_shares([0.0, 0.0], ["a", "b"], 1.0).tolist() == [1.0, 1.0]


@given(
    st.lists(st.sampled_from([0.05, 0.3, 1 / 3, 0.7, 1.0]), min_size=1, max_size=60),
    st.integers(0, 9),
    st.integers(1, 40),
)
@settings(deadline=None, max_examples=60)
def test_everyone_has_a_turn_as_often_as_the_share_says(shares, seed, epochs) -> None:  # type: ignore[no-untyped-def]
    shares = np.array(shares)
    turns = Turns(shares, seed)
    taken = np.array([turns(epoch) for epoch in range(epochs)])
    assert np.all(np.abs(taken.sum(axis=0) - epochs * shares) <= 1 + 1e-9)  # evenly over the epochs
    for share in np.unique(shares):  # and evenly within an epoch
        rows = shares == share
        assert np.all(np.abs(taken[:, rows].sum(axis=1) - rows.sum() * share) <= 1 + 1e-9)


def test_an_epoch_is_a_function_of_seed_and_epoch_alone() -> None:
    one, other = buckets(0.5), buckets(0.5)
    for epoch in range(5):
        one.batches(epoch)
    assert other.batches(5) == one.batches(5)
    first, second = taking(one, 1), taking(one, 2)
    assert first != second and len(set(first)) == len(first)
    assert set(range(200, 240)) <= set(first)
    assert taking(buckets(0.5, seed=2), 1) != first


def test_processes_share_the_same_epoch() -> None:
    alone = [batch for update in buckets(0.7, accumulate=2).updates(3) for batch in update]
    ranks = [buckets(0.7, accumulate=2, world=2, rank=rank).updates(3) for rank in (0, 1)]
    together = [batch for update in zip(*ranks, strict=True) for part in update for batch in part]
    assert sorted(together) == sorted(alone)


def test_without_power_nothing_changes() -> None:
    everyone = np.ones(len(SECONDS))
    for epoch in range(3):
        assert buckets(0.0).batches(epoch) == buckets(0.0, shares=everyone).batches(epoch)
        assert taking(buckets(0.0), epoch) == list(range(240))
