"""A tiny corpus of tones: each letter is a pitch, so that a small model learns it within seconds."""

import numpy as np
import pytest
import soundfile

from asr.config import parse_config
from asr.features.cmvn import CmvnStats
from asr.records import Utterance
from asr.training.run import make_extractor
from asr.units.characters import CharacterUnits

RATE = 8000
PITCHES = {"A": 300, "B": 700, "C": 1200, "D": 2000, " ": 0}


def tones(text, rng):
    """Each character as 0.12 s of its pitch."""
    time = np.arange(int(0.12 * RATE)) / RATE
    parts = [np.sin(2 * np.pi * PITCHES[c] * time * rng.uniform(0.97, 1.03)) for c in text]
    return (0.3 * np.concatenate(parts) + 0.01 * rng.standard_normal(len(parts) * len(time))).astype(
        "float32"
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """(train, dev): 24 and 6 utterances."""
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(1)
    utterances = []
    for index in range(30):
        words = ["".join(rng.choice(list("ABCD"), rng.integers(1, 4))) for _ in range(rng.integers(1, 4))]
        text = " ".join(words)
        path = folder / f"u{index:02}.wav"
        waveform = tones(text, rng)
        soundfile.write(path, waveform, RATE)
        utterances.append(
            Utterance(
                utt_id=path.stem,
                audio=str(path),
                start=0.0,
                duration=len(waveform) / RATE,
                text=text,
                speaker=f"s{index % 5}",
            )
        )
    return utterances[:24], utterances[24:]


@pytest.fixture
def tiny_config():
    """Build a configuration of a model that trains in seconds; `part={"key": value}` changes it."""

    def build(**parts):
        tree = {
            "corpus": {"source": "folder", "root": "unused"},
            "features": {"sample_rate": RATE, "num_bins": 13},
            "augment": {"speeds": [0.95, 1.0, 1.05], "time_masks": 1, "time_width": 3, "warp": 0.05},
            "batching": {"seconds": 6.0, "max_seconds": 5.0, "workers": 0},
            "model": {"subsampling": 2, "channels": 4, "hidden_size": 16, "num_layers": 1, "dropout": 0.1},
            "training": {"epochs": 2, "warmup_steps": 5, "ema": 0.9, "threads": 1, "device": "cpu"},
        }
        for part, values in parts.items():
            tree.setdefault(part, {}).update(values)
        return parse_config(tree, "test")

    return build


@pytest.fixture(scope="session")
def tokens(corpus):
    return CharacterUnits.build(u.text for u in corpus[0]).tokens


@pytest.fixture(scope="session")
def cmvn(corpus):
    """Statistics of the training features, for 13 bins at 8 kHz."""
    import torch

    from asr.config import FeaturesConfig

    extractor = make_extractor(FeaturesConfig(sample_rate=RATE, num_bins=13))
    stats = CmvnStats.empty(extractor.dim)
    for utterance in corpus[0]:
        stats.accumulate(extractor(torch.from_numpy(soundfile.read(utterance.audio, dtype="float32")[0])))
    return stats
