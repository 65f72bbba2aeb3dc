"""The command line within the test's process, and a folder of sounds."""

import logging

import pytest
import soundfile
from typer.testing import CliRunner

from asr.cli import app


@pytest.fixture
def run(monkeypatch):
    """A function that runs `asr` with arguments; its result has exit_code, stdout and stderr."""
    monkeypatch.delenv("ASR_MODEL", raising=False)
    monkeypatch.setattr(logging.getLogger("asr"), "handlers", [])  # set by each run, for its own stderr

    def invoke(*arguments, **options):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)

    return invoke


@pytest.fixture
def sounds(tmp_path, babble, monkeypatch):
    """The current folder, with four sounds in sounds/ and below it, and a text beside them."""
    folder = tmp_path / "sounds"
    for seed, name in enumerate(["b.wav", "a.flac", "deep/c.WAV", "deep/er/d.ogg"]):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, babble(1.0 + 0.5 * seed, seed=seed), 16000)
    (folder / "a.txt").write_text("what was said in a.flac")
    (folder / ".hidden.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return folder
