"""VCTK's layout: txt/SPEAKER/UTTERANCE.txt, and audio in a folder of the same shape."""

from collections.abc import Collection
from pathlib import Path

from asr.corpus.candidates import Candidate, admit
from asr.corpus.durations import audio_files
from asr.corpus.folders import read_lines
from asr.corpus.summary import Summary
from asr.errors import AsrError
from asr.records import Utterance

_AUDIO = ("wav48_silence_trimmed", "wav48", "wav")
"""Version 0.92, versions up to 0.91, and copies that were resampled."""
_MICROPHONE = "_mic1"  # of the two in version 0.92; one speaker lacks the other


def read_vctk(folder: Path, only: Collection[str] | None = None) -> tuple[list[Utterance], Summary]:
    """Read VCTK, whole or in part, in version 0.92 or an earlier one.

    Args:
        folder: holds txt/, and wav48_silence_trimmed/, wav48/ or wav/.
        only: ids of the utterances that are wanted; the others are neither opened nor told of. None: all.

    Returns:
        utterances sorted by id, such as p239_001, and what was skipped.

    Raises:
        AsrError: no such folder, or one of the two folders is missing in it.
    """
    texts = folder / "txt"
    audio = next((folder / name for name in _AUDIO if (folder / name).is_dir()), None)
    if not texts.is_dir() or audio is None:
        raise AsrError(
            f"{folder}: VCTK's folder txt is expected here, and {', '.join(_AUDIO[:-1])} or {_AUDIO[-1]}; "
            "give the folder that holds both"
        )
    summary, candidates = Summary(), []
    for speaker in sorted(path for path in texts.resolve().iterdir() if path.is_dir()):
        wanted = [path for path in sorted(speaker.glob("*.txt")) if only is None or path.stem in only]
        files = audio_files(audio.resolve() / speaker.name) if wanted else {}
        for path in wanted:
            try:
                text = " ".join(read_lines(path))
            except AsrError as error:
                summary.skip(path.stem, str(error))
                continue
            missing = audio.resolve() / speaker.name / f"{path.stem}.wav"
            sound = files.get(f"{path.stem}{_MICROPHONE}") or files.get(path.stem, missing)
            candidates.append(Candidate(path.stem, sound, text, speaker.name))
    return admit(candidates, summary), summary
