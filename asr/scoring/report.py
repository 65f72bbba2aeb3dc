"""A scored test set to read: one line, or a page of 80 columns."""

import textwrap
import unicodedata
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from asr.scoring.breakdown import Confusions, by_seconds, by_speaker, by_words, confusions, steps, worst
from asr.scoring.calibration import Calibration, calibration_lines
from asr.scoring.significance import Comparison, Interval
from asr.scoring.wer import Aligned, Report, Tally, Unit

COLUMNS = 80
FEW_SPEAKERS = 10
FEW_SEGMENTS = 30


def summary_line(report: Report, interval: Interval) -> str:
    """Such as `WER 4.21 % [3.50, 5.02], CER 1.30 %, 300 utterances`; of phones the PER alone."""
    count = _several(report.total.utterances, "utterance")
    rates = [f"{name.upper()} {rate:.2f} %" for name, rate in report.rates.items()]
    rates[0] += f" [{interval.low:.2f}, {interval.high:.2f}]"
    return ", ".join([*rates, count])


def text_report(
    report: Report, interval: Interval, *, details: bool = False, sure: Calibration | None = None
) -> str:
    """A page for people, in lines of at most 80 columns.

    Args:
        report: what `score` gave.
        interval: what `bootstrap_interval` gave.
        details: name every speaker and every missing utterance, and show more confusions and alignments.
        sure: what `calibration` gave, where the words have confidences.
    """
    limit = None if details else 10
    speakers = by_speaker(report)
    speakers = dict(sorted(speakers.items(), key=lambda entry: -(entry[1].words.percent or 0)))
    parts = [
        [summary_line(report, interval), *_interval_lines(interval)],
        _totals(report),
        _names(f"No hypothesis, all {report.unit}s counted as deletions", report.missing, limit),
        _names("No reference, not counted", report.without_reference, limit),
        _table("speaker, worst first", speakers, limit, report.unit) if len(speakers) > 1 else [],
        _table(f"{report.unit}s in reference", by_words(report), None, report.unit),
        _table("seconds", by_seconds(report), None, report.unit),
        calibration_lines(sure) if sure else [],
        _confusion_lines(confusions(report), 30 if details else 5),
        *(alignment_lines(item, report.unit) for item in worst(report, 20 if details else 3)),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def comparison_text(comparison: Comparison) -> str:
    """The paired tests in words, in lines of at most 80 columns."""
    change = abs(comparison.difference)
    relative = f" ({100 * change / comparison.first:.1f} % relative)" if comparison.first else ""
    verdict = "has the same WER as the first"
    if comparison.difference:
        sign = "better" if comparison.difference < 0 else "worse"
        verdict = f"is {sign} by {change:.2f} % absolute{relative}"
    low, high = comparison.ci95
    text = (
        f"The second {verdict}, {_p_value(comparison.mapsswe_p)} "
        f"(MAPSSWE, {_several(comparison.segments, 'segment')}), {_p_value(comparison.bootstrap_p)} "
        f"(paired bootstrap, {_several(comparison.units, comparison.unit)} resampled). "
        f"95 % interval of the difference: [{low:+.2f}, {high:+.2f}]."
    )
    if comparison.segments < FEW_SEGMENTS:
        text += f" With fewer than {FEW_SEGMENTS} segments the p-value of MAPSSWE is rough."
    if comparison.unit == "speaker" and comparison.units < FEW_SPEAKERS:
        text += f" With fewer than {FEW_SPEAKERS} speakers the bootstrap is likely too sure."
    return textwrap.fill(text, COLUMNS) + "\n"


def alignment_lines(item: Aligned, unit: Unit = "word") -> list[str]:
    """REF, HYP and EVAL under each other, as sclite shows them: asterisks stand for a word that is not there,
    S, D and I for the error. Folded to 80 columns; a word that is longer still is cut."""
    head = f"{item.utt_id}: {_several(item.words.errors, 'error')} in {_several(len(item.ref), unit)}"
    lines = [_fit(head + (", no hypothesis" if item.missing else ""), COLUMNS).rstrip()]
    margins = ["REF:  ", "HYP:  ", "EVAL: "]
    rows = margins
    for operation, ref, hyp in steps(item):
        ref, hyp = _cut(ref, COLUMNS - 8), _cut(hyp, COLUMNS - 8)
        width = max(1, cell_len(ref), cell_len(hyp))
        if cell_len(rows[0]) + width > COLUMNS:
            lines += [row.rstrip() for row in rows]
            rows = margins
        cells = [ref or "*" * width, hyp or "*" * width, "" if operation == "=" else operation]
        rows = [f"{row}{set_cell_size(cell, width)} " for row, cell in zip(rows, cells, strict=True)]
    return lines + [row.rstrip() for row in rows]


def _interval_lines(interval: Interval) -> list[str]:
    note = f"95 % bootstrap interval, {_several(interval.units, interval.unit)} resampled"
    if interval.unit == "speaker" and interval.units < FEW_SPEAKERS:
        note += "; with so few it is likely too narrow"
    return [note]


def _totals(report: Report) -> list[str]:
    total = report.total
    head = f"{'':<12}{'error %':>9}{'errors':>9}{'of':>10}{'substituted':>13}{'deleted':>10}{'inserted':>10}"
    rows = [
        f"{name:<12}{_rate(counts.percent, 9)}{counts.errors:>9}{counts.length:>10}"
        f"{counts.substitutions:>13}{counts.deletions:>10}{counts.insertions:>10}"
        for name, counts in ((f"{report.unit}s", total.words), ("characters", total.chars))
    ]
    rows = rows if report.unit == "word" else rows[:1]
    return [head, *rows, f"{'sentences':<12}{_rate(report.ser, 9)}{total.wrong:>9}{total.utterances:>10}"]


def _names(what: str, names: Sequence[str], limit: int | None) -> list[str]:
    if not names:
        return []
    shown = [_plain(name) for name in names[:limit]]
    hidden = len(names) - len(shown)
    more = f" and {hidden} more (--details or --json names them)" if hidden else ""
    return textwrap.wrap(f"{what} ({len(names)}): {', '.join(shown)}{more}", COLUMNS, break_on_hyphens=False)


def _table(title: str, groups: dict[str, Tally], limit: int | None, unit: Unit) -> list[str]:
    if not groups:
        return []
    titles = ["WER %", "CER %", "SER %", "words", "sub", "del", "ins", "utts"]
    if unit == "phone":
        titles = ["PER %", *titles[2:3], "phones", *titles[4:]]
    lines = [f"{title:<22}" + "".join(f"{name:>7}" for name in titles)]
    for name, group in list(groups.items())[:limit]:
        words = group.words
        rates = [words.percent, group.chars.percent, group.percent_wrong]
        rates = rates if unit == "word" else rates[::2]
        counts = (words.length, words.substitutions, words.deletions, words.insertions, group.utterances)
        cells = [_rate(rate, 7) for rate in rates] + [f"{count:>7}" for count in counts]
        lines.append(_fit(name, 22) + "".join(cells))
    hidden = len(groups) - (len(lines) - 1)
    return lines + ([f"and {hidden} more (--details or --json shows them)"] if hidden else [])


def _confusion_lines(found: Confusions, limit: int) -> list[str]:
    pairs = [f"{count:>6} {ref} -> {hyp}" for ref, hyp, count in found.substitutions[:limit]]
    deleted = [f"{count:>6} {word}" for word, count in found.deletions[:limit]]
    inserted = [f"{count:>6} {word}" for word, count in found.insertions[:limit]]
    columns = [(40, "substituted", pairs), (20, "deleted", deleted), (20, "inserted", inserted)]
    height = max(len(entries) for _, _, entries in columns)
    if not height:
        return []
    filled = [
        [_fit(cell, width) for cell in [f"{'':<7}{title}", *entries, *[""] * (height - len(entries))]]
        for width, title, entries in columns
    ]
    return ["".join(row).rstrip() for row in zip(*filled, strict=True)]


def _rate(percent: float | None, width: int) -> str:
    text = "-" if percent is None else f"{percent:.2f}"
    return f"{text:>{width}}"


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _several(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _plain(text: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join("?" if unicodedata.category(character) == "Cc" else character for character in text)


def _cut(text: str, width: int) -> str:
    """At most `width` columns, of which East Asian letters take two."""
    text = _plain(text)
    return text if cell_len(text) <= width else set_cell_size(text, width - 3) + "..."


def _fit(text: str, width: int) -> str:
    """Cut or filled to exactly `width` columns, the last of them blank."""
    return set_cell_size(_cut(text, width - 1), width)
