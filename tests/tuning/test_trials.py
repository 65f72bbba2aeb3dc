"""Tuning on lattices whose right settings are known."""

import msgspec
import numpy as np
import pytest

from asr.config import DecodingConfig, TuningConfig
from asr.decoding.readings import VOTE_ALONE, confidences
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.scoring.wer import Scored, score
from asr.transcribe.words import Words, make_decoder, read_rows
from asr.tuning.confidence import fit_confidence
from asr.tuning.heard import Heard, read_heard, write_heard
from asr.tuning.picture import draw_tuning, tuning_table
from asr.tuning.trials import tune
from asr.units.characters import CharacterUnits

TOKENS = ["<blank>", "|", "A", "B", "C"]
UNITS = CharacterUnits(TOKENS)
SPELLINGS = [("AB", (2, 3)), ("AC", (2, 4)), ("B", (3,)), ("C", (4,))]
DECODING = DecodingConfig(method="words", beam=16, top=5, lm_weight=0.0)
OPTIONS = TuningConfig(
    lm_weights=(0.0, 0.5, 2.0), word_scores=(-1.0, 0.0), blank_scores=(0.0, -1.0), beams=(8, 1, 2)
)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Words:
    """A language model in which AB follows C, and B hardly ever is."""
    text = tmp_path_factory.mktemp("text") / "text.txt"
    text.write_text("C AB\n" * 30 + "AC C AB\n" * 10 + "B\n")
    return Words(SPELLINGS, LanguageModel.from_model(build([str(text)], 2).model))


@pytest.fixture(scope="module")
def heard() -> Heard:
    """Ten noisy lattices of C|AB in which the B is heard as C as often as not."""
    rng, rows = np.random.default_rng(3), []
    for _ in range(10):
        logits = rng.standard_normal((9, 5))
        for t, unit in enumerate([0, 4, 1, 0, 2, 0, 3, 0, 0]):
            logits[t, unit] += 4.0
        logits[6, 4] += 4.0 + rng.standard_normal()
        rows.append((logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32))
    return Heard([f"utt-{k}" for k in range(10)], rows)


@pytest.fixture(scope="module")
def refs(heard: Heard) -> dict[str, str]:
    return dict.fromkeys(heard.utt_ids, "C AB")


def test_the_language_model_is_given_the_weight_that_reads_best(heard, refs, words) -> None:
    tuned = tune(heard, refs, words, UNITS, DECODING, OPTIONS)
    grid = [one for one in tuned.trials if (one.blank_score, one.beam) == (0.0, 16)]
    assert len(grid) == 6
    assert tuned.chosen.lm_weight > 0
    assert min(one.wer for one in grid) < min(one.wer for one in grid if one.lm_weight == 0.0)
    settings = tuned.settings(DECODING)
    readings = read_rows(make_decoder(words, UNITS, settings), heard.rows, nbest=1)
    pairs = [
        Scored(utt_id=utt_id, ref=refs[utt_id], hyp=" ".join(best[0].words))
        for utt_id, best in zip(heard.utt_ids, readings, strict=True)
    ]
    assert score(pairs).wer == tuned.chosen.wer
    assert (settings.beam, settings.confidence) == (tuned.chosen.beam, tuned.confidence)


def test_no_setting_is_tried_twice_and_the_smallest_beam_that_does_is_taken(heard, refs, words) -> None:
    tuned = tune(heard, refs, words, UNITS, DECODING, msgspec.structs.replace(OPTIONS, tolerance=100.0))
    keys = [(one.lm_weight, one.word_score, one.blank_score, one.beam) for one in tuned.trials]
    assert len(set(keys)) == len(keys) == 6 + 1 + 3
    assert tuned.chosen.beam == 1
    exact = tune(heard, refs, words, UNITS, DECODING, msgspec.structs.replace(OPTIONS, tolerance=0.0))
    assert exact.chosen.wer == min(one.wer for one in exact.trials if one.beam in OPTIONS.beams)


