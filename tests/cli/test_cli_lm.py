"""`asr lm` from text to figures."""

import pytest


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """The current folder, with a text to learn and one to foretell."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("A B C\nA B\nB C A\nA\n" * 5)
    (tmp_path / "dev.txt").write_text("A B D\n")
    (tmp_path / "dev.lm").write_text("A B D\n" * 9)
    return tmp_path


def test_build_and_perplexity(run, texts):
    built = run("lm", "build", "text.txt", "--order", "2", "--output", "lm.arpa.gz")
    assert built.exit_code == 0, built.stderr
    assert "words          45" in built.stdout
    assert "vocabulary     6" in built.stdout
    assert "no discounts can be estimated" in built.stderr
    found = run("lm", "perplexity", "lm.arpa.gz", "dev.txt")
    assert found.exit_code == 0, found.stderr
    assert "unknown words              1 (33.33%)" in found.stdout
    assert "over 4 tokens" in found.stdout


def test_text_from_standard_input(run, texts):
    assert run("lm", "build", "-", "-o", "lm.arpa", input="A B\nB A\n").exit_code == 0
    assert "<s> A" in (texts / "lm.arpa").read_text()
    assert "perplexity" in run("lm", "perplexity", "lm.arpa", "-", input="A A\n").stdout


def test_words_vocabulary_and_cut_offs(run, texts):
    (texts / "words.txt").write_text("A\nB\nQ\n")
    options = ["--output", "lm.arpa", "--order", 3, "--words", "words.txt", "--cutoff", 0, "--cutoff", 5]
    built = run("lm", "build", "text.txt", *options)
    assert built.exit_code == 0, built.stderr
    assert "unknown words  10 (22.22%)" in built.stdout
    content = (texts / "lm.arpa").read_text()
    assert "\tQ\n" in content
    assert "<s> A B" in content
    assert "B <unk> A" not in content


def test_prune(run, texts):
    assert run("lm", "build", "text.txt", "-o", "lm.arpa").exit_code == 0
    pruned = run("lm", "prune", "lm.arpa", "--threshold", "0.02", "-o", "small.arpa")
    assert pruned.exit_code == 0, pruned.stderr
    assert "1-grams        6 of 6" in pruned.stdout
    assert (texts / "small.arpa").stat().st_size < (texts / "lm.arpa").stat().st_size
    assert run("lm", "perplexity", "small.arpa", "dev.txt").exit_code == 0


def test_prune_to_a_size(run, texts):
    assert run("lm", "build", "text.txt", "-o", "lm.lm").exit_code == 0
    pruned = run("lm", "prune", "lm.lm", "--megabytes", "0.0027", "-o", "small.lm")
    assert pruned.exit_code == 0, pruned.stderr
    assert "threshold" in pruned.stdout and "1-grams        6 of 6" in pruned.stdout
    assert (texts / "small.lm").stat().st_size <= 2700
    assert "perplexity" in run("lm", "perplexity", "small.lm", "dev.txt").stdout
    assert "allow more" in run("lm", "prune", "lm.lm", "--megabytes", "0.001", "-o", "x.lm").stderr


def test_a_packed_model_becomes_an_arpa_file_again(run, texts):
    assert run("lm", "build", "text.txt", "-o", "lm.arpa").exit_code == 0
    assert run("lm", "convert", "lm.arpa", "-o", "lm.lm", "--packed").exit_code == 0
    assert run("lm", "convert", "lm.lm", "-o", "again.arpa").exit_code == 0
    found = [run("lm", "perplexity", name, "dev.txt").stdout for name in ("lm.arpa", "lm.lm", "again.arpa")]
    assert found == [found[0]] * 3 and "perplexity" in found[0]


def test_interpolate(run, texts):
    (texts / "other.txt").write_text("D A\nD D\n" * 3)
    assert run("lm", "build", "text.txt", "-o", "lm.arpa").exit_code == 0
    assert run("lm", "build", "other.txt", "-o", "other.arpa", "--order", "2").exit_code == 0
    mixed = run("lm", "interpolate", "lm.arpa", "other.arpa", "--text", "dev.txt", "-o", "mixed.arpa")
    assert mixed.exit_code == 0, mixed.stderr
    assert mixed.stdout.count("weight 0.") == 2
    assert "unknown words              0" in run("lm", "perplexity", "mixed.arpa", "dev.txt").stdout
    assert run("lm", "convert", "other.arpa", "-o", "other.lm", "--packed").exit_code == 0
    compact = run("lm", "interpolate", "lm.arpa", "other.lm", "--text", "dev.txt", "-o", "mixed.lm")
    assert compact.exit_code == 0, compact.stderr
    assert compact.stdout.replace(".lm", ".arpa") == mixed.stdout


def test_the_compact_form_says_the_same(run, texts):
    assert run("lm", "build", "text.txt", "-o", "lm.arpa").exit_code == 0
    assert run("lm", "build", "text.txt", "-o", "direct.lm").exit_code == 0
    assert run("lm", "convert", "lm.arpa", "-o", "converted.lm", "--bits", "16").exit_code == 0
    found = [
        run("lm", "perplexity", name, "dev.txt").stdout for name in ("lm.arpa", "direct.lm", "converted.lm")
    ]
    assert "perplexity" in found[0]
    assert found == [found[0]] * 3


def test_train_a_gru_and_mix_it(run, texts):
    options = ["--output", "gru", "--hidden", 8, "--embedding", 16, "--epochs", 3, "--vocabulary", 3]
    trained = run("lm", "train", "text.txt", *options, "--held-out", "dev.txt")
    assert trained.exit_code == 0, trained.stderr
    assert "epoch 3, update 3" in trained.stderr
    figure = next(line for line in trained.stdout.splitlines() if line.startswith("held-out perplexity"))
    found = run("lm", "perplexity", "gru", "dev.txt")
    assert "unknown words              1 (33.33%)" in found.stdout
    assert f"perplexity                 {figure.split()[-1]} over 4 tokens" in found.stdout
    assert run("lm", "build", "text.txt", "--order", "2", "-o", "lm.arpa").exit_code == 0
    mixed = run("lm", "perplexity", "gru", "dev.txt", "--mix", "lm.arpa")
    assert mixed.exit_code == 0, mixed.stderr
    assert mixed.stdout.startswith(found.stdout)
    assert "shares" in mixed.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["build", "none.txt", "-o", "lm.arpa"], "none.txt: cannot be read"),
        (["build", "text.txt", "-o", "lm.txt"], "lm.txt: a name that ends with .arpa"),
        (["build", "text.txt", "-o", "lm.arpa", "--order", "7"], "use --order 5"),
        (["build", "text.txt", "-o", "lm.arpa", "--words", "none"], "none: cannot be read"),
        (["build", "text.txt", "-o", "lm.arpa", "--cutoff", "2", "--cutoff", "1"], "cut-offs must not fall"),
        (["build", "text.txt", "-o", "lm.arpa", "--order", "1", "--cutoff", "1"], "at most 0, found 1"),
        (["build", "none.txt", "-o", "text.txt/lm.arpa"], "text.txt: cannot be written"),
        (["convert", "text.txt", "-o", "lm.lm", "--bits", "7"], "--bits 7: 32, 16 or 8 was expected"),
        (["perplexity", "dev.lm", "dev.txt"], "dev.lm: a language model was expected"),
        (["interpolate", "x.arpa", "--text", "dev.txt", "-o", "lm.arpa"], "two models or more were expected"),
        (
            ["prune", "text.txt", "--threshold", "1e-8", "-o", "lm.arpa"],
            "text.txt: a language model was expected",
        ),
        (["prune", "dev.lm", "-o", "lm.lm"], "one of --threshold and --megabytes was expected"),
        (["prune", "dev.lm", "--megabytes", "1", "-o", "lm.arpa"], "give it such a name"),
        (["perplexity", "text.txt", "dev.txt"], "text.txt: a language model was expected, .arpa"),
        (["perplexity", "none.arpa", "dev.txt"], "none.arpa: cannot be read"),
        (["perplexity", ".", "dev.txt"], "not a whole model folder: bundle.json is missing"),
        (["perplexity", "text.txt", "-", "--mix", "text.txt"], "a language model was expected"),
        (["train", "none.txt", "-o", "gru"], "none.txt: cannot be read"),
        (["train", "text.txt", "-o", "."], "holds files but no bundle.json"),
        (["train", "text.txt", "-o", "dev.txt"], "dev.txt: a file is there already"),
        (["train", "text.txt", "-o", "gru", "--held-out", "none"], "none: cannot be read"),
    ],
)
def test_calls_that_cannot_be_done(run, texts, arguments, sentence):
    found = run("lm", *arguments)
    assert found.exit_code == 2
    assert sentence in found.stderr
    assert found.stdout == ""
    assert not (texts / "lm.arpa").exists()
