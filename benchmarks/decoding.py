"""How long does decoding take? Milliseconds for an utterance of 500 frames and 29 classes.

    python benchmarks/decoding.py [--repeats 9] [--json FILE]

Compared in the same run with a readable prefix beam search in plain Python, and with flashlight-text where it
is installed (`pip install flashlight-text`, Python < 3.13). All look at the 8 best classes of a frame.

`python benchmarks/decoding.py words …` reads words with a lexicon and a language model: see its --help.
"""

import argparse
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

NUM_FRAMES, NUM_CLASSES, TOP, BEAMS = 500, 29, 8, (4, 16, 64)
# How far the right class stands above the noise of the others; with 7 it has a probability of 0.95.
KINDS = {"peaky": 7.0, "unsure": 4.0}


def synthetic(sharpness: float, seed: int) -> np.ndarray:
    """Log-probabilities (T, C) of 0.58 units a frame, as LibriSpeech's characters have with 40 ms frames."""
    rng = np.random.default_rng(seed)
    spoken = rng.random(NUM_FRAMES) < 0.58
    classes = np.where(spoken, rng.integers(1, NUM_CLASSES, NUM_FRAMES), 0)
    logits = rng.standard_normal((NUM_FRAMES, NUM_CLASSES))
    logits[np.arange(NUM_FRAMES), classes] += sharpness
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def plain_python(log_probs: np.ndarray, beam: int, top: int) -> float:
    """Prefix beam search as the textbook writes it; returns the best score."""
    frames = log_probs.tolist()
    minus_infinity = float("-inf")

    def add(a: float, b: float) -> float:
        if a < b:
            a, b = b, a
        return a if b == minus_infinity else a + math.log1p(math.exp(b - a))

    prefixes = {(): (0.0, minus_infinity)}
    for frame in frames:
        best = sorted(range(len(frame)), key=lambda c: -frame[c])[:top]
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, unit) in prefixes.items():
            total = add(blank, unit)
            own = grown.setdefault(prefix, [minus_infinity, minus_infinity])
            own[0] = add(own[0], total + frame[0])
            if prefix:
                own[1] = add(own[1], unit + frame[prefix[-1]])
            for c in best:
                if c == 0:
                    continue
                gain = (blank if prefix and c == prefix[-1] else total) + frame[c]
                new = grown.setdefault((*prefix, c), [minus_infinity, minus_infinity])
                new[1] = add(new[1], gain)
        ranked = sorted(grown.items(), key=lambda item: -add(*item[1]))[:beam]
        prefixes = {prefix: (ends[0], ends[1]) for prefix, ends in ranked}
    return max(add(*ends) for ends in prefixes.values())


def flashlight_decoder() -> Callable[[np.ndarray, int, int], Any] | None:
    """flashlight-text's decoder without lexicon and language model; None where it is not installed."""
    try:
        from flashlight.lib.text import decoder as fl
    except ImportError:
        return None

    def decode(log_probs: np.ndarray, beam: int, top: int) -> Any:
        options = fl.LexiconFreeDecoderOptions(
            beam_size=beam,
            beam_size_token=top,
            beam_threshold=1e9,
            lm_weight=0.0,
            sil_score=0.0,
            log_add=True,
            criterion_type=fl.CriterionType.CTC,
        )
        emissions = np.ascontiguousarray(log_probs, dtype=np.float32)
        # class 1 stands for the word separator, class 0 is the blank
        decoder = fl.LexiconFreeDecoder(options, fl.ZeroLM(), 1, 0, [])
        return decoder.decode(emissions.ctypes.data, *emissions.shape)

    return decode


def median_ms(run: Callable[[np.ndarray], Any], utterances: list[np.ndarray]) -> float:
    """Median over the utterances, after one that is not timed."""
    run(utterances[0])
    times = []
    for log_probs in utterances:
        begin = time.perf_counter()
        run(log_probs)
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def measure(repeats: int) -> dict[str, Any]:
    """Every decoder on every kind of utterance."""
    begin = time.perf_counter()
    from asr.decoding.greedy import greedy_search
    from asr.decoding.prefix_beam import prefix_beam_search

    imported = time.perf_counter()
    prefix_beam_search(synthetic(7.0, 0)[None, :10], [10], beam=2, top=TOP)
    compiled = time.perf_counter()
    flashlight = flashlight_decoder()
    rows = []
    for kind, sharpness in KINDS.items():
        utterances = [synthetic(sharpness, seed) for seed in range(repeats)]
        row = {"input": kind, "search": "greedy"}
        rows.append(row | {"asr": median_ms(lambda x: greedy_search(x[None], [len(x)]), utterances)})
        for beam in BEAMS:
            rows.append(
                {"input": kind, "search": f"beam {beam}"}
                | {
                    "asr": median_ms(
                        lambda x, b=beam: prefix_beam_search(x[None], [len(x)], beam=b, top=TOP), utterances
                    ),
                    "python": median_ms(lambda x, b=beam: plain_python(x, b, TOP), utterances),
                }
                | (
                    {"flashlight": median_ms(lambda x, b=beam: flashlight(x, b, TOP), utterances)}
                    if flashlight
                    else {}
                )
            )
    return {
        "frames": NUM_FRAMES,
        "classes": NUM_CLASSES,
        "top": TOP,
        "repeats": repeats,
        "unit": "milliseconds an utterance, median",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "import_seconds": imported - begin,
        "first_call_seconds": compiled - imported,
        "rows": rows,
    }


def show(result: dict[str, Any]) -> None:
    """Print the table on stdout."""
    console = Console()
    table = Table(
        title=f"decoding: {result['unit']} ({result['frames']} frames, {result['classes']} classes, "
        f"top {result['top']}, median of {result['repeats']})"
    )
    for column in ("input", "search", "asr", "plain Python", "flashlight-text"):
        table.add_column(column, justify="left" if column in ("input", "search") else "right")
    for row in result["rows"]:
        numbers = [f"{row[key]:.2f}" if key in row else "–" for key in ("asr", "python", "flashlight")]
        table.add_row(row["input"], row["search"], *numbers)
    console.print(table)
    console.print(
        f"{result['machine']}; import {result['import_seconds']:.2f} s, "
        f"first call (compiles, or loads what was compiled) {result['first_call_seconds']:.2f} s"
    )
    if not any("flashlight" in row for row in result["rows"]):
        console.print(
            "flashlight-text is not installed, so it was not compared (pip install flashlight-text)"
        )


def main() -> None:
    if sys.argv[1:2] == ["words"]:
        del sys.argv[1]
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        from benchmarks.decoding_words import main as measure_words

        return measure_words()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeats", type=int, default=9, help="utterances timed for each number (at least 7)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    result = measure(max(7, arguments.repeats))
    show(result)
    if arguments.json:
        from asr.files import write_text

        write_text(arguments.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
