"""How much faster does a recipe train with our GRU than with `nn.GRU` in its place?

    python recipes/run.py librispeech_4h --stop-stage 4
    python benchmarks/epoch.py data/exp/librispeech_4h [--updates 30] [--repeats 3] [--json FILE]

Whole updates (forward, loss of the output, backward, clipping, optimiser) on batches of the recipe, evenly
spread over an epoch, which lie ready in memory; every batch is trained by both in turn. `nn.GRU` has the same
size, but is a slightly different cell: its reset gate acts after the product. An intermediate output is left
out. Run it on an otherwise idle machine.
"""

import argparse
import copy
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from asr.batching.batch import Batch
from asr.batching.loader import load_batches
from asr.config import load_config
from asr.corpus.manifest import read_manifest
from asr.features.cmvn import CmvnStats
from asr.model.ctc import ctc_loss
from asr.training.run import make_trainer
from asr.units.tokens import read_tokens


class TorchGru(nn.Module):
    """`nn.GRU` with the interface of our layer; it reads the padding too."""

    def __init__(self, size: int, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.layer = nn.GRU(size, hidden_size, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor, lens: Tensor) -> tuple[Tensor, None]:
        return self.layer(x)[0], None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--updates", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    batches, ours, theirs = prepared(options.experiment, options.updates)
    times: dict[str, list[float]] = {"ours": [], "nn.GRU": []}
    steps = {"ours": Steps(ours), "nn.GRU": Steps(theirs)}
    for run in steps.values():
        run.update(batches[0])  # compiles
    for _ in range(options.repeats):
        for batch in batches:
            for name, run in steps.items():
                times[name].append(run.update(batch))
    seconds = sum(batch.seconds for batch in batches) * options.repeats
    found = {name: seconds / sum(taken) for name, taken in times.items()}
    ratios = [theirs / ours for ours, theirs in zip(times["ours"], times["nn.GRU"], strict=True)]
    for name, speed in found.items():
        print(f"{name}: {speed:.0f} × real time")
    print(f"an update with nn.GRU takes {statistics.median(ratios):.2f} × as long, median of {len(ratios)}")
    if options.json:
        options.json.write_text(json.dumps(found | {"ratio": statistics.median(ratios)}, indent=2) + "\n")


def prepared(experiment: Path, updates: int) -> tuple[list[Batch], nn.Module, nn.Module]:
    """Batches of an epoch, evenly spread; the recipe's model; and one with `nn.GRU`."""
    config = load_config(experiment / "config.toml")
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            config,
            read_manifest(experiment / "corpus" / "train.jsonl"),
            read_manifest(experiment / "corpus" / "dev.jsonl"),
            cmvn=CmvnStats.load(experiment / "cmvn.json"),
            tokens=read_tokens(experiment / "tokens.txt"),
            folder=Path(folder),
            device=torch.device("cpu"),
            unit_files={name: (experiment / name).read_bytes() for name in config.units.files},
        )
    rows = [batch for update in trainer.sampler.updates(1) for batch in update]
    chosen = rows[:: max(1, len(rows) // updates)][:updates]
    ours, size = trainer.model, config.model.hidden_size * (2 if config.model.bidirectional else 1)
    theirs = copy.deepcopy(ours)
    theirs.layers = nn.ModuleList(
        TorchGru(size, config.model.hidden_size, config.model.bidirectional) for _ in theirs.layers
    )
    return list(load_batches(trainer.train_set, chosen, 1, 0)), ours, theirs


class Steps:
    """Updates of one model."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.train()
        self.optimiser = torch.optim.AdamW(model.parameters(), 1e-4)

    def update(self, batch: Batch) -> float:
        """One update; the seconds that it took."""
        began = time.perf_counter()
        self.optimiser.zero_grad()
        log_probs, lens = self.model(batch.feats, batch.feat_lens)
        loss = ctc_loss(log_probs, lens, batch.targets, batch.target_lens).sum() / batch.target_lens.sum()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
