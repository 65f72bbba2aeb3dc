"""Every bad input that a user may bring, in one table: what is done, what is said about it, what goes on.

The rooms' own tests go deeper; here each case goes the whole way through a command or a recipe.
"""

import contextlib
import errno
import hashlib
import io
import json
import logging
import os
import pickle
import re
import shutil
import struct
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.cli import app
from asr.corpus import librispeech
from asr.corpus.manifest import read_manifest
from asr.training.checkpoint import checkpoints, load_checkpoint
from recipes import run as recipe_runner

RATE = 16000
CONFIG = """
[corpus]
source = "folder"
root = "ROOT"
train = ["train"]
dev = ["dev"]
test = ["test"]
[features]
num_bins = 13
[batching]
workers = 0
max_seconds = 60
[model]
channels = 2
hidden_size = 8
num_layers = 1
[training]
epochs = 2
threads = 1
device = "cpu"
"""
SYNTHESIS = "1, of synthesised speech"
SYNTHETIC = """
[corpus]
source = "synthetic"
root = "ROOT"
[synthesis]
train_utterances = 1
dev_utterances = 1
test_utterances = 1
"""
FULL = "the disk is full; free some space and run the same command again"
READ_ONLY = r"cannot be written: (no permission|the file system is read-only|Not a directory|No such file)"


# --- sounds ------------------------------------------------------------------------------------------------


def sound(seconds=2.0, rate=RATE, channels=1, seed=1):
    """Noise (S,) or (S, channels)."""
    rng = np.random.default_rng(seed)
    samples = 0.2 * rng.standard_normal(round(seconds * rate))
    return samples if channels == 1 else np.stack([samples] * channels, axis=1)


