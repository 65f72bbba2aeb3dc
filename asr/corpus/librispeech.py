"""LibriSpeech and mini_librispeech: the official archives, and reading their layout, whole or in part.

Sizes and MD5 are those of https://www.openslr.org/resources/12/md5sum.txt and .../31/md5sum.txt (OpenSLR
resources 12 and 31, CC BY 4.0).
"""

import logging
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from asr.corpus.archive import unpack
from asr.corpus.candidates import Candidate, admit
from asr.corpus.download import check_disk, download
from asr.corpus.durations import audio_files
from asr.corpus.summary import Summary
from asr.errors import AsrError
from asr.files import write_error
from asr.records import Utterance

logger = logging.getLogger("asr")


class Subset(NamedTuple):
    """One official archive, NAME.tar.gz: number of the OpenSLR resource, bytes, MD5, utterances within.

    `utterances` is None where no source says it.
    """

    resource: int
    size: int
    md5: str
    utterances: int | None


SUBSETS: dict[str, dict[str, Subset]] = {
    "librispeech": {
        "dev-clean": Subset(12, 337_926_286, "42e2234ba48799c1f50f24a7926300a1", 2703),
        "dev-other": Subset(12, 314_305_928, "c8d0bcc9cca99d4f8b62fcc847357931", 2864),
        "test-clean": Subset(12, 346_663_984, "32fa31d27d2e1cad72775fee3f4849a9", 2620),
        "test-other": Subset(12, 328_757_843, "fb5a50374b501bb3bac4815ee91d3135", 2939),
        "train-clean-100": Subset(12, 6_387_309_499, "2a93770f6d5c6c964bc36631d331a522", 28_539),
        "train-clean-360": Subset(12, 23_049_477_885, "c0e676e450a7ff2f54aeade5171606fa", 104_014),
        "train-other-500": Subset(12, 30_593_501_606, "d1a0fd59409feb2c614ce4d30c387708", 148_688),
    },
    "mini_librispeech": {
        "dev-clean-2": Subset(31, 126_046_265, "6d7ab67ac6a1d2c993d050e16d61080d", 1089),
        "train-clean-5": Subset(31, 332_954_390, "5df7d4e78065366204ca6845bb08f490", None),
    },
}

MIRRORS = (
    "https://www.openslr.org/resources",
    "https://us.openslr.org/resources",
    "https://openslr.trmal.net/resources",
    "https://openslr.elda.org/resources",
    "https://openslr.magicdatatech.com/resources",
)
"""The addresses that OpenSLR publishes: its own, two names in the US, Europe, China."""

_GROWTH = 1.05  # unpacked size by archive size: FLAC does not compress, small files round up to blocks


def find_subset(root: Path, name: str) -> Path | None:
    """The folder of an unpacked subset: `root`/name or `root`/LibriSpeech/name, None where neither is."""
    places = (root / name, root / "LibriSpeech" / name)
    return next((place for place in places if place.is_dir()), None)


def fetch(source: str, root: Path, names: Sequence[str], mirrors: Sequence[str] = ()) -> None:
    """Download and unpack the subsets that are not under `root` yet; one that is, even in part, is kept.

    A subset NAME goes to `root`/NAME, which appears when it is complete; its archive is removed then. The
    corpus's own text files (SPEAKERS.TXT, LICENSE.TXT, …) go to `root`.

    Args:
        source: "librispeech" or "mini_librispeech".
        root: folder of the corpus; made if it is missing.
        names: subsets, as in `SUBSETS[source]`.
        mirrors: addresses of folders that hold NAME.tar.gz, tried before the official ones.

    Raises:
        AsrError: an unknown name, too little space on the disk, and what `download` and `unpack` raise.
    """
    missing = [
        name for name in dict.fromkeys(names) if _official(source, name) and not find_subset(root, name)
    ]
    if not missing:
        return
    check_disk(root, _space_needed(source, root, missing), f"{', '.join(missing)} (download and unpacked)")
    for name in missing:
        archive, subset = root / f"{name}.tar.gz", SUBSETS[source][name]
        own = [f"{mirror.rstrip('/')}/{archive.name}" for mirror in mirrors]
        official = [f"{mirror}/{subset.resource}/{archive.name}" for mirror in MIRRORS]
        download([*own, *official], archive, size=subset.size, md5=subset.md5)
        _install(archive, root, name)
        archive.unlink()
        logger.info("%s: ready in %s", name, root / name)


