"""How well are words outside the lexicon pronounced? Held-out words of CMUdict, against the dictionary.

    python benchmarks/letter_to_sound.py [--orders 2,4,6,8] [--stress] [--lexicon FILE] [--json FILE]

One word in twenty, chosen by a digest of its letters, is kept from learning with all its pronunciations. A
word is right if it is one of those in the dictionary; its phone errors are counted against the nearest of
them. The first row is what one gets without a model: each letter as the sound that it has most often.
Every model is also measured in the compact form of a shipped model.
"""

import argparse
import hashlib
import json
import platform
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.table import Table

from asr.errors import AsrError
from asr.units.letter_alignment import align_letters
from asr.units.letter_to_sound import LetterToSound
from asr.units.lexicon import ARPABET, STRESSED, Lexicon, Pronunciation, cmudict_lexicon, read_lexicon

HELD_OUT = 20


def is_held_out(word: str) -> bool:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % HELD_OUT == 0


def measure(pronounce: Callable[[str], Pronunciation], lexicon: Lexicon, words: list[str]) -> dict[str, Any]:
    """Errors in percent over `words`; a word that cannot be pronounced has no phone right."""
    wrong = errors = phones = 0
    began = time.process_time()
    for word in words:
        try:
            guess = pronounce(word)
        except AsrError:
            guess = ()
        wrong += guess not in lexicon.entries[word]
        found, length = min((Levenshtein.distance(ref, guess), len(ref)) for ref in lexicon.entries[word])
        errors, phones = errors + found, phones + length
    return {
        "word_errors": 100 * wrong / len(words),
        "phone_errors": 100 * errors / phones,
        "ms_a_word": 1000 * (time.process_time() - began) / len(words),
    }


def letter_by_letter(examples: list[tuple[str, Pronunciation]]) -> Callable[[str], Pronunciation]:
    """The most frequent sound of each letter."""
    pairs = Counter(pair for word in align_letters(examples) for pair in word)
    best = {letter: sounds for (letter, sounds), _ in sorted(pairs.items(), key=lambda item: item[1])}
    return lambda word: tuple(phone for letter in word for phone in best[letter])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", default="2,4,6,8")
    parser.add_argument("--stress", action="store_true", help="count stress as part of a phone")
    parser.add_argument("--lexicon", type=Path, help="another dictionary in CMUdict's format")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    symbols = STRESSED if options.stress else ARPABET
    lexicon = read_lexicon(options.lexicon, symbols) if options.lexicon else cmudict_lexicon(symbols)
    words = sorted(word for word in lexicon.entries if is_held_out(word) and word.replace("'", "").isalpha())
    examples = [
        (word, phones)
        for word, phones in lexicon
        if not is_held_out(word) and word.replace("'", "").isalpha()
    ]
    LetterToSound.learn(examples[:100])  # compiles
    rows = [{"model": "letter by letter"} | measure(letter_by_letter(examples), lexicon, words)]
    for order in map(int, options.orders.split(",")):
        began = time.process_time()
        model = LetterToSound.learn(examples, order)
        learning = time.process_time() - began
        for name, content in (("", model.to_bytes()), (", compact", model.to_bytes(compact=True))):
            kept = LetterToSound.from_bytes(content, name)
            row = {
                "model": f"{order}-gram of pairs{name}",
                "seconds": learning,
                "megabytes": len(content) / 1e6,
            }
            rows.append(row | measure(kept.pronounce, lexicon, words))
    table = Table(
        title=f"{len(words)} held-out words, {len(examples)} pronunciations learnt; {platform.machine()}"
    )
    columns = {
        "model": "",
        "word_errors": "words, %",
        "phone_errors": "phones, %",
        "seconds": "learning, s",
        "ms_a_word": "ms a word",
        "megabytes": "MB",
    }
    for title in columns.values():
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*(_cell(row.get(name, "")) for name in columns))
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps({"numpy": np.__version__, "rows": rows}, indent=2) + "\n")


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.2f}"


if __name__ == "__main__":
    main()
