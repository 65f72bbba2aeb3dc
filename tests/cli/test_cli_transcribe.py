"""`asr transcribe`: what is found, what is printed, what is written."""

import errno
import json
import os
import shutil
import sys

import numpy as np
import pytest
import soundfile

import asr.files
from asr.cli.inputs import Input, find_audio, output_names
from asr.transcribe import Recogniser
from tests.conftest import SENTENCES


@pytest.fixture(scope="module")
def recogniser(tiny_model):
    return Recogniser.load(tiny_model)


ALL = ["sounds/a.flac", "sounds/b.wav", "sounds/deep/c.WAV", "sounds/deep/er/d.ogg"]


# --- txt and json ------------------------------------------------------------------------------------------


def test_one_file_is_its_text_alone(run, tiny_model, sounds, recogniser):
    result = run("transcribe", "sounds/a.flac", "--model", tiny_model)
    assert result.exit_code == 0
    assert result.stdout == recogniser.transcribe("sounds/a.flac").text + "\n"
    assert result.stderr == ""


def test_standard_input_is_the_bytes_of_a_file(run, tiny_model, sounds, recogniser):
    result = run("transcribe", "-", "--model", tiny_model, input=(sounds / "a.flac").read_bytes())
    assert result.stdout == recogniser.transcribe("sounds/a.flac").text + "\n"
    line = json.loads(
        run(
            "transcribe",
            "-",
            "--model",
            tiny_model,
            "--format",
            "json",
            input=(sounds / "b.wav").read_bytes(),
        ).stdout
    )
    assert line["audio"] == "-" and line["duration"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["sounds"], ALL),
        (["sounds/b.wav", "sounds/a.flac"], ALL[1::-1]),
        (["sounds/deep", "sounds/b.wav"], [*ALL[2:], ALL[1]]),
        (["sounds/*.wav"], ALL[1:2]),
        (["sounds/**/*.ogg", "sounds/deep/"], [ALL[3], *ALL[2:]]),
        (["sounds/a.flac", "sounds/a.flac"], [ALL[0], ALL[0]]),
    ],
)
def test_several_files_are_lines_with_their_paths_in_the_order_given(
    run, tiny_model, sounds, recogniser, arguments, found
):
    result = run("transcribe", *arguments, "--model", tiny_model)
    assert result.exit_code == 0
    expected = [f"{path}: {recogniser.transcribe(path).text}" for path in found]
    assert result.stdout.splitlines() == expected


def test_a_folder_of_one_file_has_the_path_too(run, tiny_model, sounds):
    assert run("transcribe", "sounds/deep/er", "--model", tiny_model).stdout.startswith(
        "sounds/deep/er/d.ogg: "
    )


