"""What does it cost to make a batch, and how much of the training's speed does it take?

    python benchmarks/loader.py FOLDER [--utterances 200] [--updates 20] [--repeats 3] [--json FILE]

FOLDER holds audio, for instance LibriSpeech/train-clean-100. The first table gives each stage of reading
alone, on one thread. The second gives the whole loop (forward, backward and the optimiser's step) against
the same steps on batches that lie ready in memory; the peer is a plain DataLoader with torchaudio's fbank,
without augmentation. Run it on an otherwise idle machine.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from asr.batching.batch import Batch, Example, collate
from asr.batching.cache import WaveformCache
from asr.batching.dataset import SpeechDataset
from asr.batching.loader import load_batches
from asr.batching.sampler import BucketSampler
from asr.features._torchaudio import kaldi
from asr.features.audio import probe, read_audio
from asr.features.augment import WaveformAugment, change_speed, rng_for
from asr.features.cmvn import apply_cmvn
from asr.features.extract import FeatureExtractor
from asr.features.spec_augment import SpecAugment
from asr.model.acoustic import AcousticModel
from asr.model.ctc import ctc_loss
from asr.records import Utterance

RATE, BINS, CLASSES, BATCH_SECONDS = 16000, 80, 29, 60.0
CMVN = torch.full((BINS,), 12.0), torch.full((BINS,), 4.0)
EXTRACTOR = FeatureExtractor(
    kind="fbank",
    sample_rate=RATE,
    num_bins=BINS,
    num_ceps=13,
    frame_length_ms=25.0,
    frame_shift_ms=10.0,
    low_hz=20.0,
    high_hz=0.0,
    deltas=0,
)
SPEED = WaveformAugment(
    speeds=(0.9, 1.0, 1.1),
    gain_db=6.0,
    noise=0.0,
    noise_snr_db=(10.0, 30.0),
    lowpass=0.0,
    telephone=0.0,
    reverb=0.0,
    sample_rate=RATE,
)
MASKS = SpecAugment(frequency_masks=2, frequency_width=27, time_masks=2, time_width=100, time_ratio=1.0)


def utterances_in(folder: Path, count: int) -> list[Utterance]:
    """The first audio files below a folder; 13 units a second stand in for the transcript."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".flac", ".wav"))[:count]
    if not paths:
        raise SystemExit(f"{folder}: expected .flac or .wav files somewhere below it, found none")
    return [
        Utterance(
            utt_id=path.stem,
            audio=str(path),
            start=0.0,
            duration=(seconds := probe(path).seconds),
            text="AB" * round(6.5 * seconds),
            speaker="?",
        )
        for path in paths
    ]


def encode(text: str) -> list[int]:
    return [ord(character) - ord("A") + 1 for character in text]


def dataset_of(utterances: list[Utterance], cache_bytes: int = 0) -> SpeechDataset:
    return SpeechDataset(
        utterances,
        sample_rate=RATE,
        extractor=EXTRACTOR,
        cmvn=CMVN,
        encode=encode,
        output_frames=lambda frames: -(-frames // 4),
        waveform_augment=SPEED,
        spec_augment=MASKS,
        warp=0.1,
        seed=1,
        cache_bytes=cache_bytes,
    )


def stages(utterances: list[Utterance], repeats: int) -> dict[str, float]:
    """Audio seconds for a processor second of each stage, the best of several runs."""
    seconds = sum(utterance.duration for utterance in utterances)
    waveforms = [read_audio(utterance.audio, sample_rate=RATE) for utterance in utterances]
    cache = WaveformCache([len(waveform) for waveform in waveforms], 1 << 31)
    for row, waveform in enumerate(waveforms):
        cache.put(row, waveform)
    tensors = [torch.from_numpy(waveform) for waveform in waveforms]
    feats = [EXTRACTOR(waveform) for waveform in tensors]
    examples = [Example("", x, encode("AB" * 75), 0.0) for x in sorted(feats, key=len)]
    todo: dict[str, Callable[[], object]] = {
        "read a file": lambda: [read_audio(u.audio, sample_rate=RATE) for u in utterances],
        "take from the cache": lambda: [cache.get(row) for row in range(len(utterances))],
        "speed 1.1": lambda: [change_speed(waveform, 1.1) for waveform in tensors],
        "speed drawn, gain": lambda: [SPEED(x, rng_for(1, 0, str(n))) for n, x in enumerate(tensors)],
        "fbank, warped": lambda: [EXTRACTOR(waveform, 1.05) for waveform in tensors],
        "fbank, torchaudio": lambda: [torchaudio_fbank(waveform) for waveform in tensors],
        "CMVN": lambda: [apply_cmvn(x, *CMVN) for x in feats],
        "masks": lambda: [MASKS(x, rng_for(1, 0, str(n))) for n, x in enumerate(feats)],
        "collate": lambda: [collate(examples[i : i + 5], BINS) for i in range(0, len(examples), 5)],
    }
    return {name: seconds / min(processor_seconds(run) for _ in range(repeats)) for name, run in todo.items()}


def torchaudio_fbank(waveform: torch.Tensor) -> torch.Tensor:
    feats: torch.Tensor = kaldi.fbank(waveform[None] * 32768, num_mel_bins=BINS, sample_frequency=RATE)
    return feats


def processor_seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


class Peer:
    """What one writes first: a file, torchaudio's fbank, padding."""

    def __init__(self, utterances: list[Utterance], batches: list[list[int]]) -> None:
        self.utterances, self.batches = utterances, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        rows = [self.utterances[i] for i in self.batches[index]]
        examples = []
        for row in rows:
            waveform = torch.from_numpy(read_audio(row.audio, sample_rate=RATE))
            feats = torchaudio_fbank(waveform)
            examples.append(Example(row.utt_id, feats, encode(row.text), row.duration))
        return collate(examples, BINS)


class Trainer:
    """Forward, backward and a step of the optimiser."""

    def __init__(self, hidden_size: int) -> None:
        torch.manual_seed(1)
        self.model = AcousticModel(
            num_bins=BINS,
            num_classes=CLASSES,
            subsampling=4,
            channels=32,
            cell="gru",
            hidden_size=hidden_size,
            num_layers=3,
            bidirectional=True,
            dropout=0.2,
            residual=True,
        )
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-5)

    def run(self, batches: Iterable[Batch]) -> float:
        """Audio seconds for a second of the clock."""
        seconds, begin = 0.0, time.perf_counter()
        for batch in batches:
            log_probs, lens = self.model(batch.feats, batch.feat_lens)
            ctc_loss(log_probs, lens, batch.targets, batch.target_lens).mean().backward()
            self.optimiser.step()
            self.optimiser.zero_grad()
            seconds += batch.seconds
        return seconds / (time.perf_counter() - begin)


