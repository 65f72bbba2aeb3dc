"""The downloader against servers that misbehave, all on this machine."""

import errno
import hashlib
import io
import logging
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from asr.corpus import download as room
from asr.corpus import librispeech
from asr.corpus.download import check_disk, download
from asr.corpus.librispeech import Subset, fetch, read_librispeech
from asr.errors import AsrError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
MD5 = hashlib.md5(CONTENT).hexdigest()


class QuietServer(ThreadingHTTPServer):
    """Does not print when a client hangs up, as a downloader that has seen enough does."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Server:
    """A mirror: what it holds, how it misbehaves, and which Range headers it was asked."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.knows_range = True
        self.cuts: list[int] = []  # bytes after which the next answers are cut
        self.statuses: list[int] = []  # errors of the next answers
        self.status = 200  # of every answer
        self.wrong_begin = 0
        self.has_length = True
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = QuietServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/file.tar.gz"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        status = self.statuses.pop(0) if self.statuses else self.status
        if status >= 400:
            request.send_error(status)
            return
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.knows_range else 0
        if begin >= len(self.content) and asked and self.knows_range:
            request.send_error(416)
            return
        body = self.content[begin:]
        request.send_response(206 if asked and self.knows_range else 200)
        if asked and self.knows_range:
            first, size = begin + self.wrong_begin, len(self.content)
            request.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        if self.has_length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.cuts.pop(0)] if self.cuts else body)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made = [Server(), Server()]
    yield made
    for server in made:
        server.close()


@pytest.fixture
def server(servers: list[Server]) -> Server:
    return servers[0]


def get(path: Path, *urls: str, attempts: int = 2) -> None:
    download(urls, path, size=len(CONTENT), md5=MD5, attempts=attempts, pause=0.0, timeout=5.0)


def test_a_file_is_downloaded_once(tmp_path: Path, server: Server) -> None:
    path = tmp_path / "new" / "file.tar.gz"
    get(path, server.url)
    get(path, server.url)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None]
    assert [entry.name for entry in path.parent.iterdir()] == ["file.tar.gz"]


def test_a_file_with_other_content_is_replaced(tmp_path: Path, server: Server) -> None:
    path = tmp_path / "file.tar.gz"
    path.write_bytes(b"x" * len(CONTENT))
    get(path, server.url)
    assert path.read_bytes() == CONTENT


def test_a_cut_download_goes_on_where_it_was(tmp_path: Path, server: Server) -> None:
    server.cuts = [300_000, 400_000]
    get(tmp_path / "file", server.url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=700000-"]


def test_progress_earns_more_attempts(tmp_path: Path, server: Server) -> None:
    server.cuts = [100_000] * 9
    get(tmp_path / "file", server.url, attempts=1)
    assert len(server.asked) == 10


def test_a_later_run_goes_on_from_what_is_kept(tmp_path: Path, server: Server) -> None:
    server.cuts = [600_000, 0, 0]
    with pytest.raises(
        AsrError, match="600,000 of 1,048,576 bytes are kept and the next run goes on"
    ) as caught:
        get(tmp_path / "file", server.url)
    assert "was cut at 600,000" in str(caught.value)
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[:600_000]
    get(tmp_path / "file", server.url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=600000-"


def test_another_mirror_goes_on_where_the_first_was_cut(tmp_path: Path, servers: list[Server]) -> None:
    servers[0].cuts = [500_000]
    get(tmp_path / "file", servers[0].url, servers[1].url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert servers[1].asked == ["bytes=500000-"]


@pytest.mark.parametrize("has_length", [True, False])
def test_a_server_that_ignores_range_loses_nothing(tmp_path: Path, server: Server, has_length: bool) -> None:
    server.knows_range, server.has_length, server.cuts = False, has_length, [700_000, 300_000]
    get(tmp_path / "file", server.url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=700000-", "bytes=700000-"]


def test_a_server_that_refuses_the_range_sends_it_all(tmp_path: Path, server: Server) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    server.statuses = [416]
    get(tmp_path / "file", server.url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_a_server_that_answers_with_another_part_is_left(tmp_path: Path, servers: list[Server]) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    servers[0].wrong_begin = 7
    get(tmp_path / "file", servers[0].url, servers[1].url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(servers[0].asked) == len(servers[1].asked) == 1


def test_a_partial_file_that_is_complete_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT)
    get(tmp_path / "file", "http://127.0.0.1:1/file")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT) + 1, len(CONTENT), 1000])
def test_a_partial_file_of_something_else_is_thrown_away(tmp_path: Path, server: Server, size: int) -> None:
    (tmp_path / "file.partial").write_bytes(b"x" * size)
    get(tmp_path / "file", server.url)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT) - 5, len(CONTENT) + 5])
