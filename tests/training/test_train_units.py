"""Training learns phones and pieces of words as it learns characters."""

import pytest

from asr.config import UnitsConfig
from asr.errors import AsrError
from asr.training import train
from asr.training.monitor import read_metrics
from asr.units.kinds import build_units

SOUNDS = {"A": "AA", "B": "B", "C": "K", "D": "D"}


@pytest.fixture
def lexicon(tmp_path, corpus):
    """The words of the corpus but for one, in which a letter is always one phone."""
    words = sorted({word for part in corpus for row in part for word in row.text.split()})
    left_out = max(words, key=len)
    path = tmp_path / "words.txt"
    lines = [f"{word}  {' '.join(SOUNDS[letter] for letter in word)}\n" for word in words if word != left_out]
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize(("kind", "rate"), [("phones", "per"), ("bpe", "wer")])
def test_overfits_a_tiny_corpus_to_zero_errors(tmp_path, corpus, cmvn, lexicon, tiny_config, kind, rate):
    units = {"kind": kind, "pieces": 10}
    config = tiny_config(
        units=units,
        augment={"speeds": [1.0], "time_masks": 0, "warp": 0.0},
        model={"hidden_size": 48, "dropout": 0.0},
        training={"epochs": 60, "evaluate_every": 60, "learning_rate": 0.01, "ema": 0.0},
    )
    texts = [row.text for row in corpus[0]]
    built = build_units(
        UnitsConfig(**units), texts, texts, lexicon=lexicon if kind == "phones" else None, cache=tmp_path
    )
    end = train(
        config,
        corpus[0],
        corpus[0],
        cmvn=cmvn,
        tokens=built.tokens,
        folder=tmp_path / "train",
        unit_files=built.files,
    )
    (found,) = [
        line for line in read_metrics(tmp_path / "train" / "metrics.jsonl") if line["event"] == "evaluation"
    ]
    assert end.wer == found[rate] == 0.0
    # the same tokens with other pronunciations are another training
    if kind == "phones":
        files = {**built.files, "lexicon.txt": built.files["lexicon.txt"] + b"ABBA  AA B AA\n"}
        with pytest.raises(AsrError, match="another configuration"):
            train(
                config, *corpus, cmvn=cmvn, tokens=built.tokens, folder=tmp_path / "train", unit_files=files
            )
