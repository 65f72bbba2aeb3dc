"""LibriSpeech's language models and the text that they are made of: OpenSLR resource 11, CC BY 4.0.

OpenSLR publishes no checksums of this resource. Sizes are those of Kaldi
(egs/librispeech/s5/local/download_lm.sh) and, for the text, of TensorFlow Datasets
(url_checksums/librispeech_lm.txt); the MD5 are those in librispeech.py of pytorch-database-prep (S. Robertson
2022). A file for which one of them is missing is not here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from asr.corpus.download import check_disk, download
from asr.corpus.librispeech import MIRRORS

RESOURCE = 11


class TextFile(NamedTuple):
    """One file of the resource, as it is called there."""

    name: str
    size: int
    md5: str


MODELS: dict[str, TextFile] = {
    "3-gram.pruned.1e-7": TextFile(
        "3-gram.pruned.1e-7.arpa.gz", 34_094_057, "9a0f1325bcaf3a0f7b7be4be10823c2a"
    ),
    "3-gram.pruned.3e-7": TextFile(
        "3-gram.pruned.3e-7.arpa.gz", 13_654_242, "8f67ec741827742eee05799ab7605b50"
    ),
    "4-gram": TextFile("4-gram.arpa.gz", 1_355_172_078, "6abdcd5b055bd482e4f9defe91d40408"),
}
"""Models of 200,000 words, in capitals."""

TEXT = TextFile("librispeech-lm-norm.txt.gz", 1_507_274_412, "c83c64c726a1aedfe65f80aa311de402")
"""14,500 books: 803 million words, a sentence a line."""


def fetch_text(file: TextFile, folder: Path, mirrors: Sequence[str] = ()) -> Path:
    """Download one file of the resource to `folder`, going on where an earlier download was cut.

    Args:
        file: one of `MODELS`, or `TEXT`.
        folder: made if it is missing.
        mirrors: addresses of folders that hold the file, tried before the official ones.

    Returns:
        Its path; a file that is there with the right content is kept.

    Raises:
        AsrError: too little space on the disk, and what `download` raises.
    """
    path = folder / file.name
    here = [part for part in (path, path.with_name(f"{path.name}.partial")) if part.exists()]
    check_disk(folder, file.size - sum(part.stat().st_size for part in here), file.name)
    own = [f"{mirror.rstrip('/')}/{file.name}" for mirror in mirrors]
    official = [f"{mirror}/{RESOURCE}/{file.name}" for mirror in MIRRORS]
    download([*own, *official], path, size=file.size, md5=file.md5)
    return path