def test_json_is_one_object_a_line(run, tiny_model, sounds, recogniser):
    result = run("transcribe", "sounds", "--model", tiny_model, "--format", "json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["audio"] for line in lines] == ALL
    for line in lines:
        expected = recogniser.transcribe(line["audio"])
        assert list(line) == ["audio", "duration", "text", "score", "words"]
        assert line["text"] == expected.text == " ".join(word["text"] for word in line["words"])
        assert line["duration"] == pytest.approx(expected.duration, abs=1e-3)
        assert line["score"] == pytest.approx(expected.score, abs=1e-3)
        for word, twin in zip(line["words"], expected.words, strict=True):
            assert list(word) == ["text", "start", "end", "confidence"]
            assert (word["start"], word["end"]) == pytest.approx((twin.start, twin.end), abs=1e-3)
            assert 0 <= word["confidence"] <= 1


def test_the_n_best_texts(run, tiny_model, sounds):
    options = ["--model", tiny_model, "--beam", "8", "--nbest", "3", "--format", "json"]
    line = json.loads(run("transcribe", "sounds/a.flac", *options).stdout)
    scores = [other["score"] for other in line["alternatives"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert line["alternatives"][0] == {"text": line["text"], "score": line["score"]}


# --- words and times ---------------------------------------------------------------------------------------


def test_a_model_of_words_reads_words_with_scores_of_both_models(run, word_model, tiny_model, sounds):
    options = ["--nbest", "3", "--format", "json"]
    line = json.loads(run("transcribe", "sounds/a.flac", "--model", word_model, *options).stdout)
    assert line["text"] == " ".join(word["text"] for word in line["words"])
    assert [list(other) for other in line["alternatives"]] == [["text", "score", "acoustic", "lm"]] * 3
    lm = word_model / "words.lm"
    other = run("transcribe", "sounds/a.flac", "--model", tiny_model, "--lm", lm, "--lm-weight", "0.5")
    assert other.exit_code == 0 and set(other.stdout.split()) <= set(SENTENCES.split())


def test_hotwords_are_words_with_or_without_a_weight(run, word_model, sounds, recogniser):
    heard = recogniser.transcribe("sounds/a.flac").words[0].text
    options = ["--model", word_model, "--hotword", "GO", "--hotword", f"{heard}:50"]
    assert heard in run("transcribe", "sounds/a.flac", *options).stdout.split()
    small = ["--hotword", f"{heard.lower()}:50"]
    assert heard in run("transcribe", "sounds/a.flac", "--model", word_model, *small).stdout.split()
    for wrong in ("ZEBRA:much", ":3", "ADA LOVELACE"):
        result = run("transcribe", "sounds/a.flac", "--model", word_model, "--hotword", wrong)
        assert result.exit_code == 2 and "WORD or WORD:NATS expected" in result.stderr


def test_ctm_has_a_line_for_each_word_of_each_file(run, word_model, sounds):
    lines = run("transcribe", "sounds", "--model", word_model, "--format", "ctm").stdout.splitlines()
    results = list(Recogniser.load(word_model).transcribe_files(ALL))
    assert len(lines) == sum(len(result.words) for result in results) > 4
    first = results[0].words[0]
    name, channel, start, _, text, confidence = lines[0].split()
    assert (name, channel, text) == ("a", "1", first.text)
    assert float(start) == pytest.approx(first.start, abs=1e-3)
    assert float(confidence) == pytest.approx(first.confidence, abs=1e-3)


@pytest.mark.parametrize(
    ("form", "begin"), [("srt", "1\n00:00:0"), ("vtt", "WEBVTT\n"), ("textgrid", "File type")]
)
def test_subtitles_and_textgrids(run, tiny_model, sounds, form, begin):
    options = ["--model", tiny_model, "--format", form]
    alone = run("transcribe", "sounds/a.flac", *options)
    assert alone.exit_code == 0 and alone.stdout.startswith(begin)
    refused = run("transcribe", "sounds", *options)
    assert refused.exit_code == 2 and "add --output-dir" in refused.stderr
    assert run("transcribe", "sounds", *options, "--output-dir", "made").exit_code == 0
    suffix = {"textgrid": "TextGrid"}.get(form, form)
    assert (sounds.parent / "made" / f"a.{suffix}").read_text() == alone.stdout
    assert len(list((sounds.parent / "made").rglob(f"*.{suffix}"))) == 4


def test_the_model_may_stand_in_the_environment(run, tiny_model, sounds, monkeypatch):
    expected = run("transcribe", "sounds", "--model", tiny_model).stdout
    monkeypatch.setenv("ASR_MODEL", str(tiny_model))
    assert run("transcribe", "sounds").stdout == expected


def test_resampling_is_logged_when_asked(run, tiny_model, sounds, babble):
    soundfile.write("phone.wav", np.stack([babble(1.0, 8000)] * 2, axis=1), 8000)
    assert run("transcribe", "phone.wav", "--model", tiny_model).stderr == ""
    verbose = run("-v", "transcribe", "phone.wav", "--model", tiny_model)
    assert "phone.wav: 16 kHz mono expected" in verbose.stderr


# --- output folder -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["txt", "json"])
def test_a_file_for_each_input(run, tiny_model, sounds, recogniser, form):
    options = ["--model", tiny_model, "--output-dir", "new/out", "--format", form]
    result = run("transcribe", "sounds", "sounds/deep/c.WAV", *options)
    assert result.exit_code == 0 and result.stdout == ""
    assert "new/out: 5 transcripts written" in result.stderr
    written = {
        path.relative_to(sounds.parent / "new/out").as_posix(): path
        for path in (sounds.parent / "new/out").rglob("*")
        if path.is_file()
    }
    assert set(written) == {f"{name}.{form}" for name in ("a", "b", "deep/c", "deep/er/d", "c")}
    content = written[f"deep/er/d.{form}"].read_text()
    text = json.loads(content)["text"] if form == "json" else content.removesuffix("\n")
    assert text == recogniser.transcribe("sounds/deep/er/d.ogg").text


def test_names_that_collide_are_numbered(run, tiny_model, sounds, recogniser):
    shutil.copy("sounds/b.wav", "a.wav")
    run("transcribe", "sounds/a.flac", "a.wav", "--model", tiny_model, "--output-dir", "out")
    assert (sounds.parent / "out/a.txt").read_text() == recogniser.transcribe("sounds/a.flac").text + "\n"
    assert (sounds.parent / "out/a-2.txt").read_text() == recogniser.transcribe("a.wav").text + "\n"


def test_output_names():
    def names(*inputs):
        return [str(name) for name in output_names([Input(audio, stem) for audio, stem in inputs], "txt")]

    from pathlib import PurePath as P

    assert names(("x/a.wav", P("a")), ("y/a.wav", P("a")), ("z/A.wav", P("A"))) == [
        "a.txt",
        "a-2.txt",
        "A-3.txt",
    ]
    assert names(("a.wav", P("a")), ("a.wav", P("a"))) == ["a.txt", "a.txt"]
    assert names(("a-2.wav", P("a-2")), ("a.wav", P("a")), ("a.mp3", P("a"))) == [
        "a-2.txt",
        "a.txt",
        "a-3.txt",
    ]
    assert names(("d/a.wav", P("d/a")), ("d/a.mp3", P("d/a"))) == ["d/a.txt", "d/a-2.txt"]
    assert names(("talk.v2.wav", P("talk.v2"))) == ["talk.v2.txt"]


def test_an_output_folder_that_cannot_be_written_is_refused_before_any_work(run, sounds):
    (sounds.parent / "taken").write_text("a file")
    result = run("transcribe", "sounds", "--model", "no/such/model", "--output-dir", "taken/out")
    assert result.exit_code == 2
    assert result.stderr.startswith("asr: taken/out: cannot be written")


def test_a_disk_that_fills_up_ends_the_work_with_a_sentence(run, tiny_model, sounds, monkeypatch):
    written = []
    write_bytes = asr.files.write_bytes

    def fill_up(path, content):
        if written:
            raise asr.files.write_error(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        written.append(path)
        write_bytes(path, content)

    monkeypatch.setattr(asr.files, "write_bytes", fill_up)
    result = run("transcribe", "sounds", "--model", tiny_model, "--output-dir", "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("asr: out/b.txt: cannot be written: the disk is full; free some space")
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in (sounds.parent / "out").iterdir()] == ["a.txt"]


# --- what goes wrong ---------------------------------------------------------------------------------------


def test_a_bad_file_is_named_and_the_others_are_done(run, tiny_model, sounds):
    (sounds / "b.wav").write_text("no sound")
    (sounds / "e.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    result = run("transcribe", "sounds", "sounds/absent.wav", "--model", tiny_model)
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [ALL[0], *ALL[2:]]
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == [
        "sounds/absent.wav",
        "sounds/b.wav",
        "sounds/e.m4a",
    ]


def test_only_bad_files(run, tiny_model, sounds):
    (sounds / "b.wav").write_bytes(b"")
    result = run("transcribe", "sounds/b.wav", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "sounds/b.wav: not readable as audio (0 bytes)" in result.stderr


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("absent.wav", "absent.wav: no such file or folder"),
        ("absent/*.wav", "absent/*.wav: no file matches this pattern"),
        ("empty", "empty: no audio files in this folder or below it"),
        ("a" * 300, f"{'a' * 300}: cannot be opened (File name too long)"),
    ],
)
def test_nothing_found_is_a_wrong_call(run, sounds, argument, sentence):
    (sounds.parent / "empty").mkdir()
    result = run("transcribe", argument, "--model", "no/such/model")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"asr: {sentence}\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "absent"], "asr: absent: a model folder was expected, nothing is there"),
        (["--model", "a" * 300], ": cannot be read: File name too long"),
        (["--model", "MODEL", "--nbest", "3"], "add --format json"),
        (["--model", "MODEL", "--nbest", "3", "--format", "json"], "greedy search finds one text"),
        (["--model", "MODEL", "--device", "tpu"], "device tpu: auto, cpu or cuda expected"),
    ],
)
def test_a_wrong_option_is_a_sentence_before_any_work(run, tiny_model, sounds, options, sentence):
    options = [str(tiny_model) if option == "MODEL" else option for option in options]
    result = run("transcribe", "sounds", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr and len(result.stderr.splitlines()) == 1


def test_silence_is_an_empty_line_and_a_warning(run, tiny_model, sounds):
    soundfile.write("silence.wav", np.zeros(16000), 16000)
    result = run("transcribe", "silence.wav", "--model", tiny_model)
    assert (result.exit_code, result.stdout) == (0, "\n")
    assert "silence.wav" in result.stderr


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are always text there")
@pytest.mark.parametrize("form", ["txt", "json"])
def test_names_that_are_not_utf8(run, tiny_model, sounds, form):
    for name in (b"caf\xe9.wav", b"b\xe4d.wav"):
        shutil.copy("sounds/b.wav", os.fsdecode(b"sounds/" + name))
    (sounds / os.fsdecode(b"b\xe4d.wav")).write_bytes(b"")
    options = ["--model", tiny_model, "--format", form]
    result = run("transcribe", "sounds", *options)
    assert result.exit_code == 1
    assert result.stderr == "asr: sounds/b\N{REPLACEMENT CHARACTER}d.wav: not readable as audio (0 bytes)\n"
    assert len(result.stdout.splitlines()) == 5
    assert "sounds/caf\N{REPLACEMENT CHARACTER}.wav" in result.stdout
    assert run("transcribe", "sounds", *options, "--output-dir", "out").stdout == ""
    assert (
        sounds.parent / "out" / os.fsdecode(f"caf\udce9.{form}".encode(errors="surrogateescape"))
    ).exists()
    assert "caf\N{REPLACEMENT CHARACTER}.wav" in run("info", os.fsdecode(b"sounds/caf\xe9.wav")).stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_name_with_a_line_end_stays_one_line(run, tiny_model, sounds):
    shutil.copy("sounds/b.wav", "sounds/x\ny.wav")
    (sounds / "x\nz.wav").touch()
    result = run("transcribe", "sounds", "--model", tiny_model)
    assert len(result.stdout.splitlines()) == 5
    assert result.stdout.splitlines()[-1].startswith(r"sounds/x\ny.wav: ")
    assert result.stderr == "asr: sounds/x\\nz.wav: not readable as audio (0 bytes)\n"


@pytest.mark.parametrize("suffix", ["mov", "MKV", "aifc"])
def test_a_folder_of_anything_that_is_read(sounds, suffix):
    """What FFmpeg reads as well, so that it is named where PyAV is not installed."""
    (sounds.parent / "films").mkdir()
    (sounds.parent / f"films/a.{suffix}").touch()
    assert [item.audio for item in find_audio(["films"])[0]] == [f"films/a.{suffix}"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes there")
def test_a_pipe_is_read_where_it_is_named_and_not_in_a_folder(sounds):
    os.mkfifo("sounds/pipe.wav")
    assert [item.audio for item in find_audio(["sounds"])[0]] == ALL
    assert [item.audio for item in find_audio(["sounds/pipe.wav"])[0]] == ["sounds/pipe.wav"]


def test_a_file_with_the_name_of_a_pattern(sounds):
    shutil.copy("sounds/b.wav", "take[1].wav")
    inputs, problems = find_audio(["take[1].wav"])
    assert ([item.audio for item in inputs], problems) == (["take[1].wav"], [])


def test_a_folder_that_cannot_be_read_is_a_sentence(run, sounds, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    result = run("transcribe", "sounds", "--model", "m")
    assert result.exit_code == 2
    assert result.stderr == "asr: sounds: this folder cannot be read (Permission denied)\n"
