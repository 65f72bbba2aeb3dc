import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.batching.sampler import BucketSampler
from asr.errors import AsrError

LENGTHS = st.lists(st.floats(0, 40, allow_nan=False), min_size=1, max_size=120)


def sampler(seconds, *, batch_seconds=60.0, max_utterances=16, seed=1, shortest_first=0, **others):
    return BucketSampler(
        seconds,
        batch_seconds=batch_seconds,
        max_utterances=max_utterances,
        seed=seed,
        shortest_first=shortest_first,
        **others,
    )


def speech(count=400, seed=3):
    return np.random.default_rng(seed).uniform(1, 16, count).tolist()


@settings(deadline=None, max_examples=50)
@given(LENGTHS, st.integers(0, 5), st.integers(0, 2), st.floats(1, 80), st.integers(1, 20))
def test_each_utterance_once_and_limits_kept(seconds, epoch, shortest_first, batch_seconds, rows):
    batches = sampler(
        seconds, batch_seconds=batch_seconds, max_utterances=rows, shortest_first=shortest_first
    ).batches(epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(seconds)))
    for batch in batches:
        longest = max(seconds[i] for i in batch)
        assert 1 <= len(batch) <= rows
        assert len(batch) == 1 or longest * len(batch) <= batch_seconds


@given(LENGTHS, st.integers(0, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 1))
@settings(deadline=None, max_examples=50)
def test_union_over_processes_is_the_global_list(seconds, epoch, world, share, shortest_first):
    options = {"shortest_first": shortest_first, "accumulate": world * share, "max_utterances": 3}
    alone = sampler(seconds, **options).updates(epoch)
    ranks = [sampler(seconds, world=world, rank=r, **options).updates(epoch) for r in range(world)]
    assert all(len(updates) == len(alone) for updates in ranks)
    for number, update in enumerate(alone):
        shares = [updates[number] for updates in ranks]
        assert sorted(batch for part in shares for batch in part) == sorted(update)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert [batch for update in alone for batch in update] == sampler(seconds, **options).batches(epoch)


def test_an_epoch_can_be_entered_anywhere():
    one, other = sampler(speech()), sampler(speech())
    for epoch in range(4):
        one.batches(epoch)
    assert other.batches(3) == one.batches(3)
    assert other.batches(3)[7:] == one.batches(3)[7:]


def test_epochs_and_seeds_differ_in_order_and_in_company():
    seconds = speech()
    first, second = sampler(seconds).batches(0), sampler(seconds).batches(1)
    assert first != second
    shared = {frozenset(batch) for batch in first} & {frozenset(batch) for batch in second}
    assert len(shared) < len(first) / 10
    assert sampler(seconds, seed=2).batches(0) != first


def test_shortest_first_runs_upwards_then_shuffles():
    seconds = speech()
    buckets = sampler(seconds, shortest_first=2)
    for epoch in (0, 1):
        order = [seconds[i] for batch in buckets.batches(epoch) for i in batch]
        assert order == sorted(order)
    longest = [max(seconds[i] for i in batch) for batch in buckets.batches(2)]
    assert longest != sorted(longest)


def test_buckets_waste_little():
    seconds = speech(2000)
    batches = sampler(seconds).batches(5)
    padded = sum(len(batch) * max(seconds[i] for i in batch) for batch in batches)
    assert sum(seconds) / padded > 0.9
    assert sum(seconds) / len(batches) > 0.75 * 60


def test_one_longer_than_a_batch_travels_alone():
    assert [3] in sampler([5.0, 6.0, 7.0, 100.0], batch_seconds=20).batches(0)


@pytest.mark.parametrize(
    ("seconds", "options", "said"),
    [
        ([], {}, "no utterance"),
        ([1.0, float("nan")], {}, "0 seconds or more"),
        ([1.0], {"batch_seconds": 0}, "batching.seconds"),
        ([1.0], {"max_utterances": 0}, "batching.max_utterances"),
        ([1.0], {"world": 2, "rank": 2, "accumulate": 2}, "rank from 0 to 1"),
        ([1.0], {"world": 2, "accumulate": 3}, "multiple of 2"),
    ],
)
def test_impossible_calls_are_sentences(seconds, options, said):
    with pytest.raises(AsrError, match=said):
        sampler(seconds, **options)
