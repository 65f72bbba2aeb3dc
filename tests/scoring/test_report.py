import json
import re

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from asr.scoring.figures import Figures, figures
from asr.scoring.report import COLUMNS, alignment_lines, comparison_text, summary_line, text_report
from asr.scoring.significance import Comparison, Interval, bootstrap_interval
from asr.scoring.wer import Report, Scored, score

INTERVAL = Interval(low=3.5, high=5.018, unit="speaker", units=20)
TEXT = st.text(st.sampled_from("AB É你\u0301\x1b") | st.characters(exclude_categories=["Cs"]), max_size=200)


def scored(*pairs: tuple[str | None, str | None], speaker: str = "s") -> Report:
    return score(
        [Scored(utt_id=f"u{i}", speaker=speaker, ref=ref, hyp=hyp) for i, (ref, hyp) in enumerate(pairs)]
    )


def comparison(**changed: object) -> Comparison:
    found = Comparison(
        first=5.4, second=4.2, difference=-1.2, ci95=(-1.904, -0.5), unit="speaker", units=40,
        bootstrap_p=0.004, mapsswe_p=0.0031, mapsswe_z=-2.96, segments=412,
    )  # fmt: skip
    return msgspec.structs.replace(found, **changed)


def test_the_summary_is_one_line() -> None:
    report = scored(("A B C D", "A B C X"), ("E F G H", "E F G H"))
    assert summary_line(report, INTERVAL) == "WER 12.50 % [3.50, 5.02], CER 7.14 %, 2 utterances"
    assert summary_line(scored(("A", "A")), INTERVAL).endswith(", 1 utterance")


def test_the_report_shows_the_figures() -> None:
    text = text_report(
        scored(("THE CAT SAT", "A CAT SAT"), ("THE END", None), (None, "X"), ("OF", "OF IT")), INTERVAL
    )
    assert text.startswith("WER 66.67 % [3.50, 5.02], ")
    assert "95 % bootstrap interval, 20 speakers resampled" in text
    assert re.search(r"^words +66\.67 +4 +6 +1 +2 +1$", text, re.MULTILINE)
    assert re.search(r"^sentences +100\.00 +3 +3$", text, re.MULTILINE)
    assert "No hypothesis, all words counted as deletions (1): u1\n" in text
    assert "No reference, not counted (1): u2\n" in text
    assert "     1 THE -> A" in text
    assert re.search(r"^1-5 +66\.67", text, re.MULTILINE)


def test_alignments_stand_under_each_other() -> None:
    item = scored(("SHE HAD YOUR DARK SUIT", "SHE YOUR DARKER SUIT TOO")).aligned[0]
    assert alignment_lines(item) == [
        "u0: 3 errors in 5 words",
        "REF:  SHE HAD YOUR DARK   SUIT ***",
        "HYP:  SHE *** YOUR DARKER SUIT TOO",
        "EVAL:     D        S           I",
    ]


def test_alignments_count_wide_letters_as_two() -> None:
    item = scored(("你好 A B", "你 A C")).aligned[0]
    assert alignment_lines(item)[1:] == ["REF:  你好 A B", "HYP:  你   A C", "EVAL: S      S"]


def test_long_alignments_are_folded_without_losing_a_word() -> None:
    words = [f"WORD{i:02}" for i in range(30)]
    item = scored((" ".join(words), " ".join(words[:-1]))).aligned[0]
    lines = alignment_lines(item)
    assert [line[:6].rstrip() for line in lines[1:]] == ["REF:", "HYP:", "EVAL:"] * 3
    assert max(map(len, lines)) <= COLUMNS
    assert " ".join(line[6:] for line in lines[1::3]) == " ".join(words)
    assert lines[-2].endswith(" ******")
    assert lines[-1].index("D") == lines[-2].index("*")


