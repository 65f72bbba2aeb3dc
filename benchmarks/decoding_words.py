"""How fast and how well are words read? Milliseconds an utterance, × real time and WER, decoder by decoder.

    asr lm build BOOKS.txt.xz --order 3 --vocabulary 60000 --output LM.arpa
    python benchmarks/decoding.py words MODEL LIBRISPEECH/dev-clean LM.arpa [--tune] [--beams 4 16 64 256]

MODEL is a model of letters. What it hears is computed once and kept in --heard FILE.npz; then every utterance
is decoded by every decoder with every beam in turn, so that all meet the same machine. With --tune the
weights are chosen on every fourth utterance, which then is not decoded again: lm_weight and word_score by our
decoder, the same for all. Decoders that are not installed are left out: flashlight-text; pyctcdecode, pygtrie
and kenlm; fast-ctc-decode. Slow ones stop at --slow-beam. Each runs on one thread.
"""

import argparse
import itertools
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.lm.automaton import LanguageModel
from asr.scoring.wer import Scored, score
from benchmarks import word_decoders
from benchmarks.word_decoders import Decode, Task

LM_WEIGHTS = (0.4, 0.6, 0.8, 1.0, 1.2, 1.5)
WORD_SCORES = (-1.0, 0.0, 1.0, 2.0)
SLOW = ("pyctcdecode", "fast-ctc-decode")


class Heard(dict[str, np.ndarray]):
    """Log-probabilities (T, C) by utterance."""


def hear(model: Path, corpus: Path, kept: Path | None) -> tuple[Heard, dict[str, str], dict[str, float]]:
    """What the model hears in every utterance, what is said there, and how long it is in seconds."""
    from asr.corpus.librispeech import read_librispeech

    rows, _ = read_librispeech(corpus)
    refs = {row.utt_id: row.text for row in rows}
    seconds = {row.utt_id: row.duration for row in rows}
    if kept and kept.exists():
        with np.load(kept) as stored:
            return Heard({name: stored[name].astype(np.float64) for name in stored}), refs, seconds
    from asr.transcribe import Recogniser

    recogniser = Recogniser.load(model)
    heard = Heard({row.utt_id: recogniser.log_probs(row.audio)[0] for row in rows})
    if kept:
        np.savez(kept, **{name: log_probs.astype(np.float32) for name, log_probs in heard.items()})
    return heard, refs, seconds


def wer(texts: dict[str, str], refs: dict[str, str]) -> float:
    return score([Scored(utt_id=name, ref=refs[name], hyp=text) for name, text in texts.items()]).wer


def tuned(task: Task, heard: Heard, refs: dict[str, str], beam: int, console: Console) -> Task:
    """The weights with the fewest errors."""
    trials = []
    for weight, word_score in itertools.product(LM_WEIGHTS, WORD_SCORES):
        one = task._replace(lm_weight=weight, word_score=word_score)
        decode = word_decoders.ours(one)(beam)
        trials.append((wer({name: decode(rows) for name, rows in heard.items()}, refs), weight, word_score))
        console.print(f"lm_weight {weight}, word_score {word_score}: WER {trials[-1][0]:.2f} %")
    best = min(trials)
    return task._replace(lm_weight=best[1], word_score=best[2])


def decoders_of(task: Task, options: argparse.Namespace) -> dict[tuple[str, int], Decode]:
    """Every decoder that is installed, with every beam."""
    makers = {
        "asr": word_decoders.ours(task, threshold=options.threshold, class_threshold=options.class_threshold),
        "flashlight-text": word_decoders.flashlight(task, options.flashlight_threshold),
        "pyctcdecode": word_decoders.pyctcdecode(task),
        "fast-ctc-decode": word_decoders.fast_ctc_decode(task),
    }
    return {
        (name, beam): maker(beam)
        for name, maker in makers.items()
        if maker
        for beam in options.beams
        if name not in SLOW or beam <= options.slow_beam
    }