def test_the_pairs_are_tried_again_with_a_better_blank_score(heard, refs, words) -> None:
    decoding = msgspec.structs.replace(DECODING, blank_score=9.0)
    options = msgspec.structs.replace(OPTIONS, blank_scores=(9.0, 0.0), beams=())
    tuned = tune(heard, refs, words, UNITS, decoding, options)
    keys = [(one.lm_weight, one.word_score, one.blank_score) for one in tuned.trials]
    assert len(keys) == len(set(keys)) == 6 + 1 + 5
    assert tuned.chosen.blank_score == 0.0
    assert tuned.chosen.wer == min(one.wer for one in tuned.trials)


def test_what_is_not_listed_stays_as_it_was(heard, refs, words) -> None:
    decoding = msgspec.structs.replace(DECODING, lm_weight=0.7, word_score=0.3, blank_score=-0.2)
    tuned = tune(heard, refs, words, UNITS, decoding, TuningConfig(beams=(4,)))
    settings = tuned.settings(decoding)
    assert (settings.lm_weight, settings.word_score, settings.blank_score) == (0.7, 0.3, -0.2)
    assert settings.beam == 4


def test_a_picture_and_a_table_of_what_was_tried(heard, refs, words, tmp_path) -> None:
    tuned = tune(heard, refs, words, UNITS, DECODING, OPTIONS)
    draw_tuning(tmp_path / "tuned.png", tuned)
    assert (tmp_path / "tuned.png").read_bytes().startswith(b"\x89PNG")
    table = tuning_table(tuned)
    assert table.count("taken") == 1 and len(table.splitlines()) == len(tuned.trials) + 3
    assert msgspec.json.decode(msgspec.json.encode(tuned), type=type(tuned)) == tuned


# --- how sure words are ------------------------------------------------------------------------------------


def drawn(weights, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Evidence of 4000 words, and whether they are right: as often as `weights` say."""
    rng = np.random.default_rng(seed)
    found = np.stack([rng.uniform(-7, 7, 4000), rng.uniform(-5, 0, 4000)], axis=1)
    return found, rng.random(4000) < confidences(found, weights)


@pytest.mark.parametrize("weights", [VOTE_ALONE, (1.0, 0.3, 1.2), (-2.0, 0.0, 0.0)])
def test_the_weights_that_made_words_right_are_found(weights) -> None:
    found, correct = drawn(weights)
    fitted = fit_confidence(found, correct)
    assert fitted.weights == pytest.approx(weights, abs=0.25)
    assert fitted.ece < 0.03
    assert fitted.ece_before > 0.1 or weights == VOTE_ALONE


def test_no_evidence_counts_against_a_word() -> None:
    found, correct = drawn((0.5, 0.8, 0.0))
    found[:, 1] = np.where(correct, -4.0, -1.0) + found[:, 1] / 10  # right words are heard worse
    fitted = fit_confidence(found, correct)
    assert fitted.weights[2] == 0.0 and fitted.weights[1] > 0.5


def test_words_that_are_all_right_leave_the_weights_finite() -> None:
    found, _ = drawn(VOTE_ALONE)
    fitted = fit_confidence(found, np.ones(len(found), np.bool_))
    assert np.isfinite(fitted.weights).all() and fitted.ece < 0.05


def test_nothing_heard_leaves_the_vote_alone() -> None:
    assert fit_confidence(np.zeros((0, 2)), np.zeros(0, np.bool_)) == (VOTE_ALONE, 0.0, 0.0)


# --- on disk -----------------------------------------------------------------------------------------------


def test_log_probabilities_come_back_for_the_same_origin_only(heard, tmp_path) -> None:
    path = tmp_path / "heard.safetensors"
    assert read_heard(path, "model 1") is None
    mixed = Heard([*heard.utt_ids, "silent"], [*heard.rows, np.zeros((0, 5), np.float32)])
    write_heard(path, mixed, "model 1")
    back = read_heard(path, "model 1")
    assert back is not None and back.utt_ids == mixed.utt_ids
    assert all(np.array_equal(one, other) for one, other in zip(back.rows, mixed.rows, strict=True))
    assert read_heard(path, "model 2") is None
    path.write_bytes(path.read_bytes()[:100])
    assert read_heard(path, "model 1") is None
