import numpy as np
import pytest
import soundfile

from asr.batching.dataset import SpeechDataset
from asr.errors import AsrError
from asr.features.augment import WaveformAugment
from asr.features.extract import FeatureExtractor
from asr.features.spec_augment import SpecAugment
from asr.records import Utterance

RATE = 16000


def encode(text):
    """A toy alphabet: A is 1, B is 2, …"""
    if not all("A" <= character <= "Z" for character in text):
        raise AsrError(f"{text!r}: a character outside the units")
    return [ord(character) - ord("A") + 1 for character in text]


def quarter(frames):
    return frames // 4


@pytest.fixture(scope="session")
def speech(tmp_path_factory):
    """Twelve utterances of 0.3 s to 0.9 s; the last two are parts of one file."""
    folder = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(5)
    rows = []
    for number in range(10):
        seconds = 0.3 + 0.06 * number
        path = folder / f"u{number:02d}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(round(seconds * RATE)), RATE)
        rows.append((path, 0.0, seconds))
    long = folder / "long.wav"
    soundfile.write(long, 0.1 * rng.standard_normal(2 * RATE), RATE)
    rows += [(long, 0.25, 0.5), (long, 1.0, 0.75)]
    return [
        Utterance(
            utt_id=f"u{number:02d}",
            audio=str(path),
            start=start,
            duration=seconds,
            text="ABC"[: 1 + number % 3],
            speaker="s",
        )
        for number, (path, start, seconds) in enumerate(rows)
    ]


@pytest.fixture(scope="session")
def extractor():
    return FeatureExtractor(
        kind="fbank",
        sample_rate=RATE,
        num_bins=8,
        num_ceps=8,
        frame_length_ms=25.0,
        frame_shift_ms=10.0,
        low_hz=20.0,
        high_hz=0.0,
        deltas=0,
    )


@pytest.fixture
def dataset_of(extractor):
    """Make a dataset of utterances; with augmentation unless told otherwise."""

    def make(utterances, *, augmented=True, speeds=(0.9, 1.0, 1.1), **others):
        if augmented:
            others = {
                "waveform_augment": WaveformAugment(
                    speeds=speeds,
                    gain_db=6.0,
                    noise=0.5,
                    noise_snr_db=(10.0, 30.0),
                    lowpass=0.0,
                    telephone=0.0,
                    reverb=0.0,
                    sample_rate=RATE,
                ),
                "spec_augment": SpecAugment(
                    frequency_masks=1, frequency_width=3, time_masks=1, time_width=5, time_ratio=1.0
                ),
                "warp": 0.1,
            } | others
        options = {
            "sample_rate": RATE,
            "extractor": extractor,
            "cmvn": "utterance",
            "encode": encode,
            "output_frames": quarter,
            "seed": 7,
        } | others
        return SpeechDataset(utterances, **options)

    return make
