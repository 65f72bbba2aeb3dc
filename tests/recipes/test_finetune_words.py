"""A recipe that starts from a model which reads words: it reads them afterwards, and new ones."""

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as replace_settings

import asr
from asr.compact import compact
from asr.config import CMUDICT, load_config
from asr.config.start import PLACES, pretrained
from asr.corpus.manifest import read_manifest
from asr.errors import AsrError
from asr.lm.automaton import LanguageModel
from asr.lm.gru import GruLanguageModel, GruNetwork, GruShape
from asr.lm.gru_folder import save_gru
from asr.model.bundle import GRU_FILES, load_bundle, save_bundle
from asr.training import average_checkpoints
from asr.training.average import mix_with_start
from asr.transcribe.words import make_decoder, open_words
from asr.units.kinds import Units, load_units
from recipes import recipe as recipe_module
from recipes import start as start_module
from recipes.recipe import open_recipe
from recipes.start import require_start
from tests.recipes.test_finetune import LINE, Made

OLD = {"A", "KIN", "BIN", "AN", "AM", "PAN", "NAP", "NAB"}
"""The words of `phone_model`."""


def read(model: Path, text: str) -> str:
    """What the search of a model makes of sound that is clearly this text."""
    bundle = load_bundle(model)
    units: Units = load_units(bundle.config.units, bundle.tokens, bundle.unit_files)
    heard = [unit for each in units.encode(text) for unit in (each, 0)]
    row = np.full((len(heard), len(units.tokens)), 0.1 / len(units.tokens))
    row[np.arange(len(heard)), heard] = 0.9
    decoder = make_decoder(open_words(units, bundle.lexicon, bundle.lm), units, bundle.config.decoding)
    found = decoder.decode(np.log(row)[None], [len(row)], nbest=1)[0][0]
    return " ".join(found.words)


def words_of(model: Path) -> set[str]:
    return {line.split("\t")[0] for line in (model / "words.txt").read_text().splitlines()}


@pytest.fixture
def crf_model(phone_model: Path, tmp_path: Path) -> Path:
    """The model as it would be shipped, trained with CTC-CRF."""
    bundle = load_bundle(phone_model)
    config = replace_settings(
        bundle.config,
        training=replace_settings(bundle.config.training, criterion="ctc_crf"),
        crf=replace_settings(bundle.config.crf, order=2, ctc_weight=0.2),
        decoding=replace_settings(bundle.config.decoding, also=("greedy",), blank_score=-0.5, word_score=2.0),
    )
    small = compact(replace(bundle, config=config), tmp_path / "small", lm_bytes=100_000)
    save_bundle(tmp_path / "start", small, "# Small\n")
    return tmp_path / "start"


