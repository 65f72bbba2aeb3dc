"""How true are the word times of `asr align`, and does it tell a wrong text from a right one?

    python benchmarks/alignment.py MODEL CORPUS [--every N] [--misfit] [--json FILE]

CORPUS is a manifest (`.jsonl`) or a subset in LibriSpeech's layout.

Beside a manifest `test.jsonl` of synthesised speech lies `test.words.jsonl` with the second at which
espeak-ng begins each word: the table gives the error of the starts, estimated minus true, with and without
the edges that `asr.align` adds. An end is compared with the beginning of the next word, from which no pause
separates it in that speech.

For real speech, the table says how often a word's start, middle and end lie in a pause, and how deep. A pause
is found by energy alone: at least 0.2 s quiet (`asr.features.pauses.quiet_hops`). It also compares the starts
after a pause with the pause's end, and ends before a pause with its beginning. What is quiet is decided a bit
after a soft sound begins; so these errors are not quite comparable with the others.

`--misfit` calibrates `--max-misfit` of `asr align`: how often a threshold refuses right texts, of one
utterance and of three that are joined, and how often it refuses wrong ones: the text of another utterance as
long, three utterances of whose text the middle one is missing, and two between which the text has a third.
A text that cannot be aligned at all counts as refused. The default of 1.6 nats refused 0 % of right texts,
with a model of real speech (WER 77 %) and with a young model of synthesised speech; of the three kinds of
wrong ones 97, 77 and 99 % with the first, and 80, 12 and 97 % with the second.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.align import EDGE_SECONDS, FIT_SECONDS, unit_times
from asr.corpus.librispeech import read_librispeech
from asr.corpus.manifest import read_manifest
from asr.corpus.synthesis import SpokenWords
from asr.decoding.alignment import align_states
from asr.decoding.fit import frame_losses, window_losses
from asr.errors import AsrError
from asr.features.audio import read_audio
from asr.features.pauses import HOP_SECONDS, quiet_hops
from asr.files import write_text
from asr.progress import track
from asr.records import Utterance
from asr.transcribe import Recogniser

Floats = NDArray[np.float64]
PAUSE_SECONDS, NEAR_SECONDS = 0.2, 0.25
DEPTHS = (0.0, 0.02, 0.05, 0.1)
THRESHOLDS = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5)


class Heard(msgspec.Struct):
    """An utterance, its log-probabilities (T, C), the second of each frame, and its text in units."""

    row: Utterance
    log_probs: Floats
    times: Floats
    seconds: float
    ids: list[int]


def hear(recogniser: Recogniser, rows: list[Utterance]) -> list[Heard]:
    return [
        Heard(row, *recogniser.log_probs(row.audio), recogniser.units.encode(row.text))
        for row in track(rows, "hearing", len(rows))
    ]


def word_times(recogniser: Recogniser, heard: Heard, edge: float) -> tuple[Floats, Floats]:
    """Start and end of each word, (V,) each."""
    boundary = recogniser.units.boundary
    if boundary is None:
        sys.exit("a model of characters or phones expected, with a boundary between words")
    spoken = np.array(heard.ids) != boundary
    begins, ends = unit_times(
        align_states(heard.log_probs, heard.ids),
        spoken,
        heard.times,
        recogniser.frame_seconds,
        heard.seconds,
        edge,
    )
    words = np.cumsum(~spoken)[spoken]
    first, last = np.flatnonzero(np.diff(words, prepend=-1)), np.flatnonzero(np.diff(words, append=-1))
    return begins[spoken][first], ends[spoken][last]


def error_row(errors: list[float]) -> dict[str, float]:
    """Milliseconds: the bias is the median error; of the error's size the median and the 95th percentile."""
    error = 1000 * np.array(errors)
    size = np.abs(error)
    return {
        "count": len(error),
        "bias_ms": float(np.median(error)),
        "median_ms": float(np.median(size)),
        "p95_ms": float(np.quantile(size, 0.95)),
    }


def true_starts(recogniser: Recogniser, heard: list[Heard], words: Path) -> dict[str, Any]:
    truth = {}
    for line in words.read_bytes().splitlines():
        spoken = msgspec.json.decode(line, type=SpokenWords)
        truth[spoken.utt_id] = np.array([word.start for word in spoken.words])
    found: dict[str, Any] = {}
    for edge in (0.0, EDGE_SECONDS):
        starts: list[float] = []
        ends: list[float] = []
        for one in heard:
            begin, end = word_times(recogniser, one, edge)
            starts += list(begin - truth[one.row.utt_id])
            ends += list(end[:-1] - truth[one.row.utt_id][1:])
        found[f"starts, edge {edge:g} s"] = error_row(starts)
        found[f"ends, edge {edge:g} s"] = error_row(ends)
    return found