def test_a_mirror_with_another_size_is_left(tmp_path: Path, servers: list[Server], size: int) -> None:
    servers[0].content = bytes(size)
    get(tmp_path / "file", servers[0].url, servers[1].url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    with pytest.raises(AsrError, match=f"its file has {size:,} bytes .* expected 1,048,576"):
        get(tmp_path / "other", servers[0].url)


def test_a_wrong_checksum_removes_the_file_and_asks_the_next_mirror(
    tmp_path: Path, servers: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    servers[0].content = bytes(len(CONTENT))
    with caplog.at_level(logging.WARNING, "asr"):
        get(tmp_path / "file", servers[0].url, servers[1].url)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert "wrong content" in caplog.text and "the damaged file was removed" in caplog.text
    assert servers[1].asked == [None]


def test_a_wrong_checksum_everywhere_is_told(tmp_path: Path, server: Server) -> None:
    server.content = bytes(len(CONTENT))
    found = hashlib.md5(server.content).hexdigest()
    with pytest.raises(AsrError, match=f"MD5 {MD5} .* expected, found {found}.*removed.*corpus.mirrors"):
        get(tmp_path / "file", server.url)
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == 1


def test_a_server_without_end_is_stopped(tmp_path: Path, server: Server) -> None:
    server.content, server.has_length = CONTENT * 4, False
    with pytest.raises(AsrError, match="wrong content"):
        get(tmp_path / "file", server.url)
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_shows_a_bar(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    get(tmp_path / "file", server.url)
    assert "downloading file" in screen.getvalue() and "1.0 MB" in screen.getvalue()


def test_errors_of_the_server(tmp_path: Path, servers: list[Server]) -> None:
    servers[0].status = 404
    servers[1].statuses = [503, 503]
    get(tmp_path / "file", servers[0].url, servers[1].url, attempts=3)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(servers[0].asked) == 1  # it said that it has no such file
    assert len(servers[1].asked) == 3  # it said that it was busy


def test_no_network_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        AsrError, match=r"file: could not be downloaded \(.*connection failed.*check the network"
    ):
        get(tmp_path / "file", "http://127.0.0.1:1/file", "ftp://127.0.0.1/file", "http://[bad/file")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(AsrError, match=r"connection failed .*timed out"):
            download([url], tmp_path / "file", size=1, md5=MD5, attempts=1, timeout=0.1)


def test_a_disk_that_fills_up_is_told_and_the_part_is_kept(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: io.RawIOBase, block: bytes, partial: Path) -> None:
        if file.tell():
            file = SimpleNamespace(write=_raise_full)  # type: ignore[assignment]
        write(file, block, partial)

    def _raise_full(block: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    write = room._write
    monkeypatch.setattr(room, "_write", full)
    with pytest.raises(AsrError, match=r"file\.partial: cannot be written: the disk is full"):
        get(tmp_path / "file", server.url)
    assert 0 < (tmp_path / "file.partial").stat().st_size < len(CONTENT)


def test_an_unwritable_folder_is_told(tmp_path: Path, server: Server) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AsrError, match="cannot be written"):
        get(tmp_path / "file" / "folder" / "file", server.url)
    assert server.asked == []


def test_the_disk_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3_000_000_000))
    check_disk(tmp_path / "not" / "there", 2_000_000_000, "dev-clean")
    with pytest.raises(
        AsrError, match=r"dev-clean needs 3\.5 GB, 3\.0 GB are free; free some space or choose"
    ):
        check_disk(tmp_path, 3_500_000_000, "dev-clean")


