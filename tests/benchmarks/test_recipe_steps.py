"""The cost of a recipe: measured by its own trainer on what is there, estimated for the rest."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.flop_counter import FlopCounterMode

from asr.errors import AsrError
from asr.model.acoustic import AcousticModel
from asr.training.checkpoint import load_checkpoint
from benchmarks.gpu_estimate import CUDA_BYTES, multiplications
from benchmarks.recipe_steps import hours_of, main, replacements
from recipes.recipe import open_recipe

TEXTS = ["A CAT", "THE CAT SAT", "A HAT", "THE HAT SAT ON A CAT", "ON A HAT", "SAT"]
SMALL = [
    *("units.kind='characters'", "features.num_bins=20", "training.threads=1", "training.device='cpu'"),
    *("model.channels=2", "model.hidden_size=8", "model.num_layers=2", "intermediate.layer=0"),
    *("batching.workers=0", "batching.seconds=6.0", "batching.max_seconds=5.0"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tones in the layout of LibriSpeech, in the place of dev-clean."""
    root = tmp_path_factory.mktemp("speech")
    chapter = root / "LibriSpeech" / "dev-clean" / "84" / "1"
    chapter.mkdir(parents=True)
    lines = []
    for number, text in enumerate(TEXTS):
        times = np.arange(16000 + 2000 * len(text)) / 16000
        name = f"84-1-{number:04}"
        tone = 0.3 * np.sin(2 * np.pi * (300 + 100 * number) * times)
        soundfile.write(chapter / f"{name}.flac", tone.astype(np.float32), 16000)
        lines.append(f"{name} {text}\n")
    (chapter / "84-1.trans.txt").write_text("".join(lines))
    return root


def test_the_first_updates_are_measured_and_the_rest_estimated(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written, exp = tmp_path / "cost.json", tmp_path / "exp"
    options = ["--root", str(root), "--updates", "3", "--exp", str(exp), "--json", str(written)]
    main(["librispeech_100", *options, "--teraflops", "2", "--set", *SMALL])
    told, cost = capsys.readouterr().out, json.loads(written.read_text())
    at, _ = load_checkpoint(max((exp / "train").glob("*.safetensors")))
    assert (at.step, at.evaluations, cost["updates"]) == (3, [], 2)
    assert "trained on dev-clean; of the recipe's subsets not there: train-clean-100" in told
    assert "in float32, not bfloat16, which needs CUDA" in told
    assert cost["checkpoint"] == max((exp / "train").glob("*.safetensors")).stat().st_size
    seconds = sum(1 + len(text) / 8 for text in TEXTS)
    assert cost["part_hours"] == pytest.approx(seconds / 3600, rel=1e-3)
    assert cost["whole_hours"] == 100.6
    assert cost["epoch_hours"] == pytest.approx(100.6 / cost["times_real_time"])
    gpu = cost["on_gpu"]
    # two layers, there and back, 100 / 3 frames a second, batches of three, two and one utterances
    assert gpu["steps"] == pytest.approx(2 * 2 * 100 / 3 * (1.625 + 2.375 + 3.5) / seconds, rel=1e-3)
    assert gpu["epoch_hours"] == pytest.approx(100.6 * (gpu["operations"] / 2e12 + gpu["steps"] / 1e5))
    assert gpu["state"] == 20 * cost["parameters"] and gpu["kept"] > 0
    assert gpu["memory"] == gpu["state"] + gpu["kept"] + CUDA_BYTES
    assert "estimated, not measured:" in told and "of its 100.6 h of training speech" in told


def test_operations_are_those_that_torch_counts() -> None:
    model = AcousticModel(
        num_bins=20,
        num_classes=11,
        subsampling=4,
        channels=3,
        cell="gru_reset_after",
        hidden_size=8,
        num_layers=2,
        bidirectional=True,
        dropout=0.0,
        residual=True,
    )
    frames, feats = 10, torch.zeros(1, 40, 20)  # 0.4 s become 10 frames
    with FlopCounterMode(display=False) as counter:
        model.output(model.front_end(feats, torch.tensor([40]))[0])
    recurrent = 2 * frames * 2 * 2 * (3 * 8) * (16 + 8)  # layers, directions, three gates, inputs and state
    assert 2 * 0.4 * multiplications(model, 20, 10.0) == counter.get_total_flops() + recurrent


def test_what_is_there_takes_the_place_of_what_is_not(root: Path, tmp_path: Path) -> None:
    found, told = replacements(open_recipe("mini_librispeech", [f"corpus.root={root}"]))
    assert {"corpus.train=['dev-clean']", "corpus.source=librispeech"} <= set(found)
    assert told[0].endswith("not there: train-clean-5")
    (tmp_path / "train-clean-360").mkdir()
    found, told = replacements(open_recipe("librispeech_960", [f"corpus.root={tmp_path}"]))
    assert "corpus.train=['train-clean-360']" in found and "corpus.source=librispeech" not in found
    assert told[0].endswith("not there: train-clean-100, train-other-500")
    with pytest.raises(AsrError, match="no subset of LibriSpeech is there"):
        replacements(open_recipe("librispeech_100", [f"corpus.root={tmp_path / 'absent'}"]))


def test_hours_are_published_or_follow_from_the_archive() -> None:
    assert sum(map(hours_of, open_recipe("librispeech_960").config.corpus.train)) == pytest.approx(960.9)
    assert 5.0 < hours_of("train-clean-5") < 5.5
