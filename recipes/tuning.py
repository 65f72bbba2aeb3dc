"""The settings of a recipe's decoder: as configured, or as they were found on dev."""

from dataclasses import replace

import msgspec
from msgspec.structs import replace as replace_settings

from asr.config import DecodingConfig
from asr.corpus.manifest import read_manifest
from asr.errors import AsrError
from asr.files import file_digest, write_bytes, write_text
from asr.lm.scorer import open_scorer
from asr.model.bundle import Bundle, load_bundle
from asr.progress import track
from asr.records import Utterance
from asr.transcribe import Recogniser
from asr.transcribe.options import chosen_decoding, chosen_device
from asr.transcribe.words import open_words
from asr.tuning.heard import Heard, read_heard, write_heard
from asr.tuning.picture import draw_tuning, tuning_table
from asr.tuning.trials import Tuned, tune
from asr.units.kinds import load_units
from recipes.evaluation import as_source
from recipes.places import is_tuned, language_files, tuned_file
from recipes.recipe import Recipe


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
    ways = {"": own}
    if own.gru_share:
        ways[".search"] = replace_settings(own, gru_share=0.0)
    return ways | {f".{method}": chosen_decoding(own, method=method) for method in own.also}


def tune_on_dev(recipe: Recipe, bundle: Bundle) -> str:
    """Find the settings, write them with a table and a picture, and say in words what was found.

    What the model hears in dev is kept, so that other settings can be tried without computing it again.

    Raises:
        AsrError: there is no dev set, or what `tune` raises.
    """
    folder, options = recipe.exp / "tuned", recipe.config.tuning
    rows = read_manifest(recipe.exp / "corpus" / "dev.jsonl")
    if not rows:
        raise AsrError(f"{recipe.name}: tuning lists values to try, and there is no dev set to try them on")
    if options.utterances:
        count = min(options.utterances, len(rows))
        rows = [rows[place * len(rows) // count] for place in range(count)]
    units = load_units(bundle.config.units, bundle.tokens, bundle.unit_files)
    tuned = tune(
        _heard(recipe, bundle, rows),
        {row.utt_id: row.text for row in rows},
        open_words(units, bundle.lexicon, bundle.lm),
        units,
        recipe.config.decoding,
        options,
        open_scorer(bundle.gru) if bundle.gru else None,
        recipe.config.rescoring,
    )
    write_text(folder / "tuned.txt", tuning_table(tuned))
    draw_tuning(folder / "tuned.png", tuned)
    write_bytes(folder / "tuned.json", msgspec.json.format(msgspec.json.encode(tuned)) + b"\n")
    looks, second = tuned.second_look, ""
    if looks is not None:
        second = (
            f", rescored with a share of {looks.chosen.share:g} to {looks.chosen.wer:.2f} %"
            if looks.chosen.share
            else ", and no rescoring reads better"
        )
    return (
        f"tuned on {len(rows)} utterances of dev to WER {tuned.chosen.wer:.2f} %, the best of "
        f"{len(tuned.trials)} settings{second}; {recipe.shown(folder)}"
    )


def _heard(recipe: Recipe, bundle: Bundle, rows: list[Utterance]) -> Heard:
    """What the model hears in dev: from disk, where it is that of this model and these utterances."""
    path = recipe.exp / "tuned" / "log_probs.safetensors"
    parts = (recipe.exp / "averaged" / "bundle.json", recipe.exp / "corpus" / "dev.jsonl")
    origin = " ".join([*map(file_digest, parts), str(len(rows))])
    if known := read_heard(path, origin):
        return known
    listener = Recogniser(bundle, chosen_device(recipe.config.training.device), DecodingConfig())
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
