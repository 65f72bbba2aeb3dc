"""The lexicon decoder against every alignment, and against a search that is written with dictionaries."""

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asr.decoding.alignment import align
from asr.decoding.lexicon_decoder import LexiconDecoder, Reading
from asr.decoding.prefix_beam import prefix_beam_search
from asr.errors import AsrError
from tests.decoding.word_models import WordModel, arrays_of, draw_model

ALL = 5_000
"""A beam that no tiny lattice fills."""
TOKENS = ["<blank>", "|", "x", "y", "z"]
Lexicon = list[tuple[str, list[int]]]
Words = tuple[str, ...]


def random_log_probs(seed: int, *shape: int, sharpness: float = 2.0) -> np.ndarray:
    logits = sharpness * np.random.default_rng(seed).standard_normal(shape)
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Case:
    """A lexicon and a model, drawn: homophones, several spellings, repeated units, unknown words."""

    lexicon: Lexicon
    model: WordModel
    boundary: int | None
    lm_weight: float = 0.7
    word_score: float = 0.4
    unk_score: float = -0.8
    spelled_word_score: float = -math.inf
    spelled_unit_score: float = -0.3

    @property
    def may_spell(self) -> bool:
        return self.spelled_word_score > -math.inf

    def decoder(self, **options) -> LexiconDecoder:
        weights = {"lm_weight": self.lm_weight, "word_score": self.word_score, "unk_score": self.unk_score}
        plain = {"boundary": self.boundary, "beam": ALL, "top": 99, "recombine": False}
        if self.may_spell:
            weights |= {
                "spelled_word_score": self.spelled_word_score,
                "spelled_unit_score": self.spelled_unit_score,
                "tokens": TOKENS,
            }
        options = plain | weights | options
        return LexiconDecoder(self.lexicon, arrays_of(self.model), self.model.vocabulary, **options)

    def bonus(self, words: Words) -> float:
        spelled = [word for word in words if word.islower()]
        unknown = sum(word not in self.model.vocabulary for word in words) - len(spelled)
        total = self.word_score * len(words) + self.unk_score * unknown
        for word in spelled:
            total += self.spelled_word_score + self.spelled_unit_score * len(word)
        return total

    def words_at(self, units: tuple[int, ...]) -> set[str]:
        """The words of the lexicon that units spell, else the one that is made of them."""
        known = {word for word, spelling in self.lexicon if tuple(spelling) == units}
        if known or not self.may_spell or not units:
            return known
        return {"".join(TOKENS[unit] for unit in units)}

    def total(self, acoustic: float, words: Words) -> float:
        return acoustic + self.lm_weight * self.model.sentence(words) + self.bonus(words)


def draw_case(seed: int, num_classes: int, with_boundary: bool, may_spell: bool = False) -> Case:
    rng = np.random.default_rng(seed)
    names = ["A", "B", "C", "D", "E"][: rng.integers(1, 6)]
    first_unit = 2 if with_boundary else 1
    lexicon = []
    for _ in range(rng.integers(1, 8)):
        spelling = rng.integers(first_unit, num_classes, rng.integers(1, 4)).tolist()
        lexicon.append((names[rng.integers(len(names))], spelling))
    known = sorted({word for word, _ in lexicon if rng.random() < 0.8} | {lexicon[0][0]})
    words = draw_model(rng, [*known, "Z"], int(rng.integers(1, 4)))
    price = -0.5 if may_spell and with_boundary else -math.inf
    return Case(lexicon, words, 1 if with_boundary else None, spelled_word_score=price)


def texts_of(units: tuple[int, ...], case: Case) -> Counter[Words]:
    """All texts that units spell, and in how many ways the units can be cut into them."""
    if case.boundary is not None:
        parts = [
            tuple(g) for is_end, g in itertools.groupby(units, lambda u: u == case.boundary) if not is_end
        ]
        return Counter(itertools.product(*(case.words_at(part) for part in parts)))
    texts: list[Counter[Words]] = [Counter({(): 1})]
    for end in range(1, len(units) + 1):
        texts.append(Counter())
        for begin in range(end):
            for word in case.words_at(units[begin:end]):
                texts[end].update({(*text, word): ways for text, ways in texts[begin].items()})
    return texts[-1]


