import pickle

import msgspec
import pytest
import torch

from asr.errors import AsrError


def test_item_depends_on_epoch_and_nothing_else(speech, dataset_of):
    dataset = dataset_of(speech)
    first = dataset[3, 1]
    dataset[4, 1], dataset[3, 0]
    again = dataset_of(list(reversed(speech)))[len(speech) - 4, 1]
    assert first.utt_id == again.utt_id == "u03"
    assert torch.equal(first.feats, again.feats)
    assert first.target == again.target == [1]
    other = dataset[3, 2]
    assert other.feats.shape != first.feats.shape or not torch.equal(other.feats, first.feats)
    elsewhere = dataset_of(speech, seed=8)[3, 1]
    assert elsewhere.feats.shape != first.feats.shape or not torch.equal(elsewhere.feats, first.feats)


def test_without_augmentation_an_item_is_the_extractors_output(speech, dataset_of, extractor):
    mean, std = torch.full((8,), 2.0), torch.full((8,), 4.0)
    plain = dataset_of(speech, augmented=False, cmvn=None)
    scaled = dataset_of(speech, augmented=False, cmvn=(mean, std))
    own = dataset_of(speech, augmented=False, cmvn="utterance")
    feats = plain[2, 0].feats
    assert feats.shape == (extractor.num_frames(round(speech[2].duration * 16000)), 8)
    assert feats.dtype == torch.float32
    torch.testing.assert_close(scaled[2, 5].feats, (feats - 2) / 4)
    assert own[2, 0].feats.mean(0).abs().max() < 1e-4


def test_a_segment_is_read_from_its_place(speech, dataset_of):
    dataset = dataset_of(speech, augmented=False)
    assert dataset[10, 0].seconds == pytest.approx(0.5)
    assert dataset[11, 0].seconds == pytest.approx(0.75)


def test_warp_and_masks_change_features(speech, dataset_of):
    plain = dataset_of(speech, augmented=False, cmvn=None)[9, 0].feats
    warped = dataset_of(speech, augmented=False, cmvn=None, warp=0.1)[9, 0].feats
    assert plain.shape == warped.shape
    assert not torch.allclose(plain, warped)
    masked = dataset_of(speech, waveform_augment=None, warp=0.0, speeds=(1.0,))
    zeros = [(masked[9, epoch].feats == 0).sum() for epoch in range(5)]
    assert max(zeros) > 0
    assert not (dataset_of(speech, augmented=False)[9, 0].feats == 0).any()


def test_speed_is_left_alone_where_the_target_would_not_fit(speech, dataset_of):
    # 0.84 s: 82 frames become 20; at 1.1 of the speed 74 become 18.
    tight = msgspec.structs.replace(speech[9], text="ABABABABABABABABABAB")
    dataset = dataset_of([tight], speeds=(1.1,))
    assert dataset[0, 0].seconds == pytest.approx(0.84)
    loose = dataset_of([speech[9]], speeds=(1.1,))
    assert loose[0, 0].seconds == pytest.approx(0.84 / 1.1, abs=1e-3)


def test_without_targets_for_evaluation(speech, dataset_of):
    odd = msgspec.structs.replace(speech[0], text="ÉTÉ")
    example = dataset_of([odd], augmented=False, encode=None, output_frames=None)[0, 0]
    assert example.target == []


def test_what_cannot_be_read_is_named_and_left_out(speech, dataset_of, tmp_path):
    empty = tmp_path / "empty.flac"
    empty.touch()
    rows = [
        speech[0],
        msgspec.structs.replace(speech[1], audio=str(empty)),
        msgspec.structs.replace(speech[2], audio=str(tmp_path / "missing.wav")),
        msgspec.structs.replace(speech[3], text="É"),
        msgspec.structs.replace(speech[4], text="A" * 30),
        speech[5],
    ]
    dataset = dataset_of(rows)
    batch = dataset.batch(range(6), 0)
    assert batch.utt_ids == ["u00", "u05"]
    assert [sentence.partition(":")[0] for sentence in batch.skipped] == ["u01", "u02", "u03", "u04"]
    assert "empty.flac" in batch.skipped[0]
    assert "missing.wav" in batch.skipped[1]
    assert "outside the units" in batch.skipped[2]
    assert "30 units" in batch.skipped[3]
    with pytest.raises(AsrError, match=r"^u01: "):
        dataset[1, 0]
    assert len(dataset.batch([1, 2], 0)) == 0


def test_audio_shorter_than_a_frame_is_named(speech, dataset_of):
    brief = msgspec.structs.replace(speech[0], duration=0.01)
    dataset = dataset_of([brief], augmented=False, encode=None, output_frames=None)
    assert dataset.batch([0], 0).skipped[0].startswith("u00: 0.01 s of audio")


def test_an_impossible_warp_is_refused_before_training(speech, dataset_of):
    with pytest.raises(AsrError, match="warp"):
        dataset_of(speech, warp=0.99)


def test_a_dataset_survives_the_way_to_a_spawned_process(speech, dataset_of):
    dataset = dataset_of(speech)
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[6, 4].feats, dataset[6, 4].feats)
