"""The compact file of a language model: named arrays that are mapped into memory, not read.

    8 bytes   ASR-LM\\r\\n       (a transfer that changes line ends is noticed)
    3 × u32   version, length of the header, CRC-32 of the header
    header    JSON: order, bits, length of the file, and of every array its type, length, place and CRC-32
    arrays    little-endian, each at a multiple of 64 bytes

Loading checks the version, the header and the length of the file, which takes milliseconds whatever the size;
the content of the arrays is checked where that is asked for.

Version 2 is packed (`asr.lm.packed`): a third of the size, read and checked as a whole.

Probabilities are float32, or codes of 16 or 8 bits for values at equal steps: an error of at most half a
step, about 0.0002 (16 bits) or 0.05 (8 bits) in natural log. Codes are turned back while loading.
"""

import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.files import atomic_path

_MAGIC = b"ASR-LM\r\n"
_PLAIN, _PACKED = 1, 2
_HEAD = struct.Struct("<8sIII")
_OUTLIER = -100.0  # what is never said (log10 -99) would stretch the steps: such values share code 0

Array = NDArray[Any]


class Stored(NamedTuple):
    """What a file holds; `is_packed` says in which of the two forms."""

    order: int
    arrays: dict[str, Array]
    is_packed: bool


def write_arrays(
    path: Path, order: int, arrays: Mapping[str, Array], bits: int = 32, *, is_packed: bool = False
) -> None:
    """Write arrays of whole numbers and of log-probabilities.

    Args:
        bits: of a log-probability: 32, 16 or 8.
        is_packed: whether they are those of `asr.lm.packed`.
    """
    stored: dict[str, Array] = {}
    for name, array in arrays.items():
        if array.dtype == np.float32 and bits < 32:
            stored[f"{name}.codes"], stored[f"{name}.range"] = quantised(array, bits)
        else:
            stored[name] = array
    entries: dict[str, dict[str, Any]] = {}
    place = 0
    for name, array in stored.items():
        data = np.ascontiguousarray(array).view(np.uint8)
        entries[name] = {
            "type": str(array.dtype),
            "length": len(array),
            "place": place,
            "crc": zlib.crc32(data.data),
        }
        place += padded(array.nbytes)
    version = _PACKED if is_packed else _PLAIN
    header = json.dumps({"order": order, "bits": bits, "length": place, "arrays": entries}).encode()
    with atomic_path(path) as partial, partial.open("wb") as file:
        file.write(_HEAD.pack(_MAGIC, version, len(header), zlib.crc32(header)) + header)
        file.write(bytes(padded(file.tell()) - file.tell()))
        for array in stored.values():
            file.write(np.ascontiguousarray(array).data)
            file.write(bytes(padded(array.nbytes) - array.nbytes))


def read_arrays(path: Path, verify: bool) -> Stored:
    """Map the arrays of a file; a change of them stays in memory.

    Args:
        verify: compare every array with its checksum, which reads the whole file; a packed one always is.

    Raises:
        AsrError: not such a file, of another version, cut or damaged.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
            magic, version, length, crc = _HEAD.unpack(head) if len(head) == _HEAD.size else (head, 0, 0, 0)
            header = file.read(length) if magic == _MAGIC else b""
        size = path.stat().st_size
    except OSError as error:
        raise AsrError(f"{path}: cannot be read: {error.strerror or error}") from error
    if magic != _MAGIC:
        raise AsrError(
            f"{path}: a language model was expected, .arpa, .arpa.gz or the compact form; it is none"
        )
    if version not in (_PLAIN, _PACKED):
        raise AsrError(
            f"{path}: version {_PLAIN} or {_PACKED} of the compact form was expected, found {version}; build "
            "it anew"
        )
    start = padded(_HEAD.size + length)
    if zlib.crc32(header) != crc or size != start + (fields := json.loads(header))["length"]:
        raise AsrError(f"{path}: the file is cut or damaged; get it or build it again")
    content = np.asarray(np.memmap(path, np.uint8, "c"))
    arrays: dict[str, Array] = {}
    for name, entry in fields["arrays"].items():
        begin = start + entry["place"]
        data = content[begin : begin + entry["length"] * np.dtype(entry["type"]).itemsize]
        if (verify or version == _PACKED) and zlib.crc32(data.data) != entry["crc"]:
            raise AsrError(f"{path}: '{name}' does not have its checksum; the file is damaged, get it again")
        arrays[name] = data.view(entry["type"])
    return Stored(fields["order"], _decoded(arrays), version == _PACKED)


def quantised(values: NDArray[np.float32], bits: int) -> tuple[Array, NDArray[np.float32]]:
    """Codes of log-probabilities, and (3,) the values of the codes 0, 1 and the last (see `code_values`)."""
    usual = values[values > _OUTLIER]
    low, high = (float(usual.min()), float(usual.max())) if len(usual) else (0.0, 0.0)
    steps = (1 << bits) - 2
    scale = steps / (high - low) if high > low else 0.0
    codes = np.rint((np.maximum(values, low) - low) * scale) + 1
    codes[values <= _OUTLIER] = 0
    kind = np.uint8 if bits == 8 else np.uint16
    return codes.astype(kind), np.array([values.min(initial=low), low, high], np.float32)


def code_values(limits: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """(2^bits,) the value of every code: the outlier, then equal steps."""
    outlier, low, high = limits.astype(np.float64)
    return np.concatenate([[outlier], np.linspace(low, high, (1 << bits) - 1)]).astype(np.float32)


def _decoded(arrays: dict[str, Array]) -> dict[str, Array]:
    found = {}
    for name, array in arrays.items():
        if name.endswith(".codes"):
            stem = name.removesuffix(".codes")
            found[stem] = code_values(arrays[f"{stem}.range"], 8 * array.itemsize)[array]
        elif not name.endswith(".range"):
            found[name] = array
    return found


def padded(length: int) -> int:
    """Bytes that an array of `length` bytes takes in the file."""
    return 64 * math.ceil(length / 64)