def test_a_compact_model_reads_its_words_and_new_ones_when_it_is_trained_further(
    crf_model: Path,
    tmp_path: Path,
    babble,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = Made(tmp_path / "mine", crf_model, babble, ("A PAN MAP", "AN IMP NAP"), "A BIN")
    with caplog.at_level(logging.INFO, "asr"):
        assert made.run("--set", "averaging.start_share=0.25", "scoring.bootstrap=10") == 0
    assert "criterion ctc_crf, as the model was trained with" in caplog.text
    start, ours, model = load_bundle(crf_model), load_bundle(made.exp / "model"), made.exp / "model"
    assert start.is_quantised and CMUDICT in start.unit_files
    assert ours.config.training.criterion == "ctc_crf" and ours.config.crf == start.config.crf
    assert ours.config.decoding == replace_settings(start.config.decoding, also=())

    trained, _ = average_checkpoints(made.exp / "train", "best", 1)
    mixed = mix_with_start(trained, dict(start.weights), 0.25)
    assert all(weight.equal(mixed[name]) for name, weight in ours.weights.items())
    assert "0.75 of it and 0.25 of the start model" in (model / "card.md").read_text()

    assert words_of(crf_model) == OLD and words_of(model) == OLD | {"MAP", "IMP"}
    for text in ("AN IMP", "A MAP", "NAB A PAN"):
        assert read(model, text) == text
    assert read(crf_model, "A MAP") != "A MAP"
    heard = asr.load(model).transcribe(made.root / "ann" / "0.wav").text
    assert set(heard.split()) <= words_of(model)
    printed = capsys.readouterr().out
    assert "of which 2 are new from the transcripts: IMP, MAP; the transcripts' share" in printed
    assert re.search("^mine control" + LINE.format(3), printed, re.M)
    lm = LanguageModel.open(made.exp / "language_model" / "words.lm", verify=True)
    theirs = LanguageModel.open(crf_model / "words.lm")
    assert set(lm.vocabulary) == {*theirs.vocabulary, "MAP", "IMP"}
    assert lm.score(["NAB", "A", "PAN"]) == pytest.approx(theirs.score(["NAB", "A", "PAN"]), abs=0.5)


def test_without_a_share_the_language_model_keeps_its_bytes_and_new_words_are_read(
    crf_model: Path, tmp_path: Path, babble
) -> None:
    made = Made(tmp_path / "mine", crf_model, babble, ("A PAN MAP", "AN IMP NAP"), "A BIN")
    assert made.run("--stop-stage", "5", "--set", "language_model.transcripts_share=0") == 0
    folder = made.exp / "language_model"
    assert (folder / "words.lm").read_bytes() == (crf_model / "words.lm").read_bytes()
    assert words_of(folder) == OLD | {"MAP", "IMP"}


def test_a_gru_that_rescores_comes_along_with_its_words(word_model: Path, tmp_path: Path, babble) -> None:
    start, shape = load_bundle(word_model), GruShape(vocabulary_size=5, embedding_size=16, hidden_size=4)
    gru = GruLanguageModel(["<unk>", "<s>", "</s>", "CAT", "DOG"], GruNetwork(shape))
    save_gru(tmp_path / "gru", shape, gru, "# GRU\n")
    config = replace_settings(start.config, decoding=replace_settings(start.config.decoding, gru_share=0.5))
    save_bundle(tmp_path / "start", replace(start, config=config, gru=tmp_path / "gru"), "# Start\n")
    made = Made(tmp_path / "mine", tmp_path / "start", babble, ("A CAT", "MY DOG"), "GO")
    assert made.run("--stop-stage", "5") == 0
    found = made.exp / "language_model" / "gru"
    for name in GRU_FILES:
        assert (found / name).read_bytes() == (tmp_path / "gru" / name).read_bytes()
    path = str(made.recipe)
    assert open_recipe(path).config.decoding.gru_share == 0.5
    # its weights belong to the model's own n-grams
    assert open_recipe(path, ["language_model.source=transcripts"]).config.decoding.gru_share == 0


def test_words_of_further_corpora_are_not_the_users(word_model: Path, tmp_path: Path, babble) -> None:
    made = Made(tmp_path / "mine", word_model, babble, ("A CAT", "MY DOG"), "GO")
    other = Made(tmp_path / "other", word_model, babble, ("ODD WORDS", "OLD ONES"), "GO")
    old = [
        f"corpus.also.old.root={other.root}",
        "corpus.also.old.source=folder",
        "corpus.also.old.minutes=0.1",
    ]
    assert made.run("--stop-stage", "5", "--set", *old) == 0
    rows = [
        row for row in read_manifest(made.exp / "corpus" / "train.jsonl") if row.utt_id.startswith("old-")
    ]
    assert len(rows) == 4  # of 1.5 seconds
    words = words_of(made.exp / "language_model")
    assert "MY" in words and not words & {"ODD", "OLD", "ONES", "WORDS"}


def write(folder: Path, start: Path, *lines: str) -> Path:
    text = f'[corpus]\nsource = "folder"\nroot = "x"\n[training]\nstart_from = "{start}"\n'
    (folder / "config.toml").write_text(text + "".join(f"{line}\n" for line in lines))
    return folder / "config.toml"


def test_what_is_not_said_is_how_the_model_reads(word_model: Path, tmp_path: Path) -> None:
    theirs = load_bundle(word_model).config
    path = write(tmp_path, word_model)
    config = load_config(path)
    assert config.language_model.source == "start" and config.decoding == theirs.decoding
    config = load_config(path, ["decoding.beam=3", "language_model.transcripts_share=0.3"])
    assert config.decoding == replace_settings(theirs.decoding, beam=3)
    assert (config.language_model.source, config.language_model.transcripts_share) == ("start", 0.3)
    config = load_config(path, ["language_model.source=transcripts"])
    assert config.language_model.source == "transcripts" and config.decoding == theirs.decoding
    config = load_config(path, ["language_model.source=none"])
    assert config.decoding.method == "greedy"


def test_other_units_take_over_nothing_of_how_it_was_trained_and_reads(
    crf_model: Path, tmp_path: Path
) -> None:
    path = write(tmp_path, crf_model)
    assert load_config(path).training.criterion == "ctc_crf"
    assert load_config(path, ["training.criterion=ctc"]).crf.order == 3  # its own default
    config = load_config(path, ["units.kind=bpe"])
    assert (config.training.criterion, config.language_model.source, config.decoding.method) == (
        "ctc",
        "none",
        "greedy",
    )


def test_a_model_that_reads_no_words_has_none_to_take(tiny_model: Path, tmp_path: Path) -> None:
    config = load_config(write(tmp_path, tiny_model))
    assert config.language_model.source == "none" and config.decoding.method == "greedy"
    with pytest.raises(AsrError, match=r'training\.start_from where language_model\.source is "start"'):
        load_config(write(tmp_path, Path(), '[language_model]\nsource = "start"'), ["training.start_from="])
    with pytest.raises(AsrError, match=r"averaging\.start_share = 0 without training\.start_from"):
        load_config(write(tmp_path, Path(), "[averaging]\nstart_share = 0.1"), ["training.start_from="])


def test_the_pretrained_model_is_the_one_that_comes_along_or_was_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe_module, "REPOSITORY", tmp_path)
    monkeypatch.setattr(start_module, "REPOSITORY", tmp_path)
    with pytest.raises(AsrError) as problem:
        require_start(open_recipe("finetune"))
    assert str(problem.value) == (
        "training.start_from: this copy comes without a model (asr/pretrained/model), and the recipe "
        "pretrained made none (data/exp/pretrained/model); name the folder of one with "
        "--set training.start_from=DIR"
    )
    for place in reversed(PLACES):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "bundle.json").touch()
        assert pretrained(tmp_path) == tmp_path / place
        recipe = open_recipe("finetune", ["training.start_from=pretrained"])
        assert recipe.start == tmp_path / place
        assert recipe.portable_config().training.start_from == place
