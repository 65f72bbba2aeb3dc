"""From audio to text: batches, long recordings, bad input."""

import io
import itertools
import logging
import math
import os

import numpy as np
import pytest
import soundfile
import torch

import asr
from asr.errors import AsrError
from asr.features.pauses import cut_at_pauses
from asr.model.bundle import save_bundle
from asr.transcribe import PIECE_SECONDS, Failure, Recogniser, Transcript, batches
from asr.transcribe.batches import batches_by_length


@pytest.fixture(scope="module")
def recogniser(tiny_model):
    return Recogniser.load(tiny_model)


@pytest.fixture(scope="module")
def beam(tiny_model):
    return Recogniser.load(tiny_model, beam=4, nbest=3)


@pytest.fixture
def sound(tmp_path, babble):
    """A function that writes a file of babble and returns its path."""

    def write(name, seconds=2.0, rate=16000, seed=1, channels=1, **options):
        samples = np.stack([babble(seconds, rate, seed)] * channels, axis=1)
        soundfile.write(tmp_path / name, samples, rate, **options)
        return tmp_path / name

    return write


def assert_same(one, other):
    """Equal but for float noise."""
    assert one.text == other.text
    assert one.score == pytest.approx(other.score, abs=1e-3)
    assert [word.text for word in one.words] == [word.text for word in other.words]
    for word, twin in zip(one.words, other.words, strict=True):
        assert (word.start, word.end) == pytest.approx((twin.start, twin.end))
        assert word.confidence == pytest.approx(twin.confidence, abs=1e-3)
    assert [(a.text, round(a.score, 2)) for a in one.alternatives] == [
        (a.text, round(a.score, 2)) for a in other.alternatives
    ]


# --- one result, however it is asked for -------------------------------------------------------------------


def test_asr_load_is_the_way_in(tiny_model, sound):
    result = asr.load(str(tiny_model)).transcribe(str(sound("a.wav")))
    assert isinstance(result, Transcript)
    assert result.duration == 2.0 and result.audio.endswith("a.wav")
    assert len(result.text) > 3 and result.text == " ".join(word.text for word in result.words)
    assert result.score < 0


@pytest.mark.parametrize("search", ["recogniser", "beam"])
def test_a_batch_gives_what_its_rows_give_alone(request, search, sound):
    recogniser = request.getfixturevalue(search)
    lengths = [0.02, 0.026, 0.3, 1.0, 4.1, 4.0, 0.5, 33.0, 9.7, 0.04]
    files = [sound(f"{seed}.wav", seconds, seed=seed) for seed, seconds in enumerate(lengths)]
    together = list(recogniser.transcribe_files(files))
    assert [result.audio for result in together] == [str(file) for file in files]
    assert len({result.text for result in together}) > 5
    for file, result in zip(files, together, strict=True):
        assert_same(result, recogniser.transcribe(file))


@pytest.mark.parametrize("cmvn", ["utterance", "none"])
def test_every_normalisation_gives_the_same_in_a_batch(random_bundle, tmp_path, sound, cmvn):
    save_bundle(tmp_path / "model", random_bundle(features={"cmvn": cmvn}), "")
    recogniser = Recogniser.load(tmp_path / "model")
    files = [sound(f"{seed}.wav", seed + 0.7, seed=seed) for seed in range(4)]
    for file, result in zip(files, recogniser.transcribe_files(files), strict=True):
        assert_same(result, recogniser.transcribe(file))


def test_utterance_normalisation_does_not_hear_loudness(random_bundle, tmp_path, babble):
    save_bundle(tmp_path / "model", random_bundle(features={"cmvn": "utterance"}), "")
    recogniser = Recogniser.load(tmp_path / "model")
    assert recogniser.transcribe(babble(3)).text == recogniser.transcribe(babble(3) / 8).text


def test_samples_and_file_give_the_same(recogniser, sound, babble):
    file = sound("a.wav", subtype="FLOAT")
    expected = recogniser.transcribe(file)
    samples = babble(2.0)
    forms = [samples, samples.astype(np.float64), torch.from_numpy(samples), np.stack([samples] * 2, axis=1)]
    for form in forms:
        assert_same(recogniser.transcribe(form, 16000), expected)
    assert_same(recogniser.transcribe(samples), expected)


def test_a_stream_is_read_like_a_file(recogniser, sound):
    file = sound("a.flac")
    (result,) = recogniser.transcribe_files([io.BytesIO(file.read_bytes())])
    assert_same(result, recogniser.transcribe(file))
    assert result.audio == "-"


