"""How fast is `asr transcribe` on a folder of ten-second files, and how much memory does one hour take?

    python benchmarks/transcribe.py MODEL FOLDER [--files 90] [--repeats 3] [--json FILE]

The audio in FOLDER (LibriSpeech/dev-clean, say) is joined and cut into files of ten seconds, and into one of
an hour, repeating it where it is shorter. Each run is the command as a user types it, in its own process:
start, reading, features, model, decoding and printing are all counted. Run it on an otherwise idle machine.
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from asr.features.audio import read_audio

RATE, SECONDS, HOUR = 16000, 10, 3600


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=90)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        short, long = Path(name, "short"), Path(name, "hour.flac")
        speech = joined(options.folder, max(options.files * SECONDS, 600))
        short.mkdir()
        for index in range(options.files):
            soundfile.write(
                short / f"{index:04}.flac", speech[index * SECONDS * RATE :][: SECONDS * RATE], RATE
            )
        soundfile.write(long, np.resize(speech, HOUR * RATE), RATE)
        times = [timed(options.model, short)[0] for _ in range(options.repeats)]
        hour, kilobytes = timed(options.model, long)
    found = {
        "files": options.files,
        "folder_xrt": options.files * SECONDS / statistics.median(times),
        "hour_xrt": HOUR / hour,
        "hour_peak_mb": kilobytes / 1024,
    }
    print(
        f"{options.files} files of 10 s: {found['folder_xrt']:.0f} × real time, median of {options.repeats}"
    )
    print(f"one hour: {found['hour_xrt']:.0f} × real time, {found['hour_peak_mb']:.0f} MB at its peak")
    if options.json:
        options.json.write_text(json.dumps(found) + "\n")


def joined(folder: Path, seconds: float) -> np.ndarray:
    """At least `seconds` of 16 kHz speech from the files of a folder, again from the first if need be."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".flac", ".wav", ".mp3", ".ogg"))
    parts, samples = [], 0
    for path in itertools.cycle(paths):
        parts.append(read_audio(path, sample_rate=RATE))
        samples += len(parts[-1])
        if samples >= seconds * RATE:
            return np.concatenate(parts)
    sys.exit(f"{folder}: no audio files")


def timed(model: Path, source: Path) -> tuple[float, int]:
    """Seconds, and kilobytes of the largest child so far, of one call of the command."""
    command = [sys.executable, "-m", "asr", "transcribe", str(source), "--model", str(model)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


if __name__ == "__main__":
    main()
