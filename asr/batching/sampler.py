"""Which utterances travel together, in which order: length buckets, shuffled, resumable, the same for any
number of processes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.batching.balance import Turns
from asr.errors import AsrError

JITTER = 0.1
"""How far an utterance's length may move, as a fraction, before lengths are sorted: neighbours in length
meet other neighbours in every epoch, and padding stays small."""


class BucketSampler:
    """Batches of utterances of similar length.

    The list of batches is a pure function of the lengths, the seed and the epoch, and does not know about
    processes: a position in training is (epoch, batch index), and that is all a checkpoint needs.

    Args:
        seconds: length of each utterance.
        batch_seconds: longest × rows of a batch stays at or below this; an utterance that is longer than
            that travels alone.
        max_utterances: most rows in a batch.
        seed: of the order.
        shortest_first: epochs (counted from 0) that run from short to long, without chance.
        shares: in what share of the epochs each utterance takes part (`asr.batching.balance`); None: in all.
        world, rank: number of processes, and which of them this is.
        accumulate: consecutive batches that one update consumes, over all processes.

    Raises:
        AsrError: no utterance, a value that cannot be, or `accumulate` is not a multiple of `world`.
    """

    def __init__(
        self,
        seconds: Sequence[float],
        *,
        batch_seconds: float,
        max_utterances: int,
        seed: int,
        shortest_first: int,
        shares: NDArray[np.float64] | None = None,
        world: int = 1,
        rank: int = 0,
        accumulate: int = 1,
    ) -> None:
        self._seconds = np.asarray(seconds, dtype=np.float64)
        if not len(self._seconds):
            raise AsrError("there is no utterance to make batches of; see what was left out, and why")
        if not np.all(self._seconds >= 0):
            raise AsrError("lengths of utterances must be 0 seconds or more; write the manifest again")
        if batch_seconds <= 0 or max_utterances < 1 or accumulate < 1:
            raise AsrError(
                "expected batching.seconds > 0, batching.max_utterances ≥ 1 and training.accumulate ≥ 1; "
                f"found {batch_seconds}, {max_utterances} and {accumulate}"
            )
        if not 0 <= rank < world:
            raise AsrError(f"process {rank} of {world}: expected a rank from 0 to {world - 1}")
        if accumulate % world:
            raise AsrError(
                f"training.accumulate = {accumulate} batches in an update cannot be shared evenly by {world} "
                f"processes; choose a multiple of {world}, or start another number of processes"
            )
        self._batch_seconds = batch_seconds
        self._max_utterances = max_utterances
        self._seed = seed
        self._shortest_first = shortest_first
        self._turns = None if shares is None else Turns(shares, seed)
        self._world = world
        self._rank = rank
        self._accumulate = accumulate

    def batches(self, epoch: int) -> list[list[int]]:
        """All batches of an epoch, as indices into `seconds`; each utterance that takes part appears once."""
        rng = np.random.default_rng([self._seed, epoch])
        keys = self._seconds
        if epoch >= self._shortest_first:
            keys = keys * rng.uniform(1 - JITTER, 1 + JITTER, len(keys))
        # Equal lengths keep the manifest's order in the first epochs: a stable sort, no chance.
        order = np.argsort(keys, kind="stable")
        if self._turns is not None:
            order = order[self._turns(epoch)[order]]
        batches = self._cut(order)
        if epoch >= self._shortest_first:
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return batches

    def updates(self, epoch: int) -> list[list[list[int]]]:
        """The batches of an epoch by update; of each update only what falls to this process.

        An update is `accumulate` consecutive batches of `batches(epoch)`, the last one of an epoch what
        remains. Process r takes the batches r, r + world, … of each update, so the union over processes is
        the same for any `world`. Every process gets the same number of updates; in the last one a process
        may find an empty list, and must still take part in the exchange of gradients.
        """
        batches = self.batches(epoch)
        starts = range(0, len(batches), self._accumulate)
        return [batches[i : i + self._accumulate][self._rank :: self._world] for i in starts]

    def _cut(self, order: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[list[int]]:
        """Cut an order of utterances into batches, each as large as the limits allow."""
        batches: list[list[int]] = []
        rows: list[int] = []
        longest = 0.0
        for index in order.tolist():
            grown = max(longest, float(self._seconds[index]))
            if rows and (len(rows) == self._max_utterances or grown * (len(rows) + 1) > self._batch_seconds):
                batches.append(rows)
                rows, grown = [], float(self._seconds[index])
            rows.append(index)
            longest = grown
        return [*batches, rows] if rows else batches