@pytest.mark.parametrize(
    ("name", "rate", "channels", "options"),
    [
        ("phone.wav", 8000, 1, {}),
        ("studio.wav", 96000, 1, {}),
        ("surround.wav", 16000, 6, {}),
        ("deep.wav", 16000, 1, {"subtype": "PCM_24"}),
        ("all.flac", 48000, 6, {"subtype": "PCM_24"}),
        ("song.mp3", 44100, 2, {}),
        ("talk.ogg", 16000, 1, {}),
    ],
)
def test_every_kind_of_file_is_heard(recogniser, sound, name, rate, channels, options):
    result = recogniser.transcribe(sound(name, 3.0, rate, channels=channels, **options))
    assert result.duration == pytest.approx(3.0, abs=0.1)
    assert len(result.text) > 3


def test_channels_and_bits_do_not_change_the_text(recogniser, sound):
    plain = recogniser.transcribe(sound("a.wav"))
    assert_same(recogniser.transcribe(sound("b.wav", channels=6)), plain)
    assert recogniser.transcribe(sound("c.wav", subtype="PCM_24")).text == plain.text


# --- windows, order, failures ------------------------------------------------------------------------------


BAD = {
    "empty.wav": lambda path: path.write_bytes(b""),
    "text.wav": lambda path: path.write_text("these are words, not sound\n" * 20),
    "cut.flac": lambda path: path.write_bytes(_flac()[:9000]),
    "nan.wav": lambda path: soundfile.write(path, np.full(16000, np.nan), 16000, subtype="FLOAT"),
    "folder.wav": lambda path: path.mkdir(),
    "absent.wav": lambda path: None,
}


def _flac():
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(0).uniform(-0.5, 0.5, 32000), 16000, format="FLAC")
    return file.getvalue()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_a_sentence_and_the_others_go_on(recogniser, sound, tmp_path, name):
    BAD[name](tmp_path / name)
    good = [sound("a.wav"), sound("b.wav", seed=2)]
    results = list(recogniser.transcribe_files([good[0], tmp_path / name, good[1]]))
    assert [type(result) for result in results] == [Transcript, Failure, Transcript]
    assert results[1].audio == str(tmp_path / name)
    assert results[1].reason.startswith(str(tmp_path / name))
    for file, result in zip(good, results[::2], strict=True):
        assert_same(result, recogniser.transcribe(file))
    with pytest.raises(AsrError, match=name):
        recogniser.transcribe(tmp_path / name)


