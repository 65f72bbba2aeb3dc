"""What is seen belongs to the model's own forward pass, and to the loss of the text."""

import numpy as np
import pytest
import soundfile
import torch

from asr.errors import AsrError
from asr.inspection import inspect_file
from asr.inspection.results import summarise, write_arrays
from asr.inspection.utterance import traced
from asr.model.ctc import ctc_loss
from asr.transcribe import Recogniser
from asr.units.characters import CharacterUnits


def recogniser_of(bundle):
    return Recogniser(bundle, torch.device("cpu"), bundle.config.decoding)


@pytest.fixture(scope="module")
def sound(tmp_path_factory, babble):
    path = tmp_path_factory.mktemp("sounds") / "a.wav"
    soundfile.write(path, babble(1.2), 16000)
    return path


@pytest.fixture(scope="module")
def recogniser(random_bundle):
    return recogniser_of(random_bundle(model={"num_layers": 2}))


@pytest.fixture(scope="module")
def inspection(recogniser, sound):
    return inspect_file(recogniser, sound)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("cell", ["gru", "gru_reset_after"])
def test_the_traced_model_scores_as_the_model_does(random_bundle, cell, residual):
    model = random_bundle(model={"num_layers": 2, "cell": cell, "residual": residual}).build_model()
    feats = torch.randn(50, 20)
    with torch.no_grad():
        expected, _ = model(feats[None], torch.tensor([50]))
        log_probs, traces = traced(model, feats)
        again, _ = model(feats[None], torch.tensor([50]))
    torch.testing.assert_close(log_probs, expected[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(again, expected, atol=0, rtol=0)  # the layers are as they were
    assert [len(layer) for layer in traces] == [2, 2]


def test_the_words_are_those_that_are_transcribed(inspection, recogniser, sound):
    expected = recogniser.transcribe(sound)
    assert inspection.hyp.text == inspection.text == expected.text != ""
    assert [word.start for word in inspection.hyp.words] == [word.start for word in expected.words]


def test_words_are_those_of_the_search_and_the_loss_is_of_what_is_heard_without_it(word_model, sound):
    recogniser = Recogniser.load(word_model)
    found, expected = inspect_file(recogniser, sound), recogniser.transcribe(sound)
    assert (found.hyp.text, found.hyp.words) == (expected.text, expected.words)
    assert found.text == Recogniser.load(word_model, decoder="greedy").transcribe(sound).text
    assert found.text != found.hyp.text != ""


def test_layers_and_frames_are_aligned(inspection):
    assert [(one.layer, one.name) for one in inspection.directions] == [
        (1, "forward"),
        (1, "backward"),
        (2, "forward"),
        (2, "backward"),
    ]
    frames = -(-len(inspection.feats) // 4)
    assert inspection.frame_seconds == pytest.approx(4 * inspection.feat_seconds)
    for one in inspection.directions:
        assert one.reset.shape == one.update.shape == one.states.shape == (frames, 8)
        assert one.gradient.shape == (frames,)


def test_the_gradient_of_the_topmost_state_is_that_of_the_loss(random_bundle, sound):
    """Without recurrent weights no state depends on another, so ∂loss/∂h_t comes through the output alone."""
    bundle = random_bundle(model={"residual": False})
    weights = dict(bundle.weights)
    weights["layers.0.layers.0.weight_hh"] = torch.zeros_like(weights["layers.0.layers.0.weight_hh"])
    bias = weights["layers.0.layers.0.bias"].clone()
    bias[:, 8:16] = 40.0  # z = 1: the state is the candidate
    weights["layers.0.layers.0.bias"] = bias
    object.__setattr__(bundle, "weights", weights)
    recogniser = recogniser_of(bundle)
    found = inspect_file(recogniser, sound, "so it is")
    assert found.text == "SO IT IS"
    model = bundle.build_model()
    y = np.concatenate([one.states for one in found.directions], axis=1)
    y = torch.from_numpy(y).requires_grad_()
    log_probs = model.output(model.output_norm(y)).log_softmax(-1)
    target = torch.tensor([CharacterUnits(bundle.tokens).encode("SO IT IS")])
    loss = ctc_loss(log_probs[None], torch.tensor([len(y)]), target, torch.tensor([target.shape[1]]))[0]
    (gradient,) = torch.autograd.grad(loss, y)
    assert found.loss == pytest.approx(loss.item(), rel=1e-4)
    for d, one in enumerate(found.directions):
        expected = gradient[:, 8 * d : 8 * d + 8].norm(dim=1).numpy()
        np.testing.assert_allclose(one.gradient, expected, rtol=1e-3, atol=1e-6)


def test_the_summary_is_of_the_arrays(inspection):
    summary = summarise(inspection)
    for one, numbers in zip(inspection.directions, summary.directions, strict=True):
        assert numbers.reset.mean == pytest.approx(one.reset.mean(), rel=1e-5)
        assert numbers.update.closed == pytest.approx(np.mean(one.update < 0.1))
        assert numbers.update.open == pytest.approx(np.mean(one.update > 0.9))
        memory = 1 / one.update.mean(axis=0)
        assert numbers.memory_frames == pytest.approx(np.quantile(memory, [0.1, 0.5, 0.9]).tolist(), rel=1e-5)
        assert numbers.gradient_max == pytest.approx(one.gradient.max())


def test_the_arrays_load_without_pickle(inspection, tmp_path):
    write_arrays(tmp_path / "x.npz", inspection)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as loaded:
        assert loaded["words"].tolist() == [word.text for word in inspection.hyp.words]
        for one in inspection.directions:
            prefix = f"layer{one.layer}_{one.name}_"
            for name in ("reset", "update", "states", "gradient"):
                np.testing.assert_array_equal(loaded[prefix + name], getattr(one, name))
            assert loaded[prefix + "memory"].shape == (8,)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.zeros(16000), "speech expected, found silence (1.000 s)"),
        (np.full(100, 0.5), "0.006 s is shorter than a frame"),
        (np.full(31 * 16000, 0.1), "one utterance of at most 30 s expected, found 31.0 s"),
    ],
)
def test_sounds_without_an_utterance_are_refused(recogniser, tmp_path, samples, sentence):
    path = tmp_path / "b.wav"
    soundfile.write(path, samples, 16000)
    with pytest.raises(AsrError, match=r"b\.wav: ") as caught:
        inspect_file(recogniser, path)
    assert sentence in str(caught.value)


def test_texts_that_cannot_be_followed_are_refused(recogniser, sound):
    with pytest.raises(AsrError, match="30 frames are too few to spell 'AAAA"):
        inspect_file(recogniser, sound, "A" * 40)
    with pytest.raises(AsrError, match="the model heard no words in it"):
        inspect_file(recogniser, sound, " ")


def test_a_cell_without_gates_names_those_that_have(random_bundle, sound, monkeypatch):
    monkeypatch.setattr("asr.inspection.utterance.GATED", ("gru_reset_after",))
    with pytest.raises(AsrError, match=r"cell gru: .* which are those of gru_reset_after"):
        inspect_file(recogniser_of(random_bundle()), sound)
