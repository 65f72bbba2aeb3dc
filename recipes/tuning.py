"""The settings of a recipe's decoder: as configured, or as they were found on dev."""

import functools
from dataclasses import replace

import msgspec
from msgspec.structs import replace as replace_settings

from asr.config import DecodingConfig
from asr.corpus.manifest import read_manifest
from asr.corpus.summary import named
from asr.errors import AsrError
from asr.files import file_digest, write_bytes, write_text
from asr.lm.scorer import open_scorer
from asr.model.bundle import Bundle, load_bundle
from asr.progress import track
from asr.records import Utterance
from asr.training.run import spread
from asr.transcribe import Recogniser
from asr.transcribe.options import chosen_decoding, chosen_device
from asr.transcribe.words import open_words
from asr.tuning.folds import Fold, speaker_folds, tune_by_folds
from asr.tuning.heard import Heard, read_heard, write_heard
from asr.tuning.picture import draw_tuning, tuning_table
from asr.tuning.trials import Tuned, tune
from asr.units.kinds import load_units
from recipes.evaluation import as_source, dev_sets
from recipes.places import folds_file, is_folded, is_tuned, language_files, tuned_file
from recipes.recipe import Recipe

SEARCH = ".search"
"""The end of the names of results that nothing rescored."""


def bundle_to_decode(recipe: Recipe) -> Bundle:
    """The averaged model with the lexicon and the language model of the recipe."""
    return replace(load_bundle(recipe.exp / "averaged"), **language_files(recipe))


def tuned_decoding(recipe: Recipe) -> DecodingConfig:
    """The configured settings of the decoder with what was found on dev in their place."""
    if not is_tuned(recipe):
        return chosen_decoding(recipe.config.decoding)
    content = tuned_file(recipe)[0].read_bytes()
    return msgspec.json.decode(content, type=Tuned).settings(recipe.config.decoding)


def ways_to_decode(recipe: Recipe) -> dict[str, DecodingConfig]:
    """The settings of the decoder, by what the names of their results have at the end.

    The recipe's own first, with nothing at the end; then, where it rescores, the search alone; then what
    `decoding.also` lists.
    """
    own = tuned_decoding(recipe)
    ways = ["", *([SEARCH] if own.gru_share else []), *(f".{method}" for method in own.also)]
    return {way: in_this_way(way, own) for way in ways}


def in_this_way(way: str, own: DecodingConfig) -> DecodingConfig:
    """`own` settings of a recipe changed to those of one of its ways to decode."""
    if not way:
        return own
    if way == SEARCH:
        return replace_settings(own, gru_share=0.0)
    return chosen_decoding(own, method=way.removeprefix("."))


def read_folds(recipe: Recipe) -> list[Fold]:
    """The speakers of dev that have settings of their own, found on the others; none without folds."""
    if not is_folded(recipe):
        return []
    return msgspec.json.decode(folds_file(recipe).read_bytes(), type=list[Fold])


def how_dev_was_read(recipe: Recipe) -> str:
    """With which settings dev was read where it is folded, in a sentence; else empty."""
    if not is_folded(recipe):
        return ""
    names, folds = ", ".join(dev_sets(recipe)), recipe.config.tuning.folds
    return (
        f"{names}: each speaker read with settings that were chosen on others "
        f"({folds} parts of the speakers, dealt out in order of their names)"
    )


def tune_on_dev(recipe: Recipe, bundle: Bundle) -> list[str]:
    """Find the settings, write them with a table and a picture, and say in words what was found.

    What the model hears in dev is kept, so that other settings can be tried without computing it again.

    Raises:
        AsrError: there is no dev set, or what `tune` and `tune_by_folds` raise.
    """
    folder, options = recipe.exp / "tuned", recipe.config.tuning
    rows = read_manifest(recipe.exp / "corpus" / "dev.jsonl")
    if not rows:
        raise AsrError(f"{recipe.name}: tuning lists values to try, and there is no dev set to try them on")
    held_out = speaker_folds((row.speaker for row in rows), options.folds) if is_folded(recipe) else []
    rows = list(spread(rows, options.utterances))
    units = load_units(bundle.config.units, bundle.tokens, bundle.unit_files)
    tuned_on = functools.partial(
        tune,
        refs={row.utt_id: row.text for row in rows},
        words=open_words(units, bundle.lexicon, bundle.lm),
        units=units,
        decoding=recipe.config.decoding,
        options=options,
        gru=open_scorer(bundle.gru) if bundle.gru else None,
        rescoring=recipe.config.rescoring,
    )
    heard = _heard(recipe, bundle, rows)
    tuned = tuned_on(heard)
    folds = tune_by_folds(held_out, heard, {row.utt_id: row.speaker for row in rows}, tuned_on)
    write_text(folder / "tuned.txt", tuning_table(tuned))
    draw_tuning(folder / "tuned.png", tuned)
    write_bytes(folder / "tuned.json", msgspec.json.format(msgspec.json.encode(tuned)) + b"\n")
    _write_folds(recipe, folds)
    told = f"tuned on {len(rows)} utterances of dev to WER {_told(tuned)}; {recipe.shown(folder)}"
    return [told, *(f"  without {_speakers(fold)} to WER {_told(fold.tuned)}" for fold in folds)]


def _write_folds(recipe: Recipe, folds: list[Fold]) -> None:
    path = folds_file(recipe)
    if not folds:  # nothing stays of folds that are no longer asked for
        path.unlink(missing_ok=True)
        path.with_suffix(".txt").unlink(missing_ok=True)
        return
    write_text(path.with_suffix(".txt"), "\n".join(map(_fold_table, folds)))
    write_bytes(path, msgspec.json.format(msgspec.json.encode(folds)) + b"\n")


def _told(tuned: Tuned) -> str:
    """What was found, in words."""
    looks, second = tuned.second_look, ""
    if looks is not None:
        second = (
            f", rescored with a share of {looks.chosen.share:g} to {looks.chosen.wer:.2f} %"
            if looks.chosen.share
            else ", and no rescoring reads better"
        )
    return f"{tuned.chosen.wer:.2f} %, the best of {len(tuned.trials)} settings{second}"


def _speakers(fold: Fold) -> str:
    return f"{len(fold.speakers)} speakers ({named(fold.speakers)})"


def _fold_table(fold: Fold) -> str:
    return f"Chosen without {', '.join(fold.speakers)}, and used for them:\n\n{tuning_table(fold.tuned)}"


def _heard(recipe: Recipe, bundle: Bundle, rows: list[Utterance]) -> Heard:
    """What the model hears in dev: from disk, where it is that of this model and these utterances."""
    path = recipe.exp / "tuned" / "log_probs.safetensors"
    parts = (recipe.exp / "averaged" / "bundle.json", recipe.exp / "corpus" / "dev.jsonl")
    warps = recipe.config.decoding.warps
    origin = " ".join([*map(file_digest, parts), str(len(rows)), *map(str, warps)])
    if known := read_heard(path, origin):
        return known
    listener = Recogniser(bundle, chosen_device(recipe.config.training.device), DecodingConfig(warps=warps))
    heard = Heard([], [])
    for row in track(rows, "hearing dev"):
        reasons: dict[str, str] = {}
        source = as_source(row, listener.sample_rate, reasons)
        if row.utt_id in reasons:
            raise AsrError(reasons[row.utt_id])
        heard.utt_ids.append(row.utt_id)
        heard.rows.append(listener.log_probs(source)[0].astype("float32"))
    write_heard(path, heard, origin)
    return heard