def official_archive(name: str, folder: Path) -> bytes:
    """A tiny subset in the official layout, packed as OpenSLR packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, f"LibriSpeech/{name}/{path.relative_to(folder)}", recursive=False)
        info = tarfile.TarInfo("LibriSpeech/SPEAKERS.TXT")
        info.size = 7
        tar.addfile(info, io.BytesIO(b"speaker"))
    return buffer.getvalue()


@pytest.fixture
def tiny(tmp_path: Path, servers: list[Server], make_audio, monkeypatch: pytest.MonkeyPatch) -> Server:  # type: ignore[no-untyped-def]
    chapter = tmp_path / "made" / "84" / "1"
    make_audio(chapter / "84-1-0000.flac")
    (chapter / "84-1.trans.txt").write_text("84-1-0000 HELLO\n")
    server = servers[0]
    server.content = official_archive("dev-clean-2", tmp_path / "made")
    subset = Subset(31, len(server.content), hashlib.md5(server.content).hexdigest(), 1)
    monkeypatch.setitem(librispeech.SUBSETS["mini_librispeech"], "dev-clean-2", subset)
    monkeypatch.setattr(librispeech, "MIRRORS", ())
    return server


def test_fetch_downloads_unpacks_and_tidies_up(tmp_path: Path, tiny: Server) -> None:
    root, mirror = tmp_path / "data" / "corpus", tiny.url.rsplit("/", 1)[0] + "/"
    fetch("mini_librispeech", root, ["dev-clean-2", "dev-clean-2"], [mirror])
    assert sorted(path.name for path in root.iterdir()) == ["SPEAKERS.TXT", "dev-clean-2"]
    utterances, summary = read_librispeech(root / "dev-clean-2")
    assert [(row.utt_id, row.text, row.duration) for row in utterances] == [("84-1-0000", "HELLO", 0.5)]
    assert summary.text() == "nothing skipped"
    fetch("mini_librispeech", root, ["dev-clean-2"])
    assert len(tiny.asked) == 1


def test_fetch_goes_on_after_it_was_stopped(tmp_path: Path, tiny: Server) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "dev-clean-2.tar.gz.partial").write_bytes(tiny.content[:100])
    (tmp_path / "corpus" / ".dev-clean-2.unpacked.partial").mkdir()
    fetch("mini_librispeech", tmp_path / "corpus", ["dev-clean-2"], [tiny.url.rsplit("/", 1)[0]])
    assert tiny.asked == ["bytes=100-"]
    assert sorted(path.name for path in (tmp_path / "corpus").iterdir()) == ["SPEAKERS.TXT", "dev-clean-2"]


def test_fetch_asks_the_disk_before_the_network(
    tmp_path: Path, tiny: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(AsrError, match=r"dev-clean-2 \(download and unpacked\) needs"):
        fetch("mini_librispeech", tmp_path / "corpus", ["dev-clean-2"], [tiny.url.rsplit("/", 1)[0]])
    assert tiny.asked == [] and not (tmp_path / "corpus").exists()


def test_space_is_that_of_the_fullest_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(librispeech, "check_disk", lambda root, needed, purpose: asked.append(needed))
    monkeypatch.setattr(
        librispeech, "download", lambda *args, **options: pytest.fail("only the check is meant")
    )
    monkeypatch.setattr(librispeech, "_GROWTH", 1.0)
    subsets = {"a": Subset(1, 100, "", 1), "b": Subset(1, 40, "", 1)}
    monkeypatch.setitem(librispeech.SUBSETS, "librispeech", subsets)
    (tmp_path / "a.tar.gz.partial").write_bytes(bytes(30))
    with pytest.raises(pytest.fail.Exception):
        fetch("librispeech", tmp_path, ["a", "b"])
    assert asked == [180]  # a and b unpacked, and b's archive; for a alone it is 100 and the 70 still to come


def test_an_archive_without_the_subset_is_told(
    tmp_path: Path, tiny: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.content = official_archive("something-else", tmp_path / "made")
    subset = Subset(31, len(tiny.content), hashlib.md5(tiny.content).hexdigest(), 1)
    monkeypatch.setitem(librispeech.SUBSETS["mini_librispeech"], "dev-clean-2", subset)
    with pytest.raises(AsrError, match="holds no folder LibriSpeech/dev-clean-2"):
        fetch("mini_librispeech", tmp_path / "corpus", ["dev-clean-2"], [tiny.url.rsplit("/", 1)[0]])
    assert [path.name for path in (tmp_path / "corpus").iterdir()] == ["dev-clean-2.tar.gz"]


def test_an_unknown_subset_is_told_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        AsrError, match="librispeech has no subset 'dev-klean'; its subsets are dev-clean, dev-other"
    ):
        fetch("librispeech", tmp_path, ["dev-klean"])


def test_the_table_names_every_official_subset() -> None:
    assert set(librispeech.SUBSETS["librispeech"]) == {
        f"{part}-{kind}" for part in ("dev", "test") for kind in ("clean", "other")
    } | {"train-clean-100", "train-clean-360", "train-other-500"}
    assert set(librispeech.SUBSETS["mini_librispeech"]) == {"dev-clean-2", "train-clean-5"}
    sums = [subset.md5 for table in librispeech.SUBSETS.values() for subset in table.values()]
    assert len(set(sums)) == 9 and all(len(md5) == 32 and int(md5, 16) for md5 in sums)