def test_a_long_file_that_breaks_off_gives_no_text_and_spoils_no_other(recogniser, sound):
    long, other = sound("long.flac", 80.0), sound("other.wav")
    os.truncate(long, long.stat().st_size * 3 // 4)
    broken, good = recogniser.transcribe_files([long, other])
    assert isinstance(broken, Failure)
    assert_same(good, recogniser.transcribe(other))


def test_samples_that_overflow_the_features_are_a_failure(recogniser, tmp_path):
    soundfile.write(tmp_path / "loud.wav", np.tile([3e38, -3e38], 8000), 16000, subtype="FLOAT")
    (result,) = recogniser.transcribe_files([tmp_path / "loud.wav"])
    assert isinstance(result, Failure) and "overflow" in result.reason


@pytest.mark.parametrize(
    ("samples", "warning"),
    [
        (np.zeros(16000), "silence"),
        (np.zeros(16000 * 65), "silence"),
        (np.full(16000, 5e-5), "silence"),
        (np.zeros(0), "shorter than a frame"),
        (np.full(399, 0.5), "shorter than a frame"),
    ],
)
def test_nothing_to_hear_is_an_empty_text_and_a_warning(recogniser, caplog, samples, warning):
    with caplog.at_level(logging.WARNING, "asr"):
        result = recogniser.transcribe(samples)
    assert (result.text, result.words, result.score) == ("", [], 0.0)
    assert result.duration == len(samples) / 16000
    assert [warning in record.message for record in caplog.records] == [True]


def test_the_shortest_clip_with_a_frame_is_heard_without_a_warning(recogniser, caplog, babble):
    recogniser.transcribe(babble(0.025))
    assert caplog.records == []


@pytest.mark.parametrize("seconds", [0.1, 4.0, 100.0])
def test_the_window_changes_nothing(recogniser, sound, monkeypatch, seconds):
    files = [sound(f"{seed}.wav", 1 + seed % 3, seed=seed) for seed in range(6)] + [sound("l.wav", 40.0)]
    expected = list(recogniser.transcribe_files(files))
    monkeypatch.setattr(batches, "WINDOW_SECONDS", seconds)
    for one, other in zip(recogniser.transcribe_files(files), expected, strict=True):
        assert one.audio == other.audio
        assert_same(one, other)


def test_files_are_read_no_further_ahead_than_a_window(recogniser, sound, monkeypatch):
    monkeypatch.setattr(batches, "WINDOW_SECONDS", 5.0)
    asked = []

    def files():
        for seed in range(20):
            asked.append(seed)
            yield sound(f"{seed}.wav", 2.0, seed=seed)

    next(recogniser.transcribe_files(files()))
    assert len(asked) <= 4


def test_no_files_give_no_results(recogniser):
    assert list(recogniser.transcribe_files([])) == []


# --- long recordings ---------------------------------------------------------------------------------------


def test_a_long_recording_is_its_pieces_joined(recogniser, babble):
    recording = babble(100.0)
    for pause in (17, 40, 66):
        recording[pause * 16000 : pause * 16000 + 8000] *= 1e-3
    pieces = list(cut_at_pauses([recording], 16000, PIECE_SECONDS))
    assert len(pieces) > 3
    parts = [recogniser.transcribe(piece) for piece in pieces]
    whole = recogniser.transcribe(recording)

    assert whole.duration == 100.0
    assert whole.text == " ".join(part.text for part in parts if part.text)
    assert whole.score == pytest.approx(sum(part.score for part in parts), abs=1e-2)
    offsets = itertools.accumulate((part.duration for part in parts), initial=0.0)
    starts = [
        word.start + offset for part, offset in zip(parts, offsets, strict=False) for word in part.words
    ]
    assert len(starts) > 20
    assert [word.start for word in whole.words] == pytest.approx(starts)
    assert all(word.start <= word.end <= 100.0 for word in whole.words)


def test_a_long_file_is_read_in_blocks(recogniser, sound, babble):
    file = sound("long.wav", 95.0, subtype="FLOAT")
    assert_same(recogniser.transcribe(file), recogniser.transcribe(babble(95.0)))


def test_silence_within_a_recording_is_not_decoded(recogniser, babble, caplog):
    recording = np.concatenate([babble(20.0), np.zeros(16000 * 120, np.float32), babble(20.0)])
    result = recogniser.transcribe(recording)
    assert not [word for word in result.words if 60 < word.start < 110]
    assert caplog.records == []


# --- options -----------------------------------------------------------------------------------------------


def test_alternatives_are_the_best_of_all_combinations_of_pieces(beam, babble):
    recording = babble(70.0)
    pieces = [beam.transcribe(piece) for piece in cut_at_pauses([recording], 16000, PIECE_SECONDS)]
    whole = beam.transcribe(recording)
    combinations = {}
    for parts in itertools.product(*(piece.alternatives for piece in pieces)):
        text = " ".join(part.text for part in parts if part.text)
        combinations[text] = max(combinations.get(text, -math.inf), sum(part.score for part in parts))
    best = sorted(combinations.items(), key=lambda item: -item[1])[:3]

    assert len(pieces) == 3
    assert [other.text for other in whole.alternatives] == [text for text, _ in best]
    assert [other.score for other in whole.alternatives] == pytest.approx([s for _, s in best], abs=1e-2)
    assert whole.alternatives[0].text == whole.text
    assert whole.alternatives[0].score == pytest.approx(whole.score)


def test_a_beam_sums_what_greedy_maximises(recogniser, beam, babble):
    greedy, searched = recogniser.transcribe(babble(3.0)), beam.transcribe(babble(3.0))
    assert searched.score >= greedy.score
    assert greedy.alternatives == []


def test_options_go_before_the_configuration(random_bundle, tmp_path):
    decoding = {"method": "beam", "beam": 7, "top": 3, "nbest": 2}
    save_bundle(tmp_path / "model", random_bundle(decoding=decoding), "")

    def options(**changes):
        chosen = Recogniser.load(tmp_path / "model", **changes).decoding
        return {name: getattr(chosen, name) for name in decoding}

    assert options() == decoding
    assert options(beam=9, top=4, nbest=1) == {"method": "beam", "beam": 9, "top": 4, "nbest": 1}
    assert options(beam=0)["method"] == "greedy"
    assert options(beam=0)["nbest"] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"nbest": 2}, "greedy search finds one text"),
        ({"beam": 0, "nbest": 2}, "greedy search finds one text"),
        ({"beam": -1}, "beam: 0 or more expected"),
        ({"beam": 4, "nbest": 0}, "nbest: 1 or more expected"),
        ({"beam": 4, "top": 0}, "top: 1 or more expected"),
        ({"device": "tpu"}, "device tpu: auto, cpu or cuda expected"),
        ({"device": "meta"}, "device meta: auto, cpu or cuda expected"),
        ({"device": "cuda:77"}, "device cuda:77: torch finds"),
    ],
)
def test_impossible_options(tiny_model, options, sentence):
    with pytest.raises(AsrError, match=sentence):
        Recogniser.load(tiny_model, **options)


def test_device_auto_is_always_there(tiny_model, babble):
    assert Recogniser.load(tiny_model, "auto").transcribe(babble(1.0)).duration == 1.0


# --- batches -----------------------------------------------------------------------------------------------


def test_batches_hold_like_lengths_within_the_limit():
    lens = [5, 0, 100, 7, 30, 31, 29, 200, 6]
    assert batches_by_length(lens, 100) == [[7], [2], [5, 4, 6], [3, 8, 0]]
    assert batches_by_length([], 100) == [] == batches_by_length([0, 0], 100)
