"""What the user names on the command line: audio files, and places for what is made of them."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from asr.corpus.durations import AUDIO_SUFFIXES
from asr.errors import AsrError

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Input:
    """One audio file: `audio` is its path, "-" for standard input; `stem` is what an output file is called,
    with the folders below the one that the user named, and without extension."""

    audio: str
    stem: PurePath


def find_audio(arguments: Sequence[str]) -> tuple[list[Input], list[str]]:
    """Files as they are, folders with all audio below them, globs, "-"; in the order given.

    A folder's files are sorted by path; hidden ones are left out, and named pipes, which might be waited on
    for ever.

    Returns:
        The inputs, and a sentence for each argument that leads to nothing.

    Raises:
        AsrError: there is no input at all.
    """
    inputs: list[Input] = []
    problems: list[str] = []
    for argument in arguments:
        try:
            found, problem = _resolve(argument)
        except OSError as error:  # no permission for a folder above it, or a name that is too long
            found, problem = [], f"{argument}: cannot be opened ({error.strerror})"
        inputs += found
        problems += [problem] if problem else []
    if not inputs:
        raise AsrError("; ".join(problems))
    return inputs, problems


def _resolve(argument: str) -> tuple[list[Input], str]:
    path = Path(argument)
    if argument == STDIN:
        return [Input(STDIN, PurePath("stdin"))], ""
    if path.is_dir():
        found = list(_below(path))
        return found, "" if found else f"{argument}: no audio files in this folder or below it"
    if path.exists() or not glob.has_magic(argument):
        return ([Input(argument, PurePath(path.stem))], "") if path.exists() else ([], _absent(argument))
    found = []
    for match in sorted(glob.glob(argument, recursive=True)):  # noqa: PTH207, patterns may be absolute
        if Path(match).is_dir():
            continue  # `**` gives a folder and what is in it
        found.append(Input(match, PurePath(Path(match).stem)))
    return found, "" if found else f"{argument}: no file matches this pattern"


def _absent(argument: str) -> str:
    return f"{argument}: no such file or folder"


def _below(folder: Path) -> Iterator[Input]:
    files: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    for file in sorted(files):
        if file.suffix.lower() in AUDIO_SUFFIXES and not file.is_fifo():
            yield Input(str(file), file.relative_to(folder).with_suffix(""))


def _refuse(error: OSError) -> None:
    raise AsrError(f"{error.filename}: this folder cannot be read ({error.strerror})") from error


def output_names(inputs: Sequence[Input], suffix: str) -> list[PurePath]:
    """A file name for each input: its stem and `suffix`, with -2, -3 and so on where that is taken.

    Names that differ only in case count as the same, since they are on some file systems. One file given
    twice has one name.
    """
    taken: dict[str, str] = {}
    names = []
    for item in inputs:
        name, copy = item.stem, 1
        while taken.setdefault(str(name).casefold(), item.audio) != item.audio:
            copy += 1
            name = item.stem.with_name(f"{item.stem.name}-{copy}")
        names.append(name.with_name(f"{name.name}.{suffix}"))
    return names
