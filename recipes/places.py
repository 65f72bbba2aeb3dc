"""Where the speech of a recipe lies, and its language model."""

from pathlib import Path

from asr.config import LanguageModelConfig, RescoringConfig
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
    """Where step 05 leaves the lexicon and the models, by their names in a `Bundle`; none without one."""
    if recipe.config.language_model.source == "none":
        return {}
    folder = recipe.exp / "language_model"
    files = {"lexicon": folder / "words.txt", "lm": folder / "words.lm"}
    return files | ({"gru": folder / "gru"} if is_rescored(recipe) or takes_gru(recipe) else {})


def takes_words(recipe: Recipe) -> bool:
    """Whether the language model is that of the model which the training starts from."""
    return recipe.config.language_model.source == "start"


def takes_gru(recipe: Recipe) -> bool:
    """Whether the GRU language model is, too."""
    is_wanted = takes_words(recipe) and not is_rescored(recipe) and recipe.config.decoding.gru_share > 0
    return is_wanted and recipe.start is not None and (recipe.start / "gru" / "bundle.json").is_file()


def language_outputs(recipe: Recipe) -> list[Path]:
    """The same as files that are compared: a model folder by its index, which has the checksums."""
    return [path / "bundle.json" if name == "gru" else path for name, path in language_files(recipe).items()]


def language_sources(recipe: Recipe, settings: LanguageModelConfig | RescoringConfig) -> list[Path]:
    """What a model is made of, where it is not downloaded."""
    if settings.source == "start":
        return [recipe.exp / "corpus" / "train.jsonl", *recipe.start_files]
    if settings.source == "transcripts":
        return [recipe.exp / "corpus" / "train.jsonl"]
    return [recipe.folder / name for name in settings.files]


def is_rescored(recipe: Recipe) -> bool:
    """Whether a GRU language model looks a second time at what the search found."""
    return recipe.config.rescoring.source != "none"


def is_tuned(recipe: Recipe) -> bool:
    """Whether settings of the decoder are looked for on dev."""
    tuning = recipe.config.tuning
    lists = (tuning.lm_weights, tuning.word_scores, tuning.blank_scores, tuning.beams)
    return any(lists) or is_rescored(recipe)


def is_folded(recipe: Recipe) -> bool:
    """Whether speakers of dev are read with settings that were found on the others."""
    return is_tuned(recipe) and bool(recipe.config.tuning.folds)


def tuned_file(recipe: Recipe) -> list[Path]:
    """Where step 08 leaves what it found on all of dev, if it looks for anything, and on folds, if any."""
    found = [recipe.exp / "tuned" / "tuned.json"] if is_tuned(recipe) else []
    return [*found, *([folds_file(recipe)] if is_folded(recipe) else [])]


def folds_file(recipe: Recipe) -> Path:
    """Where step 08 leaves what it found on dev without each of its folds."""
    return recipe.exp / "tuned" / "folds.json"


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
            minutes=entry.minutes,
            seed=entry.seed,
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
