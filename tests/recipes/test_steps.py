"""The real steps from first to last, on a minute of noise with a model of a few thousand weights."""

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from recipes import run  # noqa: E402

CONFIG = """
[corpus]
source = "table"
root = "ROOT"
train = ["train.csv"]
dev = ["dev.csv"]
test = ["test.csv"]
[features]
num_bins = 20
[batching]
seconds = 40.0
workers = 0
[model]
channels = 2
hidden_size = 8
num_layers = 1
[training]
epochs = 2
threads = 1
device = "cpu"
"""

WORDS = ["THE", "CAT", "SAT", "ON", "A", "MAT"]


def write_corpus(root: Path) -> None:
    """Two speakers in each table: `long.flac` cut into segments, and a file of its own for each row."""
    rng = np.random.default_rng(7)
    root.mkdir()
    soundfile.write(root / "long.flac", 0.1 * rng.standard_normal(16000 * 24).astype(np.float32), 16000)
    for part, count in (("train", 8), ("dev", 2), ("test", 3)):
        lines = ["audio,text,id,speaker,start,duration"]
        for number in range(count):
            text = " ".join(WORDS[: 2 + number % 4])
            name = f"{part}-{number}"
            if part == "train" and number % 2:
                lines.append(f"long.flac,{text},{name},ann,{3 * number},2.5")
                continue
            soundfile.write(root / f"{name}.wav", 0.1 * rng.standard_normal(16000).astype(np.float32), 16000)
            lines.append(f"{name}.wav,{text},{name},{part}-bob,,")
        if part == "test":
            lines.append("long.flac,THE MAT,test-cut,ann,20,1.5")
        (root / f"{part}.csv").write_text("\n".join(lines) + "\n")


class Made:
    """A recipe that was run once."""

    def __init__(self, folder: Path) -> None:
        self.recipe, self.exp, self.root = folder / "tiny", folder / "exp", folder / "speech"
        self.recipe.mkdir()
        write_corpus(self.root)
        (self.recipe / "config.toml").write_text(CONFIG.replace("ROOT", str(self.root)))

    def run(self, *options: str) -> int:
        return run.main([str(self.recipe), "--exp", str(self.exp), *options])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("recipe"))
    assert made.run() == 0
    return made


