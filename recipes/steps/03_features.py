"""Read all audio once: mean and variance of the training features, and the names of unreadable files."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.recipe import Recipe
from recipes.run import run_alone

PARTS = ("features",)
ROWS = 16


def inputs(recipe: Recipe) -> list[Path]:
    manifests = [recipe.exp / "corpus" / f"{part}.jsonl" for part in ("train", "dev", "test")]
    return [*manifests, *recipe.start_files]


def outputs(recipe: Recipe) -> list[Path]:
    return [recipe.exp / "cmvn.json", recipe.exp / "corpus" / "unreadable.txt"]


def run(recipe: Recipe) -> list[str]:
    from asr.batching.dataset import SpeechDataset
    from asr.batching.loader import load_batches
    from asr.corpus.manifest import read_manifest
    from asr.features.cmvn import CmvnStats
    from asr.files import write_text
    from asr.progress import track
    from asr.training.run import make_extractor
    from recipes.start import start_statistics

    config = recipe.config
    extractor = make_extractor(config.features)
    stats, unreadable = CmvnStats.empty(extractor.dim), []
    for part in ("train", "dev", "test"):
        utterances = read_manifest(recipe.exp / "corpus" / f"{part}.jsonl")
        rows = [range(i, min(i + ROWS, len(utterances))) for i in range(0, len(utterances), ROWS)]
        dataset = SpeechDataset(
            utterances, sample_rate=config.features.sample_rate, extractor=extractor, cmvn=None
        )
        batches = load_batches(dataset, rows, 0, config.batching.workers)
        for batch in track(batches, f"features of {part}", total=len(rows)):
            unreadable += batch.skipped
            if part == "train":
                for feats, frames in zip(batch.feats, batch.feat_lens.tolist(), strict=True):
                    stats.accumulate(feats[:frames])
    stats.mean_std()  # an error here and not in the middle of training, if there was no frame
    stats = start_statistics(recipe) or stats
    stats.save(recipe.exp / "cmvn.json")
    write_text(recipe.exp / "corpus" / "unreadable.txt", "".join(f"{line}\n" for line in unreadable))
    path = recipe.shown(recipe.exp / "cmvn.json")
    return [f"{extractor.dim} features of {stats.count} frames; {len(unreadable)} unreadable; {path}"]


if __name__ == "__main__":
    run_alone(__file__)