def test_details_name_everyone() -> None:
    pairs = [Scored(utt_id=f"u{i:02}", speaker=f"s{i:02}", ref="A", hyp=None) for i in range(40)]
    report = score(pairs)
    short, full = (text_report(report, INTERVAL, details=details) for details in (False, True))
    assert short.count("and 30 more (--details or --json") == 2
    assert "more (--details" not in full
    for item in pairs:
        assert f"\n{item.speaker} " in full
        assert item.utt_id in full


@settings(max_examples=60)
@given(st.lists(st.tuples(TEXT, st.none() | TEXT), max_size=5), TEXT, st.booleans())
def test_the_page_is_eighty_columns_wide_and_harmless(
    pairs: list[tuple[str, str | None]], speaker: str, details: bool
) -> None:
    report = scored(("WORD", "WORT"), ("LAST", None), *pairs, speaker=speaker)
    text = text_report(report, INTERVAL, details=details)
    assert max(map(cell_len, text.split("\n"))) <= COLUMNS
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_json_comes_back_equal() -> None:
    report = score(
        [
            Scored(utt_id="a-1", speaker="a", ref="É 你 THE", hyp="É A", seconds=1.5),
            Scored(utt_id="a-2", speaker="a", ref="", hyp="UH"),
            Scored(utt_id="b-1", speaker="b", ref="A B", hyp=None),
            Scored(utt_id="b-2", speaker="b", ref=None, hyp="X"),
        ]
    )
    found = figures(report, bootstrap_interval(report, replicates=50))
    encoded = msgspec.json.encode(found)
    assert msgspec.json.decode(encoded, type=Figures) == found
    tree = json.loads(encoded)
    assert (tree["wer"], tree["words"], tree["utterances"], tree["sentence_errors"]) == (100.0, 5, 3, 3)
    assert (tree["substitutions"], tree["deletions"], tree["insertions"]) == (1, 3, 1)
    assert tree["ci95"][0] <= tree["wer"] <= tree["ci95"][1]
    assert tree["missing"] == ["b-1"]
    assert tree["without_reference"] == ["b-2"]
    assert tree["by_speaker"]["a"]["wer"] == 100.0
    assert tree["by_words"]["0"]["wer"] is None
    assert {label: group["utterances"] for label, group in tree["by_seconds"].items()} == {
        "0-2": 1,
        "unknown": 2,
    }
    assert tree["confusions"]["insertions"] == [["UH", 1]]
    assert [each["utt_id"] for each in tree["worst"]] == ["b-1", "a-1", "a-2"]


def test_the_comparison_is_told_in_words() -> None:
    text = comparison_text(comparison())
    assert " ".join(text.split()) == (
        "The second is better by 1.20 % absolute (22.2 % relative), p = 0.003 (MAPSSWE, 412 segments), "
        "p = 0.004 (paired bootstrap, 40 speakers resampled). "
        "95 % interval of the difference: [-1.90, -0.50]."
    )
    assert max(map(len, text.split("\n"))) <= COLUMNS
    assert comparison_text(comparison(difference=0.5)).startswith("The second is worse by 0.50 % absolute (")
    assert "same WER" in comparison_text(comparison(difference=0.0))
    assert "relative" not in comparison_text(comparison(first=0.0))
    assert "p < 0.001 (MAPSSWE" in comparison_text(comparison(mapsswe_p=1e-9))


def test_little_data_is_said_to_be_little() -> None:
    assert "MAPSSWE is rough" in " ".join(comparison_text(comparison(segments=29)).split())
    assert "fewer than 10 speakers" in " ".join(comparison_text(comparison(units=9)).split())
    few = Interval(low=1.0, high=2.0, unit="speaker", units=3)
    assert "3 speakers resampled; with so few it is likely too narrow" in text_report(scored(("A", "B")), few)
    single = Interval(low=1.0, high=2.0, unit="utterance", units=3)
    assert "too narrow" not in text_report(scored(("A", "B")), single)
