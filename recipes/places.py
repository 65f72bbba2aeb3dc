"""Where the speech of a recipe lies."""

from pathlib import Path

from asr.corpus.also import Also
from asr.corpus.librispeech import SUBSETS, find_subset
from recipes.recipe import Recipe


def is_own_data(recipe: Recipe) -> bool:
    """Whether the corpus is the user's own, so that there is nothing to download or to synthesise."""
    return recipe.config.corpus.source not in {*SUBSETS, "synthetic"}


def corpus_places(recipe: Recipe) -> list[Path]:
    """The files and folders that make up the corpus, without the further ones."""
    root, corpus = recipe.corpus_root, recipe.config.corpus
    if corpus.source in SUBSETS:
        names = dict.fromkeys((*corpus.train, *corpus.dev, *corpus.test))
        return [find_subset(root, name) or root / name for name in names]
    if corpus.source == "synthetic":
        return [root / f"{split}{kind}" for split in ("train", "dev", "test") for kind in ("", ".jsonl")]
    return [root]


def further_corpora(recipe: Recipe) -> list[Also]:
    """What train gets besides; a relative root counts from that of the corpus."""
    return [
        Also(
            name=name,
            source=entry.source,
            root=recipe.corpus_root / entry.root,
            train=entry.train,
            ids=recipe.beside(entry.ids),
            speakers=entry.speakers,
            archive=entry.archive,
            optional=entry.optional,
        )
        for name, entry in recipe.config.corpus.also.items()
    ]


def lists_of_ids(recipe: Recipe) -> list[Path]:
    """The files that say which utterances belong to the recipe."""
    corpus = recipe.config.corpus
    names = (
        corpus.train_ids,
        corpus.dev_ids,
        corpus.test_ids,
        *(entry.ids for entry in corpus.also.values()),
    )
    return [path for path in map(recipe.beside, names) if path]
