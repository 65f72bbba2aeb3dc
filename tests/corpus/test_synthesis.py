"""Synthesised speech: same bytes for a seed, voices and sentences apart, words where the sound is."""

import errno
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile

from asr.corpus import espeak, synthesis
from asr.corpus.acoustics import LARGEST_PEAK, coloured_noise, record, room_response
from asr.corpus.espeak import Speaker
from asr.corpus.manifest import read_manifest
from asr.corpus.voices import ACCENTS, VARIANTS, Voice, voices
from asr.errors import AsrError
from asr.records import Utterance

SPLITS = ("train", "dev", "test")
SIZE = {"train_utterances": 30, "dev_utterances": 6, "test_utterances": 14}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader")
    root = tmp_path_factory.mktemp("speech")
    synthesis.synthesise(root, **SIZE, seed=1, processes=2)
    return root


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    pytest.importorskip("espeakng_loader")
    return Speaker()


def manifest(root: Path) -> list[Utterance]:
    return [row for split in SPLITS for row in read_manifest(root / f"{split}.jsonl")]


def spoken(root: Path) -> dict[str, synthesis.SpokenWords]:
    lines = [line for split in SPLITS for line in (root / f"{split}.words.jsonl").read_bytes().splitlines()]
    rows = [msgspec.json.decode(line, type=synthesis.SpokenWords) for line in lines]
    return {row.utt_id: row for row in rows}


