"""The quickstart from nothing to a word error rate, with less speech and a bar to match."""

import re
import subprocess
import sys
from pathlib import Path

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


WORDS = (
    "language_model.source=transcripts",
    "decoding.method=words",
    "decoding.beam=32",
    "tuning.lm_weights=[0.4, 0.8]",
)


def run(folder: Path, *settings: str) -> tuple[float, str]:
    """The word error rate on the test set, and all that the recipe says."""
    command = [sys.executable, "recipes/run.py", "quickstart", "--exp", str(folder / "exp"), "--set"]
    command += [f"corpus.root={folder / 'speech'}", *LESS, *settings]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    line = re.search(
        r"^quickstart: WER (\d+\.\d\d) % \[(\d+\.\d\d), (\d+\.\d\d)\], 40 utterances$", result.stdout, re.M
    )
    assert line, result.stdout
    wer, low, high = map(float, line.groups())
    assert low <= wer <= high
    assert (folder / "exp" / "model" / "model.safetensors").exists()
    return wer, result.stdout


def test_quickstart_learns_to_recognise_unseen_voices_and_reads_better_with_words(tmp_path):
    wer, _ = run(tmp_path)
    assert wer < 85
    with_words, told = run(tmp_path, *WORDS)
    assert with_words < 0.8 * wer
    assert "06_train: done already" in told and "tuned on 20 utterances of dev" in told
    assert (tmp_path / "exp" / "model" / "words.lm").exists()
