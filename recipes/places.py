"""Where the speech of a recipe lies, and its language model."""

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


def language_files(recipe: Recipe) -> dict[str, Path]:
    """Where step 05 leaves the lexicon and the model, as `Recogniser.load` takes them; none without one."""
    if recipe.config.language_model.source == "none":
        return {}
    return {
        "lexicon": recipe.exp / "language_model" / "words.txt",
        "lm": recipe.exp / "language_model" / "words.lm",
    }


def language_sources(recipe: Recipe) -> list[Path]:
    """What the model is made of, where it is not downloaded."""
    settings = recipe.config.language_model
    if settings.source == "transcripts":
        return [recipe.exp / "corpus" / "train.jsonl"]
    return [recipe.folder / name for name in settings.files]


def is_tuned(recipe: Recipe) -> bool:
    """Whether settings of the decoder are looked for on dev."""
    tuning = recipe.config.tuning
    return bool(tuning.lm_weights or tuning.word_scores or tuning.blank_scores or tuning.beams)


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
