"""Pieces of many files in windows and batches: read ahead, and sorted by length."""

from collections.abc import Iterable, Iterator, Sequence

from asr.transcribe.listening import End, Piece
from asr.transcribe.results import Failure

WINDOW_SECONDS = 900.0
"""Audio that is read ahead and sorted by length before it is decoded, counted once for each warp."""
BATCH_SECONDS = 160.0
"""Audio in one batch, padding included, counted once for each warp."""


def windows(
    events: Iterable[Piece | End | Failure], voices: int = 1
) -> Iterator[list[Piece | End | Failure]]:
    """Group events, in order, into windows of about `WINDOW_SECONDS` of audio with `voices` warps each."""
    window: list[Piece | End | Failure] = []
    seconds = 0.0
    for event in events:
        window.append(event)
        seconds += voices * event.seconds if isinstance(event, Piece) else 0.0
        if seconds >= WINDOW_SECONDS:
            yield window
            window, seconds = [], 0.0
    if window:
        yield window


def batches_by_length(lens: Sequence[int], most: int) -> list[list[int]]:
    """Group rows of like length, longest first.

    Args:
        lens: frames of each row.
        most: frames in a batch, padding included; a row that is longer makes a batch of its own.

    Returns:
        The numbers of the rows in each batch. Rows without frames are left out.
    """
    batches: list[list[int]] = []
    for row in sorted((row for row, length in enumerate(lens) if length), key=lambda row: -lens[row]):
        if batches and (len(batches[-1]) + 1) * lens[batches[-1][0]] <= most:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
