"""The command as a whole: help, version, and how it ends."""

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import asr
from asr.cli import transcribe as command
from asr.errors import AsrError

LIMIT = 120  # seconds that a process may take before it counts as hanging


@pytest.mark.parametrize("name", ["transcribe", "evaluate", "score", "info"])
def test_every_command_shows_an_example_of_itself(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"asr {name} " in result.stdout.split("Example")[1]
    assert name in run("--help").stdout


@pytest.mark.parametrize("arguments", [[], ["transcribe"], ["evaluate"], ["score"]])
def test_a_bare_command_shows_its_help_and_is_a_wrong_call(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: asr" in result.stdout + result.stderr


def test_version(run):
    assert run("--version").stdout == f"asr {asr.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["transcribe", "a.wav", "--model", "m", "--format", "doc"],
        ["transcribe", "a.wav", "--model", "m", "--beam", "-1"],
        ["transcribe", "a.wav", "--model", "m", "--nonsense"],
        ["evaluate", "--model", "m"],
        ["nonsense"],
    ],
)
def test_a_wrong_call_is_2_and_says_why(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr and "Traceback" not in result.stderr


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from asr.cli import main; sys.argv = ['asr', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'numba', 'librosa', 'soundfile', 'jiwer'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert result.returncode == 0, result.stderr
    assert "transcribe" in result.stdout


def raising(error):
    def find_audio(_):
        raise error

    return find_audio


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (AsrError("m: expected a, found b"), 2, "asr: m: expected a, found b\n"),
        (KeyboardInterrupt(), 130, "asr: interrupted\n"),
        (MemoryError(), 2, "asr: there is not so much memory; a smaller --beam takes less\n"),
    ],
)
def test_how_a_command_ends(run, monkeypatch, error, status, line):
    monkeypatch.setattr(command, "find_audio", raising(error))
    result = run("transcribe", "x.wav", "--model", "m")
    assert (result.exit_code, result.stderr) == (status, line)


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError(errno.EIO, "Input/output error")])
def test_a_bug_is_a_traceback(run, monkeypatch, error):
    monkeypatch.setattr(command, "find_audio", raising(error))
    assert run("transcribe", "x.wav", "--model", "m").exception is error


# --- as a process of its own -------------------------------------------------------------------------------

ASR = [sys.executable, "-m", "asr"]


def test_standard_input_of_a_process(tiny_model, sounds, run):
    with (sounds / "a.flac").open("rb") as file:
        line = [*ASR, "transcribe", "-", "--model", str(tiny_model)]
        result = subprocess.run(line, stdin=file, capture_output=True, check=False, timeout=LIMIT)
    assert (result.returncode, result.stderr) == (0, b"")
    expected = run("transcribe", sounds / "a.flac", "--model", tiny_model).stdout
    assert len(expected) > 4 and result.stdout.decode() == expected


def test_a_closed_pipe_is_quiet(sounds):
    reading, writing = os.pipe()
    os.close(reading)
    command = [*ASR, "info", "sounds/a.flac"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=LIMIT)
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence(sounds):
    with Path("/dev/full").open("wb") as full:
        command = [*ASR, "info", "sounds/a.flac"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=LIMIT)
    assert result.returncode == 2
    assert result.stderr == b"asr: standard output: cannot be written: the disk is full\n"


def test_ctrl_c_is_one_line(tmp_path, spawn):
    os.mkfifo(tmp_path / "pipe")
    process = spawn([*ASR, "info", str(tmp_path / "pipe")], stderr=subprocess.PIPE)
    pipe = None
    while pipe is None and process.poll() is None:
        time.sleep(0.01)
        with suppress(OSError):  # nobody is there to read yet
            pipe = os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK)
    time.sleep(0.5)  # until it waits for what comes, and not in the middle of making a file for it
    process.send_signal(signal.SIGINT)
    assert process.communicate() == (None, b"asr: interrupted\n")
    assert process.returncode == 130
    os.close(pipe)
