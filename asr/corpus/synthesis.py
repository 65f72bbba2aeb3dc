"""A corpus of synthesised speech: sentences of a small grammar in dozens of voices of espeak-ng.

The utterances are cut into shards of a fixed size, and every shard is spoken in a freshly started process
(see `asr.corpus.espeak` for the reason). So the same arguments give the same bytes, however many
processes work at a time.
"""

import io
import logging
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np
import soundfile
import soxr

from asr.corpus.acoustics import record
from asr.corpus.espeak import Speaker, require_espeak
from asr.corpus.grammar import SPLITS, draw_sentences, spoken_words, transcript
from asr.corpus.manifest import write_manifest
from asr.corpus.summary import named
from asr.corpus.voices import Voice, voices
from asr.errors import AsrError
from asr.files import write_bytes, write_error, write_text
from asr.progress import track
from asr.records import Utterance

SAMPLE_RATE = 16000
UTTERANCES_A_PROCESS = 250  # part of what decides the bytes
PACE_CHANGE = 0.06  # of a voice from sentence to sentence, as a fraction of its rate
PITCH_CHANGE = 5

logger = logging.getLogger("asr")


class SpokenWord(msgspec.Struct, frozen=True):
    """A word of the transcript, and where it begins, in seconds from the start of the audio."""

    text: str
    start: float


class SpokenWords(msgspec.Struct, frozen=True):
    """The words of one utterance, one to one with its transcript; a line of `{split}.words.jsonl`."""

    utt_id: str
    words: list[SpokenWord]


@dataclass(frozen=True)
class _Plan:
    """One utterance before it is spoken."""

    path: Path
    sentence: str
    voice: Voice
    seed: tuple[int, ...]


@dataclass(frozen=True)
class _Spoken:
    """A shard after it was spoken; left_out holds the sentences whose words could not be placed."""

    rows: list[tuple[Utterance, SpokenWords]]
    left_out: list[str]
    version: str


def synthesise(
    root: Path,
    *,
    train_utterances: int,
    dev_utterances: int,
    test_utterances: int,
    seed: int,
    processes: int | None = None,
) -> None:
    """Make a corpus of synthesised speech: 16 kHz, mono, FLAC of 16 bits.

    No voice and no sentence is in two splits. Written are `root/{split}/*.flac`, the word start times
    `root/{split}.words.jsonl` (`SpokenWords`), `root/README.txt`, and at the very end the manifests
    `root/{split}.jsonl`; what an earlier run left there is replaced. Same arguments and same versions of
    the libraries: same bytes.

    An utterance whose words espeak-ng does not place one to one is left out and named in a log warning.

    Args:
        root: folder of the corpus; made if it is missing.
        train_utterances, dev_utterances, test_utterances: 1 or more each.
        seed: decides on sentences, voices, room and noise; 0 or more.
        processes: how many work at a time; None takes one for each processor.

    Raises:
        AsrError: espeak-ng is not installed or fails, more sentences are asked for than there are, the disk
            is full or `root` cannot be written.

    The processes are started afresh, so a script that calls this needs the usual
    `if __name__ == "__main__":`.
    """
    require_espeak()
    root = root.resolve()
    counts = dict(zip(SPLITS, (train_utterances, dev_utterances, test_utterances), strict=True))
    plans = _plan(root, counts, seed)
    _remove_manifests(root)
    write_text(root / "README.txt", _notice(counts, seed))
    shards = [
        (split, plans[split][first : first + UTTERANCES_A_PROCESS])
        for split in SPLITS
        for first in range(0, counts[split], UTTERANCES_A_PROCESS)
    ]
    spoken: dict[str, list[_Spoken]] = {split: [] for split in SPLITS}
    for (split, _), answer in zip(shards, _speak_all([plan for _, plan in shards], processes), strict=True):
        spoken[split].append(answer)
    for split in SPLITS:
        _write_split(root, split, spoken[split])


def _plan(root: Path, counts: dict[str, int], seed: int) -> dict[str, list[_Plan]]:
    """Who says what, and into which file."""
    sentences = draw_sentences(train=counts["train"], dev=counts["dev"], test=counts["test"], seed=seed)
    plans = {}
    for number, split in enumerate(SPLITS):
        speakers = voices(split, seed=seed)
        plans[split] = [
            _Plan(
                path=root / split / f"{split}-{index:05d}.flac",
                sentence=sentence,
                voice=speakers[index % len(speakers)],
                seed=(seed, number, index),
            )
            for index, sentence in enumerate(sentences[split])
        ]
    return plans