def loops(
    utterances: list[Utterance], hidden_size: int, updates: int, repeats: int
) -> dict[str, list[float]]:
    """Audio seconds a second of each way to feed the trainer; the ways take turns."""
    sampler = BucketSampler(
        [utterance.duration for utterance in utterances],
        batch_seconds=BATCH_SECONDS,
        max_utterances=64,
        seed=1,
        shortest_first=0,
    )
    batches = sampler.batches(0)[:updates]
    plain, cached = dataset_of(utterances), dataset_of(utterances, 1 << 31)
    stored = list(load_batches(cached, batches, 0))
    peer = DataLoader(
        Peer(utterances, batches), batch_size=None, num_workers=1, collate_fn=lambda batch: batch
    )
    ways: dict[str, Callable[[], Iterator[Batch]]] = {
        "stored batches": lambda: iter(stored),
        "in the training process": lambda: load_batches(plain, batches, 0, 0),
        "1 reader": lambda: load_batches(plain, batches, 0, 1),
        "1 reader, cached": lambda: load_batches(cached, batches, 0, 1),
        "2 readers": lambda: load_batches(plain, batches, 0, 2),
        "peer, 1 worker": lambda: iter(peer),
    }
    trainer = Trainer(hidden_size)
    trainer.run(stored[:3])
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            speeds[name].append(trainer.run(way()))
    return speeds


def show(result: dict[str, Any]) -> None:
    """Print both tables on stdout."""
    console = Console()
    table = Table("stage", "× real time", "processor seconds an hour", title="reading, one thread")
    for name, speed in result["stages"].items():
        table.add_row(name, f"{speed:,.0f}", f"{3600 / speed:.2f}")
    console.print(table)
    table = Table("batches from", "× real time", "of stored", title=f"training, {result['threads']} threads")
    best = {name: max(speeds) for name, speeds in result["loops"].items()}
    for name, speed in best.items():
        table.add_row(name, f"{speed:.0f}", f"{100 * speed / best['stored batches']:.0f} %")
    console.print(table)
    console.print(f"{result['machine']}; best of {result['repeats']}; load {result['load']:.1f} at the end")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="audio, at any depth")
    parser.add_argument("--utterances", type=int, default=200, help="files to read")
    parser.add_argument("--updates", type=int, default=20, help="batches in a run of training")
    parser.add_argument("--hidden-size", type=int, default=256, help="of the model that is trained")
    parser.add_argument("--repeats", type=int, default=3, help="runs of everything; the best one counts")
    parser.add_argument("--threads", type=int, default=2, help="of training")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    utterances = utterances_in(arguments.folder, arguments.utterances)
    torch.set_num_threads(1)
    result: dict[str, Any] = {"stages": stages(utterances, arguments.repeats)}
    torch.set_num_threads(arguments.threads)
    result["loops"] = loops(utterances, arguments.hidden_size, arguments.updates, arguments.repeats)
    result["threads"], result["repeats"] = arguments.threads, arguments.repeats
    result["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    result["load"] = os.getloadavg()[0]
    show(result)
    if arguments.json:
        from asr.files import write_text

        write_text(arguments.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
