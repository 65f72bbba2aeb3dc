import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.batching.batch import Example, collate

SIZES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=6)


@given(SIZES)
@settings(deadline=None)
def test_rows_come_back_and_the_rest_is_zero(sizes):
    examples = [
        Example(f"u{n}", torch.randn(frames, 3), list(range(1, units + 1)), 0.5)
        for n, (frames, units) in enumerate(sizes)
    ]
    batch = collate(examples, 3, ["gone: why"])
    assert len(batch) == len(examples)
    assert batch.utt_ids == [example.utt_id for example in examples]
    assert batch.feats.shape == (len(sizes), max(frames for frames, _ in sizes), 3)
    assert batch.targets.shape == (len(sizes), max(units for _, units in sizes))
    assert batch.feats.dtype == torch.float32
    for tensor in (batch.feat_lens, batch.targets, batch.target_lens):
        assert tensor.dtype == torch.int64
    for row, example in enumerate(examples):
        frames, units = int(batch.feat_lens[row]), int(batch.target_lens[row])
        assert torch.equal(batch.feats[row, :frames], example.feats)
        assert batch.targets[row, :units].tolist() == example.target
        assert not batch.feats[row, frames:].any()
        assert not batch.targets[row, units:].any()
    assert batch.seconds == 0.5 * len(sizes)
    assert batch.skipped == ["gone: why"]


def test_no_examples_still_make_a_batch():
    batch = collate([], 3, ["a: gone", "b: gone"])
    assert len(batch) == 0
    assert batch.feats.shape == (0, 0, 3)
    assert batch.targets.shape == (0, 0)
    assert batch.feat_lens.shape == batch.target_lens.shape == (0,)
    assert batch.seconds == 0
