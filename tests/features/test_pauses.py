"""Cutting long recordings: nothing is lost, nothing is too long, and cuts fall into pauses."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.features.pauses import TAIL_SECONDS, cut_at_pauses, quiet_hops

RATE = 1000


def noise(seconds, seed=0):
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(0, 60), max_size=6), st.integers(0, 9))
def test_pieces_joined_are_the_recording(blocks, seed):
    blocks = [noise(seconds, seed) for seconds in blocks]
    pieces = list(cut_at_pauses(blocks, RATE, 30.0))
    np.testing.assert_array_equal(np.concatenate(pieces), np.concatenate([*blocks, noise(0)]))
    assert all(len(piece) <= 30 * RATE for piece in pieces)
    if len(pieces) > 1:
        assert all(len(piece) >= 15 * RATE for piece in pieces[:-1])
        assert len(pieces[-1]) >= TAIL_SECONDS * RATE


@pytest.mark.parametrize("block", [0.1, 7, 30, 300])
def test_the_size_of_the_blocks_does_not_matter(block):
    recording, size = noise(200), round(block * RATE)
    pieces = list(cut_at_pauses([recording], RATE, 30.0))
    blocks = [recording[at : at + size] for at in range(0, len(recording), size)]
    for piece, other in zip(pieces, cut_at_pauses(blocks, RATE, 30.0), strict=True):
        np.testing.assert_array_equal(piece, other)


def test_cuts_fall_into_the_pauses():
    recording = noise(100)
    pauses = [21.0, 43.0, 61.0, 85.0]
    for pause in pauses:
        recording[int(pause * RATE) : int((pause + 0.4) * RATE)] *= 0.01
    ends = np.cumsum([len(piece) for piece in cut_at_pauses([recording], RATE, 30.0)]) / RATE
    assert len(ends) == 5
    for end, pause in zip(ends, pauses, strict=False):
        assert pause <= end <= pause + 0.4


def test_a_short_stop_is_no_pause():
    recording = noise(40)
    recording[20 * RATE : 20 * RATE + 50] = 0  # 50 ms, as before a plosive
    recording[25 * RATE : 25 * RATE + 400] *= 0.2
    first, _ = cut_at_pauses([recording], RATE, 30.0)
    assert 25 * RATE <= len(first) <= 25 * RATE + 400


def test_no_sound_is_one_empty_piece():
    assert [len(piece) for piece in cut_at_pauses([], RATE, 30.0)] == [0]


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_quiet_is_what_lies_far_below_the_speech_also_in_noise(noise):
    rng = np.random.default_rng(0)
    waveform = rng.normal(0, 0.1, 16000).astype(np.float32)
    waveform[4000:8000] = 0
    waveform += noise * rng.standard_normal(16000).astype(np.float32)
    quiet = quiet_hops(waveform, 16000)
    assert quiet.tolist() == [25 <= hop < 50 for hop in range(100)]


def test_silence_alone_has_nothing_to_be_quiet_beside():
    assert not quiet_hops(np.zeros(1600, np.float32), 16000).any()
    assert len(quiet_hops(np.zeros(10, np.float32), 16000)) == 0