def contents(root: Path) -> dict[str, bytes]:
    """Every file below root, with the folder's own name taken out."""
    return {
        str(path.relative_to(root)): path.read_bytes().replace(str(root).encode(), b"ROOT")
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


# the corpus on disk


def test_every_split_has_its_utterances_with_unique_ids(corpus: Path) -> None:
    counts = [len(read_manifest(corpus / f"{split}.jsonl")) for split in SPLITS]
    assert counts == list(SIZE.values())
    rows = manifest(corpus)
    assert len({row.utt_id for row in rows}) == len(rows)
    assert all(row.audio == str((corpus / row.utt_id[:-6] / f"{row.utt_id}.flac").resolve()) for row in rows)


def test_audio_is_flac_of_16_bits_16_khz_mono_and_as_long_as_the_manifest_says(corpus: Path) -> None:
    for row in manifest(corpus):
        info = soundfile.info(row.audio)
        assert (info.format, info.subtype, info.samplerate, info.channels) == ("FLAC", "PCM_16", 16000, 1)
        assert (row.start, row.duration) == (0.0, info.frames / 16000)
        assert 1.0 < row.duration < 7.0


def test_audio_is_neither_clipped_nor_faint_and_begins_and_ends_quietly(corpus: Path) -> None:
    for row in manifest(corpus):
        samples, _ = soundfile.read(row.audio)
        level = 20 * np.log10(np.sqrt(np.mean(samples**2)))
        assert np.abs(samples).max() < 0.97
        assert -33 < level < -17
        assert abs(samples.mean()) < 0.01
        edge = np.sqrt(np.mean(samples[:800] ** 2))  # 50 ms; the silence is 100 ms or more
        assert 20 * np.log10(edge) < level - 12
        assert edge > 0  # a quiet room is not a digital zero


def test_no_voice_and_no_sentence_is_in_two_splits(corpus: Path) -> None:
    rows = {split: read_manifest(corpus / f"{split}.jsonl") for split in SPLITS}
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not {row.speaker for row in rows[one]} & {row.speaker for row in rows[other]}
        assert not {row.text for row in rows[one]} & {row.text for row in rows[other]}
    texts = Counter(row.text for row in manifest(corpus))
    assert max(texts.values()) == 1


def test_words_with_start_times_fit_every_transcript_one_to_one(corpus: Path) -> None:
    words = spoken(corpus)
    rows = manifest(corpus)
    assert list(words) == [row.utt_id for row in rows]
    for row in rows:
        starts = [word.start for word in words[row.utt_id].words]
        assert [word.text for word in words[row.utt_id].words] == row.text.split()
        assert all(later - earlier > 0.02 for earlier, later in pairwise(starts))
        assert 0.1 <= starts[0] <= 0.4
        assert starts[-1] < row.duration - 0.1


def test_sound_sets_in_where_the_first_word_starts(corpus: Path) -> None:
    words = spoken(corpus)
    for row in manifest(corpus):
        samples, _ = soundfile.read(row.audio)
        energy = np.convolve(samples**2, np.ones(160) / 160, mode="same")
        onset = np.argmax(energy > energy.max() / 300) / 16000
        delay = onset - words[row.utt_id].words[0].start
        assert -0.02 < delay < 0.15  # a stop consonant begins with silence


def test_the_last_word_has_a_plausible_share_of_the_speech(corpus: Path) -> None:
    words = spoken(corpus)
    for row in manifest(corpus):
        samples, _ = soundfile.read(row.audio)
        energy = np.convolve(samples**2, np.ones(160) / 160, mode="same")
        end = np.flatnonzero(energy > energy.max() / 300)[-1] / 16000
        assert 0.05 < end - words[row.utt_id].words[-1].start < 1.2


def test_a_readme_says_that_no_person_speaks(corpus: Path) -> None:
    text = (corpus / "README.txt").read_text()
    assert "espeak-ng" in text
    assert "no person speaks" in text
    assert "30 train, 6 dev, 14 test" in text


# the same bytes


def test_two_runs_give_the_same_bytes_whatever_the_number_of_processes(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesis.synthesise(tmp_path, **SIZE, seed=1, processes=1)
    assert contents(tmp_path) == contents(corpus)


def test_another_seed_gives_other_sentences_and_other_sound(corpus: Path, tmp_path: Path) -> None:
    synthesis.synthesise(tmp_path, train_utterances=3, dev_utterances=1, test_utterances=2, seed=2)
    assert not {row.text for row in manifest(tmp_path)} & {row.text for row in manifest(corpus)}
    mine, other = contents(tmp_path), contents(corpus)
    assert all(mine[name] != other[name] for name in mine if name.endswith(".flac"))


def test_a_smaller_run_replaces_a_larger_one_and_leaves_strange_files_alone(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    size = {"train_utterances": 3, "dev_utterances": 1, "test_utterances": 1}
    (tmp_path / "train").mkdir()
    for name in ("train-00007.flac", ".train-00001.flac.42.partial", "holiday.flac"):
        (tmp_path / "train" / name).write_bytes(b"old")
    synthesis.synthesise(tmp_path, **size, seed=1)
    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == [
        "holiday.flac",
        "train-00000.flac",
        "train-00001.flac",
        "train-00002.flac",
    ]


def test_the_state_that_espeak_keeps_is_why_every_shard_has_its_own_process(speaker: Speaker) -> None:
    voice = {"accent": "gmw/en", "variant": "f2", "rate": 170, "pitch": 50}
    first, second = (speaker.speak(["the", "dog", "is", "sleeping"], **voice).samples for _ in range(2))
    assert not np.array_equal(first, second)


# voices


def test_there_are_dozens_of_voices_and_each_belongs_to_one_split() -> None:
    names = {split: [voice.name for voice in voices(split, seed=1)] for split in SPLITS}
    assert {split: len(found) for split, found in names.items()} == {"train": 77, "dev": 7, "test": 14}
    assert len(set(names["train"] + names["dev"] + names["test"])) == len(ACCENTS) * len(VARIANTS) == 98


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_does_not_move_a_voice_to_another_split(seed: int) -> None:
    for split in SPLITS:
        assert {v.name for v in voices(split, seed=seed)} == {v.name for v in voices(split, seed=0)}


def test_test_voices_cover_all_accents_and_variants_and_training_knows_each_by_itself() -> None:
    test, train = voices("test", seed=1), voices("train", seed=1)
    assert Counter(voice.accent for voice in test) == dict.fromkeys(ACCENTS.values(), 2)
    assert Counter(voice.variant for voice in test) == dict.fromkeys(VARIANTS, 1)
    assert {voice.accent for voice in train} == set(ACCENTS.values())
    assert {voice.variant for voice in train} == set(VARIANTS)


def test_voices_have_many_rates_and_pitches() -> None:
    found = voices("train", seed=1)
    assert len({voice.rate for voice in found}) > 20
    assert len({voice.pitch for voice in found}) > 15


def test_voices_are_drawn_again_for_the_same_seed() -> None:
    assert voices("test", seed=4) == voices("test", seed=4)
    assert voices("test", seed=4) != voices("test", seed=5)


def test_espeak_has_every_voice_and_they_all_sound_different(speaker: Speaker) -> None:
    sounds = set()
    for voice in (voice for split in SPLITS for voice in voices(split, seed=1)):
        speech = speaker.speak(["hello"], accent=voice.accent, variant=voice.variant, rate=170, pitch=50)
        assert np.abs(speech.samples.astype(int)).max() > 1000
        sounds.add(speech.samples.tobytes())
    assert len(sounds) == sum(len(voices(split, seed=1)) for split in SPLITS)


@pytest.mark.parametrize(("accent", "variant"), [("gmw/en", "nobody"), ("gmw/nowhere", "f2")])
def test_an_unknown_voice_is_a_sentence(speaker: Speaker, accent: str, variant: str) -> None:
    with pytest.raises(AsrError, match=rf"has no voice {re.escape(accent)}\+{variant}"):
        speaker.speak(["hello"], accent=accent, variant=variant, rate=170, pitch=50)


# espeak-ng


@pytest.mark.parametrize(
    "sentence",
    [
        "we walked out of the house in the morning",
        "the bus will be at the station before lunch",
        "I don't know if it's there at seven o'clock",
        "there is a cup on the table",
        "she has already been to the market with us",
    ],
)
def test_words_that_espeak_would_merge_have_a_start_each(speaker: Speaker, sentence: str) -> None:
    for accent in ACCENTS.values():
        speech = speaker.speak(sentence.split(), accent=accent, variant="m3", rate=170, pitch=50)
        assert speech.starts is not None
        assert len(speech.starts) == len(sentence.split())
        assert sorted(set(speech.starts)) == speech.starts


def test_faster_speech_is_shorter_and_higher_pitch_is_higher(speaker: Speaker) -> None:
    def sound(rate: int, pitch: int) -> Any:
        words = ["we", "were", "on", "the", "river", "all", "morning"]
        return speaker.speak(words, accent="gmw/en-US", variant="m3", rate=rate, pitch=pitch).samples

    assert len(sound(200, 50)) < 0.85 * len(sound(150, 50))
    assert periods_a_second(sound(170, 80)) > 1.2 * periods_a_second(sound(170, 20))


def periods_a_second(samples: Any) -> float:
    """The strongest period between 60 and 400 Hz, by autocorrelation."""
    spectrum = np.abs(np.fft.rfft(samples.astype(float), 2 * len(samples))) ** 2
    correlation = np.fft.irfft(spectrum)[: 22050 // 60]
    return 22050 / (22050 // 400 + np.argmax(correlation[22050 // 400 :]))


def test_a_question_has_another_melody(speaker: Speaker) -> None:
    voice = {"accent": "gmw/en", "variant": "m3", "rate": 170, "pitch": 50}
    words = ["is", "it", "on", "the", "table"]
    statement, question = (speaker.speak(words, **voice, ending=sign).samples for sign in ".?")
    assert not np.array_equal(statement, question)


def test_words_that_do_not_fit_the_events_have_no_starts(speaker: Speaker) -> None:
    speech = speaker.speak(["seven", "--", "ten"], accent="gmw/en", variant="m3", rate=170, pitch=50)
    assert speech.starts is None


def test_utterances_without_word_starts_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, speaker: Speaker
) -> None:
    plans = [
        synthesis._Plan(tmp_path / f"train-{index}.flac", sentence, voices("train", seed=1)[0], (1, index))
        for index, sentence in enumerate(["the dog is sleeping.", "the ' dog is sleeping."])
    ]
    answer = synthesis.speak_shard(plans)
    assert [row.utt_id for row, _ in answer.rows] == ["train-0"]
    assert answer.left_out == ["the ' dog is sleeping."]
    synthesis._write_split(tmp_path, "train", [answer])
    assert "1 of 2 sentences left out" in caplog.text
    assert "the ' dog is sleeping." in caplog.text


# what can go wrong


def test_without_espeak_the_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(espeak.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AsrError, match="pip install espeakng-loader"):
        synthesis.synthesise(tmp_path / "speech", **SIZE, seed=1)
    assert not (tmp_path / "speech").exists()


def test_a_root_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    (tmp_path / "speech").write_text("not a folder")
    with pytest.raises(AsrError, match="speech"):
        synthesis.synthesise(tmp_path / "speech", **SIZE, seed=1)


def test_a_full_disk_is_a_sentence_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaker: Speaker
) -> None:
    def full(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    plan = synthesis._Plan(tmp_path / "a.flac", "the dog is here.", voices("train", seed=1)[0], (1, 0))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AsrError, match="disk is full"):
        synthesis.speak_shard([plan])
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_a_process_reaches_the_caller_and_leaves_no_manifest(
    tmp_path: Path,
) -> None:
    pytest.importorskip("espeakng_loader")
    (tmp_path / "train.jsonl").write_text("of an earlier run")
    (tmp_path / "dev").write_text("in the way of the folder")
    with pytest.raises(AsrError, match="dev"):
        synthesis.synthesise(tmp_path, **SIZE, seed=1)
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_process_that_dies_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    nobody = Voice(name="nobody", accent="gmw/en", variant="m3", rate=None, pitch=50)  # type: ignore[arg-type]
    plan = synthesis._Plan(tmp_path / "a.flac", "the dog is here.", nobody, (1, 0))
    with pytest.raises(AsrError, match="ended with exit code 1 before it was done"):
        synthesis._in_new_process([plan])


# room and noise


def test_a_recording_has_the_silence_level_and_noise_that_were_drawn() -> None:
    time = np.arange(32000) / 16000
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    for seed in range(20):
        samples, begin = record(tone, sample_rate=16000, rng=np.random.default_rng(seed))
        assert samples.dtype == np.int16
        assert 0.1 <= begin <= 0.4
        first = round(begin * 16000)
        level = 20 * np.log10(np.sqrt(np.mean((samples[first : first + 32000] / 32768) ** 2)))
        before = 20 * np.log10(np.sqrt(np.mean((samples[:first] / 32768) ** 2)))
        assert -29.2 < level < -18.8
        assert 15 < level - before < 55
        assert np.abs(samples).max() <= 32767 * (LARGEST_PEAK + 0.1)


def test_a_recording_repeats_for_the_same_generator() -> None:
    speech = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    one, again, other = (
        record(speech, sample_rate=16000, rng=np.random.default_rng(seed))[0] for seed in (3, 3, 4)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_room_delays_nothing_and_decays_by_60_db_at_its_end() -> None:
    response = room_response(16000, np.random.default_rng(1))
    assert response[0] == 1
    assert not response[1:32].any()
    early, late = (np.sqrt(np.mean(part**2)) for part in (response[32:232], response[-200:]))
    assert late < early / 300
    ratio = 10 * np.log10(1 / np.sum(response[1:] ** 2))
    assert 9 <= ratio <= 18


@pytest.mark.parametrize("tilt", [0.0, 1.0, 2.0])
def test_noise_falls_with_frequency_as_asked(tilt: float) -> None:
    noise = coloured_noise(1 << 16, tilt, np.random.default_rng(1))
    power = np.abs(np.fft.rfft(noise)) ** 2
    frequencies = np.fft.rfftfreq(len(noise))
    low, high = (power[(frequencies > f) & (frequencies < 1.2 * f)].mean() for f in (0.02, 0.32))
    assert 10 * np.log10(low / high) == pytest.approx(tilt * 10 * np.log10(16), abs=1.0)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(1, rel=1e-3)
