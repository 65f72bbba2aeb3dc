"""The model folder: what comes back, how it is replaced, and every way in which it can be damaged."""

import dataclasses
import errno
import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from asr.errors import AsrError
from asr.model.bundle import FORMAT_VERSION, load_bundle, save_bundle
from asr.recurrent import CELLS


@pytest.fixture
def folder(tiny_model, tmp_path):
    """A copy to damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def rewrite(folder, name, content):
    """Change a file and its checksum, as whoever meant to would."""
    (folder / name).write_bytes(content)
    index = json.loads((folder / "bundle.json").read_text())
    index["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(index))


def reweigh(folder, change):
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    change(weights)
    rewrite(folder, "model.safetensors", safetensors.torch.save(weights))


def reindex(folder, **changes):
    index = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(index | changes))


# --- what comes back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cmvn", ["global", "utterance", "none"])
@pytest.mark.parametrize("cell", CELLS)
def test_what_is_saved_is_loaded(random_bundle, tmp_path, cmvn, cell):
    saved = random_bundle(features={"cmvn": cmvn, "deltas": 1}, model={"cell": cell, "hidden_size": 8})
    save_bundle(tmp_path / "deep" / "model", saved, "# A card\n")
    loaded = load_bundle(tmp_path / "deep" / "model")

    assert loaded.config == saved.config
    assert loaded.tokens == saved.tokens
    assert loaded.card == "# A card\n"
    assert (tmp_path / "deep" / "model" / "cmvn.json").exists() == (cmvn == "global")
    if cmvn == "global":
        np.testing.assert_array_equal(loaded.cmvn_mean, saved.cmvn_mean)
        np.testing.assert_array_equal(loaded.cmvn_std, saved.cmvn_std)
    else:
        assert loaded.cmvn_mean is None and loaded.cmvn_std is None
    assert loaded.weights.keys() == saved.weights.keys()
    assert all(torch.equal(loaded.weights[name], saved.weights[name]) for name in saved.weights)


def test_the_loaded_model_computes_the_same_and_is_in_evaluation_mode(tiny_model, random_bundle):
    feats, lens = torch.randn(2, 50, 20), torch.tensor([50, 31])
    loaded, saved = load_bundle(tiny_model).build_model(), random_bundle().build_model()
    assert not loaded.training
    assert torch.equal(loaded(feats, lens)[0], saved(feats, lens)[0])


def test_loading_leaves_the_random_numbers_alone(tiny_model):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    load_bundle(tiny_model).build_model()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_bundle_gives_the_same_bytes(tiny_model, random_bundle, tmp_path):
    save_bundle(tmp_path / "again", random_bundle(), load_bundle(tiny_model).card)
    for file in tiny_model.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_weights_that_share_memory_are_saved(random_bundle, tmp_path):
    saved = random_bundle()
    joined = torch.cat([weight.flatten() for weight in saved.weights.values()])
    parts = joined.split([weight.numel() for weight in saved.weights.values()])
    views = {
        name: part.view(weight.shape)
        for (name, weight), part in zip(saved.weights.items(), parts, strict=True)
    }
    save_bundle(tmp_path / "model", dataclasses.replace(saved, weights=views), "")
    loaded = load_bundle(tmp_path / "model")
    assert all(torch.equal(loaded.weights[name], saved.weights[name]) for name in views)


# --- replacing ---------------------------------------------------------------------------------------------


def test_a_model_is_replaced_and_nothing_else_is_left(folder, random_bundle):
    save_bundle(folder, random_bundle(features={"cmvn": "none"}), "# New\n")
    assert load_bundle(folder).card == "# New\n"
    assert not (folder / "cmvn.json").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_link_to_a_model_folder_stays_a_link(folder, random_bundle):
    link = folder.parent / "latest"
    link.symlink_to(folder)
    save_bundle(link, random_bundle(), "# New\n")
    assert link.is_symlink() and load_bundle(folder).card == "# New\n"


def test_a_full_disk_leaves_the_old_model(folder, random_bundle, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AsrError, match=r"model: cannot be written: the disk is full"):
        save_bundle(folder, random_bundle(), "# New\n")
    assert load_bundle(folder).card.startswith("# Tiny")
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_the_old_model_comes_back_if_the_new_one_cannot_take_its_place(folder, random_bundle, monkeypatch):
    rename = Path.rename

    def fail_for_the_new_one(self, target):
        if self.name.endswith(".partial"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(AsrError, match="cannot be written"):
        save_bundle(folder, random_bundle(), "# New\n")
    assert load_bundle(folder).card.startswith("# Tiny")
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_folder_that_is_no_model_is_never_replaced(tmp_path, random_bundle):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(AsrError, match=r"holds files but no bundle\.json"):
        save_bundle(tmp_path, random_bundle(), "")
    with pytest.raises(AsrError, match="a file is there already"):
        save_bundle(tmp_path / "thesis.txt", random_bundle(), "")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tokens": ["<blank>", "A"]}, r"output\.bias: expected 2, found 29"),
        ({"tokens": ["A", "B"]}, "first token must be <blank>"),
        ({"cmvn_mean": None}, "none of the corpus were found"),
        ({"weights": {}}, "found no such weight"),
    ],
)
def test_what_would_not_load_is_not_saved(tmp_path, random_bundle, changes, sentence):
    with pytest.raises(AsrError, match=sentence):
        save_bundle(tmp_path / "model", dataclasses.replace(random_bundle(), **changes), "")
    assert list(tmp_path.iterdir()) == []


# --- damage ------------------------------------------------------------------------------------------------


def flip_a_bit(folder, name, place):
    content = bytearray((folder / name).read_bytes())
    content[place] ^= 1
    (folder / name).write_bytes(content)


def json_bytes(**content):
    return json.dumps(content).encode()


DAMAGES = {
    "config.toml missing": (lambda f: (f / "config.toml").unlink(), r"config\.toml is missing"),
    "bundle.json missing": (lambda f: (f / "bundle.json").unlink(), r"bundle\.json is missing"),
    "weights missing": (lambda f: (f / "model.safetensors").unlink(), r"model\.safetensors is missing"),
    "card missing": (lambda f: (f / "card.md").unlink(), r"card\.md is missing"),
    "cmvn missing": (lambda f: (f / "cmvn.json").unlink(), r"cmvn\.json is missing"),
    "file is a folder": (
        lambda f: ((f / "card.md").unlink(), (f / "card.md").mkdir()),
        r"card\.md: cannot be read",
    ),
    "older format": (lambda f: reindex(f, format=0), "model format 2 or an earlier one was expected, 0 was"),
    "newer format": (lambda f: reindex(f, format=3, files=[]), "model format 2 or an .* expected, 3 was"),
    "no format": (lambda f: (f / "bundle.json").write_text("{}"), "None was found"),
    "index is no JSON": (lambda f: (f / "bundle.json").write_text("format: 1"), r"bundle\.json: damaged"),
    "index is no text": (lambda f: (f / "bundle.json").write_bytes(b"\xff\xfe"), r"bundle\.json: damaged"),
    "index is a list": (lambda f: (f / "bundle.json").write_text("[1]"), r"bundle\.json: damaged"),
    "index without files": (lambda f: (f / "bundle.json").write_text('{"format": 1}'), "damaged"),
    "index lists too little": (lambda f: reindex(f, files={}), r"does not list model\.safetensors"),
    "index leads outside": (lambda f: reindex(f, files={"../x": ""}), "outside of the model folder"),
    "byte of weights": (
        lambda f: flip_a_bit(f, "model.safetensors", -1),
        r"safetensors: its content differs",
    ),
    "byte of weights' header": (
        lambda f: flip_a_bit(f, "model.safetensors", 0),
        r"safetensors: its content differs",
    ),
    "byte of config": (lambda f: flip_a_bit(f, "config.toml", 40), r"config\.toml: its content differs"),
    "byte of tokens": (lambda f: flip_a_bit(f, "tokens.txt", 12), r"tokens\.txt: its content differs"),
    "byte of card": (lambda f: flip_a_bit(f, "card.md", 3), r"card\.md: its content differs"),
    "cut short": (
        lambda f: os.truncate(f / "model.safetensors", 100),
        r"model\.safetensors: its content differs",
    ),
    "no safetensors": (
        lambda f: rewrite(f, "model.safetensors", b"hello" * 9),
        r"model\.safetensors: not a safetensors file",
    ),
    "empty weights file": (lambda f: rewrite(f, "model.safetensors", b""), "not a safetensors file"),
    "weight too many": (
        lambda f: reweigh(f, lambda w: w.update(more=torch.ones(2))),
        "more: expected no such weight, found 2",
    ),
    "weight too few": (
        lambda f: reweigh(f, lambda w: w.pop("output.bias")),
        r"output\.bias: expected 29, found no such weight",
    ),
    "weight of another shape": (
        lambda f: reweigh(f, lambda w: w.update({"output.weight": torch.ones(29, 15)})),
        r"output\.weight: expected 29×16, found 29×15",
    ),
    "weight not finite": (
        lambda f: reweigh(f, lambda w: w["output.bias"].fill_(float("nan"))),
        r"output\.bias holds values that are not finite",
    ),
    "token too few": (
        lambda f: rewrite(f, "tokens.txt", b"<blank>\n|\nA\n"),
        r"output\.bias: expected 3, found 29",
    ),
    "token twice": (
        lambda f: rewrite(f, "tokens.txt", b"<blank>\n" + b"A\n" * 28),
        "different from each other",
    ),
    "no tokens": (lambda f: rewrite(f, "tokens.txt", b""), "first token must be <blank>"),
    "tokens in another encoding": (
        lambda f: rewrite(f, "tokens.txt", "<blank>\nÄ\n".encode("latin-1")),
        r"tokens\.txt: not UTF-8",
    ),
    "config is no TOML": (lambda f: rewrite(f, "config.toml", b"="), r"config\.toml: not a TOML file"),
    "config with unknown key": (
        lambda f: rewrite(f, "config.toml", b"x = 1\n" + (f / "config.toml").read_bytes()),
        r"config\.toml: wrong configuration",
    ),
    "cmvn is no JSON": (lambda f: rewrite(f, "cmvn.json", b"mean"), r"cmvn\.json: damaged"),
    "cmvn of another size": (
        lambda f: rewrite(f, "cmvn.json", json_bytes(mean=[0.0], std=[1.0])),
        "20 means and deviations were expected, 1 and 1",
    ),
    "cmvn with zero deviation": (
        lambda f: rewrite(f, "cmvn.json", json_bytes(mean=[0.0] * 20, std=[0.0] * 20)),
        "deviations above zero",
    ),
    "cmvn not listed": (
        lambda f: reindex(
            f,
            files={
                k: v
                for k, v in json.loads((f / "bundle.json").read_text())["files"].items()
                if k != "cmvn.json"
            },
        ),
        r'cmvn\.json: features\.cmvn is "global", none of the corpus were found',
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_a_sentence_that_names_the_file(folder, damage):
    break_it, sentence = DAMAGES[damage]
    break_it(folder)
    with pytest.raises(AsrError, match=sentence) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(AsrError, match="a model folder was expected, nothing is there"):
        load_bundle(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(AsrError, match="a model folder was expected, a file is there"):
        load_bundle(tmp_path / "file")


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("protocol", [None, 2, 3, 4, 5])
@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "best.ckpt"])
@pytest.mark.parametrize("direct", [False, True])
def test_a_pickle_is_refused_and_never_opened(folder, tmp_path, protocol, name, direct):
    mark = tmp_path / "sprung"
    (folder / "model.safetensors").unlink()
    if protocol is None:
        torch.save({"x": Trap(mark)}, folder / name)  # a zip archive
    else:
        (folder / name).write_bytes(pickle.dumps(Trap(mark), protocol=protocol))
    given = folder / name if direct and name != "model.safetensors" else folder
    with pytest.raises(AsrError, match=rf"{name}: a pickle, which can run any code"):
        load_bundle(given)
    assert not mark.exists()


def test_the_pickles_of_this_test_are_dangerous(tmp_path):
    mark = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(mark)))
    assert mark.exists()


def test_a_pickle_with_a_matching_checksum_is_refused_too(folder, tmp_path):
    mark = tmp_path / "sprung"
    rewrite(folder, "model.safetensors", pickle.dumps(Trap(mark)))
    with pytest.raises(AsrError, match="a pickle"):
        load_bundle(folder)
    assert not mark.exists()


def test_the_version_of_the_layout_is_written(tiny_model):
    assert json.loads((tiny_model / "bundle.json").read_text())["format"] == FORMAT_VERSION
