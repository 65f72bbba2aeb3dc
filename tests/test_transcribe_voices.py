"""Audio heard with several warps of the mel axis: the mean is the one by hand, and batches change nothing."""

import dataclasses

import msgspec
import numpy as np
import pytest
import soundfile
import torch

from asr.errors import AsrError
from asr.features.cmvn import utterance_cmvn
from asr.features.extract import FeatureExtractor
from asr.inspection.utterance import inspect_file
from asr.model.bundle import save_bundle
from asr.transcribe import Recogniser
from asr.transcribe.batches import windows
from asr.transcribe.listening import End, Piece
from asr.transcribe.voices import hear

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bundle(random_bundle):
    return random_bundle(features={"cmvn": "utterance"})


@pytest.fixture
def with_warps(bundle):
    """A function that gives a recogniser with these warps."""

    def make(*warps):
        return Recogniser(bundle, CPU, msgspec.structs.replace(bundle.config.decoding, warps=warps))

    return make


@pytest.fixture
def file(tmp_path, babble):
    """A file as long as three pieces, with pauses between them that are cut at."""
    samples = babble(70)
    for place in (25, 50):
        samples[place * 16000 :][:8000] = 0
    soundfile.write(tmp_path / "long.wav", samples, 16000)
    return tmp_path / "long.wav"


def by_hand(bundle, samples, warp):
    """(T', C) probabilities, from the features on."""
    extract = FeatureExtractor(**bundle.config.features.extraction)
    feats = utterance_cmvn(extract(torch.from_numpy(samples), 1 + warp))
    with torch.inference_mode():
        log_probs, _ = bundle.build_model()(feats[None], torch.tensor([len(feats)]))
    return log_probs[0].double().exp().numpy()


def test_one_voice_is_the_model_to_the_last_bit(bundle):
    rng = torch.Generator().manual_seed(1)
    pieces = [torch.randn(length, 20, generator=rng) for length in (50, 31, 7)]
    model = bundle.build_model()
    with torch.inference_mode():
        padded = torch.nn.utils.rnn.pad_sequence(pieces, batch_first=True)
        expected, expected_lens = model(padded, torch.tensor([50, 31, 7]))
        found, lens = hear(model, [piece[:, None] for piece in pieces], CPU)
    assert torch.equal(found, expected) and torch.equal(lens, expected_lens)


def test_two_voices_are_the_geometric_mean_by_hand(bundle, with_warps, tmp_path, babble):
    samples = babble(3)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    low, high = by_hand(bundle, samples, -0.1), by_hand(bundle, samples, 0.1)
    assert np.abs(low - high).max() > 0.01
    mean = np.sqrt(low * high)
    found, times, seconds = with_warps(-0.1, 0.1).log_probs(tmp_path / "a.wav")
    np.testing.assert_allclose(np.exp(found), mean / mean.sum(axis=1, keepdims=True), atol=1e-5)
    assert len(times) == len(found) and seconds == 3.0


def test_a_batch_hears_what_its_rows_hear_alone(bundle):
    rng = torch.Generator().manual_seed(1)
    pieces = [torch.randn(length, 3, 20, generator=rng) for length in (50, 31, 7)]
    model = bundle.build_model()
    with torch.inference_mode():
        log_probs, lens = hear(model, pieces, CPU)
        for row, piece in enumerate(pieces):
            alone, (length,) = hear(model, [piece], CPU)
            assert lens[row] == length == alone.shape[1]
            torch.testing.assert_close(log_probs[row, :length], alone[0], atol=1e-5, rtol=0)


def test_a_long_file_and_its_batches_are_heard_as_its_frames_say(with_warps, file):
    recogniser = with_warps(-0.1, 0.0, 0.1)
    log_probs, _, _ = recogniser.log_probs(file)
    classes = log_probs.argmax(axis=1)
    letters = classes[np.flatnonzero(np.diff(classes, prepend=0))]
    spelled = "".join(recogniser.bundle.tokens[c] for c in letters if recogniser.bundle.tokens[c] != "|")
    assert recogniser.transcribe(file).text.replace(" ", "") == spelled.replace("<blank>", "")
    assert recogniser.transcribe(file).text != with_warps(0.0).transcribe(file).text


def test_the_model_folder_says_with_which_warps(bundle, tmp_path, with_warps, file):
    decoding = msgspec.structs.replace(bundle.config.decoding, warps=(0.1,))
    config = msgspec.structs.replace(bundle.config, decoding=decoding)
    save_bundle(tmp_path / "model", dataclasses.replace(bundle, config=config), "card")
    loaded = Recogniser.load(tmp_path / "model")
    assert loaded.transcribe(file) == with_warps(0.1).transcribe(file)
    assert loaded.transcribe(file) != with_warps(0.0).transcribe(file)


def test_inspection_hears_the_voice_as_it_is(with_warps, tmp_path, babble):
    soundfile.write(tmp_path / "a.wav", babble(2), 16000)
    plain, warped = (inspect_file(one, tmp_path / "a.wav") for one in (with_warps(0.0), with_warps(0.1)))
    assert np.array_equal(plain.feats, warped.feats) and plain.loss == warped.loss


def test_more_voices_are_read_less_far_ahead():
    events = [Piece("a", 20.0 * n, 20.0, torch.zeros(0, 3, 20)) for n in range(90)] + [End("a", 1800.0)]
    assert [len(window) for window in windows(events)] == [45, 45, 1]
    assert [len(window) for window in windows(events, 3)] == [15] * 6 + [1]


def test_warps_that_the_filters_do_not_allow_are_refused_at_once(with_warps):
    with pytest.raises(AsrError, match=r"vocal-tract warp 0\.01: impossible"):
        with_warps(0.0, -0.99)
