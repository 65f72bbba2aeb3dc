"""Archives: nothing leaves the folder, and nothing half unpacked is left behind."""

import errno
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from asr.corpus.archive import unpack
from asr.errors import AsrError


def make_tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_unpacked(tmp_path: Path, mode: str) -> None:
    archive = make_tar(
        tmp_path / "a.tar", special("d", tarfile.DIRTYPE), ("d/x", b"1"), ("d/e/y", b"22"), mode=mode
    )
    unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == {"d/x": b"1", "d/e/y": b"22"}


def test_a_zip_is_unpacked_whatever_its_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.tar.gz", "w") as pack:
        pack.writestr("d/", b"")
        pack.writestr("d/x", b"1")
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert contents(tmp_path / "out") == {"d/x": b"1"}


BAD_NAMES = ["../evil", "a/../../evil", "/tmp/evil", "C:\\evil", "..\\evil", "\\\\host\\share\\evil", "a/.."]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_outside_the_folder_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    archive = tmp_path / "in" / "a"
    archive.parent.mkdir()
    if kind == "tar":
        make_tar(archive, ("good", b"1"), (name, b"2"))
    else:
        with zipfile.ZipFile(archive, "w") as pack:
            pack.writestr("good", b"1")
            pack.writestr(zipfile.ZipInfo(name), b"2")
    with pytest.raises(AsrError, match="would be written outside the folder") as caught:
        unpack(archive, tmp_path / "place" / "out")
    assert "nothing was unpacked" in str(caught.value) and repr(name)[1:-1].replace("\\\\", "\\") in str(
        caught.value
    )
    assert contents(tmp_path) == {"in/a": archive.read_bytes()}
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.parametrize(
    "member",
    [
        special("link", tarfile.SYMTYPE, "../../etc"),
        special("link", tarfile.SYMTYPE, "/etc"),
        special("link", tarfile.LNKTYPE, "../evil"),
        special("device", tarfile.CHRTYPE),
        special("pipe", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_are_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("good", b"1"), member, ("link/through", b"2"))
    with pytest.raises(AsrError, match=f"member '{member.name}' is a link or a device"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr(info, "../../etc")
    with pytest.raises(AsrError, match="is a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.3, 0.6, 0.9, -5])
def test_an_archive_cut_short_leaves_nothing(tmp_path: Path, kept: float) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", *((f"f{i}", bytes(range(256)) * 40) for i in range(50)))
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * kept) if 0 < kept < 1 else int(kept)])
    with pytest.raises(AsrError, match=r"damaged or cut short.*download it again"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("place", [20, 0.5, -6])
def test_a_changed_byte_is_found(tmp_path: Path, place: float) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("x", bytes(range(256)) * 40))
    damaged = bytearray(archive.read_bytes())
    damaged[int(len(damaged) * place) if 0 < place < 1 else int(place)] ^= 0xFF
    archive.write_bytes(damaged)
    with pytest.raises(AsrError, match=r"damaged or cut short|outside|link or a device"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cut_zip_and_a_text_file_are_damaged_archives(tmp_path: Path) -> None:
    for content in (b"PK\x03\x04 and no more", b"<html>not found</html>"):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(AsrError, match="damaged or cut short"):
            unpack(tmp_path / "a", tmp_path / "out")


def test_an_encrypted_zip_and_an_empty_archive_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("x", b"1")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(AsrError, match="is encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(AsrError, match="holds no files"):
        unpack(make_tar(tmp_path / "b.tar.gz", special("d", tarfile.DIRTYPE)), tmp_path / "out")


def test_a_folder_in_use_is_not_touched_and_leftovers_are_removed(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("x", b"1"))
    leftover = tmp_path / ".out.unpacking.partial"
    leftover.mkdir()
    (leftover / "old").write_bytes(b"0")
    (tmp_path / "out").mkdir()
    unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == {"x": b"1"}
    with pytest.raises(AsrError, match="out: exists already"):
        unpack(archive, tmp_path / "out")
    with pytest.raises(AsrError, match="cannot be read"):
        unpack(tmp_path / "none.tar.gz", tmp_path / "other")


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("x", b"1"), ("y", b"2"))
    extract = tarfile.TarFile.extract

    def full(self: tarfile.TarFile, member: tarfile.TarInfo, *args: object, **options: object) -> None:
        if member.name == "y":
            raise OSError(errno.ENOSPC, "No space left on device")
        extract(self, member, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tarfile.TarFile, "extract", full)
    with pytest.raises(AsrError, match="the disk is full"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("x", b"1"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AsrError, match="cannot be written"):
        unpack(archive, tmp_path / "file" / "out")
