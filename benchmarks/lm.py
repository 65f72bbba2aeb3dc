"""How fast are n-gram models estimated, opened and asked, and how well do they foretell?

    python benchmarks/lm.py TEXT [--orders 3 4] [--held-out 20000] [--sentences 10000] [--json FILE]

TEXT has a sentence a line, plain, .gz or .xz. The last --held-out lines are foretold by a model of the lines
before. Estimation runs in a process of its own, from the text to the model in memory: its words a second,
</s> included, and the highest resident size. The forms on disk are the compact one with 32, 16 and 8 bits for
a probability, and ARPA; opening is the median of --repeats, with the file in the system's cache.

After --contexts beginnings of held-out sentences, drawn at random, the probabilities of all words are summed.

Where flashlight-text is installed, KenLM's reader scores the first --sentences held-out lines from our ARPA
file, and the largest difference of a sentence is shown in log10.

Perplexity is over the held-out words that the text before has, and </s>: what a model sets aside for <unk> is
a matter of taste, and would decide the comparison. The others have the same counts, vocabulary and order:
"absolute" takes one discount an order, n1 / (n1 + 2 n2), from plain counts of every order, interpolated
(Chen and Goodman, 1999, section 2.6); "katz" is Good-Turing up to 5 with back-off (Katz, 1987), where a
context that leaves nothing over is counted once more. With 8 bits, probabilities are rounded so far that they
do not quite sum to one, and a perplexity may come out lower than the unrounded one.
"""

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Shown

from asr.lm.arpa import write_arpa
from asr.lm.automaton import LanguageModel, advance, sentence_log_probs
from asr.lm.build import build
from asr.lm.counting import Level, count_ngrams
from asr.lm.kneser_ney import estimate
from asr.lm.perplexity import perplexity
from asr.lm.tables import BOS, EOS, NEVER, UNK, Model, Table, contexts_of, normalised_backoffs
from asr.lm.text import read_blocks
from asr.lm.vocabulary import choose_vocabulary, encode_texts

KATZ = 5  # counts above are reliable


def counted(path: Path, order: int) -> tuple[list[str], list[Level]]:
    with tempfile.TemporaryDirectory() as folder:
        corpus = encode_texts([str(path)], Path(folder) / "words")
        vocabulary = choose_vocabulary(corpus)
        return vocabulary.words, count_ngrams(corpus, vocabulary, order, Path(folder))


def absolute(words: list[str], levels: list[Level]) -> Model:
    """Interpolated absolute discounting: Kneser-Ney's recursion with plain counts and one discount."""
    from asr.lm import kneser_ney

    def one_discount(order: int, counts: Any) -> kneser_ney.Discounts:
        n1, n2 = np.bincount(np.minimum(counts, 3), minlength=3)[1:3]
        return kneser_ney.Discounts((n1 / (n1 + 2 * n2),) * 3)

    modified, kneser_ney.discounts_of = kneser_ney.discounts_of, one_discount
    try:
        return estimate([level._replace(adjusted=level.raw) for level in levels], words)[0]
    finally:
        kneser_ney.discounts_of = modified


def katz(words: list[str], levels: list[Level]) -> Model:
    """Good-Turing discounts up to `KATZ`, and back-off to the shorter context for what was not seen."""
    tables: list[Table] = []
    for n, level in enumerate(levels, 1):
        found = np.bincount(np.minimum(level.raw, KATZ + 2), minlength=KATZ + 2).astype(float)
        ratios = np.ones(KATZ + 2)
        for r in range(1, KATZ + 1):
            tail = (KATZ + 1) * found[KATZ + 1] / found[1]
            ratios[r] = ((r + 1) * found[r + 1] / (r * found[r]) - tail) / (1 - tail)
        counts = level.raw * ratios[np.minimum(level.raw, KATZ + 1)]
        if n == 1:
            probs = np.zeros(len(words))
            probs[level.first_words] = counts / level.raw.sum()
            probs[UNK] += 1 - probs.sum()
            log_probs = np.log(np.maximum(probs, 1e-300))
            log_probs[BOS] = NEVER
            none = np.zeros(len(words), np.int32)
            index = np.arange(len(words), dtype=np.int32)
            tables.append(Table(index, none, none, log_probs, np.zeros(len(words))))
            continue
        contexts = contexts_of(n, tables[-1], level.suffixes, level.first_words)
        totals = np.bincount(contexts, level.raw).astype(float)
        totals += np.bincount(contexts, counts) > totals - 1e-9
        log_probs = np.log(counts / totals[contexts])
        tables.append(Table(level.first_words, level.suffixes, contexts, log_probs, np.zeros(len(counts))))
    return Model(words, normalised_backoffs(tables))


def estimation(text: Path, order: int) -> dict[str, float]:
    """Seconds and gigabytes of a process that estimates a model."""
    code = "import sys; from benchmarks.lm import alone; alone(sys.argv[1], int(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(text), str(order)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return json.loads(done.stdout)


def alone(text: str, order: int) -> None:
    started = time.perf_counter()
    model = LanguageModel.from_model(build([text], order).model)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "gigabytes": peak, "arcs": len(model.automaton.words)}))


