"""The GRU language model: its probabilities, and its folder."""

import json
import math
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch

from asr.errors import AsrError
from asr.lm import gru
from asr.lm.gru import GruLanguageModel, GruNetwork, GruShape, batches_of
from asr.lm.gru_folder import load_gru, save_gru
from asr.lm.tables import EOS, SPECIAL
from asr.model_folder import INDEX, weights_bytes, write_folder

SHAPE = GruShape(vocabulary_size=60, embedding_size=16, hidden_size=12, num_layers=2, dropout=0.5)


def make(shape=SHAPE):
    """A model with random weights, large enough to have opinions."""
    torch.manual_seed(1)
    network = GruNetwork(shape)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(3)
    return GruLanguageModel([*SPECIAL, *(f"W{i}" for i in range(shape.vocabulary_size - 3))], network)


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.fixture
def sentences():
    """Sentences of many lengths, some longer than a piece: ids with </s>."""
    rng = np.random.default_rng(1)
    lens = [0, 1, 1, 3, 200, 17, 64, 63, 128, 5, 65]
    return [np.array([*rng.integers(3, 60, size), EOS], np.int32) for size in lens]


@pytest.mark.parametrize("size", [4, 60, 2002, 8010, 24010])
def test_probabilities_sum_to_one_and_nobody_says_the_beginning(size):
    """Whatever the number of classes."""
    model = make(GruShape(vocabulary_size=size, embedding_size=16, hidden_size=8))
    histories = torch.tensor([[EOS, 0, size - 1], [EOS, 3, 3]])
    with torch.no_grad():
        found = model.network.distribution(histories).double().exp()
    assert found.shape == (2, size)
    assert found.sum(1).numpy() == pytest.approx(1, abs=1e-5)
    assert (found[:, 1] == 0).all()
    assert (found[:, 0] > 0).all() and (found[:, 2:] > 0).all()
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_the_probability_of_a_token_is_that_of_the_distribution(model, sentences):
    sentence = sentences[5]
    found = model.token_log_probs(sentence)
    for place in (0, 1, 9, len(sentence) - 1):
        history = torch.tensor([[EOS, *sentence[:place].tolist()]])
        with torch.no_grad():
            expected = model.network.distribution(history)[0, int(sentence[place])]
        assert found[place] == pytest.approx(float(expected), abs=1e-5)


def test_a_sentence_never_depends_on_its_neighbours(model, sentences):
    together = model.token_log_probs(np.concatenate(sentences))
    alone = np.concatenate([model.token_log_probs(sentence) for sentence in sentences])
    assert together == pytest.approx(alone, abs=1e-5)
    assert (model.token_log_probs(np.concatenate(sentences)) == together).all()
    assert np.std(together) > 0.1


def test_pieces_of_a_sentence_are_one_sentence(model, sentences, monkeypatch):
    together = np.concatenate(sentences)
    found = model.token_log_probs(together)
    monkeypatch.setattr(gru, "PIECE", 1000)
    assert model.token_log_probs(together) == pytest.approx(found, abs=1e-5)
    monkeypatch.setattr(gru, "PIECE", 3)
    assert model.token_log_probs(together) == pytest.approx(found, abs=1e-5)


def test_input_and_output_share_their_vectors():
    """Within a class log P(a) - log P(b) = v · (E[a] - E[b]), E being what is read."""
    size = 24010
    network = make(GruShape(vocabulary_size=size, embedding_size=16, hidden_size=8)).network
    vector = torch.randn(1, 16)
    with torch.no_grad():
        log_probs = network.output.log_prob(vector)[0]
        for pair in ([0, 1999], [2000, 7999], [8000, 23999], [24000, size - 2]):
            read = network._embedded(torch.tensor([pair]))[0] / math.sqrt(16)
            expected = float(vector[0] @ (read[0] - read[1]))
            assert float(log_probs[pair[0]] - log_probs[pair[1]]) == pytest.approx(expected, abs=1e-4)
            assert abs(expected) > 1e-3


def test_batches_hold_every_row_once_and_no_more_than_asked():
    lens = np.random.default_rng(1).integers(1, 300, 500)
    batches = batches_of(lens, tokens=640)
    assert sorted(np.concatenate(batches)) == list(range(500))
    for rows in batches:
        assert (np.diff(lens[rows]) <= 0).all()
        assert min(lens[rows[0]], gru.PIECE) * len(rows) <= 640


# --- on disk -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(model, tmp_path):
    save_gru(tmp_path / "model", SHAPE, model, "# Card\n")
    return tmp_path / "model"


