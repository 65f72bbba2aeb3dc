"""Transcripts on disk: trn, Kaldi text and JSON lines, read and written; ctm, written.

| format     | a line                                   | source                                        |
|------------|------------------------------------------|-----------------------------------------------|
| trn        | `SHE HAD YOUR DARK SUIT (cmh-sa01)`      | NIST SCTK, doc/infmts.htm                     |
| text       | `cmh-sa01 SHE HAD YOUR DARK SUIT`        | Kaldi's `text`; LibriSpeech's `*.trans.txt`   |
| JSON lines | `{"utt_id": "cmh-sa01", "text": "SHE"}`  | this project's manifests and `asr transcribe` |
| ctm        | `cmh-sa01 1 0.35 0.21 SHE 0.97`          | NIST SCTK, doc/infmts.htm                     |

Some words mean something to NIST's sclite: `{ UM / UH / @ }` are alternatives and `@` is nothing at all, a
backslash and a trailing `*` are taken off, and a line that begins with `;;` is a comment. sclite has no
escape for them (SCTK 2.4.12), so what cannot be written in its formats is refused, never changed.
`(WORD)` and `WORD-` are ordinary words unless sclite is run with -D or -F.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import Literal

import msgspec

from asr.errors import AsrError
from asr.files import write_text
from asr.records import Hypothesis
from asr.timings import ctm_line

Format = Literal["trn", "text", "jsonl"]

UNKNOWN_SPEAKER = "unknown"

_MAX_NAMED = 10
_TRN_LINE = re.compile(r"(.*)\(([^()\s]+)\)")


class Transcript(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"seconds": "duration"}
):
    """What was said, or heard, in one utterance.

    Attributes:
        utt_id: unique in its file.
        text: words between spaces.
        speaker: who speaks; empty where the file does not say.
        seconds: length of the utterance; None where the file does not say. `duration` in JSON lines.
    """

    utt_id: str
    text: str
    speaker: str = ""
    seconds: float | None = None


class _JsonLine(msgspec.Struct):
    text: str
    utt_id: str = ""
    audio: str = ""
    speaker: str | None = None
    duration: float | None = None


def speaker_of(utt_id: str) -> str:
    """The speaker within an utterance id, by sclite's rule (`-i spu_id`): what stands before the first
    hyphen or, where there is none, before the first underscore. "unknown" where there is neither.

    >>> speaker_of("84-121123-0003"), speaker_of("p225_001"), speaker_of("hello")
    ('84', 'p225', 'unknown')
    """
    for separator in "-_":
        speaker, found, _ = utt_id.partition(separator)
        if found:
            return speaker or UNKNOWN_SPEAKER
    return UNKNOWN_SPEAKER


def read_transcripts(path: Path) -> list[Transcript]:
    """Read a file of transcripts, in whichever of the three formats its lines are.

    Args:
        path: a trn file, a Kaldi text file, or JSON lines with "utt_id" or "audio" (its name without folder
            and extension is then the id) and "text"; "speaker" and "duration" are read where they are.

    Returns:
        The transcripts in the order of the file; an empty list for an empty file.

    Raises:
        AsrError: the file cannot be read, is not UTF-8, has damaged lines or one id twice. The sentence names
            file and line.
    """
    lines = [(number, line) for number, line in enumerate(_read_lines(path), start=1) if line.strip()]
    form = detect_format(line for _, line in lines)
    parse = _PARSERS[form]
    transcripts: list[Transcript] = []
    damaged: list[str] = []
    line_of: dict[str, int] = {}
    for number, line in lines:
        if form == "trn" and line.startswith(";;"):
            continue
        try:
            transcript = parse(line)
        except ValueError as error:
            damaged.append(f"{path}:{number}: {error}")
            continue
        if transcript.utt_id in line_of:
            first = line_of[transcript.utt_id]
            damaged.append(f"{path}:{number}: the id {transcript.utt_id} stands in line {first} already")
        line_of[transcript.utt_id] = number
        transcripts.append(transcript)
    if damaged:
        more = [f"and {len(damaged) - _MAX_NAMED} more lines"] if len(damaged) > _MAX_NAMED else []
        raise AsrError("\n".join(damaged[:_MAX_NAMED] + more))
    return transcripts


def detect_format(lines: Iterable[str]) -> Format:
    """The format that most lines have: JSON objects, lines that end in `(id)`, or else Kaldi text.

    A Kaldi text file in which most utterances end in a word in parentheses would be taken for trn.
    """
    votes: dict[Format, int] = {"jsonl": 0, "trn": 0, "text": 0}  # the first of equals wins
    for line in lines:
        line = line.strip()
        if line.startswith(";;"):
            continue
        if re.match(r'\{\s*("|\}|$)', line):
            votes["jsonl"] += 1
        else:
            votes["trn" if _TRN_LINE.fullmatch(line) else "text"] += 1
    return max(votes, key=lambda form: votes[form])


def write_trn(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Write `TEXT (id)` lines for `sclite -r REF trn -h HYP trn -i spu_id`.

    sclite finds the speaker in the id (see `speaker_of`). An id that does not show its transcript's speaker
    is written as `speaker-id`, so give the same speakers for references and hypotheses. sclite takes ids
    without regard to case.

    Raises:
        AsrError: an id or a word that sclite would misread, or the file cannot be written.
    """
    lines = []
    for transcript in transcripts:
        utt_id, words = transcript.utt_id, transcript.text.split()
        speaker = transcript.speaker or speaker_of(utt_id)
        if speaker_of(utt_id) != speaker or speaker == UNKNOWN_SPEAKER:
            utt_id = f"{speaker}-{utt_id}"
        _check_id(path, utt_id, forbidden="()")
        _check_words(path, utt_id, words)
        line = f"{' '.join(words)} ({utt_id})\n"
        if line.startswith(";"):
            raise AsrError(f"{path}: {utt_id}: sclite takes a line that begins with ; for a comment")
        lines.append(line)
    write_text(path, "".join(lines))


