"""Words with their times as text: Praat's TextGrid and NIST's ctm."""

from collections.abc import Sequence
from typing import Protocol


class Timed(Protocol):
    """A word or a character; start and end in seconds."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...


def ctm_line(utt_id: str, word: Timed, confidence: float) -> str:
    """`id channel start duration word confidence` (NIST SCTK, doc/infmts.htm), without a line end."""
    return f"{utt_id} 1 {word.start:.3f} {max(0.0, word.end - word.start):.3f} {word.text} {confidence:.4f}"


def textgrid(tiers: Sequence[tuple[str, Sequence[Timed]]], duration: float) -> str:
    """Interval tiers in Praat's long text format (Praat manual, "TextGrid file formats").

    Args:
        tiers: name and units of each tier, in order of time. A unit that begins before its neighbour ends is
            cut there; one without extent is left out, since Praat has no empty intervals.
        duration: of the audio in seconds; the last interval ends there. More than 0.

    Returns:
        The file's text. Intervals touch: a gap is an interval with an empty label.
    """
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {duration:.6f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, units) in enumerate(tiers, start=1):
        intervals = _intervals(units, duration)
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {duration:.6f}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start, end, text) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start:.6f}",
                f"            xmax = {end:.6f}",
                f"            text = {_quoted(text)}",
            ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _intervals(units: Sequence[Timed], duration: float) -> list[tuple[float, float, str]]:
    intervals: list[tuple[float, float, str]] = []
    now = 0.0
    for unit in units:
        start, end = round(max(unit.start, now), 6), round(min(unit.end, duration), 6)
        if end <= start:
            continue
        if start > now:
            intervals.append((now, start, ""))
        intervals.append((start, end, unit.text))
        now = end
    if now < round(duration, 6):
        intervals.append((now, round(duration, 6), ""))
    return intervals
