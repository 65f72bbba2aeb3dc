"""ARPA files: what is written is read, and what is damaged is named with its line."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.errors import AsrError
from asr.lm.arpa import read_arpa, write_arpa
from asr.lm.automaton import LanguageModel
from asr.lm.build import build

TINY = """
\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.25
-0.5\t</s>
-0.75\tA\t-0.5
-1\tB\t0.125

\\2-grams:
-0.25\t<s> A\t-0.5
-0.5\tA B
-0.125\tB </s>

\\3-grams:
-0.0625\t<s> A B

\\end\\
"""


@pytest.fixture
def arpa(tmp_path):
    def write(content=TINY, name="lm.arpa"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_what_is_read_is_what_is_written_there(arpa):
    model = read_arpa(arpa())
    assert model.vocabulary == ["<unk>", "<s>", "</s>", "A", "B"]
    assert [len(table.first_words) for table in model.tables] == [5, 3, 1]
    found = LanguageModel.from_model(model)
    # <s> A: -0.25, <s> A B: -0.0625, B </s>: -0.125
    assert found.score(["A", "B"]) / np.log(10) == pytest.approx(-0.4375, abs=1e-6)
    # <unk>: backoff(<s>) and -1.5, </s>: -0.5
    assert found.score(["C"]) / np.log(10) == pytest.approx(-0.25 - 1.5 - 0.5, abs=1e-6)


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_a_model_comes_back(tmp_path, trigrams, name):
    write_arpa(tmp_path / name, trigrams)
    found = read_arpa(tmp_path / name)
    assert found.vocabulary == trigrams.vocabulary
    for table, expected in zip(found.tables, trigrams.tables, strict=True):
        for array, other in zip(table, expected, strict=True):
            np.testing.assert_allclose(array, other, atol=2e-6)
    again = tmp_path / f"again-{name}"
    write_arpa(again, found)
    assert again.read_bytes() == (tmp_path / name).read_bytes()


def test_what_other_tools_leave_out_is_filled_in(arpa):
    """No <unk>; no `A B`, the suffix of `<s> A B`, which then has the probability it backs off to."""
    text = TINY.replace("-1.5\t<unk>\n", "").replace("ngram 1=5", "ngram 1=4")
    text = text.replace("-0.5\tA B\n", "").replace("ngram 2=3", "ngram 2=2")
    model = read_arpa(arpa(text))
    assert model.tables[0].log_probs[0] == pytest.approx(-100 * np.log(10))
    assert [len(table.first_words) for table in model.tables] == [5, 3, 1]
    assert sorted(model.tables[1].log_probs / np.log(10)) == pytest.approx([-0.5 - 1, -0.25, -0.125])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("\\data\\", "HELLO", r"lm.arpa:2: not an ARPA file: \\data\\ was expected, found 'HELLO'"),
        ("ngram 2=3", "ngram 2=4", r"lm.arpa:18: 4 2-grams were promised, found 3"),
        (
            "ngram 2=3",
            "ngram 2=2",
            r"lm.arpa:17: \\3-grams: was expected, found '-0.125.B </s>'; the file is cut or",
        ),
        ("ngram 2=3", "ngram 3=3", r"lm.arpa:4: the count of order 2 was expected, found that of 3"),
        (
            "ngram 2=3",
            "ngram 2=" + "3" * 5000,
            r"lm.arpa:4: a count of at most 18 digits was expected, found",
        ),
        ("ngram 2=3", "ngrams", r"lm.arpa:4: 'ngram 2=<count>' was expected, found 'ngrams'"),
        ("-0.5\tA B", "0.5\tA B", r"lm.arpa:16: a log-probability of at most 0 was expected, found 0.5"),
        ("-0.5\tA B", "nan\tA B", r"lm.arpa:16: a log-probability was expected, found 'nan'"),
        ("-0.5\tA B", "-0.5\tA B\tX", r"lm.arpa:16: a back-off weight was expected, found 'X'"),
        ("-0.5\tA B", "-0.5\tA", r"lm.arpa:16: a 2-gram in 3 or 4 fields was expected, found 2"),
        ("<s> A B\n", "<s> A B\t0\n", r"lm.arpa:20: a 3-gram in 4 fields was expected, found 5"),
        ("-0.5\tA B", "-0.5\tA C", r"lm.arpa:16: the word 'C' is not among the 1-grams"),
        ("-0.5\tA B", "-0.5\tB </s>", r"lm.arpa:17: the n-gram 'B </s>' is in line 16 already"),
        ("-1\tB\t0.125", "-1\tA\t0.125", r"lm.arpa:12: the word 'A' is listed twice"),
        (
            "-0.25\t<s> A\t-0.5",
            "-0.25\tB A",
            r"lm.arpa:20: the n-gram '<s> A B' needs its context '<s> A', which is",
        ),
        ("</s>", "</S>", r"lm.arpa:12: </s> was expected among the 5 words"),
        ("\\end\\\n", "\\end\\\n\nmore", r"lm.arpa:24: nothing was expected after \\end\\, found 'more'"),
        ("\n\\end\\\n", "", r"lm.arpa:21: \\end\\ was expected, found the end of the file; the file is cut"),
        ("ngram 1=5\nngram 2=3\nngram 3=1\n", "", "lm.arpa:3: an ARPA file with words was expected"),
    ],
)
def test_damage_is_named_with_its_line(arpa, old, new, sentence):
    with pytest.raises(AsrError, match=sentence):
        read_arpa(arpa(TINY.replace(old, new)))


def test_files_that_are_no_arpa(arpa):
    with pytest.raises(AsrError, match=r"lm.arpa:1: not an ARPA file: .* found the end of the file"):
        read_arpa(arpa(""))
    with pytest.raises(AsrError, match=r"lm.arpa:1: not an ARPA file"):
        read_arpa(arpa(gzip.compress(TINY.encode())))
    with pytest.raises(AsrError, match=r"lm.arpa.gz: cannot be unpacked"):
        read_arpa(arpa(gzip.compress(TINY.encode())[:-9], "lm.arpa.gz"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_gives_a_model_or_a_sentence(arpa, data):
    content = bytearray(TINY.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        how = data.draw(st.sampled_from(["cut", "byte", "take", "repeat"]))
        if how == "cut":
            del content[at:]
        elif how == "byte":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=3))
        elif how == "take":
            del content[at : at + data.draw(st.integers(1, 12))]
        else:
            content[at:at] = content[at : at + 20]
    try:
        model = LanguageModel.from_arpa(arpa(bytes(content)))
    except AsrError as error:
        assert re.search(r"lm\.arpa:\d+: ", str(error))
    else:
        assert np.isfinite(model.score(["A", "B", "A"]))


def test_a_failed_write_leaves_what_was_there(arpa, trigrams, monkeypatch):
    path = arpa()
    monkeypatch.setattr("asr.lm.arpa._words_of", lambda *_: [][1])
    with pytest.raises(IndexError):
        write_arpa(path, trigrams)
    assert path.read_text() == TINY
    assert [file.name for file in path.parent.iterdir()] == ["lm.arpa"]


def test_any_text_gives_the_same_model_after_a_round_trip(tmp_path, written):
    model = build([written(["É 上 x-y", "上 #\\ \\end\\ -1.5", "é É"])], 3).model
    write_arpa(tmp_path / "lm.arpa", model)
    found = read_arpa(tmp_path / "lm.arpa")
    assert found.vocabulary == model.vocabulary
    assert [len(table.first_words) for table in found.tables] == [len(t.first_words) for t in model.tables]
