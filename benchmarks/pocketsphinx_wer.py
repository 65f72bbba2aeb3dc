"""How many errors does pocketsphinx, with its own model and language model, make on the same audio as ours?

    pip install pocketsphinx
    asr evaluate LibriSpeech/dev-clean --model MODEL --hyp ours.trn
    python benchmarks/pocketsphinx_wer.py LibriSpeech/dev-clean --ours ours.trn [--theirs theirs.trn]

Its model was trained on hundreds of hours of speech, so it is the bar for a small download that runs on any
processor. What it hears is written to THEIRS, and read from there if the file exists: decoding takes about a
third of the audio's length on each of two cores. Both are scored on the same references; the difference has a
95 % interval and two paired tests.
"""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from asr.corpus.librispeech import read_librispeech
from asr.features.audio import read_audio
from asr.progress import track
from asr.records import Utterance
from asr.scoring.formats import Transcript, read_transcripts, write_trn
from asr.scoring.pairing import pair
from asr.scoring.significance import bootstrap_interval, compare
from asr.scoring.wer import Report, score

RATE = 16000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--theirs", type=Path, default=Path("pocketsphinx.trn"))
    options = parser.parse_args()
    utterances, _ = read_librispeech(options.folder)
    if not options.theirs.exists():
        write_trn(options.theirs, decoded(utterances))
    refs = [transcript(utterance, utterance.text) for utterance in utterances]
    theirs = scored(refs, options.theirs, "pocketsphinx")
    if options.ours is not None:
        found = compare(theirs, scored(refs, options.ours, "ours"))
        print(
            f"difference {found.difference:+.2f} [{found.ci95[0]:+.2f}, {found.ci95[1]:+.2f}], by speaker; "
            f"MAPSSWE p = {found.mapsswe_p:.2g}, bootstrap p = {found.bootstrap_p:.2g}"
        )


def decoded(utterances: list[Utterance]) -> list[Transcript]:
    """What pocketsphinx hears, by all cores."""
    began = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        texts = pool.map(heard, [utterance.audio for utterance in utterances], chunksize=4)
        found = [
            transcript(utterance, text)
            for utterance, text in zip(
                utterances, track(texts, "decoding", total=len(utterances)), strict=True
            )
        ]
    speed = sum(utterance.duration for utterance in utterances) / (time.perf_counter() - began)
    print(f"pocketsphinx: {speed:.1f} × real time on {os.cpu_count()} cores")
    return found


@cache
def decoder():  # type: ignore[no-untyped-def]
    from pocketsphinx import Decoder

    return Decoder(samprate=RATE, loglevel="ERROR")


def heard(audio: str) -> str:
    samples = np.clip(read_audio(audio, sample_rate=RATE) * 32768, -32768, 32767).astype("<i2")
    decoder().start_utt()
    decoder().process_raw(samples.tobytes(), no_search=False, full_utt=True)
    decoder().end_utt()
    found = decoder().hyp()
    return found.hypstr.upper() if found else ""


def transcript(utterance: Utterance, text: str) -> Transcript:
    return Transcript(
        utt_id=utterance.utt_id, text=text, speaker=utterance.speaker, seconds=utterance.duration
    )


def scored(refs: list[Transcript], hyps: Path, name: str) -> Report:
    report = score(pair(refs, read_transcripts(hyps)))
    interval = bootstrap_interval(report)
    print(f"{name}: WER {report.wer:.2f} % [{interval.low:.2f}, {interval.high:.2f}], {len(refs)} utterances")
    return report


if __name__ == "__main__":
    main()
