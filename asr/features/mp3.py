"""How long an MP3 is, by its frames: libsndfile only guesses where the file does not tell it, or wrongly.

Its guess (file size by the bit rate of the first frame) stops it early, without a word, in a file of varying
bit rate whose encoder wrote to a pipe, and in files that were joined (libsndfile issue 1001).
"""

import io
from typing import BinaryIO

_KILOBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)
_TRAILER_BYTES = 4096  # tags that may follow the sound


def told_frames(file: BinaryIO) -> int | None:
    """Samples a channel according to the first frame's Xing, Info or VBRI tag.

    None where there is no tag, or where the file is longer than the tag says, as joined files are.
    """
    start = _skip_id3(file)
    file.seek(start)
    head = file.read(512)
    header = _parse_header(head[:4])
    if header is None:
        return None
    frames, size = 0, 0
    for name in (b"Xing", b"Info"):
        if 0 < (at := head.find(name)) <= 40:
            flags = _integer(head, at + 4)
            frames = _integer(head, at + 8) if flags & 1 else 0
            size = _integer(head, at + 8 + 4 * (flags & 1)) if flags & 2 else 0
    if head[36:40] == b"VBRI":
        size, frames = _integer(head, 46), _integer(head, 50)
    present = file.seek(0, io.SEEK_END) - start
    if frames == 0 or (size and present > 1.02 * size + _TRAILER_BYTES):
        return None
    return frames * header[1]


def counted_frames(file: BinaryIO) -> int:
    """Samples a channel, by going from frame to frame; 0 for what is no Layer III stream."""
    position, samples = _skip_id3(file), 0
    while True:
        file.seek(position)
        header = _parse_header(file.read(4))
        if header is not None:
            position, samples = position + header[0], samples + header[1]
            continue
        position = _resync(file, position + 1)
        if position < 0:
            return samples


def _skip_id3(file: BinaryIO) -> int:
    """Where the first frame begins."""
    file.seek(0)
    tag = file.read(10)
    if tag[:3] != b"ID3" or len(tag) < 10:
        return 0
    return 10 + sum(byte << shift for byte, shift in zip(tag[6:10], (21, 14, 7, 0), strict=True))


def _parse_header(header: bytes) -> tuple[int, int] | None:
    """Bytes and samples of a Layer III frame; None if this is not its beginning."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version = {0: 4, 2: 2, 3: 1}.get(header[1] >> 3 & 3)  # MPEG 2.5, 2, 1, by what they divide the rates by
    bits, rate = header[2] >> 4, header[2] >> 2 & 3
    if version is None or bits in (0, 15) or rate == 3:
        return None
    samples = 1152 if version == 1 else 576
    kilobits = _KILOBITS[min(version, 2)][bits]
    return samples * 125 * kilobits // (_RATES[rate] // version) + (header[2] >> 1 & 1), samples


def _resync(file: BinaryIO, position: int) -> int:
    """The next byte at which a frame begins that another one follows; -1 if there is none."""
    while True:
        file.seek(position)
        chunk = file.read(4096)
        if len(chunk) < 4:
            return -1
        at = chunk.find(b"\xff")
        if at < 0 or at > len(chunk) - 4:
            position += len(chunk) - 3
            continue
        position += at
        header = _parse_header(chunk[at : at + 4])
        if header is not None:
            file.seek(position + header[0])
            if _parse_header(file.read(4)) is not None:
                return position
        position += 1


def _integer(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")
