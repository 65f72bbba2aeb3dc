"""Batches read ahead by other processes, the same to the byte for any number of them."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from asr.batching.batch import Batch
from asr.batching.dataset import SpeechDataset
from asr.errors import AsrError

log = logging.getLogger("asr")

PREFETCH = 2
"""Batches that each reader process prepares ahead; what bounds the memory they take."""

EMPTY_IN_A_ROW = 3
"""After so many batches of which nothing could be read, the trouble is not with single utterances."""

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def load_batches(
    dataset: SpeechDataset, batches: Sequence[Sequence[int]], epoch: int, workers: int = 0
) -> Generator[Batch, None, None]:
    """Yield the batch of each list of indices, in order; to resume is to give the rest of the list.

    An utterance that cannot be read is left out of its batch, which may leave N = 0: the number of batches
    is always that of the lists. Each such utterance is named once in a warning for a dataset's life, and in
    `Batch.skipped` every time. torch's random numbers in this process are not touched.

    Readers work on one thread each and do not hear Ctrl-C or SIGTERM, which a terminal or a batch system
    sends to every process of a group: it is for the training loop to save and to stop them, by closing this
    iterator or letting go of it.

    Args:
        dataset: where examples come from.
        batches: lists of indices into the dataset.
        epoch: what examples are drawn for.
        workers: reader processes; 0 reads in this process, between two steps.

    Raises:
        AsrError: nothing can be read any more; a reader process died, from want of memory for instance.
    """
    source = _read_here(dataset, batches, epoch) if workers == 0 else _read(dataset, batches, epoch, workers)
    empty = 0
    for batch in source:
        for sentence in batch.skipped:
            if sentence not in dataset.reported:
                dataset.reported.add(sentence)
                log.warning("%s; left out", sentence)
        empty = empty + 1 if batch.skipped and not batch.utt_ids else 0
        if empty == EMPTY_IN_A_ROW:
            raise AsrError(
                f"no utterance of {empty} batches in a row could be read ({batch.skipped[-1]}); see that the "
                "folder of the audio is still there, and run the same command again"
            )
        yield batch


class _Batches(Dataset[Batch]):
    """A whole batch as one item: padding is done by the reader, and one message carries it."""

    def __init__(self, dataset: SpeechDataset, batches: Sequence[Sequence[int]], epoch: int) -> None:
        self._dataset = dataset
        self._batches = batches
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        return self._dataset.batch(self._batches[index], self._epoch)


def _read_here(
    dataset: SpeechDataset, batches: Sequence[Sequence[int]], epoch: int
) -> Generator[Batch, None, None]:
    for indices in batches:
        # Products split over another number of threads round otherwise.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            batch = dataset.batch(indices, epoch)
        finally:
            torch.set_num_threads(threads)
        yield batch


def _read(
    dataset: SpeechDataset, batches: Sequence[Sequence[int]], epoch: int, workers: int
) -> Generator[Batch, None, None]:
    loader = DataLoader(
        _Batches(dataset, batches, epoch),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        prefetch_factor=PREFETCH,
        worker_init_fn=_settle,
        # DataLoader draws a seed as it starts. From torch's own generator, that would change what dropout
        # draws next, by whether and where a run was resumed.
        generator=torch.Generator(),
        # A fork starts in milliseconds. It is safe here because a reader uses no lock and no thread pool
        # that it inherits: torch runs on one thread, logging is off, numba is not called.
        multiprocessing_context="fork" if sys.platform == "linux" else None,
    )
    try:
        with _undisturbed():
            source = iter(loader)
        yield from source
    except (RuntimeError, OSError, EOFError) as error:
        if str(error).startswith("Caught "):  # a bug of ours in a reader: the message holds its traceback
            raise
        raise AsrError(
            f"a process that reads audio ended unexpectedly ({error!r}); memory, /dev/shm "
            "or the limit of open files may be too small: lower batching.seconds, or set batching.workers=0"
        ) from error


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Processes that start in this block have SIGINT and SIGTERM blocked, and this one is told of their end
    where it waits for a batch: DataLoader's handler would raise in the middle of whatever is going on."""
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGCHLD) or signal.SIG_DFL
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if is_main:
            signal.signal(signal.SIGCHLD, handler)


def _settle(worker: int) -> None:
    """What a reader process does first."""
    # A lock of a log handler may have been held by another thread at the fork. What a reader has to say
    # travels in its batches.
    logging.disable()
    if hasattr(signal, "sigtimedwait"):
        threading.Thread(target=_follow_parent, args=(os.getppid(),), daemon=True).start()
    else:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _follow_parent(parent: int) -> None:
    """End this process on the parent's SIGTERM, and on nobody else's; and when the parent is gone."""
    while os.getppid() == parent:
        told = signal.sigtimedwait({signal.SIGTERM}, 1.0)
        if told is not None and told.si_pid == parent:
            break
    os._exit(0)
