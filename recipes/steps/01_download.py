"""Get the corpus: download official subsets, or synthesise speech; the user's own data is there already."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recipes.places import corpus_places, further_corpora, is_own_data
from recipes.recipe import Recipe
from recipes.run import run_alone

PARTS = ("corpus", "synthesis")


def inputs(recipe: Recipe) -> list[Path]:
    return []


def outputs(recipe: Recipe) -> list[Path]:
    fetched = [
        place for corpus in further_corpora(recipe) if corpus.is_fetched() for place in corpus.places()
    ]
    return fetched if is_own_data(recipe) else corpus_places(recipe) + fetched


def run(recipe: Recipe) -> list[str]:
    from asr.corpus.also import fetch_also
    from asr.corpus.librispeech import SUBSETS, fetch
    from asr.corpus.synthesis import synthesise

    root, corpus, synthesis = recipe.corpus_root, recipe.config.corpus, recipe.config.synthesis
    told = f"nothing to download, own data in {recipe.shown(root)}"
    if corpus.source in SUBSETS:
        names = (*corpus.train, *corpus.dev, *corpus.test)
        fetch(corpus.source, root, names, corpus.mirrors)
        told = f"{', '.join(names)} in {recipe.shown(root)}"
    if corpus.source == "synthetic":
        counts = (synthesis.train_utterances, synthesis.dev_utterances, synthesis.test_utterances)
        train, dev, test = counts
        synthesise(
            root, train_utterances=train, dev_utterances=dev, test_utterances=test, seed=synthesis.seed
        )
        told = f"synthesised {sum(counts)} utterances in {recipe.shown(root)}"
    for further in further_corpora(recipe):
        if further.is_fetched():
            fetch_also(further, corpus.mirrors)
            told += f"; {further.name} in {recipe.shown(further.root)}"
    return [told]


if __name__ == "__main__":
    run_alone(__file__)
