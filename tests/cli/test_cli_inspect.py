"""`asr inspect`: what is written and printed, and what is refused."""

import json
import struct

import numpy as np
import pytest
import soundfile

NAMES = ["gradients.png", "inspect.npz", "layer1.png", "memory.png", "summary.json"]


def png_size(path):
    """Width and height of a PNG file, from its header."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", content[16:24])


def test_pictures_arrays_and_a_table(run, tiny_model, sounds):
    result = run("inspect", "sounds/b.wav", "--model", tiny_model, "--output", "new/inside")
    assert result.exit_code == 0, result.stderr
    folder = sounds.parent / "new/inside"
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    for name in NAMES:
        if name.endswith(".png"):
            assert min(png_size(folder / name)) > 300
    summary = json.loads((folder / "summary.json").read_text())
    heard = run("transcribe", "sounds/b.wav", "--model", tiny_model).stdout.strip()
    assert summary["recognised"] == summary["text"] == heard
    lines = result.stdout.splitlines()
    assert lines[0] == "sounds/b.wav: 1.00 s, gru" and lines[1].split(maxsplit=1) == ["heard", heard]
    rows = [line.split() for line in lines[-2:]]
    assert [row[:2] for row in rows] == [["1", "forward"], ["1", "backward"]]
    with np.load(folder / "inspect.npz", allow_pickle=False) as arrays:
        for row in rows:
            assert float(row[2]) == pytest.approx(arrays[f"layer1_{row[1]}_reset"].mean(), abs=1e-3)
            assert float(row[5]) == pytest.approx(arrays[f"layer1_{row[1]}_update"].mean(), abs=1e-3)
    assert "3 pictures written" in result.stderr


def test_the_loss_of_a_given_text(run, tiny_model, sounds):
    options = ["--model", tiny_model, "--output", "out", "--text", "Go on."]
    result = run("inspect", "sounds/b.wav", *options)
    assert "nats of 'GO ON'" in result.stdout
    assert json.loads((sounds.parent / "out/summary.json").read_text())["text"] == "GO ON"


def test_an_output_that_cannot_be_written_is_refused_before_any_work(run, sounds):
    (sounds.parent / "taken").write_text("a file")
    result = run("inspect", "sounds/b.wav", "--model", "no/such", "--output", "taken/out")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("asr: taken/out: cannot be written")


def test_silence_is_one_sentence(run, tiny_model, sounds):
    soundfile.write("silence.wav", np.zeros(16000), 16000)
    result = run("inspect", "silence.wav", "--model", tiny_model, "--output", "out")
    assert (result.exit_code, result.stdout) == (2, "")
    last = result.stderr.splitlines()[-1]  # after the warning that transcribe gives too
    assert last == "asr: silence.wav: speech expected, found silence (1.000 s); give another file"
    assert not list((sounds.parent / "out").iterdir())
