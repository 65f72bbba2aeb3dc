"""The utterances of a recipe: read from its corpora, the long ones of train cut where that is asked for."""

from dataclasses import replace

from asr.corpus.prepare import Prepared, prepare
from recipes.places import further_corpora
from recipes.recipe import Recipe


def prepare_corpora(recipe: Recipe) -> Prepared:
    """Train, dev and test of a recipe.

    Raises:
        AsrError: what `asr.corpus.prepare.prepare` raises; a damaged model folder.
    """
    corpus = recipe.config.corpus
    prepared = prepare(
        source=corpus.source,
        root=recipe.corpus_root,
        train=corpus.train,
        dev=corpus.dev,
        test=corpus.test,
        train_ids=recipe.beside(corpus.train_ids),
        dev_ids=recipe.beside(corpus.dev_ids),
        test_ids=recipe.beside(corpus.test_ids),
        also=further_corpora(recipe),
    )
    return _cut(recipe, prepared) if recipe.cutter else prepared


def _cut(recipe: Recipe, prepared: Prepared) -> Prepared:
    from asr.transcribe import Recogniser
    from recipes.cutting import cut_long

    assert recipe.cutter is not None
    recogniser = Recogniser.load(recipe.cutter, recipe.config.training.device)
    train = cut_long(recogniser, prepared.train, recipe.config.corpus.cut_seconds, prepared.summary)
    also = {name: [row for row in train if row.utt_id.startswith(f"{name}-")] for name in prepared.also}
    return replace(prepared, train=train, also=also)
