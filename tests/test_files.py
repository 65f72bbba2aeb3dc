"""Writing in one step, and the sentences for what stands in the way."""

import errno
import os

import pytest

from asr.errors import AsrError
from asr.files import atomic_path, file_digest, one_line, printable, write_bytes, write_text


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    write_text(path, "one")
    write_text(path, "zwei ü")
    assert path.read_bytes() == "zwei ü".encode()
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "file.bin"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_bytes(b"half of the ne")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "no permission"), (errno.EROFS, "read-only")],
)
def test_errors_of_the_disk_are_sentences(tmp_path, number, words):
    path = tmp_path / "file.bin"
    with pytest.raises(AsrError, match=rf"file\.bin: cannot be written: .*{words}"), atomic_path(path):
        raise OSError(number, os.strerror(number))


def test_the_longest_names(tmp_path):
    """255 bytes; two of them that begin alike are written at the same time."""
    names = [f"{'日' * 83}{number}.txt" for number in "12"]
    with atomic_path(tmp_path / names[0]) as first, atomic_path(tmp_path / names[1]) as second:
        first.write_text("one")
        second.write_text("two")
    assert [(tmp_path / name).read_text() for name in names] == ["one", "two"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_parent_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(AsrError, match="cannot be written"):
        write_text(tmp_path / "file" / "below", "y")


def test_digest(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert file_digest(tmp_path / "file").startswith("ba7816bf")
    assert file_digest(tmp_path / "file", "md5") == "900150983cd24fb0d6963f7d28e17f72"


def test_a_name_that_is_not_utf8_can_be_printed():
    assert printable(os.fsdecode(b"caf\xe9.wav")) == "caf\N{REPLACEMENT CHARACTER}.wav"
    assert printable("Ω.wav") == "Ω.wav"


def test_a_name_with_line_ends_is_written_in_one_line():
    assert one_line("a\nb\x1b[31m\u2028\x85.wav") == r"a\nb\x1b[31m\u2028\x85.wav"
    assert one_line(os.fsdecode(b"caf\xe9.wav")) == "caf\N{REPLACEMENT CHARACTER}.wav"
