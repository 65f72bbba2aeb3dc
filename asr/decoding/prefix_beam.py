"""Prefix beam search of a batch: the N best sequences of units, with their frames and confidences."""

import numpy as np
from numpy.typing import NDArray

from asr.decoding.alignment import align
from asr.decoding.path import Path
from asr.decoding.prefix_trie import search, units_of
from asr.decoding.rows import Lens, LogProbs, checked_rows
from asr.errors import AsrError


def prefix_beam_search(
    log_probs: LogProbs, log_prob_lens: Lens, *, beam: int, top: int, nbest: int = 1
) -> list[list[Path]]:
    """The most probable sequences of units of each row.

    Args:
        log_probs: (N, T, C) natural-log probabilities; a tensor or an array.
        log_prob_lens: (N,) frames of each row; a row of 0 frames gives one empty path with score 0.
        beam: prefixes that are kept from frame to frame.
        top: a prefix grows only by units among the `top` most probable classes of a frame (of equal classes
            the smaller); to stay what it is, and to join a prefix in the beam, it may use all classes.
        nbest: most paths to return.

    Returns:
        For each row up to `nbest` paths, different and best first; fewer where the beam holds fewer. A
        path's score is the log-probability of its units, summed over the alignments that the beam followed:
        -ctc_loss where nothing was pruned, never more. Frames and confidences are those of its best
        alignment. The result is a function of the row alone: of equally probable prefixes one that stays is
        ahead of a new one, new ones stand in the order of their classes, and then in that of their parents.

    Raises:
        AsrError: a row has NaN or +inf, the shapes do not fit (see `checked_rows`), or `beam`, `top` or
            `nbest` is less than 1.
    """
    for name, value in (("beam", beam), ("top", top), ("nbest", nbest)):
        if value < 1:
            raise AsrError(f"prefix beam search: {name} of at least 1 expected, found {value}")
    return [_search_row(row, beam, top, nbest) for row in checked_rows(log_probs, log_prob_lens)]


def _search_row(log_probs: NDArray[np.float64], beam: int, top: int, nbest: int) -> list[Path]:
    """The search of one row (T, C)."""
    trie, nodes, scores = search(log_probs, beam, min(top, log_probs.shape[1]))
    paths = []
    for node, score in zip(nodes[:nbest].tolist(), scores[:nbest].tolist(), strict=True):
        ids = units_of(trie, node)
        frames, confidences = align(log_probs, ids)
        paths.append(Path(ids=ids, frames=frames, score=score, confidences=confidences))
    return paths
