"""Does a trained model read better when it hears an utterance several times, or all of its speaker first?

    python benchmarks/hearing.py MODEL LibriSpeech/dev-clean [--every 4] [--lm-weights 0.9 1.2 1.5]

MODEL reads words, with the settings of its folder. Every way to hear is compared with the plain one:

- one warp of the mel axis for each speaker, or utterance, with the best sum over all that is said: of the
  search's scores, of the best path's log-probabilities, or of
  the negative entropy; or the mean over that warp and its neighbours;
- the mean of log-probabilities, as `decoding.warps` takes it, or of probabilities over warps;
- for a model with `features.cmvn = "utterance"`: features normalised by the mean and variance of the
  utterance and of its speaker, which weighs as much as some frames.

A line for each: how often the model runs, WER, the difference from plain, and its 95 % intervals by paired
bootstrap over utterances and over speakers; then the same again, each with the best of --lm-weights.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.corpus.librispeech import read_librispeech
from asr.decoding.lexicon_decoder import Reading
from asr.features.audio import read_audio
from asr.features.cmvn import STD_FLOOR
from asr.features.extract import FeatureExtractor
from asr.files import file_digest
from asr.model.bundle import load_bundle
from asr.progress import track
from asr.records import Utterance
from asr.scoring.significance import compare
from asr.scoring.wer import Report, Scored, score
from asr.transcribe.batches import batches_by_length
from asr.transcribe.listening import Listener
from asr.transcribe.voices import hear
from asr.transcribe.words import make_decoder, open_words, read_rows
from asr.tuning.heard import Heard, read_heard, write_heard
from asr.units.kinds import load_units

WARPS = (-0.1, -0.05, 0.0, 0.05, 0.1)
SPEAKER_FRAMES = (300.0, 1000.0, np.inf)
BATCH_FRAMES = 8000
CPU = torch.device("cpu")

Rows: TypeAlias = list[np.ndarray]
"""Log-probabilities (T', C) of every utterance."""
Value: TypeAlias = Callable[[float], Sequence[float]]
"""Of every utterance under a warp: how well it is heard."""


class Ear:
    """A model that hears a set of utterances, and keeps what it hears: in memory, and in `keep` if given."""

    def __init__(self, model: Path, rows: Sequence[Utterance], keep: Path | None) -> None:
        self.bundle, self.rows, self.keep = load_bundle(model), rows, keep
        self.speakers = [row.speaker for row in rows]
        self.network, self.listener = self.bundle.build_model(), Listener(self.bundle)
        self.extract = FeatureExtractor(**self.bundle.config.features.extraction)
        self.origin = file_digest(model / "bundle.json")
        self.hear = cache(self._kept)

    def _kept(self, warp: float, speaker_frames: float = 0.0) -> Rows:
        """What is heard with the mel axis stretched by `warp`.

        Args:
            speaker_frames: weight of the speaker's mean and variance beside the utterance's own frames.
        """
        if not self.keep:
            return self._hear(warp, speaker_frames)
        path = self.keep / f"{len(self.rows)}_{self.rows[0].utt_id}_{warp:g}_{speaker_frames:g}.safetensors"
        if known := read_heard(path, self.origin):
            return known.rows
        heard = Heard([row.utt_id for row in self.rows], self._hear(warp, speaker_frames))
        write_heard(path, heard, self.origin)
        return heard.rows

    def _hear(self, warp: float, speaker_frames: float) -> Rows:
        feats = self._feats(warp, speaker_frames)
        heard: Rows = [np.zeros(0)] * len(feats)
        for batch in track(batches_by_length(list(map(len, feats)), BATCH_FRAMES), f"warp {warp:g}: model"):
            with torch.inference_mode():
                log_probs, lens = hear(self.network, [feats[n][:, None] for n in batch], CPU)
            for n, frames, length in zip(batch, log_probs.numpy(), lens.tolist(), strict=True):
                heard[n] = frames[:length].copy()
        return heard

    def _feats(self, warp: float, speaker_frames: float) -> list[torch.Tensor]:
        told = track(self.rows, f"warp {warp:g}: features")
        sounds = [(row.utt_id, read_audio(row.audio, sample_rate=self.listener.sample_rate)) for row in told]
        if not speaker_frames:
            return [self.listener.features(name, samples, warp) for name, samples in sounds]
        raw = [self.extract(torch.from_numpy(samples), 1 + warp) for _, samples in sounds]
        return normalised(raw, self.speakers, speaker_frames)


def normalised(
    feats: Sequence[torch.Tensor], speakers: Sequence[str], speaker_frames: float
) -> list[torch.Tensor]:
    """Features (T, F) normalised by means and variances of T frames of their own and some of the speaker."""
    frames_of = {
        name: torch.cat([row for row, other in zip(feats, speakers, strict=True) if other == name])
        for name in dict.fromkeys(speakers)
    }
    moments = {name: (rows.mean(0), rows.square().mean(0)) for name, rows in frames_of.items()}
    found = []
    for row, speaker in zip(feats, speakers, strict=True):
        share = 1.0 if speaker_frames == np.inf else speaker_frames / (speaker_frames + len(row))
        own = (row.mean(0), row.square().mean(0))
        mean, square = ((1 - share) * a + share * b for a, b in zip(own, moments[speaker], strict=True))
        found.append((row - mean) / (square - mean.square()).clamp(min=STD_FLOOR**2).sqrt())
    return found


def mean_of_logs(voices: Sequence[Rows]) -> Rows:
    """The mean of log-probabilities; every frame sums to one again."""
    means = [np.mean(rows, axis=0, dtype=np.float64) for rows in zip(*voices, strict=True)]
    return [row - np.logaddexp.reduce(row, axis=1, keepdims=True) for row in means]


def mean_of_probs(voices: Sequence[Rows]) -> Rows:
    """The logarithm of the mean of probabilities."""
    return [np.log(np.mean(np.exp(np.float64(rows)), axis=0)) for rows in zip(*voices, strict=True)]


class Reader:
    """Searches what was heard for words, with a decoder for each weight of the language model."""

    def __init__(self, ear: Ear, lm_weights: Iterable[float]) -> None:
        self.ear, bundle = ear, ear.bundle
        units = load_units(bundle.config.units, bundle.tokens, bundle.unit_files)
        words, settings = open_words(units, bundle.lexicon, bundle.lm), bundle.config.decoding
        self.own = settings.lm_weight
        self.decoders = {
            weight: make_decoder(words, units, replace(settings, lm_weight=weight))
            for weight in sorted({self.own, *lm_weights})
        }

    def read(self, heard: Rows, weight: float) -> list[Reading]:
        return [best[0] for best in read_rows(self.decoders[weight], heard, nbest=1)]

    def report(self, heard: Rows, weight: float) -> Report:
        readings = zip(self.ear.rows, self.read(heard, weight), strict=True)
        return score(
            [
                Scored(utt_id=row.utt_id, ref=row.text, hyp=" ".join(reading.words), speaker=row.speaker)
                for row, reading in readings
            ]
        )


class Way(NamedTuple):
    """A way to hear: its name, how often the model runs, and what gives what is heard."""

    name: str
    passes: int
    hear: Callable[[], Rows]


def all_ways(ear: Ear, reader: Reader) -> list[Way]:
    """Every way, the plain one first."""

    def mean(warps: Sequence[float], kind: Callable[[Sequence[Rows]], Rows]) -> Callable[[], Rows]:
        return lambda: kind([ear.hear(warp) for warp in warps])

    ways = [Way("plain", 1, partial(ear.hear, 0.0))]
    for warps in (WARPS[1:-1], WARPS):
        for name, kind in (("log-probabilities", mean_of_logs), ("probabilities", mean_of_probs)):
            ways.append(Way(f"mean of {name}, warps to ±{warps[-1]:g}", len(warps), mean(warps, kind)))
    values: dict[str, Value] = {
        "search": cache(lambda warp: [one.total for one in reader.read(ear.hear(warp), reader.own)]),
        "best path": lambda warp: [float(row.max(axis=1).sum()) for row in ear.hear(warp)],
        "entropy": lambda warp: [float((np.exp(row) * row).sum()) for row in ear.hear(warp)],
    }
    own = [row.utt_id for row in ear.rows]
    for groups, whose in ((ear.speakers, "speaker"), (own, "utterance")):
        for name, value in values.items():
            chosen = partial(with_chosen, ear, value, groups, 0.0)
            ways.append(Way(f"one warp for each {whose}, by {name}", len(WARPS), chosen))
        chosen = partial(with_chosen, ear, values["search"], groups, 0.05)
        ways.append(Way(f"mean of log-probabilities, {whose}'s warp ±0.05", len(WARPS), chosen))
    for frames in SPEAKER_FRAMES:
        ways.append(Way(f"normalised with {frames:g} frames of speaker", 1, partial(ear.hear, 0.0, frames)))
    return ways + [Way(f"warp {warp:g} alone", 1, partial(ear.hear, warp)) for warp in WARPS if warp]


def with_chosen(ear: Ear, value: Value, groups: Sequence[str], reach: float) -> Rows:
    """What is heard with the warp that has the greatest sum of `value` in each group of utterances.

    Args:
        groups: the group of each utterance.
        reach: take the mean over warps that are so near to it.
    """
    best: dict[str, tuple[float, float]] = {}
    for warp in WARPS:
        sums = dict.fromkeys(groups, 0.0)
        for name, one in zip(groups, value(warp), strict=True):
            sums[name] += one
        for name, total in sums.items():
            best[name] = max(best.get(name, (-np.inf, 0.0)), (total, warp))
    heard = {warp: ear.hear(warp) for warp in WARPS}
    near = ([warp for warp in WARPS if abs(warp - best[name][1]) <= reach + 1e-9] for name in groups)
    return [mean_of_logs([[heard[warp][n]] for warp in warps])[0] for n, warps in enumerate(near)]


def told(first: Report, second: Report, replicates: int) -> str:
    """WER of the second, its difference from the first, intervals by utterances and by speakers."""
    by_speakers = compare(first, second, replicates=replicates)
    alone = (
        replace(one, aligned=[replace(item, speaker="") for item in one.aligned]) for one in (first, second)
    )
    by_utterances = compare(*alone, replicates=replicates)
    intervals = (f"[{one.ci95[0]:+.2f}, {one.ci95[1]:+.2f}]" for one in (by_utterances, by_speakers))
    return f"{by_speakers.second:.2f} %, {by_speakers.difference:+.2f} {' '.join(intervals)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="model folder that reads words")
    parser.add_argument("corpus", type=Path, help="a subset in LibriSpeech's layout")
    parser.add_argument("--every", type=int, default=1, help="take every n-th utterance")
    parser.add_argument("--first", type=int, default=0, help="number of the first that is taken")
    parser.add_argument("--only", nargs="*", default=[""], help="ways with one of these in their names")
    parser.add_argument("--lm-weights", type=float, nargs="*", default=[])
    parser.add_argument("--replicates", type=int, default=10000)
    parser.add_argument("--keep", type=Path, help="folder where what is heard is kept for another run")
    options = parser.parse_args()
    rows = read_librispeech(options.corpus)[0][options.first :: options.every]
    ear = Ear(options.model, rows, options.keep)
    reader = Reader(ear, options.lm_weights)
    print(f"{len(rows)} utterances, {len(set(ear.speakers))} speakers; lm_weight {reader.own:g}", flush=True)
    plain_way, *others = all_ways(ear, reader)
    plain: dict[float, Report] = {}
    for way in [plain_way, *(way for way in others if any(part in way.name for part in options.only))]:
        heard = way.hear()
        reports = {weight: reader.report(heard, weight) for weight in track(reader.decoders, way.name)}
        plain = plain or reports
        line = (
            f"{way.name:55} {way.passes}  {told(plain[reader.own], reports[reader.own], options.replicates)}"
        )
        if options.lm_weights:
            best, best_plain = (min(one, key=lambda weight: one[weight].wer) for one in (reports, plain))
            line += f" | {best:g}: {told(plain[best_plain], reports[best], options.replicates)}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