def _official(source: str, name: str) -> bool:
    if name not in SUBSETS[source]:
        known = ", ".join(SUBSETS[source])
        raise AsrError(f"{source} has no subset '{name}'; its subsets are {known}")
    return True


def _space_needed(source: str, root: Path, names: Sequence[str]) -> int:
    """The most bytes that are in use at one time: everything unpacked so far and the archive at hand."""
    needed, unpacked = 0, 0
    for name in names:
        size = SUBSETS[source][name].size
        archive = root / f"{name}.tar.gz"
        here = sum(
            path.stat().st_size for path in (archive, root / f"{name}.tar.gz.partial") if path.exists()
        )
        unpacked += int(_GROWTH * size)
        needed = max(needed, unpacked + size - min(here, size))
    return needed


def _install(archive: Path, root: Path, name: str) -> None:
    """Unpack LibriSpeech/NAME and the text files beside it, and move them to `root`."""
    whole = root / f".{name}.unpacked.partial"
    try:
        shutil.rmtree(whole, ignore_errors=True)
        unpack(archive, whole)
        inner = find_subset(whole, name)
        if inner is None:
            raise AsrError(f"{archive}: holds no folder LibriSpeech/{name}; it is not the official archive")
        for text in inner.parent.glob("*.TXT"):
            text.replace(root / text.name)
        inner.replace(root / name)
    except OSError as error:
        raise write_error(root, error) from error
    finally:
        shutil.rmtree(whole, ignore_errors=True)


def read_librispeech(folder: Path, only: Collection[str] | None = None) -> tuple[list[Utterance], Summary]:
    """Read a subset in the official layout: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt with audio beside it.

    The subset may be there in part. Transcript lines without audio and audio without a transcript line are
    skipped and named; an official subset that is incomplete is a warning with both numbers. Audio may be in
    any format that soundfile reads.

    Args:
        folder: such as LibriSpeech/dev-clean.
        only: ids of the utterances that are wanted; the others are neither opened nor told of. None: all.

    Returns:
        utterances sorted by id, and what was skipped.

    Raises:
        AsrError: no such folder, or no transcripts in it.
    """
    if not folder.is_dir():
        raise AsrError(f"{folder}: no such folder; a subset in LibriSpeech's layout is expected")
    chapters = sorted(path for path in folder.resolve().glob("*/*") if path.is_dir())
    summary = Summary()
    if not any(True for chapter in chapters for _ in chapter.glob("*.trans.txt")):
        raise AsrError(
            f"{folder}: no transcripts found; expected SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt with audio "
            "beside it; give the folder of one subset, such as LibriSpeech/dev-clean"
        )
    candidates = [found for chapter in chapters for found in _read_chapter(chapter, only, summary)]
    utterances = sorted(admit(candidates, summary, official=True), key=lambda row: row.utt_id)
    whole = next((table[folder.name].utterances for table in SUBSETS.values() if folder.name in table), None)
    if only is None and whole is not None and len(utterances) < whole:
        summary.warn(folder.name, f"{len(utterances)} of the {whole} utterances of the subset are here")
    return utterances, summary


def _read_chapter(chapter: Path, only: Collection[str] | None, summary: Summary) -> Iterator[Candidate]:
    audio = audio_files(chapter)
    told: set[str] = set()
    for transcript in sorted(chapter.glob("*.trans.txt")):
        try:
            lines = transcript.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            summary.skip(str(transcript), f"the transcripts cannot be read as UTF-8 text ({error})")
            continue
        for number, line in enumerate(lines, start=1):
            utt_id, _, text = line.strip().partition(" ")
            if not utt_id:
                continue
            told.add(utt_id)
            if only is not None and utt_id not in only:
                continue
            path = audio.get(utt_id, chapter / f"{utt_id}.flac")
            yield Candidate(utt_id, path, text, chapter.parent.name, origin=f"{transcript.name}:{number}")
    for utt_id in sorted(audio.keys() - told):
        if only is None or utt_id in only:
            summary.skip(utt_id, f"no transcript line for {audio[utt_id]}")