def median_seconds(work: Any, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def kenlm_difference(arpa: Path, model: LanguageModel, sentences: list[str]) -> float | None:
    try:
        from flashlight.lib.text.decoder.kenlm import KenLM
        from flashlight.lib.text.dictionary import Dictionary
    except ImportError:
        return None
    words = Dictionary()
    for word in (*model.vocabulary, "\N{REPLACEMENT CHARACTER}"):
        words.add_entry(word)
    kenlm = KenLM(str(arpa), words)
    worst = 0.0
    for sentence in sentences:
        state, total = kenlm.start(False), 0.0
        for word in sentence.split():
            known = word if word in model.ids else "\N{REPLACEMENT CHARACTER}"
            state, score = kenlm.score(state, words.get_index(known))
            total += score
        total += kenlm.finish(state)[1]
        worst = max(worst, abs(model.score(sentence.split()) / math.log(10) - total))
    return worst


def largest_defect(model: LanguageModel, sentences: list[str], contexts: int) -> float:
    """How far the sum over the vocabulary is from one, at worst, after `contexts` beginnings of sentences."""
    words = np.array([word for word in range(len(model.vocabulary)) if word != BOS])
    rng, worst = np.random.default_rng(1), 0.0
    for sentence in rng.choice(sentences, contexts):
        state, text = model.start, sentence.split()
        for word in text[: rng.integers(len(text) + 1)]:
            state = advance(model.automaton, state, model.ids.get(word, UNK))[1]
        probs = np.exp([advance(model.automaton, state, int(word))[0] for word in words])
        worst = max(worst, abs(math.fsum(probs) - 1))
    return worst


def measured(folder: Path, train: Path, held_out: Path, order: int, options: Any) -> dict[str, Any]:
    figures: dict[str, Any] = {"order": order, "estimation": estimation(train, order)}
    words, levels = counted(train, order)
    figures["words_per_second"] = int(levels[0].raw.sum()) / figures["estimation"]["seconds"]
    figures["ngrams"] = [len(level.raw) for level in levels]
    figures["perplexity"] = {}
    for name, make in (("absolute", absolute), ("katz", katz)):
        other = LanguageModel.from_model(make(words, levels))
        figures["perplexity"][name] = perplexity(other, [str(held_out)]).without_unknown
        del other
    tables = estimate(levels, words)[0]
    del levels
    model = LanguageModel.from_model(tables)
    write_arpa(folder / "lm.arpa", tables)
    del tables
    figures["perplexity"]["kneser-ney"] = perplexity(model, [str(held_out)]).without_unknown
    figures["forms"] = {"arpa": {"megabytes": (folder / "lm.arpa").stat().st_size / 1e6}}
    for bits in (32, 16, 8):
        path = folder / f"{bits}.lm"
        model.save(path, bits)
        found = LanguageModel.load(path)
        figures["forms"][f"{bits} bits"] = {
            "megabytes": path.stat().st_size / 1e6,
            "open_ms": 1000 * median_seconds(lambda path=path: LanguageModel.load(path), options.repeats),
            "perplexity": perplexity(found, [str(held_out)]).without_unknown,
        }
    sentences = held_out.read_text().splitlines()
    ids = np.array(
        [i for line in sentences for i in (*(model.ids.get(w, UNK) for w in line.split()), EOS)], np.int32
    )
    seconds = median_seconds(
        lambda: sentence_log_probs(model.automaton, model.start, EOS, ids), options.repeats
    )
    figures["lookups_per_second"] = len(ids) / seconds
    figures["largest_defect"] = largest_defect(model, sentences, options.contexts)
    figures["kenlm_difference"] = kenlm_difference(folder / "lm.arpa", model, sentences[: options.sentences])
    return figures


def split(text: str, folder: Path, held_out: int) -> tuple[Path, Path]:
    """The text without its last lines, and these."""
    lines = b"".join(block.content for block in read_blocks([text])).splitlines(keepends=True)
    train, dev = folder / "train.txt", folder / "held-out.txt"
    train.write_bytes(b"".join(lines[:-held_out]))
    dev.write_bytes(b"".join(lines[-held_out:]))
    return train, dev


def print_table(console: Console, figures: dict[str, Any]) -> None:
    made, forms = figures["estimation"], figures["forms"]
    shown = Shown("figure", "value", title=f"order {figures['order']}")
    shown.add_row("n-grams", " + ".join(f"{count:,}" for count in figures["ngrams"]))
    shown.add_row("estimation", f"{made['seconds']:.1f} s, {figures['words_per_second']:,.0f} words/s")
    shown.add_row("memory at its peak", f"{made['gigabytes']:.2f} GB")
    shown.add_row("look-ups", f"{figures['lookups_per_second'] / 1e6:.2f} million/s, one thread")
    shown.add_row("ARPA", f"{forms['arpa']['megabytes']:.0f} MB")
    for name in ("32 bits", "16 bits", "8 bits"):
        form = forms[name]
        sizes = f"{form['megabytes']:.0f} MB, opens in {form['open_ms']:.0f} ms"
        shown.add_row(f"compact, {name}", f"{sizes}, perplexity {form['perplexity']:.2f}")
    own = figures["perplexity"]["kneser-ney"]
    shown.add_row("perplexity", f"{own:.2f}")
    for name in ("absolute", "katz"):
        other = figures["perplexity"][name]
        shown.add_row(f"perplexity, {name}", f"{other:.2f}: ours is {1 - own / other:.1%} lower")
    shown.add_row("farthest from one", f"{figures['largest_defect']:.1e}, a sum over the vocabulary")
    if figures["kenlm_difference"] is not None:
        shown.add_row(
            "largest difference from KenLM", f"{figures['kenlm_difference']:.1e} in log10 of a sentence"
        )
    console.print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text")
    parser.add_argument("--orders", type=int, nargs="+", default=[3])
    parser.add_argument("--held-out", type=int, default=20000)
    parser.add_argument("--sentences", type=int, default=10000)
    parser.add_argument("--contexts", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console()
    console.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}"
    )
    results = []
    with tempfile.TemporaryDirectory() as folder:
        train, held_out = split(options.text, Path(folder), options.held_out)
        for order in options.orders:
            results.append(measured(Path(folder), train, held_out, order, options))
            print_table(console, results[-1])
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
