"""`asr info` on audio files and models."""

import dataclasses

import msgspec
import numpy as np
import pytest
import soundfile

from asr.lm.gru import GruLanguageModel, GruNetwork, GruShape
from asr.lm.gru_folder import save_gru
from asr.lm.tables import SPECIAL
from asr.model.bundle import load_bundle, save_bundle


def test_audio(run, tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros((66150, 2)), 44100, subtype="PCM_24")
    result = run("info", tmp_path / "a.flac")
    assert result.exit_code == 0
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()[1:]]
    assert result.stdout.startswith(str(tmp_path / "a.flac"))
    assert ["length", "1.500 seconds"] in lines
    assert ["sample", "rate  44100 Hz"] in lines
    assert ["channels", "2"] in lines
    assert ["format", "FLAC, PCM_24"] in lines


def test_model(run, tiny_model):
    result = run("info", tiny_model)
    assert result.exit_code == 0
    parameters = sum(weight.numel() for weight in load_bundle(tiny_model).weights.values())
    for fact in (
        f"{parameters:,}",
        "1 × 8 gru, bidirectional",
        "29 with the blank, characters: | ' A B",
        "20 fbank",
    ):
        assert fact in result.stdout
    assert "synthetic train" in result.stdout
    assert "WER 100.00 %" in result.stdout


def test_a_model_with_other_settings(run, tmp_path, random_bundle):
    bundle = random_bundle(
        features={"kind": "mfcc", "deltas": 2, "num_ceps": 7, "cmvn": "utterance"},
        model={"bidirectional": False, "subsampling": 3, "hidden_size": 8, "num_layers": 2},
        corpus={"also": {"tapes": {"source": "folder", "root": "tapes"}}},
        decoding={"method": "beam", "beam": 5, "warps": [-0.05, 0.0, 0.05]},
    )
    save_bundle(tmp_path / "model", bundle, "card")
    result = run("info", tmp_path / "model")
    for fact in (
        "synthetic train, tapes",
        "7 mfcc, 2 × deltas",
        "utterance normalisation",
        "2 × 8 gru, forward",
        "3 frames one",
        "beam 5, top 8, the mean of the warps -0.05 0 0.05",
    ):
        assert fact in result.stdout


def test_a_model_of_words(run, word_model):
    result = run("info", word_model)
    assert result.exit_code == 0
    for fact in (
        "9 words, 9 spellings",
        "2-gram of 10 words, ",
        "words, beam 12, top 8, language model × 0.5, word score 1",
    ):
        assert fact in result.stdout


def test_a_model_that_rescores(run, tmp_path, word_model):
    shape = GruShape(vocabulary_size=4, embedding_size=16, hidden_size=4)
    save_gru(tmp_path / "gru", shape, GruLanguageModel([*SPECIAL, "CAT"], GruNetwork(shape)), "card")
    bundle = load_bundle(word_model)
    decoding = msgspec.structs.replace(bundle.config.decoding, gru_share=0.5)
    config = msgspec.structs.replace(bundle.config, decoding=decoding)
    bundle = dataclasses.replace(bundle, config=config, gru=tmp_path / "gru")
    save_bundle(tmp_path / "model", bundle, "card")
    result = run("info", tmp_path / "model")
    assert "GRU language model of 4 words, " in result.stdout
    assert "64 best rescored, GRU's share 0.5" in result.stdout


@pytest.mark.parametrize(("names", "status"), [(["a.wav", "bad.wav"], 1), (["bad.wav", "empty"], 2)])
def test_what_cannot_be_read_is_named_and_the_rest_is_shown(run, tmp_path, names, status):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    (tmp_path / "bad.wav").write_text("no sound")
    (tmp_path / "empty").mkdir()
    result = run("info", *(tmp_path / name for name in names))
    assert result.exit_code == status
    assert ("1.000 seconds" in result.stdout) == ("a.wav" in names)
    assert "bad.wav: not readable as audio" in result.stderr
    assert ("bundle.json is missing" in result.stderr) == ("empty" in names)


def test_a_name_that_is_too_long(run):
    result = run("info", "a" * 300)
    assert result.exit_code == 2
    assert result.stderr == f"asr: {'a' * 300}: cannot be opened (File name too long)\n"
