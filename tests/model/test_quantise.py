"""Weights in 8 bits: how far off they are, what comes back, and what does not fit."""

import dataclasses
import json
import shutil
from difflib import SequenceMatcher

import pytest
import safetensors.torch
import torch

import asr
from asr.errors import AsrError
from asr.model.bundle import load_bundle, save_bundle
from asr.model.quantise import STEP, in_int8, is_matrix, quantise, restored
from asr.recurrent import CELLS


@pytest.mark.parametrize("cell", CELLS)
def test_a_weight_is_off_by_half_a_step_of_its_row(random_bundle, cell):
    weights = random_bundle(model={"cell": cell}).weights
    found = restored(in_int8(weights), "x")
    assert found.keys() == weights.keys()
    for name, weight in weights.items():
        if not is_matrix(name, weight):
            assert torch.equal(found[name], weight)
            continue
        steps = weight.abs().amax(-1, keepdim=True) / 127
        assert found[name].dtype == torch.float32
        assert bool(((found[name] - weight).abs() <= 0.5001 * steps).all())
        assert not torch.equal(found[name], weight)
    names = {name for name in weights if is_matrix(name, weights[name])}
    assert {"front_end.projection.weight", "output.weight"} < names
    assert any("weight_ih" in name for name in names) and not any("bias" in name for name in names)


def test_a_row_of_zeros_stays_one():
    found = restored(in_int8({"weight": torch.tensor([[0.0, 0.0], [2.0, -4.0]])}), "x")
    assert found["weight"].tolist()[0] == [0.0, 0.0]
    assert found["weight"][1].tolist() == pytest.approx([2.0, -4.0], abs=4 / 254)


def test_the_folder_is_smaller_and_decodes_as_the_bundle_did(random_bundle, tmp_path):
    plain = random_bundle(model={"channels": 2, "hidden_size": 32, "num_layers": 2})
    made = quantise(plain)
    save_bundle(tmp_path / "plain", plain, "")
    save_bundle(tmp_path / "small", made, "# Small\n")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("small", "plain")]
    assert sizes[0] < 0.4 * sizes[1]
    loaded = load_bundle(tmp_path / "small")
    assert loaded.is_quantised and not load_bundle(tmp_path / "plain").is_quantised
    for name, weight in made.weights.items():
        assert torch.equal(loaded.weights[name], weight)
    feats, lens = torch.randn(1, 40, 20), torch.tensor([40])
    expected, found = (bundle.build_model()(feats, lens)[0] for bundle in (plain, loaded))
    assert (found - expected).abs().max() < 0.2 and not torch.equal(found, expected)


def test_quantising_again_changes_nothing(random_bundle, tmp_path):
    once = quantise(random_bundle())
    twice = quantise(once)
    assert all(torch.equal(twice.weights[name], once.weights[name]) for name in once.weights)
    save_bundle(tmp_path / "once", once, "")
    save_bundle(tmp_path / "again", load_bundle(tmp_path / "once"), "")
    for file in (tmp_path / "once").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_a_quantised_model_transcribes_alike(tiny_model, tmp_path, babble):
    save_bundle(tmp_path / "small", quantise(load_bundle(tiny_model)), "")
    heard = [asr.load(folder).transcribe(babble(3.0)).text for folder in (tiny_model, tmp_path / "small")]
    # weights drawn at random are less sure of what they hear than any that were trained
    assert len(heard[0]) > 20 and SequenceMatcher(None, *heard).ratio() > 0.85


@pytest.mark.parametrize("change", ["missing", "of another shape"])
def test_a_matrix_needs_its_steps(random_bundle, change):
    kept = in_int8(random_bundle().weights)
    if change == "missing":
        del kept["output.weight" + STEP]
    else:
        kept["output.weight" + STEP] = torch.ones(3)
    with pytest.raises(AsrError, match=r"^here: output\.weight is kept in 8 bits and a step for each row"):
        restored(kept, "here")


def test_a_folder_of_the_first_version_is_read(tiny_model, tmp_path, random_bundle):
    folder = shutil.copytree(tiny_model, tmp_path / "old")
    index = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(index | {"format": 1}))
    assert dataclasses.replace(load_bundle(folder), weights={}).tokens == random_bundle().tokens
    assert safetensors.torch.load_file(folder / "model.safetensors")["output.weight"].dtype == torch.float32
