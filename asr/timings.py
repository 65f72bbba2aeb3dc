"""Words with their times as text: Praat's TextGrid, NIST's ctm, and subtitles as SubRip and WebVTT."""

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple, Protocol

LINE_CHARACTERS = 42
LINES = 2
"""What subtitles hold at most: 42 characters a line and two lines, as broadcasters have it."""
CAPTION_SECONDS = 7.0
"""The longest that a subtitle stands."""
SHORTEST_SECONDS = 1.0
"""The shortest, where the next one leaves it so long."""
PAUSE_SECONDS = 1.5
"""A pause after which the next subtitle begins."""


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


def recording_id(audio: str) -> str:
    """What ctm calls a recording: the name of its file without spaces, folder and extension."""
    return "stdin" if audio == "-" else "_".join(PurePath(audio).stem.split()) or "audio"


class Caption(NamedTuple):
    """A subtitle: one or two lines of text, and from when to when it stands, in seconds."""

    lines: list[str]
    start: float
    end: float


def srt(words: Sequence[Timed], duration: float) -> str:
    """Subtitles in SubRip's format (see `captions`)."""
    return "".join(
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n"
        + "".join(f"{line}\n" for line in lines)
        + "\n"
        for number, (lines, start, end) in enumerate(captions(words, duration), start=1)
    )


def vtt(words: Sequence[Timed], duration: float) -> str:
    """Subtitles in WebVTT (W3C 2019; see `captions`)."""
    escape = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    return "WEBVTT\n" + "".join(
        f"\n{_clock(start, '.')} --> {_clock(end, '.')}\n" + "".join(f"{line}\n" for line in lines)
        for lines, start, end in (
            Caption([line.translate(escape) for line in caption.lines], caption.start, caption.end)
            for caption in captions(words, duration)
        )
    )


def captions(words: Sequence[Timed], duration: float) -> list[Caption]:
    """Cut words into subtitles: at pauses, and where a subtitle would be too long to read or to stand.

    Args:
        words: in order of time.
        duration: of the audio in seconds; nothing stands longer.

    Returns:
        subtitles that do not overlap, each with at least one word.
    """
    groups = list(_groups(words))
    found = []
    for number, group in enumerate(groups):
        after = groups[number + 1][0].start if number + 1 < len(groups) else max(duration, group[-1].end)
        end = min(max(group[-1].end, group[0].start + SHORTEST_SECONDS), max(after, group[0].start))
        found.append(Caption(_lines([word.text for word in group]), group[0].start, end))
    return found


def _groups(words: Sequence[Timed]) -> Iterator[list[Timed]]:
    group: list[Timed] = []
    for word in words:
        if group and (
            word.start - group[-1].end > PAUSE_SECONDS
            or word.end - group[0].start > CAPTION_SECONDS
            or len(_lines([*(other.text for other in group), word.text])) > LINES
        ):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _lines(texts: Sequence[str]) -> list[str]:
    """Words in lines of at most `LINE_CHARACTERS`; a word that is longer has a line of its own."""
    lines = [texts[0]]
    for text in texts[1:]:
        if len(lines[-1]) + 1 + len(text) <= LINE_CHARACTERS:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return lines


def _clock(seconds: float, point: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


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