def test_a_folder_gives_the_same_model(folder, model, sentences):
    before = torch.random.get_rng_state()
    loaded = load_gru(folder)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert loaded.vocabulary == model.vocabulary
    ids = np.concatenate(sentences)
    assert (loaded.token_log_probs(ids) == model.token_log_probs(ids)).all()
    assert sorted(path.name for path in folder.iterdir()) == [
        "bundle.json",
        "card.md",
        "config.toml",
        "model.safetensors",
        "words.txt",
    ]


def test_the_words_of_a_model_may_hold_any_letters(model, tmp_path):
    """As texts do, whose words are what ASCII's spaces separate."""
    words = [*model.vocabulary[:-2], "Ä\N{NO-BREAK SPACE}B", "\N{NEXT LINE}\N{LINE SEPARATOR}"]
    save_gru(tmp_path / "model", SHAPE, GruLanguageModel(words, model.network), "")
    assert load_gru(tmp_path / "model").vocabulary == words


def rewrite(folder, **changes):
    """The folder with other files, under checksums that fit."""
    from asr.lm.gru_folder import LAYOUT

    contents = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != INDEX}
    write_folder(folder, contents | changes, LAYOUT)


def reweigh(folder, change):
    weights = safetensors.torch.load((folder / "model.safetensors").read_bytes())
    change(weights)
    rewrite(folder, **{"model.safetensors": weights_bytes(weights)})


def change_config(folder, old, new):
    rewrite(folder, **{"config.toml": (folder / "config.toml").read_bytes().replace(old, new)})


DAMAGES = {
    "words missing": (lambda f: (f / "words.txt").unlink(), r"words\.txt is missing"),
    "changed": (lambda f: (f / "words.txt").write_text("A\n"), r"words\.txt: its content differs"),
    "not listed": (
        lambda f: (f / INDEX).write_text(json.dumps({"format": 1, "files": {}})),
        r"does not list model\.safetensors; train the model again",
    ),
    "a word twice": (
        lambda f: rewrite(f, **{"words.txt": (f / "words.txt").read_bytes().replace(b"W5\n", b"W6\n")}),
        "different from each other",
    ),
    "a word too few": (
        lambda f: rewrite(f, **{"words.txt": (f / "words.txt").read_bytes().replace(b"W5\n", b"")}),
        "60 words were expected, 59 were found",
    ),
    "no special words": (
        lambda f: rewrite(f, **{"words.txt": b"A\nB\nC\n"}),
        "the first words must be <unk> <s> </s>, 'A B C' was found",
    ),
    "words not UTF-8": (lambda f: rewrite(f, **{"words.txt": b"\xff"}), r"words\.txt: not UTF-8"),
    "no TOML": (lambda f: rewrite(f, **{"config.toml": b"="}), r"config\.toml: not a TOML file"),
    "unknown key": (
        lambda f: change_config(f, b"dropout", b"cell = 1\ndropout"),
        r"config\.toml: not the sizes of a GRU language model",
    ),
    "other sizes": (
        lambda f: change_config(f, b"hidden_size = 12", b"hidden_size = 13"),
        "expected 16×13, found 16×12|expected 1×39, found 1×36",
    ),
    "too small": (lambda f: change_config(f, b"hidden_size = 12", b"hidden_size = 0"), "not the sizes"),
    "not finite": (
        lambda f: reweigh(f, lambda w: w["projection.bias"].fill_(math.nan)),
        r"projection\.bias holds values that are not finite",
    ),
    "a weight too few": (
        lambda f: reweigh(f, lambda w: w.pop("projection.bias")),
        r"projection\.bias: expected 16, found no such weight",
    ),
    "a pickle": (
        lambda f: (f / "model.safetensors").write_bytes(pickle.dumps({})),
        "a pickle, which can run any code .* with asr lm train",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_a_sentence_that_names_the_folder(folder, damage):
    break_it, sentence = DAMAGES[damage]
    break_it(folder)
    with pytest.raises(AsrError, match=sentence) as caught:
        load_gru(folder)
    assert str(folder) in str(caught.value)


def test_an_acoustic_model_is_no_language_model(tiny_model):
    with pytest.raises(AsrError, match=r"does not list words\.txt"):
        load_gru(tiny_model)


def test_what_would_not_load_is_not_saved(model, tmp_path):
    other = GruLanguageModel(model.vocabulary[:-1], model.network)
    with pytest.raises(AsrError, match="60 words were expected, 59 were found"):
        save_gru(tmp_path / "model", SHAPE, other, "")
    assert not (tmp_path / "model").exists()
