"""`asr evaluate` on a small test set in LibriSpeech's layout."""

import json

import pytest
import soundfile

from asr.scoring.formats import read_transcripts
from asr.transcribe import Recogniser
from tests.conftest import SENTENCES


@pytest.fixture(scope="module")
def heard(tiny_model, babble):
    """What the tiny model hears, by utterance id."""
    recogniser = Recogniser.load(tiny_model)
    texts = {}
    for seed in range(6):
        samples = babble(1.0 + seed % 2, seed=seed)
        speaker = 10 + seed // 2
        texts[f"{speaker}-1-{seed:04d}"] = (samples, recogniser.transcribe(samples).text)
    return texts


@pytest.fixture
def subset(tmp_path, heard, monkeypatch):
    """dev/ in the current folder: three speakers, two utterances each; one word in one of them is wrong."""
    for number, (utt_id, (samples, text)) in enumerate(heard.items()):
        speaker = utt_id.split("-")[0]
        chapter = tmp_path / "dev" / speaker / "1"
        chapter.mkdir(parents=True, exist_ok=True)
        soundfile.write(chapter / f"{utt_id}.wav", samples, 16000, subtype="FLOAT")
        words = text.split()
        ref = " ".join(["WRONG", *words[1:]] if number == 0 else words)
        with (chapter / f"{speaker}-1.trans.txt").open("a") as file:
            file.write(f"{utt_id} {ref}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "dev"


def test_figures(run, tiny_model, subset, heard):
    result = run("evaluate", "dev", "--model", tiny_model, "--json", "dev.json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads((subset.parent / "dev.json").read_text())
    words = sum(len(text.split()) for _, text in heard.values())
    assert list(figures) == ["wer", "ci95", "cer", "words", "utterances", "hours", "xrt", "model"]
    assert figures["words"] == words
    assert figures["wer"] == pytest.approx(100 / words)
    assert figures["ci95"][0] <= figures["wer"] <= figures["ci95"][1]
    assert figures["utterances"] == 6
    assert figures["hours"] == pytest.approx(9 / 3600, rel=1e-3)
    assert figures["xrt"] > 0
    assert figures["model"] == str(tiny_model)
    assert f"WER {100 / words:.2f} %" in result.stdout
    assert "× real time" in result.stdout


@pytest.mark.parametrize("name", ["hyp.trn", "hyp.jsonl", "hyp.txt"])
def test_what_was_heard_is_written_and_scores_the_same(run, tiny_model, subset, heard, name):
    result = run("evaluate", "dev", "--model", tiny_model, "--hyp", name)
    hyps = {hyp.utt_id: hyp.text for hyp in read_transcripts(subset.parent / name)}
    assert hyps == {utt_id: text for utt_id, (_, text) in heard.items()}
    refs = [line for file in sorted(subset.rglob("*.trans.txt")) for line in file.read_text().splitlines()]
    (subset.parent / "refs.txt").write_text("\n".join(refs))
    assert run("score", "refs.txt", name).stdout.splitlines()[0] == result.stdout.splitlines()[0]


def test_words_are_read_with_a_language_model(run, tiny_model, word_model, subset):
    options = ["--model", tiny_model, "--lm", word_model / "words.lm", "--beam", "4", "--hyp", "hyp.trn"]
    result = run("evaluate", "dev", *options)
    assert result.exit_code == 0, result.stderr
    heard = {word for hyp in read_transcripts(subset.parent / "hyp.trn") for word in hyp.text.split()}
    assert heard and heard <= set(SENTENCES.split())
    assert run("evaluate", "dev", "--model", tiny_model, "--decoder", "words").exit_code == 2


def test_several_folders_are_one_set(run, tiny_model, subset):
    (subset / "12").rename(subset.parent / "moved")
    (subset.parent / "more").mkdir()
    (subset.parent / "moved").rename(subset.parent / "more" / "12")
    run("evaluate", "dev", "more", "--model", tiny_model, "--json", "both.json")
    assert json.loads((subset.parent / "both.json").read_text())["utterances"] == 6


def test_bad_audio_is_named_and_the_rest_is_scored(run, tiny_model, subset):
    (subset / "11/1/11-1-0002.wav").write_bytes(b"")
    (subset / "11/1/11-1-0003.wav").unlink()
    result = run("evaluate", "dev", "--model", tiny_model, "--json", "dev.json")
    assert result.exit_code == 1
    assert "11-1-0002" in result.stderr and "11-1-0003" in result.stderr
    assert r"\n" not in result.stderr  # a summary of several lines
    assert json.loads((subset.parent / "dev.json").read_text())["utterances"] == 4


def test_an_utterance_that_fails_in_decoding_counts_as_deleted(run, tiny_model, subset, heard):
    file = subset / "11/1/11-1-0002.wav"
    samples = heard["11-1-0002"][0].copy()
    samples[800] = float("nan")
    soundfile.write(file, samples, 16000, subtype="FLOAT")
    result = run("evaluate", "dev", "--model", tiny_model, "--json", "dev.json", "--hyp", "hyp.trn")
    assert result.exit_code == 1
    assert "11-1-0002.wav: 1 samples are not finite" in result.stderr
    deleted = len(heard["11-1-0002"][1].split())
    figures = json.loads((subset.parent / "dev.json").read_text())
    assert figures["utterances"] == 6
    assert figures["wer"] == pytest.approx(100 * (1 + deleted) / figures["words"])
    assert len(read_transcripts(subset.parent / "hyp.trn")) == 5


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (["absent"], "absent: no such folder"),
        (["empty"], "empty: no transcripts found"),
        (["dev", "dev"], "10-1-0000: this utterance was given twice"),
    ],
)
def test_a_wrong_call(run, subset, folders, sentence):
    (subset.parent / "empty").mkdir()
    result = run("evaluate", *folders, "--model", "absent")
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


@pytest.mark.parametrize("option", ["--json", "--hyp"])
def test_a_folder_in_place_of_a_file_is_refused_before_any_work(run, subset, option):
    result = run("evaluate", "dev", "--model", "absent", option, "dev")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "asr: dev: a file to write was expected, this is a folder; name a file in it\n"


def test_nothing_to_decode(run, tiny_model, subset):
    for file in subset.rglob("*.wav"):
        file.write_bytes(b"")
    result = run("evaluate", "dev", "--model", tiny_model)
    assert result.exit_code == 2
    assert "dev: not one utterance can be decoded" in result.stderr
