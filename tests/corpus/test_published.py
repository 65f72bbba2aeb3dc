"""Published archives: fetched from a mirror on this machine, unpacked to the folder that was asked for."""

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from asr.corpus import published as room
from asr.corpus.published import PUBLISHED, Published, by_hand, fetch_published
from asr.errors import AsrError


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which a server shows it."""
    folder = tmp_path / "mirror"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args, **others) -> None:  # type: ignore[no-untyped-def]
            super().__init__(*args, directory=str(folder), **others)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def publish(monkeypatch: pytest.MonkeyPatch, file: Path, url: str, folder: str) -> None:
    content = file.read_bytes()
    entry = Published(f"{url}/{file.name}", len(content), hashlib.md5(content).hexdigest(), folder)
    monkeypatch.setitem(room.PUBLISHED, "made", entry)


def test_a_tar_with_a_folder_inside(tmp_path: Path, mirror, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    folder, url = mirror
    with tarfile.open(folder / "LJ.tar.bz2", "w:bz2") as tar:
        member = tarfile.TarInfo("LJ-1.1/metadata.csv")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"hello"))
    publish(monkeypatch, folder / "LJ.tar.bz2", url, "LJ-1.1")
    fetch_published("made", tmp_path / "new" / "lj")
    assert (tmp_path / "new" / "lj" / "metadata.csv").read_text() == "hello"
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["lj"]
    (folder / "LJ.tar.bz2").unlink()
    fetch_published("made", tmp_path / "new" / "lj")  # there already: nothing is asked


def test_a_zip_without_a_folder_from_a_mirror(
    tmp_path: Path, mirror, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    folder, url = mirror
    with zipfile.ZipFile(folder / "VCTK.zip", "w") as pack:
        pack.writestr("txt/p239/p239_001.txt", "hello")
    publish(monkeypatch, folder / "VCTK.zip", "http://127.0.0.1:9", "")
    fetch_published("made", tmp_path / "VCTK", [f"{url}/"])
    assert (tmp_path / "VCTK" / "txt" / "p239" / "p239_001.txt").read_text() == "hello"


def test_another_archive_leaves_nothing(tmp_path: Path, mirror, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    folder, url = mirror
    with zipfile.ZipFile(folder / "x.zip", "w") as pack:
        pack.writestr("other/a.txt", "hello")
    publish(monkeypatch, folder / "x.zip", url, "right")
    with pytest.raises(AsrError, match="holds no folder right; it is not the official archive"):
        fetch_published("made", tmp_path / "new" / "x")
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["x.zip"]


def test_nothing_is_downloaded_without_a_checksum(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"no checksum is published, .* download https://www\.openslr\.org"):
        fetch_published("speechocean762", tmp_path / "speechocean762")
    assert list(tmp_path.iterdir()) == []


def test_where_to_unpack_by_hand_is_said(tmp_path: Path) -> None:
    assert by_hand("LJSpeech-1.1", tmp_path / "LJSpeech-1.1").endswith(
        f"(2.7 GB) and unpack it in {tmp_path}"
    )
    own = tmp_path / "VCTK"
    assert by_hand("VCTK-Corpus-0.92", own).endswith(f"(11.7 GB) and unpack it in {own}")


def test_the_table_is_in_order() -> None:
    for name, entry in PUBLISHED.items():
        assert entry.address.startswith("https://") and entry.size > 10**8, name
        assert entry.md5 == "" or len(bytes.fromhex(entry.md5)) == 16, name