def write_kaldi_text(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Write `id TEXT` lines, sorted by id in byte order as Kaldi's tools want them.

    Raises:
        AsrError: an id with white space in it, or the file cannot be written.
    """
    lines = []
    for transcript in sorted(transcripts, key=lambda transcript: transcript.utt_id.encode()):
        _check_id(path, transcript.utt_id)
        lines.append(" ".join([transcript.utt_id, *transcript.text.split()]) + "\n")
    write_text(path, "".join(lines))


def write_json_lines(path: Path, transcripts: Iterable[Transcript]) -> None:
    """Write one JSON object a line: `utt_id` and `text`, `speaker` and `duration` where they are known.

    Raises:
        AsrError: the file cannot be written.
    """
    write_text(path, "".join(msgspec.json.encode(transcript).decode() + "\n" for transcript in transcripts))


def write_ctm(path: Path, hypotheses: Iterable[Hypothesis]) -> None:
    """Write the words with their times: `id channel start duration word confidence`, times in seconds from
    the start of the audio, sorted by id in byte order and by start.

    An utterance in which no words were heard is named in a comment.

    Raises:
        AsrError: an id or a word that sclite would misread, or the file cannot be written.
    """
    lines = []
    for hypothesis in sorted(hypotheses, key=lambda hypothesis: hypothesis.utt_id.encode()):
        utt_id = hypothesis.utt_id
        _check_id(path, utt_id)
        if not hypothesis.words:
            lines.append(f";; {utt_id}: no words\n")
        for word in sorted(hypothesis.words, key=lambda word: word.start):
            _check_words(path, utt_id, [word.text])
            lines.append(f"{ctm_line(utt_id, word, word.confidence)}\n")
    write_text(path, "".join(lines))


def _read_lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AsrError(
            f"{path}: a file of transcripts was expected, it cannot be read ({error.strerror})"
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise AsrError(
            f"{path}:{number}: UTF-8 text was expected, the byte {content[error.start]:#04x} was found; "
            "check that this is a file of transcripts and convert it to UTF-8"
        ) from error
    return text.split("\n")  # not splitlines, which also cuts at characters that may stand in a text


def _parse_trn(line: str) -> Transcript:
    match = _TRN_LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError("a trn line was expected, which ends with the utterance id: WORDS (utt_id)")
    text, utt_id = match[1].strip(), match[2]
    if any(word == "@" or word.startswith("{") for word in text.split()):
        raise ValueError(
            "one text was expected, sclite's alternatives such as { UM / UH / @ } were found; choose one"
        )
    return Transcript(utt_id=utt_id, text=text)


def _parse_text(line: str) -> Transcript:
    utt_id, *text = re.split(r"[ \t]+", line.strip(), maxsplit=1)
    return Transcript(utt_id=utt_id, text="".join(text))


def _parse_json(line: str) -> Transcript:
    try:
        parsed = msgspec.json.decode(line, type=_JsonLine)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ValueError(f'expected {{"utt_id": ..., "text": ...}} in one line: {error}') from error
    utt_id = parsed.utt_id or PurePath(parsed.audio).stem
    if not utt_id:
        raise ValueError('expected "utt_id" or "audio" beside "text", found neither')
    return Transcript(utt_id=utt_id, text=parsed.text, speaker=parsed.speaker or "", seconds=parsed.duration)


_PARSERS: dict[Format, Callable[[str], Transcript]] = {
    "trn": _parse_trn,
    "text": _parse_text,
    "jsonl": _parse_json,
}


def _check_id(path: Path, utt_id: str, forbidden: str = "") -> None:
    if utt_id.split() != [utt_id] or any(character in utt_id for character in forbidden):
        what = "white space or parentheses" if forbidden else "white space"
        raise AsrError(f'{path}: an utterance id without {what} was expected, found "{utt_id}"; rename it')


def _check_words(path: Path, utt_id: str, words: list[str]) -> None:
    for word in words:
        if word in ("", "@", "<ALT_BEGIN>", "<ALT>", "<ALT_END>") or re.search(r"[{\\\s]|.\*$", word):
            raise AsrError(
                f'{path}: {utt_id}: the word "{word}" means something else to sclite, which has no escape '
                "for it; normalise the text or choose another format"
            )
