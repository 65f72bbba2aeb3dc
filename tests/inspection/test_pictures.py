"""Pictures of every kind of model, with and without words."""

import matplotlib.image
import numpy as np
import pytest

from asr.errors import AsrError
from asr.inspection.pictures import draw_gradients, draw_layer, draw_memory
from asr.inspection.utterance import Direction, Inspection
from asr.records import Hypothesis, Word


def inspection(names, words=(), cell="gru"):
    """Two layers of six units over 25 frames of 40 ms; every gate differs from every other."""
    rng = np.random.default_rng(1)
    directions = []
    for layer in (1, 2):
        for name in names:
            gates = rng.uniform(size=(3, 25, 6)).astype(np.float32)
            gradient = rng.uniform(0, 1, 25).astype(np.float32)
            directions.append(Direction(layer, name, gates[0], gates[1], gates[1], gates[2], gradient))
    return Inspection(
        audio="folder/a.wav",
        cell=cell,
        duration=1.0,
        feats=rng.normal(size=(98, 20)).astype(np.float32),
        feat_seconds=0.01,
        frame_seconds=0.04,
        hyp=Hypothesis(utt_id="a", text=" ".join(word.text for word in words), score=0.0, words=list(words)),
        text="SO",
        loss=1.0,
        directions=directions,
    )


WORD = Word(text="SOMETHING", start=0.4, end=0.6, confidence=1.0)


def pixels(path):
    return matplotlib.image.imread(path)


@pytest.mark.parametrize("cell", ["gru", "gru_reset_after"])
@pytest.mark.parametrize("names", [["forward"], ["forward", "backward"]])
def test_a_column_for_each_direction(tmp_path, names, cell):
    found = inspection(names, [WORD], cell)
    draw_layer(tmp_path / "layer.png", found, 2)
    draw_gradients(tmp_path / "gradients.png", found)
    draw_memory(tmp_path / "memory.png", found)
    width = pixels(tmp_path / "layer.png").shape[1]
    assert width == len(names) * 715
    heights = [pixels(tmp_path / f"{name}.png").shape[0] for name in ("gradients", "memory")]
    assert heights == [pytest.approx(110 * 2.6 * (1 + len(names)), abs=1), 110 * (1 + 3.2 * len(names))]


def test_words_are_drawn(tmp_path):
    draw_gradients(tmp_path / "with.png", inspection(["forward"], [WORD]))
    draw_gradients(tmp_path / "without.png", inspection(["forward"]))
    assert not np.array_equal(pixels(tmp_path / "with.png"), pixels(tmp_path / "without.png"))


def test_a_gradient_of_zero_has_a_picture(tmp_path):
    found = inspection(["forward"])
    found.directions[0].gradient[:] = 0
    draw_gradients(tmp_path / "gradients.png", found)
    assert pixels(tmp_path / "gradients.png").shape[2] == 4


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(AsrError, match="cannot be written"):
        draw_memory(tmp_path / "taken" / "memory.png", inspection(["forward"]))
