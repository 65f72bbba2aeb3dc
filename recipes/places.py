"""Where the speech of a recipe lies."""

from pathlib import Path

from asr.corpus.librispeech import SUBSETS, find_subset
from recipes.recipe import Recipe


def is_own_data(recipe: Recipe) -> bool:
    """Whether the corpus is the user's own, so that there is nothing to download or to synthesise."""
    return recipe.config.corpus.source not in {*SUBSETS, "synthetic"}


def corpus_places(recipe: Recipe) -> list[Path]:
    """The files and folders that make up the corpus."""
    root, corpus = recipe.corpus_root, recipe.config.corpus
    if corpus.source in SUBSETS:
        names = dict.fromkeys((*corpus.train, *corpus.dev, *corpus.test))
        return [find_subset(root, name) or root / name for name in names]
    if corpus.source == "synthetic":
        return [root / f"{split}{kind}" for split in ("train", "dev", "test") for kind in ("", ".jsonl")]
    return [root]
