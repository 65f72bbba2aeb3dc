"""`asr align`: times, formats, and texts that cannot be aligned."""

import json
import re

import pytest

import asr.align
from asr.timings import textgrid

LENIENT = ["--max-misfit", "1000"]
"""An untrained model hears nothing: every text is taken to fit."""


def test_json_has_the_words_as_normalised_with_times_in_order(run, tiny_model, sounds):
    result = run("align", "sounds/b.wav", "-", "--model", tiny_model, *LENIENT, input="a b, a.\n")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["text"] == "A B A" and [word["text"] for word in found["words"]] == ["A", "B", "A"]
    times = [time for word in found["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= found["duration"] == 1.0
    assert all(word["score"] <= 0 for word in found["words"])


def test_ctm_has_a_line_a_word(run, tiny_model, sounds, tmp_path):
    (tmp_path / "t.txt").write_text("a b")
    arguments = ["--model", tiny_model, "--format", "ctm", "--output", "t.ctm", *LENIENT]
    assert run("align", "sounds/b.wav", "t.txt", *arguments).stdout == ""
    lines = (tmp_path / "t.ctm").read_text().splitlines()
    assert [re.fullmatch(r"b 1 \d+\.\d{3} \d+\.\d{3} (.) [01]\.\d{4}", line)[1] for line in lines] == [
        "A",
        "B",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("...", "a text with words expected"),
        (b"caf\xe9", "UTF-8 text expected, found the byte 0xe9 at 3"),
        ("Ж", "CYRILLIC"),
        ("a b " * 500, "sounds/b.wav: the text does not fit the sound, 1.0 s: 1999 units cannot be aligned"),
        ("a b a", "does not fit the sound from"),
    ],
)
def test_what_cannot_be_aligned_is_a_sentence(run, tiny_model, sounds, text, sentence):
    allowed = ["--max-misfit", "0"] if "from" in sentence else LENIENT
    result = run("align", "sounds/b.wav", "-", "--model", tiny_model, *allowed, input=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_a_textgrid_has_touching_intervals_and_escaped_quotes():
    unit = asr.align.AlignedUnit
    units = [unit(text='A"', start=0.5, end=1.0, score=0), unit(text="B", start=0.9, end=1.5, score=0)]
    written = textgrid([("words", units)], 2.0)
    found = re.findall(r'xmin = (\S+)\n +xmax = (\S+)\n +text = "(.*)"\n', written)
    assert [(float(a), float(b), text) for a, b, text in found] == [
        (0.0, 0.5, ""),
        (0.5, 1.0, 'A""'),
        (1.0, 1.5, "B"),
        (1.5, 2.0, ""),
    ]
