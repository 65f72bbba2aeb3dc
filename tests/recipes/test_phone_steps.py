"""The real steps with a model that writes phones: trained, averaged, decoded, scored as phones, exported."""

import json
import re
import shutil
from pathlib import Path

import pytest

from recipes import recipe
from tests.recipes.test_steps import Made, rerun

LEXICON = "THE  DH AH\nCAT  K AE T\nSAT  S AE T\nON  AA N\nA  AH\nMAN  M AE N\nTHAT  DH AE T\nHAT  HH AE T\n"
UNITS = '[units]\nkind = "phones"\nlexicon = "words.txt"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("phones"))
    (made.recipe / "words.txt").write_text(LEXICON)  # without MAT, which is spelled like CAT
    with (made.recipe / "config.toml").open("a") as file:
        file.write(UNITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "CACHE", made.exp.parent / "cache")
        assert made.run() == 0
    return made


def test_the_units_are_phones_and_the_boundary(made: Made) -> None:
    assert (made.exp / "tokens.txt").read_text().split()[:4] == ["<blank>", "|", "AA", "AE"]
    assert (made.exp / "lexicon.txt").read_text() == LEXICON
    assert [path.suffix for path in (made.exp.parent / "cache").iterdir()] == [".safetensors"]


def test_training_tells_the_phone_error_rate(made: Made) -> None:
    lines = [json.loads(line) for line in (made.exp / "train" / "metrics.jsonl").read_text().splitlines()]
    evaluations = [line for line in lines if line["event"] == "evaluation"]
    assert len(evaluations) == 2
    assert all("per" in line and not {"wer", "cer"} & line.keys() for line in evaluations)


def test_scores_and_card_name_the_phone_error_rate(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.run("--stage", "9") == 0
    told = capsys.readouterr().out
    assert re.search(r"^tiny: PER \d+\.\d\d % \[\d+\.\d\d, \d+\.\d\d\], 4 utterances$", told, re.MULTILINE)
    found = json.loads((made.exp / "score" / "test.json").read_text())
    # THE CAT, THE CAT SAT, THE CAT SAT ON and THE MAT, whose last word the lexicon lacks
    assert found["phones"] == 5 + 8 + 10 + 5
    card = (made.exp / "model" / "card.md").read_text()
    assert f"- tiny: PER {found['per']:.2f} %" in card and "phones of words.txt" in card
    for text in (told, card, (made.exp / "score" / "test.txt").read_text()):
        assert "WER" not in text


def test_references_for_sclite_are_phones(made: Made) -> None:
    lines = (made.exp / "decode" / "test.ref.trn").read_text().splitlines()
    assert lines[0] == "DH AH K AE T (test-bob-test-0)"
    assert lines[3].startswith("DH AH ") and lines[3].endswith("T (ann-test-cut)")


def test_the_model_carries_its_lexicon_and_writes_phones_with_times(made: Made) -> None:
    import asr

    recogniser = asr.load(made.exp / "model")
    assert recogniser.writes_phones
    heard = recogniser.transcribe(made.root / "test-0.wav")
    row = json.loads((made.exp / "decode" / "test.jsonl").read_text().splitlines()[0])
    assert heard.text == row["text"] == " ".join(word.text for word in heard.words)
    assert recogniser.units.reference("THE CAT SAT") == "DH AH K AE T S AE T"
    assert recogniser.units.reference("MAT").split()[1:] == ["AE", "T"]


def test_another_lexicon_makes_another_model(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "CACHE", made.exp.parent / "cache")
    assert rerun(made, capsys) == []
    (made.recipe / "words.txt").write_text(LEXICON + "MAT  M AE T\n")
    ran = list(dict.fromkeys(rerun(made, capsys)))  # training also says that it begins anew
    assert ran == ["04_units", "06_train", "07_average", "08_decode", "09_score", "10_export"]
    assert (made.exp / "train.previous").is_dir()


def test_a_word_that_nothing_pronounces_stops_before_training(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(made.recipe, folder)
    (folder / "words.txt").write_text(LEXICON)
    other = Made.__new__(Made)
    other.recipe, other.exp = folder, tmp_path / "exp"
    assert other.run("--set", "units.letter_to_sound=false") == 1
    told = capsys.readouterr()
    assert "MAT: not in the lexicon of 8 words" in told.err and "06_train" not in told.out


def test_phones_become_words_with_a_language_model(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    import asr

    phones = (made.exp / "score" / "test.json").read_text()
    settings = ("language_model.source=transcripts", "language_model.order=2", "decoding.method=words")
    also = 'decoding.also=["greedy"]'
    ran = rerun(made, capsys, "--set", *settings, also, "tuning.lm_weights=[0.5, 1.0]")
    assert ran == ["05_language_model", "08_decode", "09_score", "10_export"]
    heard = asr.load(made.exp / "model").transcribe(made.root / "test-0.wav")
    row = json.loads((made.exp / "decode" / "test.jsonl").read_text().splitlines()[0])
    assert heard.text == row["text"] == " ".join(word.text for word in heard.words)
    assert set(heard.text.split()) <= {"THE", "CAT", "SAT", "ON", "A"}
    found = json.loads((made.exp / "score" / "test.json").read_text())
    # beside the words the phones, as they were read and counted without the language model
    assert (made.exp / "score" / "test.greedy.json").read_text() == phones
    assert not (made.exp / "score" / "test.greedy.compared.txt").exists()
    assert (made.exp / "decode" / "test.greedy.ref.trn").read_text().startswith("DH AH K AE T (")
    assert (made.exp / "decode" / "test.ref.trn").read_text().startswith("THE CAT (")
    card = (made.exp / "model" / "card.md").read_text()
    assert f"- tiny: WER {found['wer']:.2f} %" in card
    assert f"- tiny test.greedy: PER {json.loads(phones)['per']:.2f} %" in card
