"""The user's own recordings listed in a CSV or TSV file."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from asr.corpus.candidates import Candidate, admit
from asr.corpus.durations import AUDIO_SUFFIXES
from asr.corpus.folders import read_lines
from asr.corpus.summary import Summary, named
from asr.errors import AsrError
from asr.records import Utterance

_REQUIRED = ("audio", "text")
_OPTIONAL = ("id", "speaker", "start", "duration", "end")


def read_table(path: Path) -> tuple[list[Utterance], Summary]:
    """Read a table with a header: columns audio and text, and where wanted id, speaker, start, duration, end.

    A table of two columns may begin without one, where the first row names an audio file that is there: its
    columns are then audio and text.

    Audio paths are relative to the table's folder, or to a folder there of the table's own name (`train/`
    beside `train.tsv`) where only that has the file; or absolute. Times are in seconds, and start with either
    duration or end cuts a segment out of a longer file. A row without an id is named after its audio
    file, with its folders where two files have one name, and with the start in milliseconds where several
    rows share the file. A .tsv file has tabs between its fields and
    takes quotation marks as they are; any other has commas or semicolons, whichever the header has more of,
    and quotation marks around fields that hold them.

    Returns:
        utterances in the order of the rows, and what was skipped; columns that are not used are a warning.

    Raises:
        AsrError: no such file, not UTF-8, no header, or a header without the two columns.
    """
    lines = read_lines(path)
    delimiter = _delimiter(path, lines[0])
    text = (f"{line}\n" for line in lines)
    if delimiter == "\t":
        reader = csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
    summary, folder = Summary(), path.resolve().parent
    rows = _rows(reader, path)
    first = next(rows, (0, []))
    columns = [name.strip().lower() for name in first[1]]
    if len(columns) == len(_REQUIRED) and _is_audio(first[1][0].strip(), folder, path.stem):
        columns, rows = list(_REQUIRED), chain([first], rows)
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise AsrError(
            f"{path}:1: the header lacks {' and '.join(missing)}; expected columns {', '.join(_REQUIRED)} "
            f"and, where wanted, {', '.join(_OPTIONAL)}; found {named(repr(name) for name in columns)}"
        )
    if len(set(columns)) < len(columns):
        raise AsrError(f"{path}:1: the header names a column twice ({named(columns)}); rename one of them")
    unused = [name for name in columns if name not in _REQUIRED + _OPTIONAL]
    if unused:
        summary.warn(path.name, f"columns that are not used: {named(unused)}")
    candidates = []
    for number, fields in rows:
        where = f"{path.name}:{number}"
        if len(fields) != len(columns):
            summary.skip(where, f"{len(columns)} fields expected as in the header, {len(fields)} found")
            continue
        try:
            row = {name: field.strip() for name, field in zip(columns, fields, strict=True)}
            candidates.append(_candidate(row, folder, path.stem, where))
        except AsrError as error:
            summary.skip(where, str(error))
    return admit(_with_ids(candidates, folder), summary), summary


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv" or "\t" in header:
        return "\t"
    return ";" if header.count(";") > header.count(",") else ","


def _rows(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of each row that is not empty.

    Raises:
        AsrError: the quotation marks do not match, so that the rest cannot be told apart.
    """
    while True:
        number = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise AsrError(
                f"{path}:{number}: not a row of a table ({error}); mend its quotation marks"
            ) from error
        if any(field.strip() for field in fields):
            yield number, fields


def _is_audio(name: str, folder: Path, own: str) -> bool:
    """Whether this is the name of an audio file that is there, and no heading."""
    return Path(name).suffix.lower() in AUDIO_SUFFIXES and _is_file(_place(name, folder, own))


def _place(name: str, folder: Path, own: str) -> Path:
    """Where an audio file lies: in the folder of the table, or in the table's own one there."""
    beside, below = folder / name, folder / own / name
    return below if _is_file(below) and not _is_file(beside) else beside


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _candidate(row: dict[str, str], folder: Path, own: str, where: str) -> Candidate:
    if not row["audio"]:
        raise AsrError("the audio column is empty")
    start = _seconds(row, "start") or 0.0
    duration, end = _seconds(row, "duration"), _seconds(row, "end")
    if duration is not None and end is not None:
        raise AsrError("has a duration and an end; leave one of the two empty")
    if duration is not None:
        end = start + duration
    return Candidate(
        row.get("id", ""),
        _place(row["audio"], folder, own),
        row["text"],
        row.get("speaker", ""),
        start,
        end,
        origin=where,
    )


def _seconds(row: dict[str, str], column: str) -> float | None:
    text = row.get(column, "")
    try:
        seconds = float(text) if text else None
    except ValueError:
        seconds = math.nan
    if seconds is not None and not math.isfinite(seconds):
        raise AsrError(f"{column} in seconds expected, found '{text}'")
    return seconds


def _with_ids(candidates: list[Candidate], folder: Path) -> Iterator[Candidate]:
    """Name rows without an id after their audio, and after their start where they are cut out of it."""
    rows = Counter(candidate.audio for candidate in candidates)
    files = Counter(audio.stem for audio in rows)
    for candidate in candidates:
        audio = candidate.audio
        path = audio.relative_to(folder) if audio.is_relative_to(folder) else Path(audio.name)
        name = audio.stem if files[audio.stem] == 1 else "-".join(path.with_suffix("").parts)
        own = f"{name}-{round(candidate.start * 1000):08d}" if rows[audio] > 1 else name
        yield candidate if candidate.utt_id else candidate._replace(utt_id=own)