def rerun(made: Made, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Names of the steps that ran."""
    assert made.run(*options) == 0
    lines = capsys.readouterr().out.splitlines()
    return [line.split(":")[0] for line in lines if re.match(r"\d\d_\w+: (?!done already|runs again)", line)]


def test_every_set_is_scored_in_a_line(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert made.run("--stage", "9", "--stop-stage", "9") == 0
    lines = capsys.readouterr().out.splitlines()
    form = r": WER \d+\.\d\d % \[\d+\.\d\d, \d+\.\d\d\], {} utterances"
    assert re.fullmatch("tiny dev" + form.format(2), lines[1])
    assert re.fullmatch("tiny" + form.format(4), lines[2])
    wer = json.loads((made.exp / "score" / "test.json").read_text())["wer"]
    assert lines[2].startswith(f"tiny: WER {wer:.2f} % [")


def test_manifests_statistics_and_units_are_written(made: Made) -> None:
    rows = (made.exp / "corpus" / "train.jsonl").read_text().splitlines()
    assert [json.loads(row)["utt_id"] for row in rows] == [f"train-{number}" for number in range(8)]
    assert "train" in (made.exp / "corpus" / "statistics.txt").read_text()
    assert (made.exp / "corpus" / "statistics.png").read_bytes().startswith(b"\x89PNG")
    told = (made.exp / "corpus" / "skipped.txt").read_text()
    assert told.startswith("nothing skipped\n") and "ann" in told  # who is in train and in test
    letters = sorted(set("".join(WORDS[:5])))
    assert (made.exp / "tokens.txt").read_text().split() == ["<blank>", "|", *letters]


def test_the_statistics_are_those_of_the_training_audio(made: Made) -> None:
    stats = json.loads((made.exp / "cmvn.json").read_text())
    # 25 ms frames every 10 ms, whole frames only: four files of 1 s and four segments of 2.5 s
    assert stats["count"] == 4 * 98 + 4 * 248
    assert len(stats["sum"]) == 20


def test_each_utterance_is_decoded_from_its_own_stretch_of_audio(made: Made) -> None:
    import asr

    recogniser = asr.load(made.exp / "averaged")
    samples, rate = soundfile.read(made.root / "long.flac", dtype="float32")
    expected = recogniser.transcribe(samples[20 * rate : 20 * rate + 3 * rate // 2], rate)
    rows = [json.loads(line) for line in (made.exp / "decode" / "test.jsonl").read_text().splitlines()]
    assert [row["utt_id"] for row in rows] == ["test-0", "test-1", "test-2", "test-cut"]
    assert rows[-1]["text"] == expected.text
    assert rows[-1]["score"] == pytest.approx(expected.score, rel=1e-4)


def test_sclite_gets_references_with_the_same_ids(made: Made) -> None:
    refs, hyps = (
        re.findall(r"\(([^()]*)\)$", (made.exp / "decode" / f"test.{kind}.trn").read_text(), re.MULTILINE)
        for kind in ("ref", "hyp")
    )
    assert refs == hyps and len(refs) == 4


def test_the_model_says_what_it_was_made_of(made: Made) -> None:
    card = (made.exp / "model" / "card.md").read_text()
    ids = "".join(f"train-{number}\n" for number in range(8))
    assert hashlib.sha256(ids.encode()).hexdigest() in card
    wer = json.loads((made.exp / "score" / "test.json").read_text())["wer"]
    assert f"- tiny: WER {wer:.2f} % [" in card
    assert "python recipes/run.py tiny" in card
    assert "checkpoint" in card


def test_the_model_names_no_place_that_was_only_set(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (made.recipe / "config.toml").read_text()
    moved = Made(tmp_path)
    (moved.recipe / "config.toml").write_text(text.replace(str(made.root), "data/mine"))
    assert moved.run("--set", f"corpus.root={moved.root}", "training.epochs=1") == 0
    for path in (moved.exp / "model").glob("*.*"):
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
    assert "corpus.root=DIR training.epochs=1" in (moved.exp / "model" / "card.md").read_text()


def test_the_exported_model_transcribes(made: Made) -> None:
    import asr

    heard = asr.load(made.exp / "model").transcribe(made.root / "test-0.wav")
    row = json.loads((made.exp / "decode" / "test.jsonl").read_text().splitlines()[0])
    assert (heard.text, heard.duration) == (row["text"], 1.0)


def test_nothing_runs_twice(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert rerun(made, capsys) == []


def test_a_change_runs_what_depends_on_it(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    beam = ("--set", "decoding.method=beam", "decoding.beam=4")
    assert rerun(made, capsys, *beam) == ["08_decode", "09_score", "10_export"]
    assert rerun(made, capsys, *beam) == []
    text = (made.root / "test.csv").read_text()
    (made.root / "test.csv").write_text(text.replace("THE MAT", "THE CAT"))
    again = ["02_prepare", "03_features", "08_decode", "09_score", "10_export"]
    assert rerun(made, capsys, *beam) == again
    (made.root / "test.csv").write_text(text)


def test_an_unreadable_file_is_named_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(tmp_path)
    broken = made.root / "test-1.wav"
    broken.write_text("not audio at all")
    assert made.run("--set", "training.epochs=1") == 0
    printed = capsys.readouterr()
    assert "test-1" in printed.err
    assert "test-1" in (made.exp / "corpus" / "skipped.txt").read_text()
    assert "; 1 skipped; " in printed.out
    assert re.search(r"^tiny: WER .*, 3 utterances$", printed.out, re.MULTILINE)


def test_audio_that_breaks_after_the_manifest_counts_as_deleted_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(tmp_path)
    options = ("--set", "training.epochs=1")
    assert made.run(*options, "--stop-stage", "7") == 0
    content = (made.root / "test-2.wav").read_bytes()
    (made.root / "test-2.wav").write_bytes(content[: len(content) // 2])
    assert made.run(*options, "--stage", "8", "--stop-stage", "8") == 1  # step 2 saw other files
    assert "02_prepare has to run first" in capsys.readouterr().err


def test_missing_speech_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Made(tmp_path)
    (made.root / "train.csv").unlink()
    assert made.run() == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: ") and "train.csv" in errors and errors.count("\n") == 1


def test_a_step_runs_alone(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    def alone(step: str, *options: str) -> int:
        arguments = [str(made.recipe), "--exp", str(made.exp), *options]
        with pytest.raises(SystemExit) as ended:
            run.run_alone(str(REPOSITORY / "recipes" / "steps" / step), arguments)
        return int(ended.value.code or 0)

    assert made.run() == 0
    capsys.readouterr()
    assert alone("04_units.py") == 0
    assert capsys.readouterr().out.startswith("04_units: done already (10 classes")
    assert alone("09_score.py", "--set", "scoring.seed=5") == 0
    assert capsys.readouterr().out.startswith("09_score: runs again, scoring.seed was 1 and is 5\n")
    assert alone("08_decode.py", "--set", "averaging.which=last") == 1
    assert "07_average has to run first" in capsys.readouterr().err


def test_further_corpora_are_added_to_train_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(tmp_path)
    more = made.root.parent / "more"
    more.mkdir()
    soundfile.write(more / "a.wav", np.zeros(16000, np.float32), 16000)
    (more / "a.txt").write_text("on the mat")
    with (made.recipe / "config.toml").open("a") as file:
        file.write('[corpus.also.more]\nsource = "folder"\nroot = "../elsewhere"\n')
        file.write('[corpus.also.gone]\nsource = "vctk"\nroot = "gone"\noptional = true\n')
    first = ("--stop-stage", "2")
    assert made.run(*first) == 1
    assert f"corpus.also.more: {made.root}/../elsewhere is not there" in capsys.readouterr().err
    assert made.run(*first, "--set", f"corpus.also.more.root={more}") == 0
    assert "more in train 1 (0.00 h), gone in train 0" in capsys.readouterr().out
    rows = (made.exp / "corpus" / "train.jsonl").read_text().splitlines()
    assert [json.loads(row)["utt_id"] for row in rows[7:]] == ["train-7", "more-a"]
    assert re.search(r"^more in train +1 ", (made.exp / "corpus" / "statistics.txt").read_text(), re.M)
    assert "corpus.also.gone: trained without it" in (made.exp / "corpus" / "skipped.txt").read_text()
    assert rerun(made, capsys, *first, "--set", f"corpus.also.more.root={more}") == []
    (made.root / "gone" / "txt").mkdir(parents=True)
    assert made.run(*first, "--set", f"corpus.also.more.root={more}") == 1  # there now, so it is read
    assert "VCTK's folder txt is expected" in capsys.readouterr().err


def test_long_utterances_of_train_are_cut_with_a_model(made: Made, tmp_path: Path) -> None:
    other, model = Made(tmp_path), made.exp / "averaged"
    settings = ("--set", f"corpus.cut_with={model}", "corpus.cut_seconds=2")
    assert other.run("--stop-stage", "2", *settings) == 0
    assert (other.exp / "corpus" / "train.jsonl").read_bytes().count(b"\n") == 8  # noise has no pauses
    told = (other.exp / "corpus" / "skipped.txt").read_text()
    assert "corpus.cut_with: 0 utterances longer than 2 s were cut, 4 stay whole" in told


def test_the_model_names_no_place_of_a_further_corpus(tmp_path: Path) -> None:
    from recipes.recipe import open_recipe

    made = Made(tmp_path)
    with (made.recipe / "config.toml").open("a") as file:
        file.write('[corpus.also.more]\nsource = "folder"\nroot = "more"\n')
    settings = ["corpus.also.more.root=here", "corpus.also.new={source = 'folder', root = '/here'}"]
    settings.append("corpus.cut_with=first/model")
    recipe = open_recipe(str(made.recipe), settings)
    assert recipe.config.corpus.also["more"].root == str(Path.cwd() / "here")
    assert {name: entry.root for name, entry in recipe.portable_config().corpus.also.items()} == {
        "more": "more",
        "new": "DIR",
    }
    assert (recipe.cutter, recipe.portable_config().corpus.cut_with) == (Path.cwd() / "first/model", "DIR")
    assert "corpus.cut_with=DIR" in recipe.portable_command()
    assert "corpus.also.more.root=DIR" in recipe.portable_command()
    assert open_recipe(str(made.recipe), ["corpus.cut_with="]).cutter is None