def encoded(samples, rate=RATE, container="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def with_nan():
    samples = sound()
    samples[8000] = np.nan
    return encoded(samples, subtype="FLOAT")


def lying():
    """A WAV file whose header promises ten times as much sound as there is."""
    content = bytearray(encoded(sound()))
    struct.pack_into("<I", content, 40, 10 * struct.unpack_from("<I", content, 40)[0])
    return bytes(content)


def three_hours(path):
    """Two seconds of noise, then a hole that the file system need not store."""
    size = 3 * 3600 * RATE * 2
    header = bytearray(encoded(sound()))
    struct.pack_into("<I", header, 4, size + 36)
    struct.pack_into("<I", header, 40, size)
    path.write_bytes(header)
    os.truncate(path, size + 44)


GOOD = encoded(sound())


# --- the user's desk ---------------------------------------------------------------------------------------


class Desk:
    """A folder to work in, and a command."""

    def __init__(self, folder, request, monkeypatch):
        self.folder, self.monkeypatch, self.fixture = folder, monkeypatch, request.getfixturevalue

    def asr(self, *arguments):
        """Run `asr`; (exit status, lines on stdout, stderr)."""
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        logging.getLogger("asr").handlers = []  # it writes to what the runner has closed
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result.exit_code, result.stdout.splitlines(), result.stderr


def run_recipe(*arguments):
    """Run a recipe; (exit status, lines on stdout, stderr). Any exception but a sentence comes through."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = recipe_runner.main([str(argument) for argument in arguments])
    return status, out.getvalue().splitlines(), err.getvalue()


def is_sentence(status, errors, words, expected=1):
    """The exit status, and one line at the end that says why; before it there may be what a recipe logs."""
    assert status == expected, errors
    lines = errors.splitlines()
    assert [line for line in lines if re.match("asr: |error: ", line)] == lines[-1:], errors
    assert re.search(words, lines[-1]), errors
    assert "Traceback" not in errors


@pytest.fixture
def desk(tmp_path, request, monkeypatch):
    monkeypatch.delenv("ASR_MODEL", raising=False)
    monkeypatch.setattr(logging.getLogger("asr"), "handlers", [])
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, request, monkeypatch)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """A recipe that was run from its first step to its last on speech with every bad file of the table."""
    folder = tmp_path_factory.mktemp("spoilt")
    root, recipe = folder / "speech", folder / "recipe"
    for seed, name in enumerate(("train/ann/1", "train/ann/2", "train/bob/3", "dev/cy/4", "test/di/5")):
        write(root / f"{name}.wav", encoded(sound(seed=seed)))
        write(root / f"{name}.txt", b"THE CAT SAT ON A MAT")
    for name, (scene, files, _) in TABLE.items():
        if scene in (left_out, kept):
            for file, content in files.items():
                write(root / "train" / file, content)
        elif scene in (unreadable, converted):
            write(root / "train" / "eve" / f"{slug(name)}.wav", files)
            write(root / "train" / "eve" / f"{slug(name)}.txt", b"A CAT")
    write(root / "test" / "di" / "nan.wav", with_nan())
    write(root / "test" / "di" / "nan.txt", b"A CAT")
    write(recipe / "config.toml", CONFIG.replace("ROOT", str(root)).encode())
    status, lines, errors = run_recipe(recipe, "--exp", folder / "exp")
    assert status == 0, errors
    told = errors + (folder / "exp" / "corpus" / "skipped.txt").read_text()
    return SimpleNamespace(recipe=recipe, exp=folder / "exp", lines=lines, told=told)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def slug(name):
    return re.sub(r"\W+", "-", name)


# --- scenes: the user does something, and looks at what comes of it ----------------------------------------


def transcribed(desk, name, content, *options):
    """Transcribe a folder with a bad file between two good ones: (status, what became of it, stderr)."""
    folder = desk.folder / "sounds"
    for seed, file in enumerate(("a.wav", "z.wav")):
        write(folder / file, encoded(sound(seed=seed)))
    path = folder / f"{slug(name)}.wav"
    content(path) if callable(content) else path.write_bytes(content)
    status, lines, errors = desk.asr(
        *options, "transcribe", "sounds", "--model", desk.fixture("tiny_model"), "--format", "json"
    )
    found = {Path(line["audio"]).name: line for line in map(json.loads, lines)}
    assert found.pop("a.wav")["text"] and found.pop("z.wav")["text"]
    return status, found.get(path.name), errors


def unreadable(desk, name, content, words):
    """The file is named; the others are transcribed, and trained on."""
    status, found, errors = transcribed(desk, name, content)
    assert found is None
    is_sentence(status, errors, f"^asr: sounds/{slug(name)}.wav: .*{words}")
    assert re.search(f"train-eve-{slug(name)}: ", desk.fixture("spoilt").told)
    trained(desk)


def converted(desk, name, content, words):
    """The file is heard; a remark on what was done to it comes only when asked for."""
    status, found, errors = transcribed(desk, name, content)
    assert (status, errors) == (0, "") and found["text"]
    remarks = transcribed(desk, name, content, "--verbose")[2]
    assert re.search(words, remarks) if words else not remarks
    assert f"train-eve-{slug(name)}" in trained(desk)


def silent(desk, name, content, words):
    """An empty text, and one warning."""
    status, found, errors = transcribed(desk, name, content)
    assert (found["text"], found["words"]) == ("", [])
    is_sentence(status, errors, f"^asr: sounds/{slug(name)}.wav: {words}; its text is empty", expected=0)


def trained(desk):
    """Ids of the training set of a recipe that came to its end."""
    spoilt = desk.fixture("spoilt")
    assert re.fullmatch(r"recipe: WER .*, 2 utterances", spoilt.lines[-2]), spoilt.lines
    ids = {row.utt_id for row in read_manifest(spoilt.exp / "corpus" / "train.jsonl")}
    assert ids >= {"train-ann-1", "train-ann-2", "train-bob-3"}
    return ids


def left_out(desk, name, files, words):
    """An utterance is named and left out of the training set; the others are trained on."""
    assert re.search(words, desk.fixture("spoilt").told)
    assert not trained(desk) & ids_of(files)


def kept(desk, name, files, words):
    """An utterance is remarked upon, and stays in the training set."""
    assert re.search(words, desk.fixture("spoilt").told)
    assert ids_of(files) <= trained(desk)


def ids_of(files):
    return {f"train-{Path(file).with_suffix('').as_posix().replace('/', '-')}" for file in files}


# --- downloads -----------------------------------------------------------------------------------------


def archive(member="LibriSpeech/train-clean-5/1/2/1-2.trans.txt"):
    """A tiny subset, packed as OpenSLR packs it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in (
            ("LibriSpeech/train-clean-5/1/2/1-2-0000.wav", GOOD),
            (member, b"1-2-0000 A CAT\n"),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def mirrors():
    """Addresses of mirrors by what is wrong with them; `mirrors.content` is the archive."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = found.content
            begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if self.path.startswith("/wrong/"):
                content = content[:-1] + bytes([content[-1] ^ 1])
            elif self.path.startswith("/cut/"):
                content = content[: len(content) // 2]
            self.wfile.write(content[begin:])

        def log_message(self, *_):
            pass

    found = SimpleNamespace(content=archive())
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()


def fetch(desk, names, content=None, root=Path("speech"), free=None):
    """Run a recipe's first step with these mirrors: (status, lines, stderr)."""
    if free is not None:
        desk.monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    mirrors = desk.fixture("mirrors")
    mirrors.content = content or mirrors.content
    md5 = hashlib.md5(mirrors.content).hexdigest()
    subset = librispeech.Subset(31, len(mirrors.content), md5, 1)
    desk.monkeypatch.setitem(librispeech.SUBSETS["mini_librispeech"], "train-clean-5", subset)
    desk.monkeypatch.setattr(librispeech, "MIRRORS", ())
    urls = ", ".join(f'"{mirrors.url}/{name}"' for name in names)
    recipe = desk.folder / "fetched"
    write(
        recipe / "config.toml",
        f"""[corpus]
        source = "mini_librispeech"
        root = "{desk.folder / root}"
        train = ["train-clean-5"]
        mirrors = [{urls}]""".encode(),
    )
    return run_recipe(recipe, "--exp", desk.folder / "fetching", "--stop-stage", "1")


def fetched_elsewhere(desk, name, mirror, words):
    """A mirror fails; the next one gives the rest."""
    status, _, errors = fetch(desk, [mirror, "good"])
    assert status == 0 and re.search(words, errors), errors
    assert (desk.folder / "speech/train-clean-5/1/2/1-2.trans.txt").read_text() == "1-2-0000 A CAT\n"


def evil_archive(desk, name, member, words):
    """Nothing of the archive is unpacked, inside or outside of its folder."""
    status, _, errors = fetch(desk, ["good"], archive(member))
    is_sentence(status, errors, words)
    assert {path.name for path in (desk.folder / "speech").rglob("*")} == {"train-clean-5.tar.gz"}
    assert not list(desk.folder.rglob("evil"))


# --- disks ---------------------------------------------------------------------------------------------


def one_step(desk, step, disk):
    """A function that runs a step whose files are on a disk, and how often the runner itself writes first."""
    if step == 1:
        return lambda: fetch(desk, ["good"], root=disk / "speech", free=10**9), 2
    if step == SYNTHESIS:
        pytest.importorskip("espeakng_loader")
        recipe = desk.folder / "synthesised"
        write(recipe / "config.toml", SYNTHETIC.replace("ROOT", str(disk / "speech")).encode())
        return lambda: run_recipe(recipe, "--exp", desk.folder / "exp", "--stop-stage", 1), 2
    spoilt = desk.fixture("spoilt")
    shutil.copytree(spoilt.exp, disk / "exp")
    options = ("--exp", disk / "exp", "--stage", step, "--stop-stage", step)
    return lambda: run_recipe(spoilt.recipe, *options), 1


def results(disk):
    """What the steps made, but for the times that they took."""
    files = {
        str(path.relative_to(disk)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in disk.rglob("*")
        if path.is_file() and not {".stamps", "train", "train.previous"} & set(path.parts)
    }
    return files, newest_weights(disk / "exp")


def newest_weights(exp):
    found = checkpoints(exp / "train")
    tensors = load_checkpoint(found[-1])[1] if found else {}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def disk_that_fills_up(desk, name, step, words):
    """The disk is full at the step's first file; with space again, the same command does the work."""
    disk = desk.folder / "disk"
    disk.mkdir()
    work, first = one_step(desk, step, disk)
    before, fsync, calls = results(disk), os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > first:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with desk.monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        is_sentence(*work()[::2], words)
    assert work()[0] == 0
    assert step in (1, SYNTHESIS) or results(disk) == before


def small_disk(desk, name, step, words):
    """The same on a real file system with more and more room, so that one file after another fills it."""
    disk = desk.fixture("tmpfs")
    work, _ = one_step(desk, step, disk)
    before = results(disk)
    for pages in (0, 2, 4, 8, 16, 32, 64, 128, 256):
        system = os.statvfs(disk)
        with (disk / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, system.f_bavail * system.f_frsize - 4096 * pages)
        status, _, errors = work()
        (disk / "filler").unlink()
        if status == 0:
            break
        is_sentence(status, errors, words)
    assert pages
    assert work()[0] == 0
    assert step in (1, SYNTHESIS) or results(disk) == before


@pytest.fixture
def tmpfs(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, timeout=60).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True, timeout=60)


def unwritable(desk, name, work, words):
    """The place is named before any work is done."""
    place = Path("/sys/asr") if Path("/sys").is_dir() else desk.folder / "file" / "asr"  # not even by root
    (desk.folder / "file").write_bytes(b"in the way")
    write(desk.folder / "sounds" / "a.wav", GOOD)
    write(desk.folder / "dev" / "1" / "2" / "1-2-0000.wav", GOOD)
    write(desk.folder / "dev" / "1" / "2" / "1-2.trans.txt", b"1-2-0000 A CAT\n")
    status, lines, errors = work(desk, place)
    is_sentence(status, errors, f"{place}.*{words}", expected=status or 1)
    assert lines == []


# --- configurations, models, checkpoints -------------------------------------------------------------------


def refused(desk, name, change, words):
    """A configuration is refused before anything is written."""
    folder = desk.folder / "mine"
    old, new = change
    assert old in CONFIG
    write(folder / "config.toml", CONFIG.replace(old, new).encode())
    status, lines, errors = run_recipe(folder, "--exp", desk.folder / "exp")
    is_sentence(status, errors, f"^error: {folder}/config.toml: .*{words}", expected=2)
    assert lines == [] and not (desk.folder / "exp").exists()


def damaged_model(desk, name, damage, words):
    """A model is refused as a whole; another one beside it is shown."""
    good, model = desk.fixture("tiny_model"), desk.folder / "model"
    shutil.copytree(good, model)
    damage(model)
    status, lines, errors = desk.asr("info", model, good)
    is_sentence(status, errors, f"^asr: {model}.*{words}")
    assert lines[0] == str(good) and "parameters" in lines[1]
    write(desk.folder / "a.wav", GOOD)
    status, lines, errors = desk.asr("transcribe", "a.wav", "--model", model)
    is_sentence(status, errors, words, expected=2)
    assert lines == []


def damaged_checkpoint(desk, name, damage, words):
    """Training goes on from the checkpoint before, to the same weights."""
    spoilt, exp = desk.fixture("spoilt"), desk.folder / "exp"
    shutil.copytree(spoilt.exp, exp)
    newest = checkpoints(exp / "train")[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    status, _, errors = run_recipe(spoilt.recipe, "--exp", exp, "--stop-stage", "6")
    assert status == 0, errors
    assert re.search(f"{newest}: {words}", errors)
    assert newest_weights(exp) == newest_weights(spoilt.exp) != {}


def flip(content):
    """The same bytes, one bit in the middle changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def rewrite(model, file, change):
    (model / file).write_bytes(change((model / file).read_bytes()))


class Trap:
    """What a pickle can do."""

    def __reduce__(self):
        return os.abort, ()


# --- the table ---------------------------------------------------------------------------------------------


def long(desk, name, content, words):
    """Three hours are heard from beginning to end."""
    status, found, errors = transcribed(desk, name, content)
    assert (status, errors) == (0, "")
    assert found["duration"] == 10800.0 and found["text"]


FLAC = encoded(sound(4.0), container="FLAC")
TEXT = b"These are words, and no sound.\n" * 20

TABLE = {
    # audio
    "empty file": (unreadable, b"", r"not readable as audio \(0 bytes\)"),
    "text file called .wav": (unreadable, TEXT, "not readable as audio: it holds text"),
    "truncated FLAC": (
        unreadable,
        FLAC[: len(FLAC) // 2],
        r"damaged: [12]\.\d\d of 4\.00 seconds",
    ),
    "header that lies about length": (unreadable, lying(), r"damaged: 2\.00 of 20\.00 seconds can be read"),
    "NaN samples": (unreadable, with_nan(), r"1 samples are not finite numbers, the first at 0\.500 s"),
    "8 kHz": (converted, encoded(sound(rate=8000), 8000), "the file has 8 kHz mono; resampling$"),
    "96 kHz": (converted, encoded(sound(rate=96000), 96000), "the file has 96 kHz mono; resampling$"),
    "6 channels": (converted, encoded(sound(channels=6)), "16 kHz with 6 channels; mixing down$"),
    "24 bits": (converted, encoded(sound(), subtype="PCM_24"), ""),
    "3 hours": (long, three_hours, ""),
    "all-zero samples": (silent, encoded(np.zeros(RATE)), r"silence \(1\.0 s\)"),
    "a header and no samples": (silent, encoded(np.zeros(0)), "0.000 s is shorter than a frame"),
    "shorter than a frame": (silent, encoded(sound(0.01)), "0.010 s is shorter than a frame"),
    # transcripts
    "transcript missing": (left_out, {"ann/mute.wav": GOOD}, "ann/mute.wav: the transcript is missing"),
    "transcript empty": (
        left_out,
        {"ann/void.wav": GOOD, "ann/void.txt": b" \n"},
        "train-ann-void: the transcript is empty",
    ),
    "transcript in another script": (
        left_out,
        {"ann/russian.wav": GOOD, "ann/russian.txt": "Кошка".encode()},
        "train-ann-russian: the transcript holds characters that cannot be written with A–Z: .*CYRILLIC",
    ),
    "transcript longer than the frames": (
        kept,
        {"ann/hasty.wav": GOOD, "ann/hasty.txt": b"A CAT SAT ON A MAT " * 9},
        r"train-ann-hasty: the transcript's \d+ units need \d+ frames .* 2\.00 s of audio give the model \d+"
        ".*; left out of training",
    ),
    "id twice": (
        kept,
        {"ann/twin.wav": GOOD, "ann/twin.flac": FLAC, "ann/twin.txt": b"A CAT"},
        "train-ann-twin: the id occurs twice; the first is kept",
    ),
    "speaker missing": (
        kept,
        {"nobody.wav": GOOD, "nobody.txt": b"A MAT"},
        "speakers: 1 utterances name no speaker; theirs is called 'unknown'",
    ),
    "clip shorter than a frame, in training": (
        kept,
        {"ann/blip.wav": encoded(sound(0.01)), "ann/blip.txt": b"A"},
        r"train-ann-blip: 0\.01 s is shorter than batching\.min_seconds = 0\.1; left out of training",
    ),
    "all-zero samples, in training": (
        kept,
        {"ann/zeros.wav": encoded(np.zeros(RATE)), "ann/zeros.txt": b"A CAT"},
        r"zeros\.wav: all samples are zero",
    ),
    # downloads
    "checksum that differs": (
        fetched_elsewhere,
        "wrong",
        "wrong content: MD5 .* expected, found .*; the damaged file was removed",
    ),
    "download cut in the middle": (
        fetched_elsewhere,
        "cut",
        r"the download was cut at [\d,]+ of [\d,]+ bytes",
    ),
    "archive with ../": (
        evil_archive,
        "../../evil",
        r"member '\.\./\.\./evil' would be written outside the folder.*; nothing was unpacked",
    ),
    # disks
    **{
        f"{name}, step {step}": (scene, step, FULL)
        for step in (1, SYNTHESIS, 2, 3, 4, 6, 7, 8, 9, 10)
        for name, scene in (("full disk", disk_that_fills_up), ("full tmpfs", small_disk))
        if step != SYNTHESIS or scene is small_disk  # processes of its own, which no test reaches into
    },
    "unwritable folder for transcripts": (
        unwritable,
        lambda desk, place: desk.asr(
            "transcribe", "sounds", "--model", desk.fixture("tiny_model"), "--output-dir", place
        ),
        READ_ONLY,
    ),
    "unwritable folder for figures": (
        unwritable,
        lambda desk, place: desk.asr(
            "evaluate", "dev", "--model", desk.fixture("tiny_model"), "--json", place / "dev.json"
        ),
        READ_ONLY,
    ),
    "unwritable folder for an experiment": (
        unwritable,
        lambda desk, place: run_recipe(desk.fixture("spoilt").recipe, "--exp", place),
        READ_ONLY,
    ),
    "unwritable folder for a corpus": (
        unwritable,
        lambda desk, place: fetch(desk, ["good"], root=place, free=10**9),
        READ_ONLY,
    ),
    # configurations
    "unknown key": (refused, ("epochs", "epoch"), "wrong configuration: .*unknown field `epoch`"),
    "wrong type": (refused, ("epochs = 2", 'epochs = "two"'), "Expected `int`, got `str`.*training.epochs"),
    "impossible value": (refused, ("epochs = 2", "epochs = 0"), "Expected `int` >= 1 .*training.epochs"),
    "values that disagree": (
        refused,
        ("max_seconds = 60", "max_seconds = 90"),
        "batching.seconds ≥ batching.max",
    ),
    "no configuration": (refused, (CONFIG, "epochs: 2"), "not a TOML file"),
    # models
    "model that lacks a file": (
        damaged_model,
        lambda model: (model / "tokens.txt").unlink(),
        "not a whole model folder: tokens.txt is missing",
    ),
    "model of another version": (
        damaged_model,
        lambda model: rewrite(model, "bundle.json", lambda old: old.replace(b'"format": 2', b'"format": 7')),
        "model format 2 or an earlier one was expected, 7 was found",
    ),
    "model with a changed byte": (
        damaged_model,
        lambda model: rewrite(model, "model.safetensors", flip),
        "model.safetensors: its content differs from the checksum",
    ),
    "pickle instead of safetensors": (
        damaged_model,
        lambda model: rewrite(model, "model.safetensors", lambda _: pickle.dumps(Trap())),
        "a pickle, which can run any code when it is opened, so it is refused",
    ),
    # checkpoints
    "checkpoint with a changed byte": (
        damaged_checkpoint,
        flip,
        "damaged checkpoint .*; the one before it is used",
    ),
    "checkpoint cut short": (
        damaged_checkpoint,
        lambda content: content[: len(content) // 2],
        "damaged checkpoint .*; the one before it is used",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_bad_input(desk, name):
    scene, action, words = TABLE[name]
    scene(desk, name, action, words)
