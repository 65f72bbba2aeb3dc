"""The n-gram of units that CTC-CRF needs, and training with it."""

import logging

import numpy as np
import pytest
import torch

from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.model.bundle import Bundle, save_bundle
from asr.model.crf import UnitSequences, ctc_crf_loss
from asr.model.ctc import ctc_loss
from asr.training import average_checkpoints, train
from asr.training.criterion import crf_criterion, unit_probs
from asr.training.monitor import read_metrics
from asr.training.run import fingerprint, make_trainer


def test_bigram_of_units_by_hand():
    """As the bigram of `A B`, `A A` in tests/lm/test_kneser_ney.py, with a third unit that nobody says.

    Each of the 5 words gets 0.5/5 from γ: u = 0.1; <unk> has u of every context, and is taken out.
    """
    probs = unit_probs([[1, 2], [1, 1]], 4, 2)
    u = 0.5 / 5
    end, a, b = 1 / 5 + u, 1 / 5 + u, 0.5 / 5 + u
    after_a = np.array([1 / 6 + end / 2, 1 / 6 + a / 2, 1 / 6 + b / 2, u / 2])
    at_start = np.array([end / 2, 1 / 2 + a / 2, b / 2, u / 2])
    assert probs[1] == pytest.approx(after_a / (1 - u / 2), abs=1e-9)
    assert probs[0] == pytest.approx(at_start / (1 - u / 2), abs=1e-9)
    assert probs.sum(-1) == pytest.approx(np.ones(4))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_sequences_are_scored_as_by_the_language_model(tmp_path, order):
    rng = np.random.default_rng(order)
    targets = [rng.integers(1, 13, rng.integers(1, 9)).tolist() for _ in range(60)]
    sequences = UnitSequences.of(unit_probs(targets, 13, order))
    path = tmp_path / "targets.txt"
    path.write_text("".join(" ".join(map(str, target)) + "\n" for target in targets))
    model = LanguageModel.from_model(build([str(path)], order).model)
    for target in targets[:10]:
        # the share of <unk>, which no transcript has, is all that differs: little, and in one direction
        more = sequences.score(np.array(target)) - model.score([str(unit) for unit in target])
        assert 0 <= more < 0.03 * (len(target) + 1)


def test_too_many_units_are_refused_with_the_order_that_is_possible():
    with pytest.raises(
        AsrError, match=r"crf\.order = 3 with 500 classes: .* found 125,000,000; set crf\.order = 2"
    ):
        crf_criterion([[1, 2, 3]], 500, order=3, lm_weight=1.0, ctc_weight=0.1)


def test_the_n_gram_is_told(caplog):
    with caplog.at_level(logging.INFO, "asr"):
        criterion = crf_criterion([[1, 2]] * 50, 3, order=2, lm_weight=0.5, ctc_weight=0.25)
    assert "CTC-CRF: 2-gram of the units of 50 transcripts, perplexity 1.0" in caplog.text
    batch = torch.zeros(1, 4, 3).log_softmax(-1), torch.tensor([4]), torch.tensor([[1, 2]]), torch.tensor([2])
    sequences = UnitSequences.of(np.sqrt(unit_probs([[1, 2]] * 50, 3, 2)))
    expected = ctc_crf_loss(*batch, sequences=sequences, ctc_weight=0.25).item()
    assert criterion(*batch).item() == pytest.approx(expected, rel=1e-6)
    without = crf_criterion([[1, 2]] * 50, 3, order=2, lm_weight=0.0, ctc_weight=0.25)
    assert without(*batch).item() == pytest.approx(1.25 * ctc_loss(*batch).item(), rel=1e-6)


EASY = {
    "augment": {"speeds": [1.0], "time_masks": 0, "warp": 0.0},
    "model": {"dropout": 0.0, "hidden_size": 32},
}


def test_learns_from_nothing_and_decodes(tmp_path, corpus, cmvn, tokens, tiny_config):
    training = {"criterion": "ctc_crf", "epochs": 60, "evaluate_every": 60, "learning_rate": 0.01, "ema": 0.0}
    config = tiny_config(**EASY, training=training, crf={"order": 2})
    few = corpus[0][:8]
    end = train(config, few, few, cmvn=cmvn, tokens=tokens, folder=tmp_path)
    assert end.wer == 0.0
    losses = [line["loss"] for line in read_metrics(tmp_path / "metrics.jsonl") if line["event"] == "update"]
    assert losses[-1] < 0.2 * losses[0]


def test_makes_a_ctc_model_better_in_its_own_measure(tmp_path, corpus, cmvn, tokens, tiny_config):
    training = {"epochs": 15, "evaluate_every": 15, "learning_rate": 0.01, "ema": 0.0}
    config, few = tiny_config(**EASY, training=training), corpus[0][:8]
    train(config, few, few, cmvn=cmvn, tokens=tokens, folder=tmp_path / "ctc")
    weights, _ = average_checkpoints(tmp_path / "ctc", "last", 1)
    save_bundle(tmp_path / "model", Bundle(config, tokens, *cmvn.mean_std(), weights), "# Start\n")
    training |= {"criterion": "ctc_crf", "start_from": str(tmp_path / "model"), "warmup_steps": 0}
    further = tiny_config(**EASY, training=training | {"learning_rate": 0.003})
    end = train(further, few, few, cmvn=cmvn, tokens=tokens, folder=tmp_path / "crf")
    lines = [
        line["loss"] for line in read_metrics(tmp_path / "crf/metrics.jsonl") if line["event"] == "update"
    ]
    assert lines[-1] < 0.7 * lines[0]
    assert end.wer < 50


def test_trainer_asks_the_criterion(tmp_path, corpus, cmvn, tokens, tiny_config):
    def make(folder, **parts):
        return make_trainer(
            tiny_config(**parts),
            *corpus,
            cmvn=cmvn,
            tokens=tokens,
            folder=tmp_path / folder,
            device=torch.device("cpu"),
        )

    plain = make("plain")
    crf = make("crf", training={"criterion": "ctc_crf"}, crf={"order": 1, "ctc_weight": 0.0})
    assert plain.criterion is ctc_loss
    log_probs = torch.zeros(1, 5, len(tokens)).log_softmax(-1)
    batch = log_probs, torch.tensor([5]), torch.tensor([[2]]), torch.tensor([1])
    assert crf.criterion(*batch).item() != pytest.approx(ctc_loss(*batch).item())


def test_settings_of_the_criterion_count_where_it_is_used(corpus, tokens, tiny_config):
    def digest(**parts):
        return fingerprint(tiny_config(**parts), corpus[0], tokens, {})

    crf = {"criterion": "ctc_crf"}
    found = [digest(), digest(training=crf), digest(training=crf, crf={"order": 2})]
    found += [digest(training=crf, crf={key: 0.2}) for key in ("ctc_weight", "lm_weight")]
    assert len(set(found)) == 5
    assert digest(crf={"order": 2}) == found[0]
