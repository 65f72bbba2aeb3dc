"""What a reader of a corpus found, and the checks that make utterances of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from asr.corpus.durations import audio_seconds
from asr.corpus.summary import Summary
from asr.corpus.text import in_convention, normalise
from asr.errors import AsrError
from asr.progress import track
from asr.records import Utterance

_TOLERANCE = 0.05  # seconds by which a segment may pass the end of its file and still be meant so


class Candidate(NamedTuple):
    """An utterance before its checks.

    Attributes:
        utt_id: as found; white space in it becomes an underscore.
        audio: absolute path.
        text: transcript as written.
        speaker: empty where nobody says.
        start: seconds into the file.
        end: seconds into the file; None is its end.
        origin: file and line that it was read from, for the sentences; empty where the audio says it all.
    """

    utt_id: str
    audio: Path
    text: str
    speaker: str
    start: float = 0.0
    end: float | None = None
    origin: str = ""


def admit(candidates: Iterable[Candidate], summary: Summary, *, official: bool = False) -> list[Utterance]:
    """Check candidates one by one and make utterances of those that are sound.

    Left out, each with a remark in `summary.skipped`: an id that occurred already, a transcript that is empty
    or cannot be normalised, audio that is missing, unreadable, cut short or with a name that is not UTF-8, a
    segment outside its file or of no length. Each audio file is opened once.

    Args:
        candidates: in the order that the result keeps.
        summary: takes the remarks.
        official: transcripts of a published corpus stay as they are where they are A–Z and apostrophes, and
            digits in them are an error; otherwise they are normalised and numbers are read aloud.
    """
    lengths: dict[Path, float | AsrError] = {}
    admitted: dict[str, Utterance] = {}
    unknown_speakers = 0
    for candidate in track(list(candidates), "checking audio and transcripts"):
        utt_id = "_".join(candidate.utt_id.split())
        where = f" ({candidate.origin})" if candidate.origin else ""
        try:
            if not utt_id:
                raise AsrError("the id is empty")
            if utt_id in admitted:
                raise AsrError(f"the id occurs twice; the first is kept ({admitted[utt_id].audio})")
            _check_name(candidate.audio)
            text = _checked_text(candidate.text, official)
            start, duration = _checked_times(candidate, _length(candidate.audio, lengths))
        except AsrError as error:
            summary.skip(utt_id or str(candidate.audio), f"{error}{where}")
            continue
        unknown_speakers += not candidate.speaker
        admitted[utt_id] = Utterance(
            utt_id=utt_id,
            audio=str(candidate.audio),
            start=start,
            duration=duration,
            text=text,
            speaker=candidate.speaker or "unknown",
        )
    if unknown_speakers:
        summary.warn("speakers", f"{unknown_speakers} utterances name no speaker; theirs is called 'unknown'")
    return list(admitted.values())


def _check_name(audio: Path) -> None:
    try:
        str(audio).encode()
    except UnicodeEncodeError as error:
        raise AsrError(
            "the name of its audio file is not UTF-8, as a manifest has to be; rename it"
        ) from error


def _checked_text(text: str, official: bool) -> str:
    text = text.strip()
    if not text:
        raise AsrError("the transcript is empty")
    normal = text if official and in_convention(text) else normalise(text, spell_numbers=not official)
    if not any("A" <= char <= "Z" for char in normal):
        raise AsrError(f"the transcript has no words ('{text[:40]}')")
    return normal


def _length(audio: Path, lengths: dict[Path, float | AsrError]) -> float:
    """Seconds of `audio`, remembered; a file that failed once fails with the same sentence again."""
    if audio not in lengths:
        try:
            lengths[audio] = audio_seconds(audio)
        except AsrError as error:
            lengths[audio] = error
    length = lengths[audio]
    if isinstance(length, AsrError):
        raise AsrError(str(length))
    return length


def _checked_times(candidate: Candidate, seconds: float) -> tuple[float, float]:
    """(start, duration) within the file.

    Raises:
        AsrError: the segment begins before 0, has no length or leaves the file.
    """
    start, end = candidate.start, seconds if candidate.end is None else candidate.end
    if not (0 <= start < end):  # false for NaN as well
        raise AsrError(
            f"the segment from {start:g} s to {end:g} s has no length; end > start ≥ 0 is expected"
        )
    if start >= seconds or end > seconds + _TOLERANCE:
        raise AsrError(
            f"the segment from {start:g} s to {end:g} s leaves the audio, which has {seconds:.2f} s"
        )
    return start, min(end, seconds) - start