def every_alignment(log_probs: np.ndarray, case: Case) -> dict[Words, float]:
    """The log-probability of every text: the sum over the alignments that spell it."""
    acoustic: dict[Words, float] = defaultdict(lambda: -np.inf)
    for alignment in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        units = tuple(unit for unit, _ in itertools.groupby(alignment) if unit != 0)
        score = sum(log_probs[t, c] for t, c in enumerate(alignment))
        for words, ways in texts_of(units, case).items():
            acoustic[words] = np.logaddexp(acoustic[words], score + np.log(ways))
    return acoustic


def read(decoder: LexiconDecoder, log_probs: np.ndarray, nbest: int = ALL) -> list[Reading]:
    return decoder.decode(log_probs[None], [len(log_probs)], nbest=nbest)[0]


cases = st.builds(draw_case, st.integers(0, 10**6), st.integers(3, 4), st.booleans(), st.booleans())


@given(
    case=cases,
    seed=st.integers(0, 10**6),
    num_frames=st.integers(0, 5),
    sharpness=st.sampled_from([0.1, 2, 9]),
)
@settings(max_examples=80, deadline=None)
def test_a_full_beam_is_every_alignment(case: Case, seed: int, num_frames: int, sharpness: float) -> None:
    """All texts, in order, with all three scores; words spelled freely where they may be."""
    log_probs = random_log_probs(seed, num_frames, 4, sharpness=sharpness)
    expected = every_alignment(log_probs, case)
    readings = read(case.decoder(tokens=TOKENS[:4]), log_probs)

    assert {tuple(r.words): r.acoustic for r in readings} == pytest.approx(dict(expected), abs=1e-6)
    assert len(readings) == len(expected)
    for reading in readings:
        words = tuple(reading.words)
        assert reading.lm == pytest.approx(case.model.sentence(words), abs=1e-6)
        assert reading.total == pytest.approx(case.total(expected[words], words), abs=1e-6)
        assert reading.is_whole
        assert words in texts_of(tuple(reading.ids), case)
    totals = [reading.total for reading in readings]
    assert totals == sorted(totals, reverse=True)