def measure(
    decoders: dict[tuple[str, int], Decode], heard: Heard, refs: dict[str, str], seconds: dict[str, float]
) -> list[dict[str, Any]]:
    """Decode every utterance with every decoder in turn; the first is decoded once before."""
    texts: dict[tuple[str, int], dict[str, str]] = {key: {} for key in decoders}
    spent = dict.fromkeys(decoders, 0.0)
    for decode in decoders.values():
        decode(next(iter(heard.values())))
    for name, log_probs in heard.items():
        for key, decode in decoders.items():
            began = time.perf_counter()
            texts[key][name] = decode(log_probs)
            spent[key] += time.perf_counter() - began
    total = sum(seconds[name] for name in heard)
    return [
        {
            "decoder": name,
            "beam": beam,
            "milliseconds": 1000 * spent[name, beam] / len(heard),
            "times_real_time": total / spent[name, beam],
            "wer": wer(texts[name, beam], refs),
        }
        for name, beam in decoders
    ]


def greedy_wer(heard: Heard, refs: dict[str, str], tokens: list[str]) -> float:
    from asr.decoding.greedy import greedy_search

    texts = {}
    for name, log_probs in heard.items():
        path = greedy_search(log_probs[None], [len(log_probs)])[0]
        texts[name] = " ".join("".join(tokens[unit] for unit in path.ids).replace("|", " ").split())
    return wer(texts, refs)


def show(result: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{result['utterances']} utterances, {result['seconds'] / 60:.1f} minutes")
    for column in ("decoder", "beam", "ms an utterance", "× real time", "WER %"):
        table.add_column(column, justify="left" if column == "decoder" else "right")
    for row in result["rows"]:
        table.add_row(
            row["decoder"], str(row["beam"]), f"{row['milliseconds']:.2f}", f"{row['times_real_time']:.0f}",
            f"{row['wer']:.2f}",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"greedy {result['greedy_wer']:.2f} %; {result['words']} words, lm_weight {result['lm_weight']}, "
        f"word_score {result['word_score']}, top {result['top']}; {result['machine']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("corpus", type=Path, help="a subset in LibriSpeech's layout")
    parser.add_argument("arpa", type=Path, help="language model, .arpa")
    parser.add_argument("--heard", type=Path, metavar="FILE.npz", help="log-probabilities, kept or read")
    parser.add_argument("--beams", type=int, nargs="+", default=[4, 16, 64, 256])
    parser.add_argument("--slow-beam", type=int, default=64, help="greatest beam of slow decoders")
    parser.add_argument("--utterances", type=int, default=200, help="that are timed, evenly spread")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--lm-weight", type=float, default=0.8)
    parser.add_argument("--word-score", type=float, default=1.0)
    parser.add_argument("--top", type=int, default=8)
    parser.add_argument("--threshold", type=float, default=float("inf"), help="ours, nats")
    parser.add_argument("--class-threshold", type=float, default=float("inf"), help="ours, nats")
    parser.add_argument("--flashlight-threshold", type=float, default=25.0, help="nats")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    console = Console()
    heard, refs, seconds = hear(options.model, options.corpus, options.heard)
    tokens = (options.model / "tokens.txt").read_text().split("\n")[:-1]
    lm = LanguageModel.open(options.arpa)
    classes = {token: k for k, token in enumerate(tokens)}
    lexicon = [
        (word, [classes[letter] for letter in word])
        for word in lm.vocabulary[3:]
        if set(word) <= classes.keys() - {"|"}
    ]
    task = Task(tokens, lexicon, options.arpa, lm, options.lm_weight, options.word_score, options.top)
    names = list(heard)
    if options.tune:
        task = tuned(task, Heard({name: heard[name] for name in names[::4]}), refs, 64, console)
        names = [name for k, name in enumerate(names) if k % 4]
    names = names[:: max(1, len(names) // options.utterances)]
    timed = Heard({name: heard[name] for name in names})
    result = {
        "utterances": len(timed),
        "seconds": sum(seconds[name] for name in timed),
        "words": len(lexicon),
        "lm_weight": task.lm_weight,
        "word_score": task.word_score,
        "top": task.top,
        "greedy_wer": greedy_wer(timed, refs, tokens),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "rows": measure(decoders_of(task, options), timed, refs, seconds),
    }
    show(result, console)
    if options.json:
        from asr.files import write_text

        write_text(options.json, json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
