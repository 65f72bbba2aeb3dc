"""Every recipe that comes with the repository: complete, loads, and builds its model."""

import re
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from asr.config import parse_config  # noqa: E402
from recipes.ablations import read_ablations  # noqa: E402
from recipes.places import lists_of_ids  # noqa: E402
from recipes.recipe import RECIPES, open_recipe, shipped  # noqa: E402
from recipes.stamps import NEUTRAL, earlier_steps, load_steps, steps_of  # noqa: E402


def test_the_recipes_of_the_design_are_there() -> None:
    assert set(shipped()) == {
        "quickstart",
        "mini_librispeech",
        "librispeech_4h",
        "librispeech_100",
        "librispeech_960",
        "pretrained",
        "finetune",
        "gru_study",
        "gru_study_4h",
    }


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_is_complete(name: str) -> None:
    recipe = open_recipe(name)
    lists = lists_of_ids(recipe)
    assert all(path.is_file() for path in lists)
    own = {path.name for path in lists if path.parent == recipe.folder}
    found = {path.name for path in recipe.folder.iterdir() if path.suffix != ".png"}
    readme = (recipe.folder / "README.md").read_text()
    own |= {name for name in found if name.endswith(".ids") and f"`{name}`" in readme}
    assert found - {"ablations.toml"} == {"config.toml", "README.md", "RESULTS.md"} | own


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*/ablations.toml")), ids=lambda path: path.parent.name)
def test_every_change_of_a_recipe_is_a_configuration(path: Path) -> None:
    plan = read_ablations(path)
    base = open_recipe(path.parent.name, list(plan.set)).config
    for change in plan.change:
        config = open_recipe(path.parent.name, [*plan.set, *change.set]).config
        assert config != base, change.name


def test_the_lists_of_the_shipped_model_hold_what_its_readme_says() -> None:
    from asr.corpus.manifest import read_ids

    counts = {path.name: len(read_ids(path)) for path in lists_of_ids(open_recipe("pretrained"))}
    readme = (REPOSITORY / "recipes" / "pretrained" / "README.md").read_text()
    assert [int(count) for count in re.findall(r"^\| .*? \| (\d+) \| ", readme, re.M)] == [
        counts[f"{name}.ids"] for name in ("train", "dev", "test", "speechocean762", "ljspeech")
    ]


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_builds_its_model(name: str) -> None:
    from asr.model.acoustic import AcousticModel
    from asr.training.run import make_extractor

    config = open_recipe(name).config
    model = AcousticModel(
        num_bins=make_extractor(config.features).dim, num_classes=29, **msgspec.structs.asdict(config.model)
    )
    parameters = sum(weight.numel() for weight in model.parameters())
    assert 3e5 < parameters < 6e7


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_fits_together(name: str) -> None:
    config = open_recipe(name).config
    if config.training.precision != "float32":  # for CUDA, where another cell runs frame by frame
        assert config.model.cell == "gru_reset_after"
    if config.units.kind == "phones":  # quick speech has twenty a second, and equal neighbours need a blank
        assert config.model.subsampling <= 3
    if config.decoding.method == "words" and config.language_model.source != "start":
        assert config.tuning.lm_weights and "greedy" in config.decoding.also
        assert config.tuning.folds == 2 or config.corpus.test  # else its result would flatter
    if config.training.ema and not config.study:
        assert config.averaging.which == "last" and config.averaging.count == 1


@pytest.mark.parametrize("name", ["mini_librispeech", "librispeech_100", "librispeech_960"])
def test_words_are_read_with_a_model_that_anybody_can_get(name: str) -> None:
    from asr.corpus.librispeech_text import MODELS

    assert open_recipe(name).config.language_model.source in MODELS


def test_the_shipped_model_reads_words_with_the_shipped_language_model() -> None:
    from recipes.places import language_sources

    recipe = open_recipe("pretrained")
    assert recipe.config.language_model.source == "file"
    (path,) = language_sources(recipe, recipe.config.language_model)
    assert recipe.shipping and path.resolve() == recipe.shipping / "words.lm" and path.is_file()


@pytest.mark.parametrize("name", ["quickstart", "gru_study"])
def test_the_steps_form_a_chain_in_order(name: str) -> None:
    recipe = open_recipe(name, ["language_model.source=transcripts"])
    steps = steps_of(recipe)
    numbers = [step.number for step in steps]
    assert numbers == sorted(set(numbers))
    made: set[Path] = set()
    for step in steps:
        assert set(step.inputs(recipe)) <= made, step.name
        made |= set(step.outputs(recipe))
    assert [step.number for step in earlier_steps(steps[-1], recipe, steps)] == numbers[:-1]


def test_nothing_depends_on_a_language_model_that_there_is_not() -> None:
    steps, recipe = load_steps(), open_recipe("quickstart", ["language_model.source=none"])
    assert 5 not in [step.number for step in earlier_steps(steps[-1], recipe, steps)]


def test_training_may_go_on_with_the_settings_that_the_trainer_allows() -> None:
    from asr.training.run import FREE_TO_CHANGE

    train = next(step for step in load_steps() if step.number == 6)
    allowed = {
        part: train.continues.get(part, set()) | NEUTRAL.get(part, set()) for part in ("training", "batching")
    }
    assert allowed == FREE_TO_CHANGE


def test_a_step_is_short() -> None:
    for step in load_steps():
        assert len(step.path.read_text().splitlines()) <= 60, step.name


def test_the_examples_in_the_documentation_are_configurations() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (REPOSITORY / "docs" / "recipes.md").read_text(), re.DOTALL)
    sources = {parse_config(tomllib.loads(block), "docs/recipes.md").corpus.source for block in blocks}
    assert sources == {"folder", "table", "kaldi", "ljspeech", "librispeech"}
