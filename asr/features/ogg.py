"""Whether an Ogg file (Opus, Vorbis) is all there: libsndfile says nothing where it reads only a part.

What it reads are the whole pages of the first stream. A page begins with "OggS", a version and flags, and
tells at byte 26 how many lengths of segments follow (RFC 3533, section 6). One stream may follow another, as
where a radio programme was recorded.
"""

import io
import logging
from typing import BinaryIO

from asr.errors import AsrError
from asr.features.container import conversion

_FIRST, _LAST = 2, 4  # flags of a page in its stream
_HEAD_BYTES = 27

log = logging.getLogger("asr")


def check_pages(file: BinaryIO, name: str, seconds: float) -> None:
    """Go from page to page. What follows the last page of a stream, such as a tag, is no page and no harm.

    A file that ends with a whole page that is not the last of its stream, as one that is still being
    recorded, is logged.

    Args:
        file: an Ogg file.
        name: of it, for sentences.
        seconds: of its sound that libsndfile reads.

    Raises:
        AsrError: another stream follows the first, or the file ends within a page.
    """
    size = file.seek(0, io.SEEK_END)
    position, flags, has_begun = 0, 0, False
    while True:
        file.seek(position)
        head = file.read(_HEAD_BYTES + 255)
        if len(head) < _HEAD_BYTES or head[:4] != b"OggS":
            break
        end = position + _HEAD_BYTES + head[26] + sum(head[_HEAD_BYTES : _HEAD_BYTES + head[26]])
        if end > size:
            break
        position, flags = end, head[5]
        if has_begun and flags & _FIRST:
            raise AsrError(
                f"{name}: several recordings are joined in this file, of which the first alone, "
                f"{seconds:.2f} s, would be read; {conversion(name)}"
            )
        has_begun = has_begun or not flags & _FIRST
    if flags & _LAST:
        return
    if position < size:
        raise AsrError(
            f"{name}: damaged: the file was cut short or changed; {seconds:.2f} seconds of it can be read: "
            "fetch or export it again"
        )
    log.warning("%s: it has no end after %.2f seconds: it was still being recorded, or is cut", name, seconds)
