"""Words from log-probabilities: a lexicon and an n-gram model of words around the lexicon search."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from asr.decoding.entries import (
    MOST_NATS,
    Lexicon,
    bonuses_of,
    classes_that_spell,
    every_text_alike,
    flat_entries,
    ids_in_model,
    with_hotwords,
)
from asr.decoding.frames import Frames, scaled_frames
from asr.decoding.histories import LABEL, NODE, PREV, STATE, Histories, Knowledge
from asr.decoding.lexicon_search import search
from asr.decoding.lexicon_tree import NONE, build_tree, spelling_of
from asr.decoding.look_ahead import Costs, build_look_ahead
from asr.decoding.rows import Lens, LogProbs, checked_rows
from asr.decoding.spelled import PARENT, UNIT, Spelled
from asr.errors import AsrError
from asr.lm.automaton import Automaton, advance
from asr.lm.tables import BOS, EOS, SPECIAL, UNK

MOST_LOG_SUM = 0.05
"""The logarithm of the sum of a frame's probabilities; bfloat16 leaves some hundredths."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that was read in one row of log-probabilities; all scores are natural logarithms.

    Attributes:
        words: the text.
        ids: classes of its units, with a boundary between two words where the decoder has one: by each
            word's spelling that was heard best. `align` finds their frames.
        lens: how many units each word has.
        acoustic: log-probability of the words, summed over the spellings and alignments that were followed.
        lm: log-probability of the words and the end after them, by the language model, without its weight.
        total: acoustic + lm_weight · lm + word_score · words + unk_score · words unknown to the model, and
            what hotwords and spelled words add.
        is_whole: whether the utterance ends with the last word. False where no hypothesis in the beam did,
            because it is too narrow or the sound is cut: then the word that has begun is left out.
    """

    words: list[str]
    ids: list[int]
    lens: list[int]
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
        lexicon: Lexicon,
        ngrams: Automaton | None = None,
        vocabulary: Sequence[str] = (),
        *,
        boundary: int | None,
        beam: int,
        top: int,
        threshold: float = math.inf,
        class_threshold: float = math.inf,
        blank_score: float = 0.0,
        lm_weight: float = 1.0,
        word_score: float = 0.0,
        unk_score: float = -math.inf,
        recombine: bool = True,
        tokens: Sequence[str] | None = None,
        hotwords: Mapping[str, float] | None = None,
        spelled_word_score: float = -math.inf,
        spelled_unit_score: float = 0.0,
    ) -> None:
        """Build the tree and sort the model: seconds for 200,000 words and millions of n-grams.

        Args:
            lexicon: words with their spellings in classes; a word may stand there with several.
            ngrams: the language model; None gives every text the same probability.
            vocabulary: its words by id, <unk>, <s> and </s> first.
            boundary: the class that ends a word; None where the units themselves say where words begin.
            beam: hypotheses that are kept from frame to frame.
            top: hypotheses grow only by the `top` most probable classes of a frame (of equals the smaller).
            threshold: nats by which a hypothesis may be behind the best, look-ahead included.
            class_threshold: nats by which a class may be behind the best of its frame for hypotheses to grow
                by it. Where only the blank is left, they wait: nothing grows.
            blank_score: nats added to the blank in every frame, and so to the acoustic score. Below 0 the
                model is believed less where it hears nothing.
            lm_weight: factor of the language model's logarithms, at least 0.
            word_score: nats for each word.
            unk_score: nats for each word of the lexicon that the language model does not know, beside
                lm_weight · log P(<unk>); with -inf such words are never read.
            recombine: whether hypotheses with the same future are one; see `lexicon_search`.
            tokens: the text of each class, the blank first; words that are spelled are made of them.
            hotwords: nats for words that are expected, beside everything else. One that the lexicon lacks is
                added, spelled by the tokens; one that the language model lacks needs no `unk_score`.
            spelled_word_score: nats for a word that is not in the lexicon but spelled freely, beside
                word_score and lm_weight · log P(<unk>); with -inf there are none. Needs tokens and boundary.
            spelled_unit_score: nats for each of its units, at most 0.

        Raises:
            AsrError: a setting is impossible, a spelling is empty or has the blank or the boundary, a hotword
                cannot be spelled, or the language model knows no word of the lexicon.
        """
        _check_settings(
            beam=beam, top=top, threshold=threshold, class_threshold=class_threshold, lm_weight=lm_weight
        )
        _check_scores(
            word_score=word_score, unk_score=unk_score, spelled_word_score=spelled_word_score,
            spelled_unit_score=spelled_unit_score, blank_score=blank_score,
        )  # fmt: skip
        hotwords = hotwords or {}
        entries = flat_entries(with_hotwords(lexicon, hotwords, tokens), boundary)
        if ngrams is None:
            vocabulary = [*SPECIAL, *entries.words]
            ngrams = every_text_alike(len(vocabulary))
        lm_ids = ids_in_model(entries.words, vocabulary, int(ngrams.offsets[1]))
        bonuses = bonuses_of(entries.words, lm_ids == UNK, hotwords, word_score, unk_score)
        self.words, self.ngrams, self.tokens, self.boundary = entries.words, ngrams, tokens, boundary
        self.beam, self.top, self.recombine = beam, top, recombine
        self.cutoff, self.class_cutoff = math.exp(-threshold), math.exp(-class_threshold)
        self.blank_score, self.lm_weight = blank_score, lm_weight
        self.num_classes = max(int(entries.units.max()), boundary or 0) + 1
        self.tree = build_tree(
            entries.labels, entries.units, entries.offsets, NONE if boundary is None else boundary
        )
        spells = classes_that_spell(tokens, boundary, spelled_word_score)
        spelled_word = word_score + spelled_word_score if len(spells) else -math.inf
        costs = Costs(bonuses, lm_ids, float(lm_weight), float(spelled_word), float(spelled_unit_score))
        self.known = Knowledge(
            self.tree,
            ngrams,
            build_look_ahead(self.tree, ngrams, costs),
            costs,
            start=int(ngrams.targets[BOS]),
            most_words=int(np.diff(self.tree.entries).max()),
            spells=spells,
        )

    def decode(
        self, log_probs: LogProbs, log_prob_lens: Lens, *, nbest: int = 1, threads: int = 1
    ) -> list[list[Reading]]:
        """Read each row.

        Args:
            log_probs: (N, T, C) natural-log probabilities; a tensor or an array.
            log_prob_lens: (N,) frames of each row; a row of 0 frames gives the empty text.
            nbest: most texts to return.
            threads: rows that are read at the same time, all by this one decoder; Python runs beside them.

        Returns:
            For each row at least one and up to `nbest` readings with different words, best total first; of
            equals the shorter text, then the earlier in the alphabet. A function of the row alone. With
            `recombine` no two of them end in the same state of the language model, but for one cut by the
            end of the sound.

        Raises:
            AsrError: a row has NaN or +inf, or the shapes do not fit (see `checked_rows`); the classes are
                not those of the lexicon or of `tokens`; a frame's probabilities do not sum to one; `nbest`
                or `threads` is less than 1.
        """
        for name, value in (("nbest", nbest), ("threads", threads)):
            if value < 1:
                raise AsrError(f"lexicon decoder: {name} of at least 1 expected, found {value}")
        rows = checked_rows(log_probs, log_prob_lens)
        read = partial(self._decode_row, nbest=nbest)
        if threads == 1 or len(rows) < 2:
            return [read(k, row) for k, row in enumerate(rows)]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(read, range(len(rows)), rows))

    def _decode_row(self, number: int, log_probs: NDArray[np.float64], nbest: int) -> list[Reading]:
        self._check_width(log_probs.shape[1])
        top = min(self.top, log_probs.shape[1])
        frames = scaled_frames(log_probs, top, self.class_cutoff, self.blank_score)
        _check_sums(frames, number)
        histories, spelled, rows, scores, is_whole = search(
            frames, self.known, self.beam, self.cutoff, self.recombine
        )
        found: dict[int, float] = {}
        for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
            found[row] = float(np.logaddexp(found[row], score)) if row in found else score
        least = sorted(found.values(), reverse=True)[:nbest][-1]
        readings = [
            self._reading(histories, spelled, row, total, is_whole)
            for row, total in found.items()
            if total >= least
        ]
        return sorted(readings, key=lambda reading: (-reading.total, len(reading.words), reading.words))[
            :nbest
        ]

    def _check_width(self, num_classes: int) -> None:
        if self.tokens is not None and num_classes != len(self.tokens):
            raise AsrError(
                f"log-probabilities of {num_classes} classes, but there are {len(self.tokens)} tokens; "
                "they belong to another model"
            )
        if num_classes < self.num_classes:
            raise AsrError(
                f"log-probabilities of {num_classes} classes, but the lexicon uses {self.num_classes}; "
                "it belongs to another model"
            )

    def _reading(
        self, histories: Histories, spelled: Spelled, row: int, total: float, is_whole: bool
    ) -> Reading:
        """The words of a history."""
        words, spellings, bonus, costs = [], [], 0.0, self.known.costs
        lm = float(histories.lm[row]) + advance(self.ngrams, int(histories.rows[row, STATE]), EOS)[0]
        while row != 0:
            label = int(histories.rows[row, LABEL])
            spelling = self._spelling(spelled, int(histories.rows[row, NODE]))
            if label < len(self.words):
                words.append(self.words[label])
                bonus += float(costs.bonuses[label])
            else:
                words.append("".join((self.tokens or [])[unit] for unit in spelling))
                bonus += costs.spelled_word + len(spelling) * costs.spelled_unit
            spellings.append(spelling)
            row = int(histories.rows[row, PREV])
        lens = [len(spelling) for spelling in reversed(spellings)]
        if self.boundary is not None:
            spellings = [[*spelling, self.boundary] for spelling in spellings]
            spellings[:1] = [spelling[:-1] for spelling in spellings[:1]]
        return Reading(
            words=words[::-1],
            ids=list(chain.from_iterable(reversed(spellings))),
            lens=lens,
            acoustic=total - self.lm_weight * lm - bonus,
            lm=lm,
            total=total,
            is_whole=is_whole,
        )

    def _spelling(self, spelled: Spelled, node: int) -> list[int]:
        """The units from the root to a node of the tree, or to one outside it."""
        units = []
        while node >= len(self.tree.units):
            row = spelled.rows[node - len(self.tree.units)]
            units.append(int(row[UNIT]))
            node = int(row[PARENT])
        return spelling_of(self.tree, node) + units[::-1]


def _check_sums(frames: Frames, row: int) -> None:
    """Refuse logits, probabilities without a logarithm, and logarithms to another base."""
    wrong = np.flatnonzero(np.abs(frames.sums) > MOST_LOG_SUM)
    if wrong.size:
        with np.errstate(over="ignore"):
            found = np.exp(frames.sums[wrong[0]])
        raise AsrError(
            f"row {row} of the log-probabilities: natural logarithms of probabilities that sum to 1 "
            f"expected, as log_softmax gives them, found a sum of {found:.3g} in frame {wrong[0]}"
        )


def _check_settings(
    *, beam: int, top: int, threshold: float, class_threshold: float, lm_weight: float
) -> None:
    for name, size in (("beam", beam), ("top", top)):
        if size < 1:
            raise AsrError(f"lexicon decoder: {name} of at least 1 expected, found {size}")
    for name, nats in (("threshold", threshold), ("class_threshold", class_threshold)):
        if not nats > 0:
            raise AsrError(f"lexicon decoder: {name} above 0 nats expected, found {nats}")
    if not 0 <= lm_weight < math.inf:
        raise AsrError(f"lexicon decoder: lm_weight of at least 0 expected, found {lm_weight}")


def _check_scores(**scores: float) -> None:
    """Scores are nats; what may be forbidden altogether may be -inf."""
    for name, value in scores.items():
        least_is_excluded = name in ("blank_score", "spelled_unit_score")
        if not value <= MOST_NATS or (least_is_excluded and value == -math.inf):
            raise AsrError(
                f"lexicon decoder: {name}: a number of nats up to {MOST_NATS:g} expected, found {value:g}"
            )
    if scores["spelled_unit_score"] > 0:
        raise AsrError(
            f"lexicon decoder: spelled_unit_score of at most 0 expected, found {scores['spelled_unit_score']}"
        )