def _remove_manifests(root: Path) -> None:
    """So that an interrupted run leaves no manifest beside audio that is not its own."""
    for split in SPLITS:
        _remove(root / f"{split}.jsonl")
        _remove(root / f"{split}.words.jsonl")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def _write_split(root: Path, split: str, spoken: Sequence[_Spoken]) -> None:
    rows = [row for shard in spoken for row in shard.rows]
    left_out = [sentence for shard in spoken for sentence in shard.left_out]
    if left_out:
        logger.warning(
            "%s: %d of %d sentences left out, because espeak-ng %s does not report one start a word: %s",
            split,
            len(left_out),
            len(left_out) + len(rows),
            spoken[0].version,
            named(left_out),
        )
    kept = {row.audio for row, _ in rows}
    for path in [*(root / split).glob(f"{split}-*.flac"), *(root / split).glob(f".{split}-*.partial")]:
        if str(path) not in kept:  # of an earlier run with other arguments, or that was interrupted
            _remove(path)
    words = b"".join(msgspec.json.encode(words) + b"\n" for _, words in rows)
    write_bytes(root / f"{split}.words.jsonl", words)
    write_manifest(root / f"{split}.jsonl", [row for row, _ in rows])


def _speak_all(shards: Sequence[list[_Plan]], processes: int | None) -> Iterator[_Spoken]:
    """The shards' answers in their order."""
    workers = max(1, min(processes or os.cpu_count() or 1, len(shards)))
    with ThreadPoolExecutor(workers) as pool:  # a thread only waits for its process
        yield from track(pool.map(_in_new_process, shards), "making speech", total=len(shards))


def _in_new_process(shard: list[_Plan]) -> _Spoken:
    """Speak a shard in a process of its own.

    `ProcessPoolExecutor(max_tasks_per_child=1)` would do the same, but can hang in Python 3.11 and 3.12.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(shard, sender))
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        answer = None
    process.join()
    if isinstance(answer, AsrError):
        raise answer
    if not isinstance(answer, _Spoken):
        raise AsrError(
            f"{shard[0].path} … {shard[-1].path.name}: the process that speaks these ended with exit code "
            f"{process.exitcode} before it was done; run the same command again, and look for lack of memory"
        )
    return answer


def _answer(shard: list[_Plan], sender: Connection) -> None:
    """What the new process does. It dies of Ctrl-C at once and in silence; its parent tells the user."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        sender.send(speak_shard(shard))
    except AsrError as error:
        sender.send(error)


def speak_shard(shard: Sequence[_Plan]) -> _Spoken:
    """Speak utterances one after another and write their audio.

    Raises:
        AsrError: espeak-ng fails, or the audio cannot be written.
    """
    speaker = Speaker()
    rows, left_out = [], []
    for plan in shard:
        row = _speak(plan, speaker)
        if row is None:
            left_out.append(plan.sentence)
        else:
            rows.append(row)
    return _Spoken(rows, left_out, speaker.version)


def _speak(plan: _Plan, speaker: Speaker) -> tuple[Utterance, SpokenWords] | None:
    """One utterance; None where its words could not be placed."""
    rng = np.random.default_rng(plan.seed)
    speech = speaker.speak(
        spoken_words(plan.sentence),
        accent=plan.voice.accent,
        variant=plan.voice.variant,
        rate=round(plan.voice.rate * rng.uniform(1 - PACE_CHANGE, 1 + PACE_CHANGE)),
        pitch=plan.voice.pitch + int(rng.integers(-PITCH_CHANGE, PITCH_CHANGE, endpoint=True)),
        ending="?" if plan.sentence.endswith("?") else ".",
    )
    if speech.starts is None:
        return None
    waveform = soxr.resample(speech.samples.astype(np.float32) / 32768, speaker.sample_rate, SAMPLE_RATE)
    samples, begin = record(waveform, sample_rate=SAMPLE_RATE, rng=rng)
    flac = io.BytesIO()  # in memory: soundfile itself does not notice every failed write
    soundfile.write(flac, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    write_bytes(plan.path, flac.getvalue())
    text = transcript(plan.sentence)
    utterance = Utterance(
        utt_id=plan.path.stem,
        audio=str(plan.path),
        start=0.0,
        duration=len(samples) / SAMPLE_RATE,
        text=text,
        speaker=plan.voice.name,
    )
    starts = zip(text.split(), speech.starts, strict=True)
    words = [SpokenWord(text=word, start=round(begin + start, 3)) for word, start in starts]
    return utterance, SpokenWords(utt_id=plan.path.stem, words=words)


def _notice(counts: dict[str, int], seed: int) -> str:
    sizes = ", ".join(f"{count} {split}" for split, count in counts.items())
    return (
        "The speech in this folder is synthesised: no person speaks here. It was made by the program\n"
        "espeak-ng (https://github.com/espeak-ng/espeak-ng, GPL-3.0-or-later), from sentences written for\n"
        "the package asr (Apache-2.0), with noise and rooms computed by asr. An error rate measured on it\n"
        "says that a pipeline works, not how well it understands people.\n"
        "\n"
        f"Utterances: {sizes}. Seed: {seed}.\n"
        "train, dev and test share neither sentences nor voices (accent and variant together); they share\n"
        "the words. SPLIT.jsonl lists the utterances, SPLIT.words.jsonl the time in seconds at which\n"
        "espeak-ng begins each word.\n"
    )
