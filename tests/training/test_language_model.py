"""Training of a GRU language model: it learns, it can be stopped anywhere, it says what is wrong."""

import os
import signal

import numpy as np
import pytest
import torch

from asr.errors import AsrError
from asr.lm.gru_folder import load_gru
from asr.lm.perplexity import perplexity
from asr.training.gru_trainer import GruTraining, epoch_batches
from asr.training.language_model import train_gru

SIZES = {"embedding_size": 16, "hidden_size": 24, "num_layers": 1, "dropout": 0.2}
TEXT = ["THE CAT SAT ON THE MAT", "A DOG SAT ON A LOG", "THE DOG RAN", "A CAT RAN ON AND ON"]


@pytest.fixture(autouse=True)
def one_thread():
    """Products as small as these are not worth two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def text(tmp_path):
    """A file with a few sentences, one of them longer than what is held at a time."""
    path = tmp_path / "text.txt"
    path.write_text("\n".join([*TEXT * 4, "ON AND " * 40]) + "\n")
    return str(path)


def settings(**changes):
    return GruTraining(**{"epochs": 2, "tokens": 32, "warmup_steps": 5} | changes)


def model_bytes(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_overfits_a_tiny_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(TEXT) + "\n")
    sizes = SIZES | {"dropout": 0.0}
    training = settings(epochs=80, learning_rate=0.02, tokens=64)
    reports = []
    end = train_gru(
        [str(path)], tmp_path / "gru", training=training, held_out=[str(path)], report=reports.append, **sizes
    )
    found = perplexity(load_gru(tmp_path / "gru"), [str(path)])
    # two first words, each as probable: nothing else is left to guess but which of two ways they go on
    assert found.with_unknown < 1.5
    assert found.num_unknown == 0
    assert end.perplexity == pytest.approx(found.with_unknown)
    assert reports[-1] == end
    assert end.tokens == 80 * (sum(len(line.split()) for line in TEXT) + len(TEXT))
    card = (tmp_path / "gru" / "card.md").read_text()
    assert f"held-out perplexity: {end.perplexity:.2f}" in card and "text.txt" in card


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path, text):
    results = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        train_gru([text], folder, training=settings(seed=seed), **SIZES)
        results.append(model_bytes(folder))
    assert results[0] == results[1]
    assert results[0]["model.safetensors"] != results[2]["model.safetensors"]


def test_stopped_again_and_again_gives_the_same_bytes(tmp_path, text):
    train_gru([text], tmp_path / "whole", training=settings(epochs=4), **SIZES)
    stops = 0
    while True:
        try:
            train_gru(
                [text],
                tmp_path / "stopped",
                training=settings(epochs=4, every_minutes=1e-9),
                report=lambda report: report.step % 3 or os.kill(os.getpid(), signal.SIGTERM),
                **SIZES,
            )
            break
        except AsrError as error:
            assert "stopped and saved after" in str(error)
            assert not (tmp_path / "stopped").exists()
            stops += 1
    assert stops > 2
    assert model_bytes(tmp_path / "stopped") == model_bytes(tmp_path / "whole")


def test_a_finished_training_is_only_written_again(tmp_path, text):
    train_gru([text], tmp_path / "gru", training=settings(), **SIZES)
    before = model_bytes(tmp_path / "gru")
    reports = []
    end = train_gru([text], tmp_path / "gru", training=settings(), report=reports.append, **SIZES)
    assert len(reports) == 1 and end.tokens == 0
    assert model_bytes(tmp_path / "gru") == before


def test_another_text_or_size_does_not_go_on(tmp_path, text):
    train_gru([text], tmp_path / "gru", training=settings(epochs=1), **SIZES)
    with pytest.raises(AsrError, match="of another configuration or other data"):
        train_gru([text], tmp_path / "gru", training=settings(epochs=1), **SIZES | {"hidden_size": 8})
    (tmp_path / "other.txt").write_text("THE CAT\n")
    with pytest.raises(AsrError, match="of another configuration or other data"):
        train_gru([str(tmp_path / "other.txt")], tmp_path / "gru", training=settings(epochs=1), **SIZES)


def test_a_time_budget_ends_training_within_an_epoch(tmp_path, text):
    training = settings(epochs=1000, max_minutes=0.002)
    end = train_gru([text], tmp_path / "gru", training=training, **SIZES)
    assert 0 < end.step < 1000 * len(TEXT)
    assert end.seconds >= 0.12
    load_gru(tmp_path / "gru")


def test_a_vocabulary_limit(tmp_path, text):
    train_gru([text], tmp_path / "gru", training=settings(epochs=1), limit=3, **SIZES)
    model = load_gru(tmp_path / "gru")
    assert model.vocabulary == ["<unk>", "<s>", "</s>", "ON", "AND", "A"]
    assert perplexity(model, [text]).num_unknown > 0
    train_gru([text], tmp_path / "listed", training=settings(epochs=1), listed=["CAT", "ZEBRA"], **SIZES)
    assert load_gru(tmp_path / "listed").vocabulary[3:] == ["CAT", "ZEBRA"]


def test_an_epoch_reads_every_sentence_once():
    lens = np.random.default_rng(1).integers(1, 60, 400)
    epochs = [epoch_batches(lens, 100, 1, epoch) for epoch in (0, 0, 1)]
    for batches in epochs:
        assert sorted(np.concatenate(batches)) == list(range(400))
        assert all((np.diff(lens[rows]) <= 0).all() for rows in batches)
        sizes = [int(lens[rows].sum()) for rows in batches]
        assert np.mean(sizes[:-1]) == pytest.approx(100, rel=0.05) and max(sizes) < 160
    assert all((a == b).all() for a, b in zip(*epochs[:2], strict=True))
    assert (np.concatenate(epochs[0]) != np.concatenate(epochs[2])).any()


def test_a_folder_of_something_else_is_refused_before_any_work(tmp_path, text):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(AsrError, match=r"holds files but no bundle\.json"):
        train_gru(["missing.txt"], tmp_path / "thesis", training=settings(), **SIZES)
    with pytest.raises(AsrError, match=r"missing\.txt: cannot be read"):
        train_gru(["missing.txt"], tmp_path / "gru", training=settings(), **SIZES)


def test_a_held_out_text_that_cannot_be_measured_is_refused_before_any_work(tmp_path, text):
    (tmp_path / "empty.txt").write_text("\n \n")
    for name, sentence in (
        ("-", "standard input"),
        ("none", "cannot be read"),
        ("empty.txt", "not one word"),
    ):
        held_out = [name if name == "-" else str(tmp_path / name)]
        with pytest.raises(AsrError, match=sentence):
            train_gru(["missing.txt"], tmp_path / "gru", training=settings(), held_out=held_out, **SIZES)
