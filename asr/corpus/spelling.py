"""Numbers read aloud, for transcripts that write them in digits.

The words come from `inflect`; what this module adds is the choice of a reading. The forms follow what
LibriSpeech's transcripts have: a four-digit number from 1100 to 2099 is read as a year (EIGHTEEN O THREE,
TWENTY TWENTY FIVE), and hundreds are joined with AND. A number whose reading is not certain (a date in
digits, a telephone number, digits glued to letters) is an error that names it, never a guess.
"""

import re
from functools import cache
from typing import Any

from asr.errors import AsrError

_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})"
_NUMBER = rf"(?:{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"
_LEFT = r"(?<![\w/:.,+$£€¥])(?<![0-9][-–])"  # nothing before that would belong to the same number
_RIGHT = r"(?![\w/:$£€¥%°]|[.,][0-9]|['’]\w|[-–][0-9])"  # nor after it
_MINUS = r"(?:(?<![^\s(])[-−])?"
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
}
_FRACTIONS = {"½": "half", "¼": "quarter", "¾": "three quarters", "⅓": "third", "⅔": "two thirds"}
_YEARS = range(1100, 2100)


def spell(text: str) -> str:
    """Replace the numbers of a text by words, in lower case; everything else stays.

    Cardinals (12, 1,234, -5), decimals (3.14, .5), ordinals (21st), years (1984), decades (1990s, '80s),
    percent (5 %), currency ($5, £3.50, €2 million), times of day (10:30), ranges (1914–1918, 5-10) and the
    common fractions (½, 2¾) are read.

    Raises:
        AsrError: numbers with no certain reading, each named.
    """
    if not re.search(f"[0-9{''.join(_FRACTIONS)}]", text):
        return text
    for pattern, read in _READINGS:
        text = re.sub(pattern, read, text, flags=re.IGNORECASE)
    unread = [token for token in text.split() if re.search(r"[0-9]", token)]
    if unread:
        shown = ", ".join(f"'{token}'" for token in dict.fromkeys(unread))
        raise AsrError(f"the transcript holds numbers with no certain reading ({shown}); write them in words")
    return text


@cache
def _engine() -> Any:
    """inflect's engine, imported where the first digit turns up.

    inflect has typeguard rewrite all its functions to check their arguments, which takes 3 s of the 3.3 s of
    its import and finds nothing here; while it is imported, the rewriting is off.
    """
    try:
        import typeguard
    except ImportError:  # a version of inflect without it
        import inflect
    else:
        checked = typeguard.typechecked
        typeguard.typechecked = lambda target: target  # type: ignore[assignment]
        try:
            import inflect
        finally:
            typeguard.typechecked = checked
    return inflect.engine()


def _words(number: str) -> str:
    """A cardinal or decimal in words, without commas."""
    number = number.replace(",", "")
    if number.startswith("."):
        return "point " + _digits(number[1:])
    whole, _, decimals = number.partition(".")
    words = str(_engine().number_to_words(str(int(whole)))).replace(",", "")
    return f"{words} point {_digits(decimals)}" if decimals else words


def _digits(digits: str) -> str:
    return " ".join(str(_engine().number_to_words(digit)) for digit in digits)


def _year(year: int) -> str:
    century, rest = divmod(year, 100)
    if 2000 <= year < 2010:
        return _words(str(year))
    if rest == 0:
        return f"{_words(str(century))} hundred"
    return f"{_words(str(century))} {'o ' if rest < 10 else ''}{_words(str(rest))}"


def _whole(number: str) -> str:
    """A whole number: four digits in the range of years are a year."""
    is_year = len(number) == 4 and number.isdigit() and int(number) in _YEARS
    return _year(int(number)) if is_year else _words(number)


def _cardinal(match: re.Match[str]) -> str:
    number = match["number"]
    if len(number) > 1 and number[0] == "0" and number[1].isdigit():
        return match[0]  # 007 or a code: no certain reading
    sign = "minus " if match["minus"] else ""
    return sign + (_words(number) if sign or "." in number else _whole(number))


