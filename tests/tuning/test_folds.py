"""Speakers of dev are read with what was chosen on the others."""

import functools

import numpy as np
import pytest

from asr.config import DecodingConfig, TuningConfig
from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.transcribe.words import Words
from asr.tuning.folds import speaker_folds, tune_by_folds
from asr.tuning.heard import Heard
from asr.tuning.trials import tune
from asr.units.characters import CharacterUnits

UNITS = CharacterUnits(["<blank>", "|", "A", "B", "C"])
SPELLINGS = [("AB", (2, 3)), ("AC", (2, 4)), ("C", (4,))]
DECODING = DecodingConfig(method="words", beam=16, top=5)
OPTIONS = TuningConfig(lm_weights=(0.0, 2.0), folds=2)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Words:
    """A language model in which C is followed by AB."""
    text = tmp_path_factory.mktemp("text") / "text.txt"
    text.write_text("C AB\n" * 40 + "AC C AB\n" * 10)
    return Words(SPELLINGS, LanguageModel.from_model(build([str(text)], 2).model))


def lattice() -> np.ndarray:
    """C|AC, whose last C is heard a little better than a B."""
    logits = np.zeros((9, 5))
    for t, unit in enumerate([0, 4, 1, 0, 2, 0, 4, 0, 0]):
        logits[t, unit] += 8.0
    logits[6, 3] += 7.5
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32)


def test_a_speaker_gets_what_was_chosen_on_the_others(words: Words) -> None:
    # Ann says what the language model expects, although it sounds otherwise; Bob says what it sounds like.
    refs = {"ann-1": "C AB", "ann-2": "C AB", "ann-3": "C AB", "bob-1": "C AC", "bob-2": "C AC"}
    heard = Heard(list(refs), [lattice() for _ in refs])
    speakers = {utt_id: utt_id[:3] for utt_id in refs}
    tuned_on = functools.partial(
        tune, refs=refs, words=words, units=UNITS, decoding=DECODING, options=OPTIONS
    )
    ann, bob = tune_by_folds(speaker_folds(speakers.values(), 2), heard, speakers, tuned_on)
    assert (ann.speakers, ann.tuned.chosen.lm_weight) == (["ann"], 0.0)
    assert (bob.speakers, bob.tuned.chosen.lm_weight) == (["bob"], 2.0)
    assert ann.tuned.chosen.wer == bob.tuned.chosen.wer == 0.0
    everyone = tuned_on(heard)
    assert everyone.chosen.lm_weight == 2.0  # Ann speaks more
    assert everyone.chosen.wer == pytest.approx(100 * 2 / 10)


def test_speakers_are_dealt_out_in_order_of_their_names() -> None:
    speakers = ["84", "1272", "652", "84", "174", "251"]
    assert speaker_folds(speakers, 2) == [["1272", "251", "84"], ["174", "652"]]
    assert speaker_folds(reversed(speakers), 3) == [["1272", "652"], ["174", "84"], ["251"]]


def test_too_few_speakers_are_a_sentence() -> None:
    with pytest.raises(AsrError, match=r"at least 2 speakers of dev expected, found 1 \(unknown\)"):
        speaker_folds(["unknown"] * 7, 2)


def test_nothing_left_to_choose_on_is_a_sentence() -> None:
    heard = Heard(["one"], [lattice()])
    with pytest.raises(AsrError, match="no utterance to choose on without the speakers ann"):
        tune_by_folds([["ann"], ["bob"]], heard, {"one": "ann"}, lambda part: None)
