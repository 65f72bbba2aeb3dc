"""Words from log-probabilities: a lexicon and an n-gram model of words around the lexicon search."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from asr.decoding.frames import scaled_frames
from asr.decoding.lexicon_search import LABEL, NODE, NONE, PREV, STATE, Costs, Histories, Knowledge, search
from asr.decoding.lexicon_tree import build_tree, spelling_of
from asr.decoding.look_ahead import build_look_ahead
from asr.decoding.ngrams import BEGIN, END, UNKNOWN, Ngrams, log_prob_after, no_ngrams
from asr.decoding.rows import Lens, LogProbs, checked_rows
from asr.errors import AsrError
from asr.records import BLANK_ID


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that was read in one row of log-probabilities; all scores are natural logarithms.

    Attributes:
        words: the text.
        ids: classes of its units, with a boundary between two words where the decoder has one: by each
            word's spelling that was heard best. `align` finds their frames.
        acoustic: log-probability of the words, summed over the spellings and alignments that were followed.
        lm: log-probability of the words and the end after them, by the language model, without its weight.
        total: acoustic + lm_weight · lm + word_score · words + unk_score · words unknown to the model.
        is_whole: whether the utterance ends with the last word. False where no hypothesis in the beam did,
            because it is too narrow or the sound is cut: then the word that has begun is left out.
    """

    words: list[str]
    ids: list[int]
    acoustic: float
    lm: float
    total: float
    is_whole: bool


class LexiconDecoder:
    """Searches for the words of a lexicon (see `lexicon_search`); made once, used for many utterances.

    With one-unit words and no boundary it is a prefix beam search with an n-gram model of units.
    """

    def __init__(
        self,
        lexicon: Sequence[tuple[str, Sequence[int]]],
        ngrams: Ngrams | None = None,
        vocabulary: Sequence[str] = (),
        *,
        boundary: int | None,
        beam: int,
        top: int,
        threshold: float = math.inf,
        lm_weight: float = 1.0,
        word_score: float = 0.0,
        unk_score: float = -math.inf,
        recombine: bool = True,
    ) -> None:
        """Build the tree: about a second for 200,000 words.

        Args:
            lexicon: words with their spellings in classes; a word may stand there with several.
            ngrams: the language model; None gives every text the same probability.
            vocabulary: its words by id, <unk>, <s> and </s> first.
            boundary: the class that ends a word; None where the units themselves say where words begin.
            beam: hypotheses that are kept from frame to frame.
            top: hypotheses grow only by the `top` most probable classes of a frame (of equals the smaller).
            threshold: nats by which a hypothesis may be behind the best, look-ahead included.
            lm_weight: factor of the language model's logarithms, at least 0.
            word_score: nats for each word.
            unk_score: nats for each word of the lexicon that the language model does not know, beside
                lm_weight · log P(<unk>); with -inf such words are never read.
            recombine: whether hypotheses with the same future are one; see `lexicon_search`.

        Raises:
            AsrError: a setting is impossible, a spelling is empty or has the blank or the boundary, or the
                language model knows no word of the lexicon.
        """
        self.words, labels, units, offsets = _flat(lexicon, boundary)
        if ngrams is None:
            vocabulary = ["<unk>", "<s>", "</s>", *self.words]
            ngrams = no_ngrams(len(vocabulary))
        _check_settings(beam=beam, top=top, threshold=threshold, lm_weight=lm_weight)
        for name, value in (("word_score", word_score), ("unk_score", unk_score)):
            if math.isnan(value) or value == math.inf:
                raise AsrError(f"lexicon decoder: {name}: a number of nats expected, found {value}")
        lm_ids = _lm_ids(self.words, vocabulary, len(ngrams.offsets) and int(ngrams.offsets[1]))
        bonuses = np.where(lm_ids == UNKNOWN, word_score + unk_score, word_score)
        if not np.isfinite(bonuses).any():
            raise AsrError(
                f"the language model's {len(vocabulary)} words and the lexicon's {len(self.words)} have none "
                "in common; use a lexicon of this model, or set unk_score"
            )
        self.ngrams, self.boundary, self.beam, self.top = ngrams, boundary, beam, top
        self.cutoff, self.lm_weight, self.recombine = math.exp(-threshold), lm_weight, recombine
        self.num_classes = max(int(units.max()), boundary or 0) + 1
        self.tree = build_tree(labels, units, offsets, NONE if boundary is None else boundary)
        self.known = Knowledge(
            self.tree,
            ngrams,
            build_look_ahead(self.tree, ngrams, lm_ids, bonuses, lm_weight),
            Costs(bonuses, lm_ids, float(lm_weight)),
            start=int(ngrams.targets[BEGIN]),
            most_words=int(np.diff(self.tree.entries).max()),
        )

    def decode(self, log_probs: LogProbs, log_prob_lens: Lens, *, nbest: int = 1) -> list[list[Reading]]:
        """Read each row.

        Args:
            log_probs: (N, T, C) natural-log probabilities; a tensor or an array.
            log_prob_lens: (N,) frames of each row; a row of 0 frames gives the empty text.
            nbest: most texts to return.

        Returns:
            For each row at least one and up to `nbest` readings with different words, best total first; of
            equals the shorter text, then the earlier in the alphabet. A function of the row alone. With
            `recombine` no two of them end in the same state of the language model, but for one cut by the
            end of the sound.

        Raises:
            AsrError: a row has NaN or +inf, or the shapes do not fit (see `checked_rows`); fewer classes than
                the lexicon uses; `nbest` is less than 1.
        """
        if nbest < 1:
            raise AsrError(f"lexicon decoder: nbest of at least 1 expected, found {nbest}")
        return [self._decode_row(row, nbest) for row in checked_rows(log_probs, log_prob_lens)]

    def _decode_row(self, log_probs: NDArray[np.float64], nbest: int) -> list[Reading]:
        num_classes = log_probs.shape[1]
        if num_classes < self.num_classes:
            raise AsrError(
                f"log-probabilities of {num_classes} classes, but the lexicon uses {self.num_classes}; "
                "it belongs to another model"
            )
        probs, top_probs, tops, largest = scaled_frames(log_probs, min(self.top, num_classes))
        histories, rows, scores, is_whole = search(
            probs, top_probs, tops, largest, self.known, self.beam, self.cutoff, self.recombine
        )
        found: dict[int, float] = {}
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            found[row] = float(np.logaddexp(found[row], score)) if row in found else score
        least = sorted(found.values(), reverse=True)[:nbest][-1]
        readings = [
            self._reading(histories, row, total, is_whole) for row, total in found.items() if total >= least
        ]
        return sorted(readings, key=lambda reading: (-reading.total, len(reading.words), reading.words))[
            :nbest
        ]

    def _reading(self, histories: Histories, row: int, total: float, is_whole: bool) -> Reading:
        """The words of a history."""
        words, spellings, bonus = [], [], 0.0
        lm = float(histories.lm[row]) + log_prob_after(self.ngrams, int(histories.rows[row, STATE]), END)
        while row != 0:
            label = int(histories.rows[row, LABEL])
            words.append(self.words[label])
            spellings.append(spelling_of(self.tree, int(histories.rows[row, NODE])))
            bonus += float(self.known.costs.bonuses[label])
            row = int(histories.rows[row, PREV])
        if self.boundary is not None:
            spellings = [[*spelling, self.boundary] for spelling in spellings]
            spellings[:1] = [spelling[:-1] for spelling in spellings[:1]]
        return Reading(
            words=words[::-1],
            ids=list(chain.from_iterable(reversed(spellings))),
            acoustic=total - self.lm_weight * lm - bonus,
            lm=lm,
            total=total,
            is_whole=is_whole,
        )


