"""Texts and word lists that cannot be used: one sentence each."""

import errno
import gzip
import io
import lzma
from pathlib import Path

import pytest
from typer.testing import CliRunner

from asr.cli import app
from asr.errors import AsrError
from asr.lm import text
from asr.lm.build import build
from asr.lm.vocabulary import read_word_list


class FullDisk(io.FileIO):
    """A file on a disk that is full."""

    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("name", ["words", "run0", "order2-raw"])
def test_a_disk_that_fills_while_counting(file, tmp_path, monkeypatch, name):
    """What was there before stays whole, and nothing is left behind."""
    path, output = file(b"A B C\n" * 10), file(b"what was there", "lm.arpa")
    opened = Path.open

    def fill(self, *mode, **options):
        return FullDisk(self, "w") if self.name == name else opened(self, *mode, **options)

    monkeypatch.setattr(Path, "open", fill)
    counts = tmp_path / "counts"
    counts.mkdir()
    found = CliRunner().invoke(app, ["lm", "build", path, "-o", output, "--temporary", str(counts)])
    assert found.exit_code == 2
    assert f"{counts}: cannot be written: the disk is full; free some space" in found.stderr
    assert Path(output).read_text() == "what was there"
    assert not list(counts.iterdir())


@pytest.fixture
def file(tmp_path):
    def write(content, name="text.txt"):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("content", [b"", b"\n \n\t\n"])
def test_a_text_without_words(file, content):
    with pytest.raises(
        AsrError, match=r"text.txt: sentences were expected, one a line|the text: sentences were expected"
    ):
        build([file(content)], 2)


def test_bytes_that_are_not_utf8(file, monkeypatch):
    monkeypatch.setattr(text, "_BLOCK", 16)  # the line is counted over blocks
    with pytest.raises(AsrError, match=r"text\.txt:4: text in UTF-8 was expected, byte 0xff is not"):
        build([file(b"A B\nA C D E F G H I J K L\n\nA B\xff\n")], 2)


def test_sentence_marks_in_the_text(file):
    with pytest.raises(AsrError, match=r"text\.txt:2: holds </s>, which the model adds"):
        build([file(b"A B\nA </s>\n")], 2)


def test_marks_within_a_word_are_letters(file):
    assert "X<s>" in build([file(b"A X<s>\n")], 2).model.vocabulary


@pytest.mark.parametrize(("name", "pack"), [("text.gz", gzip.compress), ("text.xz", lzma.compress)])
def test_packed_texts_and_cut_ones(file, name, pack):
    content = b"A B C\n" * 1000
    assert build([file(pack(content), name)], 2).num_words == 3000
    with pytest.raises(AsrError, match=f"{name}: cannot be unpacked: .*cut or damaged"):
        build([file(pack(content)[:-9], name)], 2)
    with pytest.raises(AsrError, match=f"{name}: cannot be unpacked"):
        build([file(content, name)], 2)


def test_packed_texts_whose_middle_is_damaged(file):
    content = bytearray(gzip.compress(bytes(range(65, 91)) * 9 + b"\n"))
    for place in range(12, len(content) - 8):
        content[place] ^= 0xFF
        with pytest.raises(AsrError, match=r"text\.gz: cannot be unpacked: .*cut or damaged"):
            list(text.read_blocks([file(bytes(content), "text.gz")]))
        content[place] ^= 0xFF


def test_a_text_that_is_not_there(tmp_path):
    with pytest.raises(AsrError, match=r"none.txt: cannot be read: No such file"):
        build([str(tmp_path / "none.txt")], 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"A\nB\n\nA\n", r"words:4: 'A' is in line 1 already; list it once"),
        (b"A\nB C\n", r"words:2: one word a line was expected, found 2"),
        (b"\n", r"words: a list of words was expected, the file is empty"),
    ],
)
def test_word_lists_that_cannot_be(file, content, sentence):
    with pytest.raises(AsrError, match=sentence):
        read_word_list(file(content, "words"))


def test_a_word_list_of_marks_only(file):
    with pytest.raises(AsrError, match="the vocabulary is empty"):
        build([file(b"A\n")], 1, listed=["<s>"])
