"""The user's own recordings: a folder of audio with a .txt beside each file, and LJSpeech's layout."""

from collections.abc import Collection
from pathlib import Path

from asr.corpus.candidates import Candidate, admit
from asr.corpus.durations import AUDIO_SUFFIXES, audio_files
from asr.corpus.summary import Summary
from asr.errors import AsrError
from asr.records import Utterance


def read_folder(folder: Path, root: Path | None = None) -> tuple[list[Utterance], Summary]:
    """Read audio files, at any depth, whose transcripts stand beside them: talk.wav and talk.txt.

    The id of an utterance is its path without suffix, with "-" for "/"; the speaker is the first folder
    below `folder`, "unknown" for files directly in it. Hidden files are passed over.

    Args:
        folder: what is read.
        root: where the paths that become ids begin, so that parts of one corpus share no id; `folder` where
            it is None or not above `folder`.

    Returns:
        utterances sorted by id, and what was skipped: audio without a transcript, a transcript without
        audio, and what `asr.corpus.candidates.admit` leaves out.

    Raises:
        AsrError: no such folder, or no audio in it.
    """
    folder = _existing(folder, "a folder of audio files with .txt files beside them")
    base = root.resolve() if root and folder.is_relative_to(root.resolve()) else folder
    files = sorted(path for path in folder.rglob("*") if not _is_hidden(path, folder))
    audio = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()]
    if not audio:
        raise AsrError(
            f"{folder}: no audio files found; WAV, FLAC, Ogg, Opus or MP3 with .txt beside is expected"
        )
    summary = Summary()
    candidates = []
    for path in audio:
        name = path.relative_to(folder)
        try:
            text = _read_transcript(path.with_suffix(".txt"))
        except AsrError as error:
            summary.skip(str(name), str(error))
            continue
        speaker = name.parts[0] if len(name.parts) > 1 else ""
        utt_id = "-".join(path.relative_to(base).with_suffix("").parts)
        candidates.append(Candidate(utt_id, path, text, speaker))
    heard = {path.with_suffix("") for path in audio}
    for path in files:
        if path.suffix.lower() == ".txt" and path.with_suffix("") not in heard:
            summary.skip(str(path.relative_to(folder)), "no audio file beside this text")
    return sorted(admit(candidates, summary), key=lambda row: row.utt_id), summary


def read_ljspeech(folder: Path, only: Collection[str] | None = None) -> tuple[list[Utterance], Summary]:
    """Read LJSpeech's layout: metadata.csv with lines `id|text|text in words`, and audio in wavs/.

    The text in words is taken where it is there, otherwise the text, whose numbers are then read aloud. The
    corpus has one speaker, named after the folder.

    Args:
        folder: holds metadata.csv and wavs/.
        only: ids of the utterances that are wanted; the others are neither opened nor told of. None: all.

    Returns:
        utterances in the order of the file, and what was skipped.

    Raises:
        AsrError: no such folder, or no readable metadata.csv in it.
    """
    folder = _existing(folder, "a folder with metadata.csv and wavs/")
    table = folder / "metadata.csv"
    lines = read_lines(table)
    audio = audio_files(folder / "wavs")
    summary = Summary()
    candidates = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        utt_id, *texts = (field.strip() for field in line.split("|"))
        if not 1 <= len(texts) <= 2:
            found = f"{len(texts) + 1} fields between | found, 2 or 3 expected"
            summary.skip(f"{table.name}:{number}", found)
            continue
        path = audio.pop(utt_id, folder / "wavs" / f"{utt_id}.wav")
        if only is not None and utt_id not in only:
            continue
        candidates.append(
            Candidate(utt_id, path, texts[-1] or texts[0], folder.name, origin=f"{table.name}:{number}")
        )
    for utt_id, path in sorted(audio.items()):
        if only is None or utt_id in only:
            summary.skip(utt_id, f"no line in {table.name} for {path.name}")
    return admit(candidates, summary), summary


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, with or without a byte order mark.

    Raises:
        AsrError: the file is missing, cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise AsrError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise AsrError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); convert it"
        ) from error


def _read_transcript(path: Path) -> str:
    if not path.is_file():
        raise AsrError(f"the transcript is missing ({path.name} is expected beside the audio)")
    return " ".join(read_lines(path))


def _existing(folder: Path, expected: str) -> Path:
    if not folder.is_dir():
        raise AsrError(f"{folder}: no such folder; {expected} is expected there")
    return folder.resolve()


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
