"""Where a text leaves the sound, on log-probabilities that spell a known text."""

import numpy as np

from asr.decoding.alignment import align_states
from asr.decoding.fit import first_misfit, frame_losses, window_losses


def _spoken(ids, seed=0):
    """Log-probabilities of a sure model: two frames a unit, then a blank; (3U, 30)."""
    classes = np.ravel([[unit, unit, 0] for unit in ids])
    values = np.random.default_rng(seed).normal(0, 1, (len(classes), 30))
    values[np.arange(len(classes)), classes] += 9
    return values - np.log(np.exp(values).sum(1, keepdims=True))


def _place(spoken, written):
    log_probs = _spoken(spoken)
    states = align_states(log_probs, written)
    classes = [written[s // 2] if s % 2 else 0 for s in states]
    losses = log_probs.max(1) - log_probs[np.arange(len(states)), classes]
    return first_misfit(losses, 125)


TEXT = np.random.default_rng(3).integers(1, 30, 400).tolist()


def test_the_text_that_was_said_fits():
    assert _place(TEXT, TEXT) is None


def test_a_few_wrong_units_still_fit():
    assert _place(TEXT, TEXT[:100] + TEXT[103:200] + [5, 6] + TEXT[200:]) is None


def test_a_paragraph_that_was_not_written_is_found():
    place = _place(TEXT, TEXT[:150] + TEXT[250:])
    assert place is not None and abs(place / 3 - 150) < 15


def test_a_paragraph_that_was_not_said_is_found():
    place = _place(TEXT[:150] + TEXT[250:], TEXT)
    assert place is not None and abs(place / 3 - 150) < 60


def test_no_frames_have_no_misfit():
    assert first_misfit(np.zeros(0), 125) is None


def test_a_frame_loses_what_the_alignment_is_less_probable_than_the_best_class():
    log_probs = np.log([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.5, 0.2, 0.3]])
    losses = frame_losses(log_probs, [1, 2], np.array([0, 1, 3]))
    np.testing.assert_allclose(losses, [0, 0, np.log(0.5 / 0.3)], atol=1e-12)


def test_windows_have_the_mean_of_their_frames_and_a_short_text_has_one():
    np.testing.assert_allclose(window_losses(np.array([0.0, 3.0, 1.0, 2.0]), 2), [1.5, 2.0, 1.5])
    np.testing.assert_allclose(window_losses(np.array([1.0, 2.0]), 5), [1.5])
