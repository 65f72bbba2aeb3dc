"""Every recipe that comes with the repository: complete, loads, and builds its model."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from recipes.recipe import open_recipe, shipped  # noqa: E402
from recipes.stamps import load_steps  # noqa: E402


def test_the_recipes_of_the_design_are_there() -> None:
    assert set(shipped()) == {
        "quickstart",
        "mini_librispeech",
        "librispeech_4h",
        "librispeech_100",
        "librispeech_960",
    }


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_is_complete(name: str) -> None:
    folder = REPOSITORY / "recipes" / name
    assert {path.name for path in folder.iterdir()} - {"train.ids", "dev.ids"} == {
        "config.toml",
        "README.md",
        "RESULTS.md",
    }
    corpus = open_recipe(name).config.corpus
    for ids in (corpus.train_ids, corpus.dev_ids, corpus.test_ids):
        assert not ids or (folder / ids).is_file()


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_builds_its_model(name: str) -> None:
    from asr.features.extract import FeatureExtractor
    from asr.model.acoustic import AcousticModel

    config = open_recipe(name).config
    features, model = config.features, config.model
    extractor = FeatureExtractor(
        kind=features.kind,
        sample_rate=features.sample_rate,
        num_bins=features.num_bins,
        num_ceps=features.num_ceps,
        frame_length_ms=features.frame_length_ms,
        frame_shift_ms=features.frame_shift_ms,
        low_hz=features.low_hz,
        high_hz=features.high_hz,
        deltas=features.deltas,
    )
    built = AcousticModel(
        num_bins=extractor.dim,
        num_classes=29,
        subsampling=model.subsampling,
        channels=model.channels,
        cell=model.cell,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        bidirectional=model.bidirectional,
        dropout=model.dropout,
        residual=model.residual,
    )
    parameters = sum(weight.numel() for weight in built.parameters())
    assert 3e5 < parameters < 6e7


def test_the_steps_form_a_chain_in_order() -> None:
    steps = load_steps()
    numbers = [step.number for step in steps]
    assert numbers == sorted(set(numbers))
    for step in steps:
        assert set(step.after) <= {number for number in numbers if number < step.number}, step.name


def test_a_step_is_short() -> None:
    for step in load_steps():
        assert len(step.path.read_text().splitlines()) <= 60, step.name
