import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asr.errors import AsrError
from asr.features.cmvn import STD_FLOOR, CmvnStats, apply_cmvn, utterance_cmvn

utterances = st.lists(
    st.integers(0, 12).flatmap(
        lambda frames: arrays(np.float32, (frames, 3), elements=st.floats(-50, 50, width=32))
    ),
    min_size=1,
    max_size=6,
)


def gathered(parts, dim=3):
    stats = CmvnStats.empty(dim)
    for feats in parts:
        stats.accumulate(torch.from_numpy(feats))
    return stats


@given(utterances)
@settings(deadline=None, max_examples=15)
def test_one_pass_is_two_passes(parts):
    frames = np.concatenate(parts).astype(np.float64)
    if len(frames) == 0:
        with pytest.raises(AsrError, match="at least one"):
            gathered(parts).mean_std()
        return
    mean, std = gathered(parts).mean_std()
    np.testing.assert_allclose(mean, frames.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(std, np.maximum(frames.std(0), STD_FLOOR), rtol=1e-5, atol=1e-6)


def test_a_large_mean_does_not_drown_the_variance():
    frames = (1e4 + np.random.default_rng(0).standard_normal((200_000, 2))).astype(np.float32)
    mean, std = gathered(np.split(frames, 100), dim=2).mean_std()
    exact = frames.astype(np.float64)
    np.testing.assert_allclose(std, exact.std(0), rtol=1e-6)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-7)


@given(utterances, utterances, utterances)
@settings(deadline=None, max_examples=15)
def test_merge_is_associative_and_knows_all_frames(a, b, c):
    one, two, three = gathered(a), gathered(b), gathered(c)
    left, right = one.merge(two).merge(three), one.merge(two.merge(three))
    whole = gathered(a + b + c)
    assert left.count == right.count == whole.count == sum(map(len, a + b + c))
    for name in ("sum", "sum_squares"):
        scale = np.abs(np.concatenate(a + b + c)).sum() + 1
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), atol=1e-12 * scale**2)
        np.testing.assert_allclose(getattr(left, name), getattr(whole, name), atol=1e-12 * scale**2)
    assert one.count == sum(map(len, a))  # merging leaves its parts alone


def test_apply_gives_mean_0_and_deviation_1():
    feats = (5 + 3 * np.random.default_rng(1).standard_normal((500, 3))).astype(np.float32)
    normalised = apply_cmvn(torch.from_numpy(feats), *gathered([feats]).mean_std())
    assert normalised.dtype == torch.float32
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(0, correction=0), 1, atol=1e-5)


def test_utterance_cmvn():
    feats = torch.randn(100, 4) * 3 + 7
    normalised = utterance_cmvn(feats)
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(0, correction=0), 1, atol=1e-5)
    assert utterance_cmvn(feats[:0]).shape == (0, 4)
    assert torch.equal(utterance_cmvn(feats[:1]), torch.zeros(1, 4))
    assert torch.equal(utterance_cmvn(torch.full((9, 4), -15.9424)), torch.zeros(9, 4))


def test_a_constant_feature_is_not_blown_up():
    frames = np.full((1000, 2), -15.942385, np.float32)
    mean, std = gathered([frames], dim=2).mean_std()
    np.testing.assert_array_equal(std, np.float32(STD_FLOOR))
    assert (apply_cmvn(torch.from_numpy(frames), mean, std).abs() < 1e-3).all()


def test_what_cannot_be_accumulated():
    stats = CmvnStats.empty(3)
    for wrong in (torch.zeros(5, 4), torch.zeros(3), torch.full((2, 3), torch.nan)):
        with pytest.raises(ValueError, match=r"expected|finite"):
            stats.accumulate(wrong)
    assert stats.count == 0 and not stats.sum.any()
    with pytest.raises(ValueError, match="cannot be merged"):
        stats.merge(CmvnStats.empty(4))


def test_saved_to_the_last_bit(tmp_path):
    stats = gathered([np.random.default_rng(2).standard_normal((50, 3)).astype(np.float32)])
    stats.save(tmp_path / "cmvn.json")
    again = CmvnStats.load(tmp_path / "cmvn.json")
    assert again.count == stats.count
    np.testing.assert_array_equal(again.sum, stats.sum)
    np.testing.assert_array_equal(again.sum_squares, stats.sum_squares)
    assert [path.name for path in tmp_path.iterdir()] == ["cmvn.json"]


GOOD = {"count": 4, "sum": [2.0, 0.0], "sum_squares": [1.0, 8.0]}


@pytest.mark.parametrize(
    "content,words",
    [
        ("", "damaged"),
        (json.dumps(GOOD)[:-9], "damaged"),
        (json.dumps(GOOD | {"count": -1}), "count of -1"),
        (json.dumps(GOOD | {"count": "many"}), "count"),
        (json.dumps(GOOD | {"sum": [1.0]}), "1 sums and 2 sums of squares"),
        (json.dumps(GOOD | {"sum": [], "sum_squares": []}), "0 sums"),
        (json.dumps(GOOD | {"sum": [9.0, 0.0]}), "larger than their sums of squares allow"),
        (json.dumps(GOOD | {"sum_squares": [-1.0, 8.0]}), "larger than"),
        (json.dumps({"count": 4, "sum": [2.0]}), "sum_squares"),
        (json.dumps(GOOD | {"extra": 1}), "extra"),
        (json.dumps(GOOD).replace("8.0", "NaN"), "damaged"),
        (b"\xff\xfe\x00", "damaged"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_damaged_statistics(tmp_path, content, words):
    path = tmp_path / "cmvn.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AsrError, match=words) as caught:
        CmvnStats.load(path)
    assert str(path) in str(caught.value) and "again" in str(caught.value)


def test_good_statistics_are_not_called_damaged(tmp_path):
    path = tmp_path / "cmvn.json"
    path.write_text(json.dumps(GOOD))
    assert CmvnStats.load(path).count == 4


def test_missing_statistics(tmp_path):
    with pytest.raises(AsrError, match="No such file"):
        CmvnStats.load(tmp_path / "none.json")
