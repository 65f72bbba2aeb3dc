import multiprocessing
import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr.batching.cache import WaveformCache

SAMPLES = st.lists(st.integers(-32768, 32767), min_size=1, max_size=50)


def sound(samples):
    return (np.array(samples) / 32768).astype(np.float32)


@given(SAMPLES)
def test_sixteen_bits_come_back_the_same(samples):
    cache = WaveformCache([3, len(samples)], 1000)
    assert cache.get(1) is None
    cache.put(1, sound(samples))
    found = cache.get(1)
    assert found is not None
    assert found.dtype == np.float32
    assert found.tobytes() == sound(samples).tobytes()
    assert cache.get(0) is None


def test_what_does_not_survive_is_not_kept():
    cache = WaveformCache([2, 2, 2, 2], 1000)
    cache.put(0, np.array([0.1, 0.5], np.float32))
    cache.put(1, np.array([0.5, 1.0], np.float32))
    cache.put(2, sound([1, 2, 3]))
    cache.put(3, sound([]))
    assert [cache.get(row) for row in range(4)] == [None] * 4


def test_places_end_at_the_limit():
    cache = WaveformCache([10, 10, 10], 40)
    for row in range(3):
        cache.put(row, sound([row + 1] * 10))
    assert cache.get(1).tolist() == sound([2] * 10).tolist()
    assert cache.get(2) is None
    assert WaveformCache([10], 0).get(0) is None


def test_a_forked_process_fills_it_for_all():
    cache = WaveformCache([4, 4], 1000)
    child = multiprocessing.get_context("fork").Process(target=cache.put, args=(1, sound([7, 8, 9])))
    child.start()
    child.join()
    assert cache.get(1).tolist() == sound([7, 8, 9]).tolist()


def test_a_pickled_one_keeps_nothing():
    copy = pickle.loads(pickle.dumps(WaveformCache([4], 1000)))
    copy.put(0, sound([1]))
    assert copy.get(0) is None
