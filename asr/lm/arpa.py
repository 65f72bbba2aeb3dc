"""ARPA files of back-off models, .arpa and .arpa.gz: the format that KenLM, SRILM and others share."""

import gzip
import math
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np

from asr.errors import AsrError
from asr.files import atomic_path
from asr.lm.closure import Section, closed_model
from asr.lm.sorting import Rows
from asr.lm.tables import NEVER, SPECIAL, UNK, Model
from asr.lm.text import open_bytes

_LN10 = math.log(10)
_BLOCK = 1 << 16
_DIGITS = 18  # of a count; Python itself refuses to read numbers of thousands
_UNSEEN = -100.0  # log10 P(<unk>) of a model without <unk>, as KenLM has it


class _Sink(Protocol):
    """What takes bytes: a file, or one that compresses."""

    def write(self, content: bytes, /) -> int: ...


def write_arpa(path: Path, model: Model) -> None:
    """Write a model; `.gz` at the end of the name compresses it.

    Raises:
        AsrError: the file cannot be written.
    """
    with atomic_path(path) as partial, partial.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
                _write(file, model)
        else:
            _write(raw, model)


def _write(file: _Sink, model: Model) -> None:
    header = [f"ngram {n}={len(table.first_words)}" for n, table in enumerate(model.tables, 1)]
    file.write("\n".join(["\\data\\", *header, ""]).encode())
    lines: list[str] = []
    for n, table in enumerate(model.tables, 1):
        file.write(f"\n\\{n}-grams:\n".encode())
        for begin in range(0, len(table.first_words), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            probs = (table.log_probs[part] / _LN10).tolist()
            backoffs = (table.backoffs[part] / _LN10).tolist()
            for prob, words, backoff in zip(probs, _words_of(model, n, part), backoffs, strict=True):
                weight = f"\t{backoff:.7g}" if backoff else ""
                lines.append(f"{prob:.7g}\t{' '.join(words)}{weight}\n")
            file.write("".join(lines).encode())
            lines.clear()
    file.write(b"\n\\end\\\n")


def _words_of(model: Model, n: int, part: slice) -> Iterator[tuple[str, ...]]:
    """The words of n-grams of order n, oldest first."""
    columns, index = [], np.arange(part.start, min(part.stop, len(model.tables[n - 1].first_words)))
    for table in model.tables[n - 1 :: -1]:
        columns.append([model.vocabulary[word] for word in table.first_words[index].tolist()])
        index = table.suffixes[index]
    return zip(*columns, strict=True)


class _Lines:
    """The lines of a file, with the number of the current one."""

    def __init__(self, path: str, file: Iterable[bytes]) -> None:
        self.path, self.number, self._lines = path, 0, iter(file)

    def next(self) -> bytes | None:
        """The next line, without its end; None after the last."""
        line = next(self._lines, None)
        self.number += 1
        return None if line is None else line.rstrip(b"\r\n")

    def next_filled(self) -> bytes | None:
        """The next line that is not blank."""
        line = self.next()
        while line is not None and not line.strip():
            line = self.next()
        return line

    def fail(self, problem: str) -> NoReturn:
        raise AsrError(f"{self.path}:{self.number}: {problem}")


def read_arpa(path: str | Path) -> Model:
    """Read a model.

    What other tools leave out is filled in: a suffix of an n-gram that is not listed itself (after SRILM's
    pruning) with its backed-off probability, and <unk> with log10 -100.

    Raises:
        AsrError: the file is not an ARPA file, or is damaged; the sentence names the line.
    """
    with open_bytes(str(path)) as file:
        lines = _Lines(str(path), file)
        counts = _read_counts(lines)
        vocabulary, section = _read_unigrams(lines, counts)
        ids = {word.encode(): index for index, word in enumerate(vocabulary)}
        sections = [section]
        for n in range(2, len(counts) + 1):
            sections.append(_read_section(lines, n, counts, ids))
        if (line := lines.next_filled()) is None or line.strip() != b"\\end\\":
            lines.fail(f"\\end\\ was expected, found {_shown(line)}; the file is cut or its counts are wrong")
        if (line := lines.next_filled()) is not None:
            lines.fail(f"nothing was expected after \\end\\, found {_shown(line)}")
    return closed_model(str(path), vocabulary, sections)


def _read_counts(lines: _Lines) -> list[int]:
    line = lines.next_filled()
    if line is None or line.strip() != b"\\data\\":
        lines.fail(f"not an ARPA file: \\data\\ was expected, found {_shown(line)}")
    counts: list[int] = []
    while (line := lines.next()) is not None and line.strip():
        order, equals, count = line.removeprefix(b"ngram").partition(b"=")
        if not (
            line.startswith(b"ngram ") and equals and order.strip().isdigit() and count.strip().isdigit()
        ):
            lines.fail(f"'ngram {len(counts) + 1}=<count>' was expected, found {_shown(line)}")
        if max(len(order.strip()), len(count.strip())) > _DIGITS:
            lines.fail(f"a count of at most {_DIGITS} digits was expected, found {_shown(line)}")
        if int(order) != len(counts) + 1:
            lines.fail(f"the count of order {len(counts) + 1} was expected, found that of {int(order)}")
        counts.append(int(count))
    if not counts or not counts[0]:
        lines.fail("an ARPA file with words was expected, its counts name none")
    return counts


def _read_unigrams(lines: _Lines, counts: list[int]) -> tuple[list[str], Section]:
    entries: dict[str, tuple[float, float]] = {}
    first = _header(lines, 1)
    for fields, prob, backoff in _entries(lines, 1, counts):
        try:
            word = fields[0].decode()
        except UnicodeDecodeError:
            lines.fail(f"text in UTF-8 was expected, found {fields[0]!r}")
        word = "<unk>" if word == "<UNK>" else word
        if word in entries:
            lines.fail(f"the word '{word}' is listed twice")
        entries[word] = (prob, backoff)
    for marker in SPECIAL[1:]:
        if marker not in entries:
            lines.fail(f"{marker} was expected among the {len(entries)} words, and is not there")
    entries.setdefault("<unk>", (_UNSEEN * _LN10, 0.0))
    entries["<s>"] = (NEVER, entries["<s>"][1])  # whichever way the file says that nobody predicts it
    vocabulary = [*SPECIAL, *(word for word in entries if word not in SPECIAL)]
    probs, backoffs = np.array([entries[word] for word in vocabulary]).T
    rows = np.arange(len(vocabulary), dtype=np.int32)[:, None]
    return vocabulary, Section(rows, probs, backoffs, first)


def _read_section(lines: _Lines, n: int, counts: list[int], ids: dict[bytes, int]) -> Section:
    first = _header(lines, n)
    words, probs, backoffs = array("i"), array("d"), array("d")
    ids = {**ids, b"<UNK>": UNK}
    for fields, prob, backoff in _entries(lines, n, counts):
        try:
            words.extend(map(ids.__getitem__, fields))
        except KeyError as error:
            lines.fail(f"the word {_shown(error.args[0])} is not among the 1-grams")
        probs.append(prob)
        backoffs.append(backoff)
    rows: Rows = np.array(words, np.int32).reshape(-1, n)[:, ::-1]
    return Section(np.ascontiguousarray(rows), np.array(probs), np.array(backoffs), first)


def _header(lines: _Lines, n: int) -> int:
    """Read the head of a section; the number of the line after it."""
    line = lines.next_filled()
    if line is None or line.strip() != f"\\{n}-grams:".encode():
        lines.fail(
            f"\\{n}-grams: was expected, found {_shown(line)}; the file is cut or its counts are wrong"
        )
    return lines.number + 1


def _entries(lines: _Lines, n: int, counts: list[int]) -> Iterator[tuple[list[bytes], float, float]]:
    """Words, natural-log probability and natural-log back-off weight of as many lines as were promised."""
    longest = n == len(counts)
    for index in range(counts[n - 1]):
        line = lines.next()
        if line is None or not line.strip() or line.startswith(b"\\"):
            lines.fail(f"{counts[n - 1]} {n}-grams were promised, found {index}")
        fields = line.split()
        if len(fields) != n + 1 and (longest or len(fields) != n + 2):
            expected = f"{n + 1} fields" if longest else f"{n + 1} or {n + 2} fields"
            lines.fail(f"a {n}-gram in {expected} was expected, found {len(fields)}")
        prob = _number(lines, fields[0], "log-probability")
        if prob > 0:
            lines.fail(f"a log-probability of at most 0 was expected, found {prob:g}")
        backoff = _number(lines, fields[-1], "back-off weight") if len(fields) == n + 2 else 0.0
        yield fields[1 : n + 1], prob * _LN10, backoff * _LN10


def _number(lines: _Lines, field: bytes, what: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        lines.fail(f"a {what} was expected, found {_shown(field)}")
    return value


def _shown(line: bytes | None) -> str:
    return "the end of the file" if line is None else f"'{line[:60].decode(errors='replace')}'"
