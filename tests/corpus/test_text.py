"""Transcripts in LibriSpeech's convention, and numbers read aloud."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.corpus.spelling import spell
from asr.corpus.text import in_convention, normalise
from asr.errors import AsrError

CONVENTION = re.compile(r"(?:[A-Z]+(?:'[A-Z]+)*(?: [A-Z]+(?:'[A-Z]+)*)*)?")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Hello, world!", "HELLO WORLD"),
        ("  well-known\tfacts\n", "WELL KNOWN FACTS"),
        ("Don't “quote” me…", "DON'T QUOTE ME"),
        ("O’Brien’s rock ’n’ roll", "O'BRIEN'S ROCK N ROLL"),
        ("the dogs' 'tis", "THE DOGS TIS"),
        ("café naïve Straße Œuvre Łódź Þór", "CAFE NAIVE STRASSE OEUVRE LODZ THOR"),
        ("R&B", "R AND B"),
        ("Mr. and Mrs. Quilter, Dr Who", "MISTER AND MISSUS QUILTER DOCTOR WHO"),
        ("e\u0301te\u0301 soft\u00adware zero\u200bwidth \ufeffmark", "ETE SOFTWARE ZEROWIDTH MARK"),
        ("ＦＵＬＬ ﬁne", "FULL FINE"),
        ("", ""),
        (" '-, ", ""),
    ],
)
def test_normalise(written: str, expected: str) -> None:
    assert normalise(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12 and 1,234,567", 
         "TWELVE AND ONE MILLION TWO HUNDRED AND THIRTY FOUR THOUSAND FIVE HUNDRED AND SIXTY SEVEN"),
        ("in 1803, 1900, 1984, 2000, 2005 and 2025.",
         "IN EIGHTEEN O THREE NINETEEN HUNDRED NINETEEN EIGHTY FOUR TWO THOUSAND TWO THOUSAND AND FIVE "
         "AND TWENTY TWENTY FIVE"),
        ("-5 to 0", "MINUS FIVE TO ZERO"),
        ("3.14 and .5", "THREE POINT ONE FOUR AND POINT FIVE"),
        ("the 1st, 22nd and 1,000th", "THE FIRST TWENTY SECOND AND ONE THOUSANDTH"),
        ("5% or 2.5 %", "FIVE PERCENT OR TWO POINT FIVE PERCENT"),
        ("$1, $5.50, $0.01, £3.01, €2 million, 5€, ¥7",
         "ONE DOLLAR FIVE DOLLARS AND FIFTY CENTS ONE CENT THREE POUNDS AND ONE PENNY TWO MILLION EUROS "
         "FIVE EUROS SEVEN YEN"),
        ("at 10:30 a.m., 9:05 and 10:00", "AT TEN THIRTY A M NINE O FIVE AND TEN O'CLOCK"),
        ("the 1990s and '80s", "THE NINETEEN NINETIES AND EIGHTIES"),
        ("1914–1918 or 5-10", "NINETEEN FOURTEEN TO NINETEEN EIGHTEEN OR FIVE TO TEN"),
        ("½ and 2½ and ¾", "ONE HALF AND TWO AND A HALF AND THREE QUARTERS"),
        ("a 20-year-old with COVID-19", "A TWENTY YEAR OLD WITH COVID NINETEEN"),
    ],
)  # fmt: skip
def test_numbers_are_read_aloud(written: str, expected: str) -> None:
    assert normalise(written, spell_numbers=True) == expected


@pytest.mark.parametrize(
    "token", ["555-1234", "1/2/2020", "MP3", "007", "1,23", "12:75", "12345678901234567", "10km"]
)
def test_a_number_without_a_certain_reading_is_named(token: str) -> None:
    with pytest.raises(AsrError, match=re.escape(f"'{token}'")) as caught:
        normalise(f"see {token} there", spell_numbers=True)
    assert "no certain reading" in str(caught.value)


def test_digits_are_an_error_where_they_are_not_spelled() -> None:
    with pytest.raises(AsrError, match=r"holds digits \('42', '3rd'\); write the numbers in words"):
        normalise("the 42 of the 3rd")


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("Привет", "'П' (CYRILLIC CAPITAL LETTER PE)"),
        ("你好", "'你' (CJK UNIFIED IDEOGRAPH-4F60)"),
        ("hello 😀", "'😀' (GRINNING FACE)"),
        ("a\x00b", "U+0000"),
        ("me @ home", "'@' (COMMERCIAL AT)"),
        ("٣", "ARABIC-INDIC DIGIT THREE"),
        ("<unk>", "'<' (LESS-THAN SIGN)"),
    ],
)
def test_characters_without_a_place_are_named(written: str, named: str) -> None:
    with pytest.raises(AsrError) as caught:
        normalise(written, spell_numbers=True)
    assert named in str(caught.value)
    assert "cannot be written with A–Z" in str(caught.value)


def test_many_strange_characters_are_counted() -> None:
    with pytest.raises(AsrError, match="and 2 more; write it in Latin letters"):
        normalise("абвгдеж")


def test_text_in_the_convention_is_left_alone() -> None:
    assert normalise("MR SMITH ISN'T HERE") == "MR SMITH ISN'T HERE"
    assert in_convention("'TIS THE DOGS' HOUSE")
    assert not in_convention("TWO  SPACES")
    assert not in_convention("")


@settings(deadline=None)
@given(
    st.text(alphabet=st.one_of(st.characters(), st.sampled_from("aB'’ -.,5$%:½")), max_size=30), st.booleans()
)
def test_normalise_gives_the_convention_and_is_idempotent(text: str, spell_numbers: bool) -> None:
    try:
        once = normalise(text, spell_numbers)
    except AsrError:
        return
    assert CONVENTION.fullmatch(once)
    assert normalise(once, spell_numbers) == once


@settings(deadline=None)
@given(st.integers(0, 10**15 - 1), st.sampled_from(["{}", "{:,}", "-{}", "{}%", "${}", "{}."]))
def test_every_whole_number_is_read(number: int, form: str) -> None:
    assert re.fullmatch(r"[A-Z ]+", normalise(form.format(number), spell_numbers=True))


@settings(deadline=None)
@given(st.integers(1100, 2099))
def test_numbers_keep_their_value(year: int) -> None:
    """An independent reading of the words gives the number back."""
    units = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    units += "sixteen seventeen eighteen nineteen"
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    values = {word: value for value, word in enumerate(units.split())} | {
        w: 20 + 10 * i for i, w in enumerate(tens)
    }
    words = [word for word in spell(str(year)).replace("-", " ").split() if word not in ("and", "o")]
    if words[1:] == ["hundred"]:
        assert values[words[0]] * 100 == year
    elif words[:2] == ["two", "thousand"]:
        assert 2000 + sum(values[word] for word in words[2:]) == year
    else:  # the century ends where its two digits are reached
        split = 2 if words[0] in tens and values[words[0]] // 10 == year // 1000 and year // 100 % 10 else 1
        assert 100 * sum(values[w] for w in words[:split]) + sum(values[w] for w in words[split:]) == year