def runs(quiet: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(R, 2) begin and end of each pause, in hops."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    pairs = edges.reshape(-1, 2)
    return pairs[(pairs[:, 1] - pairs[:, 0]) * HOP_SECONDS >= PAUSE_SECONDS]


def in_pauses(recogniser: Recogniser, heard: list[Heard]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pauses, rate = [], recogniser.sample_rate
    for one in heard:
        waveform = read_audio(one.row.audio, sample_rate=rate, start=one.row.start, duration=one.row.duration)
        pauses.append(runs(quiet_hops(waveform, rate)) * HOP_SECONDS)
    share = sum(np.diff(pause).sum() for pause in pauses) / sum(one.seconds for one in heard)
    found["pauses"] = {"share": float(share)}
    for edge in (0.0, EDGE_SECONDS):
        depths: dict[str, list[float]] = defaultdict(list)
        after: list[float] = []
        before: list[float] = []
        for one, pause in zip(heard, pauses, strict=True):
            begin, end = word_times(recogniser, one, edge)
            for name, at in (("starts", begin), ("middles", (begin + end) / 2), ("ends", end)):
                inside = np.minimum(at[:, None] - pause[:, 0], pause[:, 1] - at[:, None])
                depths[name] += inside.max(axis=1, initial=-1.0).tolist()
            after += nearest(begin, pause[:, 1][pause[:, 1] < one.seconds - NEAR_SECONDS])
            before += nearest(end, pause[:, 0][pause[:, 0] > NEAR_SECONDS])
        for name, depth in depths.items():
            found[f"{name}, edge {edge:g} s"] = {
                "count": len(depth),
                **{f"deeper_{1000 * d:g}_ms": float(np.mean(np.array(depth) > d)) for d in DEPTHS},
            }
        found[f"starts after a pause, edge {edge:g} s"] = error_row(after)
        found[f"ends before a pause, edge {edge:g} s"] = error_row(before)
    return found


def nearest(times: Floats, places: Floats) -> list[float]:
    """For each place, how much later the nearest time is; none where that is not near."""
    errors = [float((times - place)[np.abs(times - place).argmin()]) for place in places]
    return [error for error in errors if abs(error) <= NEAR_SECONDS]


def worst(log_probs: Floats, ids: list[int], window: int) -> float:
    """The greatest mean loss of a window; infinite where the text cannot be aligned."""
    try:
        states = align_states(log_probs, ids)
    except AsrError:
        return float("inf")
    return float(window_losses(frame_losses(log_probs, ids, states), window).max())


def misfits(recogniser: Recogniser, heard: list[Heard]) -> dict[str, Any]:
    """How many of each kind of text each threshold refuses."""
    window = max(1, round(FIT_SECONDS / recogniser.frame_seconds))
    boundary = recogniser.units.boundary
    gap = [] if boundary is None else [boundary]
    losses: dict[str, list[float]] = defaultdict(list)
    for k, one in enumerate(track(heard, "judging", len(heard))):
        two, three = heard[(k + 1) % len(heard)], heard[(k + 2) % len(heard)]
        other = min(
            (abs(len(row.ids) - len(one.ids)), j)
            for j, row in enumerate(heard)
            if row.row.text != one.row.text
        )[1]
        all_three = np.concatenate([one.log_probs, two.log_probs, three.log_probs])
        outer = np.concatenate([one.log_probs, three.log_probs])
        whole, short = one.ids + gap + two.ids + gap + three.ids, one.ids + gap + three.ids
        losses["right"].append(worst(one.log_probs, one.ids, window))
        losses["right, three joined"].append(worst(all_three, whole, window))
        losses["another utterance's"].append(worst(one.log_probs, heard[other].ids, window))
        losses["sentence missing"].append(worst(all_three, short, window))
        losses["sentence too many"].append(worst(outer, whole, window))
    return {
        kind: {
            "count": len(values),
            "median_nats": float(np.median(values)),
            **{f"refused_above_{most:g}": float(np.mean(np.array(values) > most)) for most in THRESHOLDS},
        }
        for kind, values in losses.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("corpus", type=Path, help="SPLIT.jsonl, or a subset in LibriSpeech's layout")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth utterance")
    parser.add_argument("--misfit", action="store_true", help="judge right and wrong texts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    manifest = options.corpus.suffix == ".jsonl"
    rows = read_manifest(options.corpus) if manifest else read_librispeech(options.corpus)[0]
    recogniser = Recogniser.load(options.model)
    heard = hear(recogniser, rows[:: options.every])
    words = options.corpus.with_suffix(".words.jsonl")
    known = manifest and words.exists()
    found = true_starts(recogniser, heard, words) if known else in_pauses(recogniser, heard)
    if options.misfit:
        found |= misfits(recogniser, heard)
    minutes = sum(one.seconds for one in heard) / 60
    print(f"{options.corpus}: {len(heard)} utterances, {minutes:.1f} minutes")
    for name, figures in found.items():
        print(f"{name:36}" + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
    if options.json:
        write_text(options.json, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
