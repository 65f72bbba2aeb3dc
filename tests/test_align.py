"""Times of units from the states of an alignment."""

import numpy as np

from asr.align import unit_times

FRAME = 0.04


def _times(states, spoken, edge, duration=0.4):
    states = np.array(states)
    times = np.arange(len(states)) * FRAME
    begins, ends = unit_times(states, np.array(spoken), times, FRAME, duration, edge)
    return begins.round(6).tolist(), ends.round(6).tolist()


def test_without_edges_a_unit_has_the_time_of_its_frames():
    assert _times([0, 1, 1, 2, 3, 4], [True, True], 0.0) == ([0.04, 0.16], [0.12, 0.20])


def test_a_unit_takes_of_the_silence_around_it():
    begins, ends = _times([0, 1, 2, 2, 2, 3, 4, 4], [True, True], 0.03)
    assert begins == [0.01, 0.17]
    assert ends == [0.11, 0.27]


def test_a_unit_takes_nothing_of_its_neighbour():
    begins, ends = _times([1, 3, 3], [True, True], 0.03)
    assert begins == [0.0, 0.04]
    assert ends == [0.04, 0.15]


def test_where_two_units_want_the_same_gap_the_second_is_served_first():
    begins, ends = _times([1, 2, 3], [True, True], 0.03)
    assert begins == [0.0, 0.05]
    assert ends[0] == begins[1]


def test_a_word_may_begin_in_the_frame_of_the_boundary_before_it():
    begins, ends = _times([1, 3, 5], [True, False, True], 0.03)
    assert begins[2] == 0.05
    assert (begins[1], ends[1]) == (0.04, 0.08)


def test_nothing_lies_outside_the_audio():
    begins, ends = _times([1, 1, 3], [True, True], 0.5, duration=0.1)
    assert begins[0] == 0.0 and ends[1] == 0.1
    assert all(begin <= end for begin, end in zip(begins, ends, strict=True))
