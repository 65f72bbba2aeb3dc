"""Configuration: every mistake is a sentence before any work starts."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.config import apply_setting, dump_config, load_config, parse_config
from asr.errors import AsrError

MINIMAL = '[corpus]\nsource = "folder"\nroot = "somewhere"\n'


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(MINIMAL)
    return file


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.epoch=3", "unknown field `epoch` - at `training`"),
        ("tranining.epochs=3", "unknown field `tranining`"),
        ("training.epochs=0", "Expected `int` >= 1 - at `training.epochs`"),
        ("training.epochs=many", "Expected `int`, got `str` - at `training.epochs`"),
        ("model.subsampling=5", "Invalid enum value 5 - at `model.subsampling`"),
        ("model.dropout=1.0", "Expected `float` < 1"),
        ("decoding.warps=[]", "length >= 1"),
        ("decoding.warps=[0.0, 1.0]", "Expected `float` < 1.0 - at `decoding.warps[1]`"),
        ("features.low_hz=9000", "features.low_hz < features.high_hz"),
        ("batching.max_seconds=100", "batching.seconds ≥ batching.max_seconds"),
        ("augment.noise_snr_db=[20, 10]", "from low to high"),
        ("training.restarts=[4, 4]", "training.restarts from low to high, each below training.epochs"),
        ("training={restarts = [4], max_minutes = 9.0}", "training.restarts = [] with training.max_minutes"),
        ("training.restarts=[400]", "training.restarts from low to high, each below training.epochs"),
        ("training", "expected part.key=value"),
        ("=3", "expected part.key=value"),
        ("training.epochs.x.y=3", "Expected `int`"),
        ("corpus.root.x=3", "is a value, not a part"),
        ("corpus.also.a-b.root=x", "matching regex"),
        ("corpus.also.more.root=x", "missing required field `source` - at `corpus.also"),
        ("corpus.also.more={source = 'tape', root = 'x'}", "Invalid enum value 'tape'"),
    ],
)
def test_wrong_settings(path, setting, words):
    with pytest.raises(AsrError) as caught:
        load_config(path, [setting])
    assert words in str(caught.value)


def test_settings_in_order_and_as_toml(path):
    settings = ["training.epochs=3", "training.epochs=4", "corpus.root=/data/x y"]
    config = load_config(path, [*settings, "augment.speeds=[1.0, 1.1]"])
    assert config.training.epochs == 4
    assert config.corpus.root == "/data/x y"
    assert config.augment.speeds == (1.0, 1.1)


def test_no_file_and_no_toml(tmp_path):
    with pytest.raises(AsrError, match="cannot be read"):
        load_config(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("[corpus\n")
    with pytest.raises(AsrError, match="not a TOML file"):
        load_config(tmp_path / "bad.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AsrError, match="not a TOML file"):
        load_config(tmp_path / "binary.toml")


@given(epochs=st.integers(1, 1000), rate=st.floats(1e-6, 1), root=st.text(max_size=20))
def test_dump_reads_back(epochs, rate, root):
    tree = {
        "corpus": {"source": "table", "root": root},
        "training": {"epochs": epochs, "learning_rate": rate},
    }
    config = parse_config(tree, "test")
    import tomllib

    assert parse_config(tomllib.loads(dump_config(config)), "again") == config


def test_setting_makes_parts_that_are_missing():
    tree = {}
    apply_setting(tree, "training.epochs=7")
    assert tree == {"training": {"epochs": 7}}


def test_import_is_light():
    """`import asr` must not pull in what takes long: torch, numba, librosa, matplotlib."""
    heavy = ("torch", "numba", "librosa", "matplotlib", "numpy")
    code = f"import sys, asr; print([name for name in {heavy} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["decoding.method=words"], 'a language_model.source where decoding.method is "words"'),
        (["model.layer_drop=0.1", "model.residual=false"], "model.residual where model.layer_drop is not 0"),
        (["decoding.method=flashlight"], "Invalid enum value 'flashlight' - at `decoding.method`"),
        (["language_model.source=5-gram"], "Invalid enum value '5-gram' - at `language_model.source`"),
        (["language_model.source=text"], 'texts in language_model.files, since its source is "text"'),
        (["language_model.source=file", "language_model.files=['a', 'b']"], "one model in language_model"),
        (
            ["language_model.source=4-gram", "language_model.files=['a']"],
            'no language_model.files, since its source is "4-gram"',
        ),
        (
            ["language_model.source=transcripts", "language_model.cutoffs=[0, 1, 1]"],
            "fewer cutoffs than language_model.order",
        ),
        (["language_model.order=0"], "Expected `int` >= 1 - at `language_model.order`"),
        (["decoding.beam=0"], "Expected `int` >= 1 - at `decoding.beam`"),
        (["decoding.threshold=nan"], "Expected `float` > 0.0 - at `decoding.threshold`"),
        (["decoding.spelled_unit_score=1"], "Expected `float` <= 0.0 - at `decoding.spelled_unit_score`"),
        (["decoding.lm_weight=-1"], "Expected `float` >= 0.0 - at `decoding.lm_weight`"),
        (["decoding.word_score=inf"], "finite numbers in decoding and tuning"),
        (["decoding.unk_score=inf"], "decoding.unk_score below infinity"),
        (["decoding.confidence=[0.0, -1.0, 0.0]"], "Expected `float` >= 0.0 - at `decoding.confidence[1]`"),
        (["tuning.lm_weights=[0.5]"], 'decoding.method = "words", since tuning lists values'),
        (["tuning.beams=[0]"], "Expected `int` >= 1 - at `tuning.beams[0]`"),
    ],
)
def test_wrong_settings_of_words(path, settings, words):
    with pytest.raises(AsrError) as caught:
        load_config(path, settings)
    assert words in str(caught.value)


def test_infinite_scores_are_written_and_read_back(path):
    settings = ["language_model.source=transcripts", "decoding.unk_score=-inf", "decoding.threshold=inf"]
    import tomllib

    config = load_config(path, settings)
    assert config.decoding.unk_score == -math.inf and config.decoding.threshold == math.inf
    assert parse_config(tomllib.loads(dump_config(config)), "again") == config
