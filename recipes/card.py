"""card.md of a model: what a reader should know before trusting it."""

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence

import torch
from msgspec.structs import replace

import asr
from asr.config import DecodingConfig
from asr.corpus.statistics import corpus_statistics
from asr.files import file_digest
from asr.model.bundle import Bundle, load_bundle
from asr.model_folder import INDEX
from asr.records import Utterance
from asr.scoring.figures import Figures, PhoneFigures
from asr.tuning.picture import described
from recipes.evaluation import label
from recipes.places import is_folded, is_tuned, takes_gru
from recipes.recipe import REPOSITORY, Recipe
from recipes.tuning import how_dev_was_read, read_folds

ESTIMATED = {"transcripts", "text", "librispeech-lm-norm"}
"""Sources of a language model that is estimated here."""


def make_card(
    recipe: Recipe,
    data: Mapping[str, Sequence[Utterance]],
    results: Mapping[tuple[str, str], Figures | PhoneFigures],
    bundle: Bundle,
    decoding: DecodingConfig,
) -> str:
    """The card as Markdown.

    Args:
        recipe: that made the model.
        data: utterances of each set, "train" among them.
        results: figures of each set that was scored, by its name and the way to decode it.
        bundle: the averaged model, whose card says which checkpoints the weights come from.
        decoding: how the sets were decoded.
    """
    lines = [
        f"# {recipe.name}",
        "",
        f"A speech recognition model (GRU, CTC), made by the recipe {recipe.name} of",
        f"asr {asr.__version__} (commit {commit()}) with Python {platform.python_version()}",
        f"and torch {torch.__version__}:",
        "",
        f"    {recipe.portable_command()}",
        "",
        f"Weights: {bundle.card.strip()}.",
        *_begun_with(recipe),
        "",
        "## Results",
        "",
        *(f"- {result_line(label(recipe, *place), figures)}" for place, figures in results.items()),
        "",
        f"Units: {_units(recipe)}.",
        f"Decoding: {_decoding(recipe, decoding)}.",
        "In brackets the 95 % interval, by bootstrap over speakers.",
        "",
        "## Data",
        "",
        f"Source: {recipe.config.corpus.source}{_further(recipe)}.",
        "",
        "| set | utterances | speakers | hours | sha256 of the sorted ids, one a line |",
        "|---|---|---|---|---|",
        *(_data_row(name, rows) for name, rows in data.items()),
        *(_data_row(f"train, {name}", rows) for name, rows in _of_train(recipe, data["train"]).items()),
    ]
    return "\n".join(lines) + "\n"


def result_line(name: str, figures: Figures | PhoneFigures) -> str:
    """Such as `quickstart: WER 4.21 % [3.50, 5.02], 300 utterances`; PER where the model writes phones."""
    low, high = figures.ci95
    rate = f"PER {figures.per:.2f}" if isinstance(figures, PhoneFigures) else f"WER {figures.wer:.2f}"
    return f"{name}: {rate} % [{low:.2f}, {high:.2f}], {figures.utterances} utterances"


def ids_digest(utterances: Sequence[Utterance]) -> str:
    """sha256 of the sorted ids, each with a line end: `sort ids | sha256sum` gives the same."""
    ids = sorted(utterance.utt_id.encode() for utterance in utterances)
    return hashlib.sha256(b"".join(utt_id + b"\n" for utt_id in ids)).hexdigest()


def commit() -> str:
    """The commit of the repository, with a remark where files differ from it; "unknown" without git."""
    try:
        head = _git("rev-parse", "HEAD")
        return f"{head} with uncommitted changes" if _git("status", "--porcelain") else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown (no git repository)"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _begun_with(recipe: Recipe) -> list[str]:
    """Which model was trained further."""
    if recipe.start is None:
        return []
    told = load_bundle(recipe.start).card.strip().partition("\n")[0].lstrip("# ")
    digest = file_digest(recipe.start / INDEX)
    return ["", f"Trained further from the model {told} (sha256 of its {INDEX}: {digest})."]


def _units(recipe: Recipe) -> str:
    units = recipe.config.units
    if units.kind == "characters":
        return "characters"
    if units.kind == "bpe":
        return f"pieces of words, {units.pieces} with the blank, by byte-pair encoding of the transcripts"
    kept = "" if units.phones else " with stress" if units.stress else " without stress"
    return f"phones of {units.lexicon or 'CMUdict'}{kept}; PER is the phone error rate"


def _decoding(recipe: Recipe, decoding: DecodingConfig) -> str:
    if decoding.method == "greedy":
        return f"greedy, no language model{decoding.told_warps}"
    if decoding.method == "beam":
        return f"prefix beam search, beam {decoding.beam}, no language model{decoding.told_warps}"
    model = recipe.config.language_model
    made = f"{model.order}-gram of {model.source}" if model.source in ESTIMATED else model.source
    if model.source == "start":
        made = f"that of the start model, of {model.transcripts_share:g} the transcripts'"
    second = recipe.config.rescoring
    gru = f" of {'the start model' if takes_gru(recipe) else second.source}" if decoding.gru_share else ""
    return f"words, language model: {made}; {described(decoding)}{gru}{_tuned(recipe)}"


def _tuned(recipe: Recipe) -> str:
    """What tuning does to the results on dev, as the end of a sentence."""
    if not is_tuned(recipe):
        return ""
    if not is_folded(recipe):
        return ", tuned on dev, so that its results are better than they would be elsewhere"
    folds = read_folds(recipe)
    read = "; ".join(f"{described(fold.tuned.settings(recipe.config.decoding))}" for fold in folds)
    return f", tuned on all of dev. In the results, {how_dev_was_read(recipe)}: {read}"


def _further(recipe: Recipe) -> str:
    """Names of the further corpora of train, as the end of a sentence."""
    names = [f"{name} ({entry.source})" for name, entry in recipe.config.corpus.also.items()]
    return f"; for train also {', '.join(names)}" if names else ""


def _of_train(recipe: Recipe, train: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """What train holds of each further corpus, by its name, under the ids that it has there."""
    return {
        name: [
            replace(row, utt_id=row.utt_id.removeprefix(f"{name}-"))
            for row in train
            if row.utt_id.startswith(f"{name}-")
        ]
        for name in recipe.config.corpus.also
    }


def _data_row(name: str, utterances: Sequence[Utterance]) -> str:
    numbers = corpus_statistics(utterances)
    return (
        f"| {name} | {numbers.utterances} | {numbers.speakers} | {numbers.hours:.2f} "
        f"| {ids_digest(utterances)} |"
    )
