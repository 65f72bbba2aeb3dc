"""Where a pair of small integers belongs in a hash table."""

import numpy as np

from asr.compiled import compiled_borrowing


@compiled_borrowing
def bucket_of(first: int, second: int, size: int) -> int:
    """From 0 to size - 1; `size` is a power of 2."""
    mixed = np.int64(first) * 2654435761 + np.int64(second) * 2246822519
    return int((mixed ^ (mixed >> 19)) & (size - 1))
