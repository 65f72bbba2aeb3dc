"""Kaldi data folders: wav.scp, text, and where they are there utt2spk and segments."""

from collections.abc import Collection
from pathlib import Path

from asr.corpus.candidates import Candidate, admit
from asr.corpus.durations import audio_files
from asr.corpus.folders import read_lines
from asr.corpus.summary import Summary
from asr.errors import AsrError
from asr.records import Utterance


def read_kaldi(folder: Path, only: Collection[str] | None = None) -> tuple[list[Utterance], Summary]:
    """Read a Kaldi data folder.

    Paths in wav.scp are absolute, or relative to the folder or else to its parent; audio that was converted
    may have another suffix than wav.scp says. Commands (`… |`) are never run and archives (`x.ark:123`) are
    not read; both are skipped with a sentence. An end of -1 in segments is the end of the file.

    Args:
        folder: holds wav.scp and text.
        only: ids of the utterances that are wanted; the others are neither opened nor told of. None: all.

    Returns:
        utterances in the order of the file `text`, and what was skipped.

    Raises:
        AsrError: no such folder, or no readable wav.scp or text in it.
    """
    if not folder.is_dir():
        raise AsrError(
            f"{folder}: no such folder; a Kaldi data folder with wav.scp and text is expected there"
        )
    folder, summary = folder.resolve(), Summary()
    texts = _read_map(folder / "text", summary)
    recordings = _read_map(folder / "wav.scp", summary)
    has_segments, has_speakers = (folder / "segments").exists(), (folder / "utt2spk").exists()
    segments = (
        _read_map(folder / "segments", summary) if has_segments else {name: name for name in recordings}
    )
    speakers = _read_map(folder / "utt2spk", summary) if has_speakers else {}
    candidates, listings = [], dict[Path, dict[str, Path]]()
    for utt_id, text in texts.items():
        if only is not None and utt_id not in only:
            continue
        try:
            recording, start, end = _segment(utt_id, segments, has_segments)
            audio = _audio_path(recording, recordings, folder, listings)
        except AsrError as error:
            summary.skip(utt_id, str(error))
            continue
        candidates.append(Candidate(utt_id, audio, text, speakers.get(utt_id, ""), start, end))
    for utt_id in segments:
        if utt_id not in texts and (only is None or utt_id in only):
            summary.skip(utt_id, "the transcript is missing (no line in text)")
    for utt_id in speakers:
        if utt_id not in texts and utt_id not in segments and (only is None or utt_id in only):
            summary.skip(utt_id, "utt2spk names it, but text and audio do not")
    return admit(candidates, summary), summary


def _read_map(path: Path, summary: Summary) -> dict[str, str]:
    """`key rest of the line` for each line; a key that comes again is skipped."""
    entries: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        key, *rest = line.split(maxsplit=1)[:2] or [""]
        if key in entries:
            summary.skip(key, f"the id occurs twice; the first is kept ({path.name}:{number})")
        elif key:
            entries[key] = rest[0].strip() if rest else ""
    return entries


def _segment(utt_id: str, segments: dict[str, str], has_segments: bool) -> tuple[str, float, float | None]:
    """(recording, start, end) of an utterance, in seconds."""
    if utt_id not in segments:
        raise AsrError(f"no line for it in {'segments' if has_segments else 'wav.scp'}")
    if not has_segments:
        return utt_id, 0.0, None
    fields = segments[utt_id].split()
    try:
        recording, start, end = fields[0], float(fields[1]), float(fields[2])
    except (IndexError, ValueError) as error:
        raise AsrError(f"segments has '{segments[utt_id]}', expected RECORDING START END") from error
    return recording, start, None if end == -1 else end


def _audio_path(
    recording: str, recordings: dict[str, str], folder: Path, listings: dict[Path, dict[str, Path]]
) -> Path:
    """Where a recording lies; `listings` remembers what folders hold.

    Raises:
        AsrError: it is not in wav.scp, or its entry is not the path of an audio file.
    """
    entry = recordings.get(recording, "")
    if not entry:
        raise AsrError(f"wav.scp has no path for recording '{recording}'")
    if "|" in entry:
        raise AsrError(
            f"wav.scp gives a command for recording '{recording}' ({entry}); commands are not run: "
            "write the audio to a file and put its path there"
        )
    name, _, offset = entry.rpartition(":")
    if name.endswith(".ark") and offset.isdigit():
        raise AsrError(f"wav.scp gives an archive for recording '{recording}' ({entry}); a path is expected")
    places = [place / entry for place in (folder, folder.parent)]
    for path in places:
        if _exists(path):
            return path
    for path in places:
        if path.parent not in listings:
            listings[path.parent] = audio_files(path.parent) if _exists(path.parent) else {}
        if path.stem in listings[path.parent]:
            return listings[path.parent][path.stem]
    raise AsrError(f"the audio file is missing ({entry}, neither from {folder} nor from its parent)")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a character that no path can have
        return False
