"""A second look at readings, in the model folder and out of it, with language models made by hand."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from asr.config import DecodingConfig, RescoringConfig, parse_config
from asr.decoding.lexicon_decoder import Reading
from asr.errors import AsrError
from asr.lm.gru_folder import LAYOUT
from asr.lm.tables import EOS
from asr.model import bundle as bundles
from asr.model.bundle import load_bundle, save_bundle
from asr.model_folder import INDEX
from asr.transcribe.second_look import SecondLook, num_readings, open_second_look
from asr.tuning.second_look import tune_second_look

DECODING = DecodingConfig(method="words", lm_weight=0.5, gru_share=0.75, gru_factor=2.0, gru_word_score=0.25)


class Unigrams:
    """A language model whose words are each as probable wherever they stand."""

    def __init__(self, a: float, b: float) -> None:
        self.ids = {"<unk>": 0, "A": 3, "B": 4}
        self.log_probs = np.log([0.1, 1.0, 0.2, a, b])

    def token_log_probs(self, ids: np.ndarray) -> np.ndarray:
        assert ids[-1] == EOS
        return self.log_probs[ids]


GRU, NGRAMS = Unigrams(a=0.1, b=0.6), Unigrams(a=0.6, b=0.1)


def reading(text: str, acoustic: float, is_whole: bool = True) -> Reading:
    words = text.split()
    lm = float(sum(np.log(0.6 if word == "A" else 0.1) for word in words) + np.log(0.2))
    total = acoustic + DECODING.lm_weight * lm
    return Reading(words=words, ids=[], lens=[], acoustic=acoustic, lm=lm, total=total, is_whole=is_whole)


def test_readings_are_ranked_by_both_models_and_unfinished_ones_stay_last() -> None:
    nbest = [reading("A", -5.0), reading("B", -5.5), reading("B B", -1.0, is_whole=False)]
    found = SecondLook(GRU, NGRAMS, DECODING).ranked([nbest])[0]
    assert [one.words for one in found] == [["B"], ["A"], ["B", "B"]]
    lm = np.log(0.75 * 0.6 + 0.25 * 0.1) + np.log(0.2)
    assert found[0].lm == pytest.approx(lm)
    assert found[0].total == pytest.approx(-5.5 + 2.0 * 0.5 * lm + 0.25)
    assert found[2].total > found[0].total  # and it is not put first for that


def test_as_many_readings_are_looked_for_as_are_looked_at() -> None:
    assert num_readings(DECODING) == 64
    assert num_readings(DecodingConfig(method="words")) == 32


def test_without_a_share_nothing_is_opened_and_with_one_a_model_must_be_there() -> None:
    assert open_second_look(Path("none"), None, DecodingConfig(method="words")) is None
    with pytest.raises(AsrError, match="asks for rescoring, and the model folder has no GRU language model"):
        open_second_look(None, None, DECODING)


def tuned(references: str):
    nbests = [[reading("A", -5.0), reading("B", -5.5)], [reading("A B", -9.0), reading("A", -9.5)]]
    refs = dict(zip(("one", "two"), references.split(","), strict=True))
    options = RescoringConfig(shares=(0.5, 1.0), factors=(1.0, 2.0), word_scores=(0.0,))
    return tune_second_look(nbests, ["one", "two"], refs, GRU, NGRAMS, DECODING, options)


def test_the_weights_that_read_dev_best_are_chosen() -> None:
    looks = tuned("B,A B")
    assert len(looks.trials) == 1 + 4 and looks.trials[0].share == 0.0
    assert looks.before == looks.trials[0].wer > looks.chosen.wer
    assert looks.chosen.wer == min(one.wer for one in looks.trials) >= looks.best == 0.0


def test_nothing_is_rescored_where_nothing_reads_better() -> None:
    looks = tuned("A,C")
    assert looks.chosen == looks.trials[0] and looks.chosen.share == 0.0


@pytest.fixture
def with_gru(tmp_path: Path, random_bundle) -> Path:
    """A model folder with the files of a GRU language model, which nobody reads here."""
    (tmp_path / "gru").mkdir()
    for name in bundles.GRU_FILES:
        (tmp_path / "gru" / name).write_text(f"content of {name}")
    save_bundle(tmp_path / "model", dataclasses.replace(random_bundle(), gru=tmp_path / "gru"), "card")
    return tmp_path / "model"


def test_a_gru_language_model_travels_as_a_folder_in_the_folder(with_gru: Path) -> None:
    assert set(bundles.GRU_FILES) == {*LAYOUT.required, INDEX}
    found = load_bundle(with_gru, verify=True)
    assert found.gru == with_gru / "gru"
    save_bundle(with_gru, found, "again")  # onto itself
    assert (with_gru / "gru" / "words.txt").read_text() == "content of words.txt"
    assert load_bundle(with_gru, verify=True).gru == with_gru / "gru"


def test_a_gru_language_model_is_checked_when_that_is_asked_for(with_gru: Path) -> None:
    (with_gru / "gru" / "words.txt").write_text("other")
    load_bundle(with_gru)
    with pytest.raises(AsrError, match=r"words\.txt: its content differs from the checksum"):
        load_bundle(with_gru, verify=True)
    (with_gru / "gru" / "words.txt").unlink()
    with pytest.raises(AsrError, match=r"words\.txt is missing"):
        load_bundle(with_gru)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rescoring": {"source": "transcripts"}}, 'decoding.method = "words", since rescoring has a source'),
        ({"rescoring": {"files": ["a.txt"]}}, "no rescoring.files"),
        ({"rescoring": {"shares": []}}, "at least one value each in rescoring.shares"),
        ({"decoding": {"method": "beam", "also": ["beam"]}}, 'decoding.also without "beam"'),
        ({"tuning": {"folds": 1}}, "tuning.folds of 2 or more, or 0 for none"),
        ({"tuning": {"folds": 2}}, "values to try in tuning, since it has folds"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(settings, sentence: str) -> None:
    with pytest.raises(AsrError, match=sentence):
        parse_config({"corpus": {"source": "folder", "root": "x"}, **settings}, "config.toml")
