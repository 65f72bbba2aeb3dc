import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from asr.cli import app

REFERENCES = "84-1-0 THE CAT SAT\n84-1-1 ON THE MAT\n85-2-0 AND SLEPT\n"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["score", *map(str, arguments)])


@pytest.fixture
def ref(tmp_path: Path) -> Path:
    path = tmp_path / "ref.txt"
    path.write_text(REFERENCES)
    return path


@pytest.fixture
def hyp(tmp_path: Path) -> Path:
    path = tmp_path / "hyp.trn"
    path.write_text("THE CAT SAT (84-1-0)\nON A MAT (84-1-1)\nAND SLEPT WELL (85-2-0)\n")
    return path


def test_the_report_is_printed(ref: Path, hyp: Path) -> None:
    result = run(ref, hyp)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("WER 25.00 % [")
    assert "2 speakers resampled" in result.stdout
    assert "HYP:  ON A   MAT" in result.stdout


def test_json_goes_to_a_file(ref: Path, hyp: Path, tmp_path: Path) -> None:
    assert run(ref, hyp, "--json", tmp_path / "new" / "figures.json").exit_code == 0
    tree = json.loads((tmp_path / "new" / "figures.json").read_text())
    assert (tree["wer"], tree["words"], tree["utterances"]) == (25.0, 8, 3)
    assert "comparison" not in tree


def test_two_runs_are_compared(ref: Path, hyp: Path, tmp_path: Path) -> None:
    result = run(ref, hyp, "--against", ref, "--json", tmp_path / "f.json", "--bootstrap", "100")
    assert result.exit_code == 0
    assert "second: WER 0.00 % [0.00, 0.00], CER 0.00 %, 3 utterances" in result.stdout
    assert "The second is better by 25.00 % absolute (100.0 % relative), p = 0.500" in result.stdout
    tree = json.loads((tmp_path / "f.json").read_text())
    assert tree["against"]["wer"] == 0.0
    assert (tree["comparison"]["difference"], tree["comparison"]["segments"]) == (-25.0, 2)


def test_the_seed_decides_the_interval(ref: Path, tmp_path: Path) -> None:
    hyp = tmp_path / "hyp.txt"
    ref.write_text("".join(f"s{i}-0 A B C D E F G\n" for i in range(30)))
    hyp.write_text("".join(f"s{i}-0 {'A B C D E F G'[: i % 14]}\n" for i in range(30)))
    first, again, other = (run(ref, hyp, "--seed", seed, "--bootstrap", "50").stdout for seed in "112")
    assert first == again != other


def test_a_missing_hypothesis_is_named_and_the_rest_is_scored(ref: Path, tmp_path: Path) -> None:
    hyp = tmp_path / "hyp.jsonl"
    hyp.write_text('{"audio": "a/84-1-0.flac", "text": "THE CAT SAT"}\n{"utt_id": "99-1", "text": "X"}\n')
    result = run(ref, hyp)
    assert result.exit_code == 1
    assert result.stdout.startswith("WER 62.50 % [")
    assert "deletions (2): 84-1-1, 85-2-0" in result.stdout
    assert "No reference, not counted (1): 99-1" in result.stdout
    assert "references without hypothesis: 2" in result.stderr
    assert "hypotheses without reference: 1" in result.stderr


def test_normalising_is_asked_for(ref: Path, tmp_path: Path) -> None:
    hyp = tmp_path / "hyp.txt"
    hyp.write_text("84-1-0 The cat sat.\n84-1-1 On the mat,\n85-2-0 and slept!\n")
    assert run(ref, hyp).stdout.startswith("WER 100.00 %")
    assert run(ref, hyp, "--normalise").stdout.startswith("WER 0.00 %")
    hyp.write_text("84-1-0 你好\n")
    result = run(ref, hyp, "--normalise")
    assert result.exit_code == 2
    assert f"{hyp}: 84-1-0: " in result.stderr


@pytest.mark.parametrize(
    ("ref_text", "hyp_text", "sentence"),
    [
        ("", "a A\n", "ref.txt: reference transcripts were expected, the file is empty"),
        ("a\n", "a A\n", "at least one reference word"),
        ("a A\n", "b A\n", "no utterance id occurs in both"),
        ("a A\nb B\na A\n", "a A\n", "ref.txt:3: the id a stands in line 1 already"),
    ],
)
def test_wrong_calls_are_sentences(
    ref: Path, tmp_path: Path, ref_text: str, hyp_text: str, sentence: str
) -> None:
    hyp = tmp_path / "hyp.txt"
    ref.write_text(ref_text)
    hyp.write_text(hyp_text)
    result = run(ref, hyp)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_a_file_that_is_not_there(ref: Path) -> None:
    result = run(ref, ref.with_name("gone.txt"))
    assert result.exit_code == 2
    assert "gone.txt" in result.stderr


def test_help_shows_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "asr score dev.trans.txt hyp.trn" in result.stdout