@given(case=cases, seed=st.integers(0, 10**6), num_frames=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_recombined_scores_are_of_their_own_words(case: Case, seed: int, num_frames: int) -> None:
    """Never more than all alignments of these words."""
    log_probs = random_log_probs(seed, num_frames, 4)
    expected = every_alignment(log_probs, case)
    readings = read(case.decoder(recombine=True, tokens=TOKENS[:4]), log_probs)
    assert len({tuple(r.words) for r in readings}) == len(readings) <= len(expected)
    for reading in readings:
        words = tuple(reading.words)
        assert reading.acoustic <= expected[words] + 1e-6
        parts = reading.acoustic + case.lm_weight * reading.lm + case.bonus(words)
        assert reading.total == pytest.approx(parts, abs=1e-9)


def test_recombination_seldom_changes_the_best_text() -> None:
    """Histories with one future compete; what the worse one loses matters only where they are close."""
    same = 0
    for seed in range(60):
        case, log_probs = draw_case(seed, 4, True), random_log_probs(seed, 8, 4)
        one, all_apart = (read(case.decoder(recombine=r), log_probs)[0] for r in (True, False))
        same += one.words == all_apart.words
        assert one.total <= all_apart.total + 1e-9
    assert same >= 50


def plain_search(log_probs: np.ndarray, case: Case, beam: int, top: int, near: float) -> dict[Words, float]:
    """The totals of the beam's texts: a dictionary of (units of the word, words) a frame, kept apart."""
    starts = {tuple(spelling[:n]) for _, spelling in case.lexicon for n in range(len(spelling) + 1)}
    model, ids = case.model, {w: k for k, w in enumerate(case.model.vocabulary)}

    def context_of(words: Words) -> tuple[int, ...]:
        return (1, *(ids.get(w, 0) for w in words))[len(words) + 2 - model.order :]

    def known(words: Words) -> float:
        heard = [model.log_prob(context_of(words[:k]), ids.get(w, 0)) for k, w in enumerate(words)]
        return case.lm_weight * sum(heard) + case.bonus(words)

    def ahead(units: tuple[int, ...], words: Words) -> float:
        """The best word below: after the context if the model has that, else after the shorter one."""
        below = {word for word, spelling in case.lexicon if tuple(spelling[: len(units)]) == units}
        best, backoff, context = -np.inf, 0.0, context_of(words)
        if case.may_spell:
            best = case.lm_weight * model.log_prob(context, 0) + case.word_score + case.spelled_word_score
            best += case.spelled_unit_score * len(units)
        while context:
            for word in below & ids.keys():
                if (*context, ids[word]) in model.log_probs:
                    score = case.lm_weight * model.log_probs[*context, ids[word]] + case.bonus((word,))
                    best = max(best, backoff + score)
            backoff += case.lm_weight * model.backoffs.get(context, 0.0)
            context = context[1:]
        unigrams = [case.lm_weight * model.log_probs[(ids.get(w, 0),)] + case.bonus((w,)) for w in below]
        return max([best, *(backoff + score for score in unigrams)])

    def factor(key: tuple[tuple[int, ...], Words]) -> float:
        return known(key[1]) + ahead(*key)

    now = {((), ()): (0.0, -np.inf)}
    for frame in log_probs:
        ranked = sorted(range(len(frame)), key=lambda c, frame=frame: (-frame[c], c))[:top]
        ranked = [c for c in ranked if frame[c] >= frame.max() - near]
        new = defaultdict(lambda: [-np.inf, -np.inf])
        for (units, words), (blank, unit) in now.items():
            both, last = np.logaddexp(blank, unit), units[-1] if units else case.boundary
            new[units, words][0] = np.logaddexp(new[units, words][0], both + frame[0])
            if last is not None:
                stays = both if not units else unit
                new[units, words][1] = np.logaddexp(new[units, words][1], stays + frame[last])
            if near < np.inf and ranked == [0]:
                continue
            for c in range(1, len(frame)):
                grows = (*units, c) in starts or (case.may_spell and c != case.boundary)
                targets = [((*units, c), words)] if grows else []
                ends = [(*words, w) for w in case.words_at(units)] if c in ranked else []
                if case.boundary is None:
                    targets += [((c,), longer) for longer in ends if (c,) in starts]
                elif c == case.boundary:
                    targets = [((), longer) for longer in ends]
                for target in targets:
                    if c in ranked or target in now:
                        before = (blank if units and last == c else both) + frame[c]
                        new[target][1] = np.logaddexp(new[target][1], before)
        alive = {key: ends for key, ends in new.items() if np.logaddexp(*ends) > -np.inf}
        scores = {key: np.logaddexp(*ends) + factor(key) for key, ends in alive.items()}
        best = sorted(alive, key=lambda key, scores=scores: -scores[key])
        assume(len(best) <= beam or scores[best[beam - 1]] - scores[best[beam]] > 1e-5)  # no tie decides
        now = {key: (alive[key][0], alive[key][1]) for key in best[:beam]}
    found: dict[Words, float] = defaultdict(lambda: -np.inf)
    for (units, words), ends in now.items():
        for text in [words] if not units else [(*words, w) for w in case.words_at(units)]:
            found[text] = np.logaddexp(found[text], np.logaddexp(*ends))
    return {text: case.total(acoustic, text) for text, acoustic in found.items()}


@given(
    case=cases,
    seed=st.integers(0, 10**6),
    beam=st.integers(1, 12),
    top=st.integers(1, 5),
    near=st.sampled_from([math.inf, 1.0, 3.0]),
    blank_score=st.sampled_from([0.0, -1.0, 0.5]),
)
@settings(max_examples=100, deadline=None)
def test_a_narrow_beam_is_the_plain_searchs(
    case: Case, seed: int, beam: int, top: int, near: float, blank_score: float
) -> None:
    """Pruned alike: look-ahead, the classes that begin something, what leaves the beam and comes back."""
    log_probs = random_log_probs(seed, 12, 5, sharpness=3.0)
    shifted = log_probs + blank_score * np.eye(5)[0]
    expected = plain_search(shifted, case, beam, top, near)
    options = {"beam": beam, "top": top, "class_threshold": near, "blank_score": blank_score}
    readings = read(case.decoder(**options), log_probs)
    if not expected:
        assert [reading.is_whole for reading in readings] == [False]
        return
    assert {tuple(r.words): r.total for r in readings} == pytest.approx(expected, abs=1e-5)


TO_TWO: Lexicon = [("TO", [2, 3]), ("TWO", [2, 3]), ("A", [4]), ("A", [5])]


def model(words: list[str], seed: int = 0, order: int = 2) -> WordModel:
    return draw_model(np.random.default_rng(seed), words, order)


def test_homophones_are_told_apart_by_the_language_model() -> None:
    words = model(["TO", "TWO", "A"])
    sounds = np.log(np.full((5, 6), 0.01) + 0.95 * np.eye(6)[[2, 3, 0, 1, 4]])
    for favourite, other in (("TO", "TWO"), ("TWO", "TO")):
        scores = {gram: -9.0 if words.vocabulary.index(other) in gram else -1.0 for gram in words.log_probs}
        case = Case(TO_TWO, WordModel(words.vocabulary, scores, words.backoffs, 2), 1)
        best = read(case.decoder(recombine=True, beam=20), sounds)[0]
        assert best.words == [favourite, "A"]
        assert best.ids == [2, 3, 1, 4]


def test_the_spelling_that_was_heard_is_told() -> None:
    sounds = np.log(np.full((5, 6), 0.01) + 0.95 * np.eye(6)[[4, 1, 5, 0, 0]])
    case = Case(TO_TWO, model(["TO", "TWO", "A"]), 1)
    best = read(case.decoder(recombine=True), sounds)[0]
    assert (best.words, best.ids) == (["A", "A"], [4, 1, 5])
    assert align(sounds, best.ids)[0] == [0, 1, 2]


def test_a_repeated_unit_needs_a_blank() -> None:
    lexicon: Lexicon = [("A", [2]), ("AA", [2, 2])]
    for boundary in (1, None):
        decoder = LexiconDecoder(lexicon, boundary=boundary, beam=50, top=3, word_score=-0.1)
        one = np.log(np.full((3, 3), 0.02) + 0.94 * np.eye(3)[[2, 2, 2]])
        two = np.log(np.full((3, 3), 0.02) + 0.94 * np.eye(3)[[2, 0, 2]])
        assert read(decoder, one)[0].words == ["A"]
        assert read(decoder, two)[0].words == ["AA"]


def test_silence_no_frames_and_boundaries_alone_are_the_empty_text() -> None:
    case = draw_case(3, 4, True)
    decoder = case.decoder(recombine=True, beam=8)
    for classes in ([], [0] * 60, [1] * 60, [0, 1, 0, 1, 1, 0]):
        sounds = np.log(np.full((len(classes), 4), 1e-5) + np.eye(4)[classes])
        best = read(decoder, sounds)[0]
        assert (best.words, best.ids, best.is_whole) == ([], [], True)
        assert best.lm == pytest.approx(case.model.sentence(()), abs=1e-6)
        assert best.acoustic == pytest.approx(0.0, abs=1e-2)


def test_a_word_that_the_sound_cuts_is_left_out_and_that_is_said() -> None:
    decoder = LexiconDecoder([("AB", [2, 3])], boundary=1, beam=1, top=4)
    sounds = np.log(np.full((6, 4), 1e-6) + np.eye(4)[[2, 3, 1, 0, 2, 0]])
    (best,) = read(decoder, sounds)
    assert (best.words, best.is_whole) == (["AB"], False)
    assert math.isfinite(best.total)


def test_a_frame_in_which_nothing_can_go_on_is_no_failure() -> None:
    decoder = LexiconDecoder([("AB", [2, 3])], boundary=1, beam=4, top=4)
    with np.errstate(divide="ignore"):
        sounds = np.log(np.eye(4)[[2, 3, 2, 1]])
    (best,) = read(decoder, sounds)
    assert (best.words, best.is_whole) == (["AB"], False)


def test_batches_padding_and_repetition_change_nothing() -> None:
    case = draw_case(11, 4, True)
    decoder = case.decoder(beam=6, recombine=True)
    log_probs, lens = random_log_probs(1, 5, 20, 6), [20, 0, 1, 13, 7]
    padded = log_probs.copy()
    for row, length in enumerate(lens):
        padded[row, length:] = np.nan
    batch = decoder.decode(padded, lens, nbest=3)
    assert batch == decoder.decode(padded, lens, nbest=3)
    for row, length in enumerate(lens):
        assert batch[row] == read(decoder, log_probs[row, :length], nbest=3)
        assert batch[row][:1] == read(decoder, log_probs[row, :length], nbest=1)


def test_a_threshold_and_a_long_row_stay_finite() -> None:
    """Thousands of frames, whose probability underflows, and more histories than there was room for."""
    case = draw_case(12, 5, True)
    log_probs = random_log_probs(2, 3000, 5, sharpness=1.0)
    wide = read(case.decoder(beam=40, recombine=True), log_probs)[0]
    narrow = read(case.decoder(beam=40, recombine=True, threshold=0.5), log_probs)[0]
    assert math.isfinite(wide.total)
    assert wide.total >= narrow.total
    assert len(wide.words) > 100


def test_words_that_the_model_lacks_need_a_score() -> None:
    case = Case([("A", [2]), ("B", [3])], model(["A"]), 1)
    sounds = np.log(np.full((2, 4), 0.01) + 0.97 * np.eye(4)[[3, 0]])
    assert read(case.decoder(unk_score=-math.inf), sounds)[0].words != ["B"]
    assert read(case.decoder(unk_score=0.0), sounds)[0].words == ["B"]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_one_unit_words_without_a_boundary_are_a_model_of_units(order: int) -> None:
    """Characters or word pieces with their own n-gram model: prefix beam search times P(units)."""
    units = ["_", "A", "B"]
    words = model(units, order=order)
    case = Case([(unit, [k]) for k, unit in enumerate(units, start=1)], words, None)
    log_probs = random_log_probs(4, 6, 4)
    readings = read(case.decoder(), log_probs)
    paths = prefix_beam_search(log_probs[None], [6], beam=ALL, top=4, nbest=ALL)[0]
    acoustic = {tuple(units[k - 1] for k in path.ids): path.score for path in paths}
    assert {tuple(r.words): r.acoustic for r in readings} == pytest.approx(acoustic, abs=1e-6)
    best = max(acoustic, key=lambda text: case.total(acoustic[text], text))
    assert tuple(readings[0].words) == best
    assert tuple(read(case.decoder(beam=30, recombine=True), log_probs)[0].words) == best


def test_a_word_outside_the_lexicon_is_spelled_at_its_price() -> None:
    """The lexicon's word wins until a spelled one costs less than what the sound says against it."""
    case = Case([("A", [2, 3])], model(["A"]), 1)
    sounds = np.log(np.full((4, 5), 0.01) + 0.95 * np.eye(5)[[2, 3, 4, 1]])
    for price, words in ((0.0, ["xyz"]), (-30.0, ["A"])):
        case = replace(case, spelled_word_score=price)
        readings = read(case.decoder(beam=30, recombine=True), sounds, nbest=9)
        assert readings[0].words == words
        for reading in readings:
            text = tuple(reading.words)
            parts = reading.acoustic + case.lm_weight * case.model.sentence(text) + case.bonus(text)
            assert reading.total == pytest.approx(parts, abs=1e-6)
    assert readings[0].ids[:2] == [2, 3]


def test_a_spelled_word_is_none_of_the_lexicon() -> None:
    """However cheap, units that a word of the lexicon has are that word; its beginning may be another."""
    case = Case([("A", [2, 3])], model(["A"]), 1, spelled_word_score=3.0)
    for classes, words in (([2, 3, 1], ["A"]), ([2, 0, 1], ["x"]), ([2, 1, 2], ["x", "x"])):
        sounds = np.log(np.full((3, 5), 1e-9) + np.eye(5)[classes])
        assert read(case.decoder(beam=30, recombine=True), sounds)[0].words == words


def test_spelled_words_of_a_long_row_have_room() -> None:
    """More prefixes than there was room for at first."""
    case = Case([("A", [2, 3])], model(["A"]), 1, spelled_word_score=0.0, spelled_unit_score=0.0)
    log_probs = random_log_probs(5, 2000, 5, sharpness=3.0)
    best = read(case.decoder(beam=8, recombine=True), log_probs)[0]
    assert math.isfinite(best.total)
    assert len({word for word in best.words if word.islower()}) > 16 * 8 / 2


def test_hotwords_are_preferred() -> None:
    words = model(["TO", "TWO", "A"])
    sounds = np.log(np.full((5, 6), 0.01) + 0.95 * np.eye(6)[[2, 3, 0, 1, 4]])
    case = Case(TO_TWO, words, 1)
    for word in ("TO", "TWO"):
        plain = {tuple(r.words): r.total for r in read(case.decoder(), sounds)}
        hot = read(case.decoder(hotwords={word: 9.0}), sounds)
        assert hot[0].words[0] == word
        for reading in hot:
            text = tuple(reading.words)
            assert reading.total == pytest.approx(plain[text] + 9.0 * text.count(word), abs=1e-6)


def test_a_hotword_that_the_lexicon_lacks_is_spelled() -> None:
    """It needs no unk_score, though the language model does not know it; two letters alike need a blank."""
    case = Case([("A", [2])], model(["A"]), 1, unk_score=-math.inf)
    sounds = np.log(np.full((5, 5), 0.01) + 0.95 * np.eye(5)[[3, 0, 3, 4, 1]])
    decoder = case.decoder(hotwords={"yyz": 5.0}, tokens=TOKENS, recombine=True)
    best = read(decoder, sounds)[0]
    assert (best.words, best.ids) == (["yyz"], [3, 3, 4])
    assert best.lm == pytest.approx(case.model.sentence(("yyz",)), abs=1e-6)
    assert best.total == pytest.approx(best.acoustic + 0.7 * best.lm + 0.4 + 5.0, abs=1e-6)


def test_threads_change_nothing() -> None:
    """As given, whatever ends first; and an error in one is raised."""
    case = draw_case(11, 4, True)
    decoder = case.decoder(beam=6, recombine=True)
    log_probs, lens = random_log_probs(1, 9, 20, 6), [20, 0, 1, 13, 7, 20, 2, 19, 3]
    assert decoder.decode(log_probs, lens, threads=3) == decoder.decode(log_probs, lens)
    log_probs[6, 1] = 0.0
    with pytest.raises(AsrError, match=r"row 6 of the log-prob.* a sum of 6 in frame 1"):
        decoder.decode(log_probs, lens, threads=3)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"beam": 0}, "beam of at least 1 expected, found 0"),
        ({"top": 0}, "top of at least 1 expected"),
        ({"threshold": 0.0}, "threshold above 0"),
        ({"lm_weight": -1.0}, "lm_weight of at least 0"),
        ({"word_score": math.nan}, "word_score: a number"),
        ({"lexicon": []}, "at least one word"),
        ({"lexicon": [("A", [2]), ("B", [])]}, "'B' has no units"),
        ({"lexicon": [("A", [2]), ("B", [2, 1])]}, "'B' is spelled with class 1"),
        ({"lexicon": [("A", [0])]}, "'A' is spelled with class 0"),
        ({"vocabulary": ["<unk>", "<s>", "</s>", "X", "Y"]}, "none in common"),
        ({"vocabulary": ["A", "B"]}, "begins with <unk>"),
        ({"class_threshold": 0.0}, "class_threshold above 0"),
        ({"blank_score": -math.inf}, "blank_score: a number"),
        ({"unk_score": 0.0, "lexicon": [("C", [2])]}, "such as 'B'.*such as 'C'.*none in common"),
        ({"hotwords": {"A": math.nan}}, "hotword 'A': a number of nats"),
        ({"hotwords": {"A": 1000.0}}, "hotword 'A': a number of nats up to 100 expected, found 1000"),
        ({"word_score": 800.0}, "word_score: a number of nats up to 100 expected, found 800"),
        ({"hotwords": {"xq": 1.0}, "tokens": TOKENS}, "hotword 'xq': not in the lexicon, and 'q' is none"),
        ({"hotwords": {"xy": 1.0}}, "hotword 'xy': not in the lexicon"),
        ({"hotwords": {"": 1.0}, "tokens": TOKENS}, "hotword ''.* empty"),
        ({"spelled_word_score": -1.0}, "no tokens given"),
        ({"spelled_word_score": -1.0, "tokens": TOKENS, "boundary": None}, "no boundary given"),
        ({"spelled_word_score": math.nan}, "spelled_word_score: a number"),
        ({"spelled_unit_score": 0.1}, "spelled_unit_score of at most 0"),
    ],
)
def test_impossible_arguments(wrong: dict[str, object], sentence: str) -> None:
    words = model(["A", "B"])
    options = {
        "lexicon": [("A", [2])],
        "ngrams": arrays_of(words),
        "vocabulary": words.vocabulary,
        "boundary": 1,
        "beam": 4,
        "top": 4,
    }
    with pytest.raises(AsrError, match=sentence):
        LexiconDecoder(**options | wrong)


def test_log_probabilities_that_do_not_fit() -> None:
    decoder = LexiconDecoder([("A", [7])], boundary=1, beam=4, top=4)
    with pytest.raises(AsrError, match="of 4 classes, but the lexicon uses 8"):
        read(decoder, np.zeros((3, 4)))
    with pytest.raises(AsrError, match="nbest of at least 1"):
        read(decoder, np.zeros((3, 8)), nbest=0)
    with pytest.raises(AsrError, match="threads of at least 1"):
        decoder.decode(np.zeros((1, 3, 8)), [3], threads=0)
    with pytest.raises(AsrError, match=r"sum to 1 expected.* a sum of 8 in frame 0"):
        read(decoder, np.zeros((3, 8)))
    with pytest.raises(AsrError, match="a sum of inf in frame 0"):
        read(decoder, np.full((3, 8), 900.0))
    with pytest.raises(AsrError, match="of 5 classes, but there are 4 tokens"):
        read(LexiconDecoder([("A", [2])], boundary=1, beam=4, top=4, tokens=TOKENS[:4]), np.zeros((3, 5)))
    with pytest.raises(AsrError, match="frame 0"):
        read(decoder, np.full((3, 8), np.nan))