def _flat(
    lexicon: Sequence[tuple[str, Sequence[int]]], boundary: int | None
) -> tuple[list[str], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """The words, each once; and of each spelling the word's place among them, and its units."""
    if not lexicon:
        raise AsrError("lexicon: at least one word expected, found none")
    places: dict[str, int] = {}
    labels = np.array([places.setdefault(word, len(places)) for word, _ in lexicon], np.int32)
    lens = np.array([len(spelling) for _, spelling in lexicon], np.int64)
    units = np.fromiter(chain.from_iterable(spelling for _, spelling in lexicon), np.int64, int(lens.sum()))
    offsets = np.concatenate([[0], np.cumsum(lens)])
    if not lens.all():
        raise AsrError(f"lexicon: {lexicon[int(lens.argmin())][0]!r} has no units; give it a spelling")
    wrong = np.flatnonzero((units <= BLANK_ID) | (units >= 2**31) | (units == boundary))
    if wrong.size:
        word = lexicon[int(np.searchsorted(offsets, wrong[0], side="right")) - 1][0]
        raise AsrError(
            f"lexicon: {word!r} is spelled with class {units[wrong[0]]}; classes from 1, other than the "
            f"boundary {boundary}, expected"
        )
    return list(places), labels, units.astype(np.int32), offsets


def _lm_ids(words: Sequence[str], vocabulary: Sequence[str], num_words: int) -> NDArray[np.int32]:
    """The language model's id of each word; <unk> where it has none."""
    if list(vocabulary[:3]) != ["<unk>", "<s>", "</s>"] or len(vocabulary) != num_words:
        raise AsrError(
            f"language model: a vocabulary of {num_words} words that begins with <unk>, <s>, </s> expected, "
            f"found {len(vocabulary)} that begin with {' '.join(vocabulary[:3])}"
        )
    ids = {word: index for index, word in enumerate(vocabulary) if index > END}
    return np.array([ids.get(word, UNKNOWN) for word in words], np.int32)


def _check_settings(*, beam: int, top: int, threshold: float, lm_weight: float) -> None:
    for name, value in (("beam", beam), ("top", top)):
        if value < 1:
            raise AsrError(f"lexicon decoder: {name} of at least 1 expected, found {value}")
    if not threshold > 0:
        raise AsrError(f"lexicon decoder: a threshold above 0 nats expected, found {threshold}")
    if not 0 <= lm_weight < math.inf:
        raise AsrError(f"lexicon decoder: lm_weight of at least 0 expected, found {lm_weight}")
