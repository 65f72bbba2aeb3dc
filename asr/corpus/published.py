"""Archives of other corpora than LibriSpeech, where they are published, and fetching them.

LJSpeech's MD5 is the one on https://keithito.com/LJ-Speech-Dataset/, VCTK's that of torchaudio 0.7
(torchaudio/datasets/vctk.py). An archive whose checksum nobody publishes is not downloaded: what arrived
could not be told from something else.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from asr.corpus.archive import unpack
from asr.corpus.download import check_disk, download
from asr.errors import AsrError
from asr.files import write_error


class Published(NamedTuple):
    """One archive: address, bytes, MD5 ("" where none is published), and the folder within ("" for none)."""

    address: str
    size: int
    md5: str
    folder: str


PUBLISHED: dict[str, Published] = {
    "LJSpeech-1.1": Published(
        "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
        2_748_572_632,
        "c4763be9595ddfa79c2fc6eaeb3b6c8e",
        "LJSpeech-1.1",
    ),
    "VCTK-Corpus-0.92": Published(
        "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
        11_747_302_977,
        "8a6ba2946b36fcbef0212cad601f4bfa",
        "",
    ),
    "speechocean762": Published(
        "https://www.openslr.org/resources/101/speechocean762.tar.gz", 520_810_923, "", "speechocean762"
    ),
}

_GROWTH = 1.6  # unpacked size by archive size, at most: bzip2 and gzip on 16-bit samples


def published(name: str) -> Published:
    """The archive called `name`.

    Raises:
        AsrError: there is none.
    """
    if name not in PUBLISHED:
        raise AsrError(f"no archive is called '{name}'; known are {', '.join(PUBLISHED)}")
    return PUBLISHED[name]


def fetch_published(name: str, root: Path, mirrors: Sequence[str] = ()) -> None:
    """Download an archive and unpack it as the folder `root`, which appears when it is complete.

    A folder that is there, even in part, is kept as it is. The archive is removed when it is unpacked.

    Args:
        name: as in `PUBLISHED`.
        root: where what the archive holds goes.
        mirrors: addresses of folders that hold the archive, tried before the official one.

    Raises:
        AsrError: an unknown name, no published checksum, too little space, and what `download` and `unpack`
            raise.
    """
    source = published(name)
    if root.exists():
        return
    if not source.md5:
        raise AsrError(
            f"{name}: no checksum is published, so it is not downloaded here; {by_hand(name, root)}"
        )
    file = root.parent / source.address.rpartition("/")[2]
    check_disk(root.parent, int(source.size * (1 + _GROWTH)), f"{name} (download and unpacked)")
    addresses = [*(f"{mirror.rstrip('/')}/{file.name}" for mirror in mirrors), source.address]
    download(addresses, file, size=source.size, md5=source.md5)
    whole = root.with_name(f".{root.name}.unpacked.partial")
    try:
        shutil.rmtree(whole, ignore_errors=True)
        unpack(file, whole)
        inner = whole / source.folder
        if not inner.is_dir():
            raise AsrError(f"{file}: holds no folder {source.folder}; it is not the official archive")
        inner.replace(root)
    except OSError as error:
        raise write_error(root, error) from error
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    file.unlink()


def by_hand(name: str, root: Path) -> str:
    """What a user does to get an archive without us, as the end of a sentence."""
    source = published(name)
    target = root.parent if source.folder == root.name else root
    return f"download {source.address} ({source.size / 1e9:.1f} GB) and unpack it in {target}"
