"""The quickstart from nothing to a word error rate, with less speech and a bar to match."""

import re
import subprocess
import sys

import pytest

from recipes.recipe import REPOSITORY

pytest.importorskip("espeakng_loader")

LESS = (
    "synthesis.train_utterances=250",
    "synthesis.dev_utterances=20",
    "synthesis.test_utterances=40",
    "model.hidden_size=128",
    "training.max_minutes=0",
    "training.epochs=7",
    "training.evaluate_every=7",
    "training.threads=1",
    "batching.seconds=15",
    "batching.max_seconds=15",
)


def test_quickstart_learns_to_recognise_unseen_voices(tmp_path):
    command = [sys.executable, "recipes/run.py", "quickstart", "--exp", str(tmp_path / "exp"), "--set"]
    command += [f"corpus.root={tmp_path / 'speech'}", *LESS]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    line = re.search(
        r"^quickstart: WER (\d+\.\d\d) % \[(\d+\.\d\d), (\d+\.\d\d)\], 40 utterances$", result.stdout, re.M
    )
    assert line, result.stdout
    wer, low, high = map(float, line.groups())
    assert low <= wer <= high
    assert wer < 85
    assert (tmp_path / "exp" / "model" / "model.safetensors").exists()