def _percent(match: re.Match[str]) -> str:
    return ("minus " if match["minus"] else "") + _words(match["number"]) + " percent"


def _currency(match: re.Match[str]) -> str:
    one, many, small_one, small_many = _CURRENCIES[match["sign"]]
    number, scale = match["number"].replace(",", ""), match["scale"]
    if scale:
        return f"{_words(number)} {scale} {many}"
    whole, _, decimals = number.partition(".")
    if not decimals or not small_one or len(decimals) != 2:
        return f"{_words(number)} {one if number == '1' else many}"
    coins = f"{_words(decimals)} {small_one if int(decimals) == 1 else small_many}"
    notes = f"{_words(whole or '0')} {one if whole == '1' else many}"
    if int(decimals) == 0:
        return notes
    return coins if int(whole or 0) == 0 else f"{notes} and {coins}"


def _ordinal(match: re.Match[str]) -> str:
    number = match["number"].replace(",", "")
    return str(_engine().number_to_words(_engine().ordinal(number))).replace(",", "")


def _decade(match: re.Match[str]) -> str:
    number = match["number"]
    words = _whole(number)
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 23 or minute > 59:
        return match[0]
    half = f" {match['half'].strip()[0]} m" if match["half"] else ""
    if minute == 0:
        return _words(str(hour)) + (half or " o'clock")
    return f"{_words(str(hour))} {'o ' if minute < 10 else ''}{_words(str(minute))}{half}"


def _range(match: re.Match[str]) -> str:
    """5-10 and 1914–1918; not 555-1234, whose sides have different lengths."""
    low, high = match["low"], match["high"]
    is_number = not (low.startswith("0") or high.startswith("0")) and len(high) - len(low) in (0, 1)
    is_years = len(low) == len(high) == 4 and int(low) in _YEARS and int(high) in _YEARS
    if not (is_years or (is_number and len(high) <= 3)) or int(low) >= int(high):
        return match[0]
    return f"{_whole(low)} to {_whole(high)}"


def _fraction(match: re.Match[str]) -> str:
    fraction = _FRACTIONS[match["fraction"]]
    if not match["number"]:
        return fraction if " " in fraction else f"one {fraction}"
    return f"{_words(match['number'])} and {fraction if ' ' in fraction else f'a {fraction}'}"


_READINGS = [
    (rf"{_LEFT}(?P<number>{_WHOLE})?\s?(?P<fraction>[{''.join(_FRACTIONS)}])(?!\w)", _fraction),
    (
        rf"(?<![\w$£€¥])(?P<sign>[$£€¥])\s?(?P<number>{_NUMBER})"
        rf"(?:\s+(?P<scale>thousand|million|billion|trillion)\b)?{_RIGHT}",
        _currency,
    ),
    (rf"{_LEFT}(?P<number>{_NUMBER})\s?(?P<sign>[$£€¥])(?P<scale>(?!))?(?!\w)", _currency),
    (rf"(?P<minus>{_MINUS}){_LEFT}(?P<number>{_NUMBER})\s?%(?!\w)", _percent),
    (
        rf"{_LEFT}(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}})(?P<half>\s?[ap]\.?m\b\.?)?{_RIGHT}",
        _time,
    ),
    (rf"{_LEFT}(?P<number>{_WHOLE})(?:st|nd|rd|th)\b", _ordinal),
    (rf"{_LEFT}(?P<number>(?:[0-9]{{2}})?[0-9]0)['’]?s\b", _decade),
    (rf"{_LEFT}(?P<low>[0-9]{{1,4}})[-–](?P<high>[0-9]{{1,4}}){_RIGHT}", _range),
    (rf"(?P<minus>{_MINUS}){_LEFT}(?P<number>{_NUMBER}){_RIGHT}", _cardinal),
]
