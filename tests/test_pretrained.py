"""The model that comes with the package: found, used by every command, read-only, zipped, in the wheel."""

import json
import posixpath
import shutil
import tomllib
import zipfile
from pathlib import Path, PurePath

import pytest
import soundfile

import asr
from asr import pretrained
from asr.compact import check_size, compact
from asr.config import LEXICON
from asr.errors import AsrError
from asr.model.bundle import load_bundle, save_bundle
from tests.cli.conftest import run as run  # the fixture

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def without(tmp_path, monkeypatch):
    """A package that comes without a model."""
    monkeypatch.setattr(pretrained, "_place", lambda: tmp_path / "package" / "model")
    (tmp_path / "package").mkdir()
    return tmp_path / "package"


@pytest.fixture
def shipped(without, word_model):
    """A package that comes with the model of words, made small."""
    small = compact(load_bundle(word_model), without, lm_bytes=10_000)
    save_bundle(without / "model", small, "# Comes along\n")
    return without / "model"


@pytest.fixture
def sound(tmp_path, babble):
    soundfile.write(tmp_path / "a.wav", babble(3.0), 16000)
    return tmp_path / "a.wav"


def test_python_takes_it_where_no_model_is_named(shipped, babble):
    heard = asr.load().transcribe(babble(3.0))
    assert heard.text == asr.load(shipped).transcribe(babble(3.0)).text != ""
    assert asr.load(beam=3).decoding.beam == 3


def test_every_command_takes_it_where_no_model_is_named(shipped, run, sound, tmp_path):
    expected = asr.load(shipped).transcribe(sound).text
    heard = run("transcribe", sound)
    assert heard.exit_code == 0, heard.stderr
    assert heard.stdout.strip() == expected
    facts = run("info")
    assert facts.exit_code == 0 and "# Comes along" in facts.stdout and "in 8 bits" in facts.stdout
    aligned = run("align", sound, "-", "--max-misfit", "1000", input="a cat sat")
    assert [word["text"] for word in json.loads(aligned.stdout)["words"]] == ["A", "CAT", "SAT"]
    inside = run("inspect", sound, "--output", tmp_path / "inside")
    assert inside.exit_code == 0, inside.stderr
    chapter = tmp_path / "dev" / "1" / "2"
    chapter.mkdir(parents=True)
    soundfile.write(chapter / "1-2-0000.flac", soundfile.read(sound)[0], 16000)
    (chapter / "1-2.trans.txt").write_text("1-2-0000 A CAT SAT\n")
    scored = run("evaluate", tmp_path / "dev", "--json", tmp_path / "dev.json")
    assert scored.exit_code == 0, scored.stderr
    assert json.loads((tmp_path / "dev.json").read_text())["model"] == "pretrained"


def test_a_model_that_is_named_comes_first(shipped, tiny_model, run, sound, monkeypatch):
    monkeypatch.setenv("ASR_MODEL", str(tiny_model))
    assert run("transcribe", sound).stdout.strip() == asr.load(tiny_model).transcribe(sound).text


@pytest.mark.parametrize("command", [["transcribe", "a.wav"], ["info"], ["align", "a.wav", "-"]])
def test_without_one_the_message_says_what_to_do(without, run, sound, monkeypatch, command):
    monkeypatch.chdir(sound.parent)
    result = run(*command, input="A")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "this copy of asr comes without one; name the folder of a model (--model DIR" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_python_says_it_too(without):
    with pytest.raises(AsrError, match=r"asr\.load\(DIR\)"):
        asr.load()


def test_its_files_are_as_they_were_after_use(shipped, babble):
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shipped.iterdir()}
    assert asr.load().transcribe(babble(2.0)).text
    assert before == {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in shipped.iterdir()}


def test_a_package_in_a_zip_file_unpacks_it(shipped, tmp_path, monkeypatch, babble):
    expected = asr.load().transcribe(babble(2.0)).text
    with zipfile.ZipFile(tmp_path / "asr.zip", "w") as file:
        for path in shipped.iterdir():
            file.write(path, f"asr/pretrained/model/{path.name}")
    place = zipfile.Path(tmp_path / "asr.zip", "asr/pretrained/model/")
    monkeypatch.setattr(pretrained, "_place", lambda: place)
    folder = pretrained.pretrained_model()
    assert folder != shipped
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in shipped.iterdir())
    assert asr.load().transcribe(babble(2.0)).text == expected


def test_the_place_is_that_of_the_package():
    assert Path(str(pretrained._place())) == REPOSITORY / "asr" / "pretrained" / "model"


def test_the_model_that_comes_along_is_whole_and_small():
    folder = REPOSITORY / "asr" / "pretrained" / "model"
    if not (folder / "bundle.json").is_file():
        pytest.skip("this copy comes without a model")
    assert check_size(folder, 20_000_000)
    bundle = load_bundle(folder, verify=True)
    assert bundle.is_quantised and bundle.gru is None and LEXICON not in bundle.unit_files
    for heading in ("Data", "Licenses", "Training", "As it is shipped", "Speakers", "Noise and telephone"):
        assert f"\n## {heading}\n" in bundle.card
    assert "\n## What it is not good for\n" in bundle.card


def test_every_file_of_it_is_in_the_wheel(shipped):
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["asr"]
    names = [path.name for path in shipped.iterdir()]
    assert len(names) > 5 and all(path.is_file() for path in shipped.iterdir())
    for name in [*names, "cmudict.json", "letter_to_sound.safetensors"]:
        assert any(PurePath("pretrained/model", name).match(pattern) for pattern in patterns), name
    assert "asr.*" in settings["packages"]["find"]["include"]  # asr.pretrained is one of them


def test_setuptools_finds_them(shipped, tmp_path, monkeypatch):
    setuptools = pytest.importorskip("setuptools")
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for name in ("LICENSE", "README.md", "asr/__init__.py", "asr/pretrained/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    shutil.copytree(shipped, tmp_path / "asr" / "pretrained" / "model")
    monkeypatch.chdir(tmp_path)
    distribution = setuptools.Distribution({"script_name": "setup.py"})
    distribution.parse_config_files()
    command = distribution.get_command_obj("build_py")
    command.ensure_finalized()
    found = {
        posixpath.normpath(f"{source}/{name}") for _, source, _, names in command.data_files for name in names
    }
    assert {f"asr/pretrained/model/{path.name}" for path in shipped.iterdir()} <= found
