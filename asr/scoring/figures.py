"""A scored test set as numbers, for JSON."""

import msgspec

from asr.scoring.breakdown import Confusions, by_seconds, by_speaker, by_words, confusions, worst
from asr.scoring.calibration import Calibration
from asr.scoring.significance import Interval
from asr.scoring.wer import Aligned, Report, Tally

_WORST = 20


class GroupFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of some of the utterances. Rates in percent; None where there are no reference words."""

    wer: float | None
    cer: float | None
    ser: float | None
    words: int
    substitutions: int
    insertions: int
    deletions: int
    utterances: int


class WorstFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One badly recognised utterance; operations: a letter a step, "=" correct, "S", "D", "I"."""

    utt_id: str
    wer: float | None
    errors: int
    ref: str
    hyp: str
    operations: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON report. Rates and intervals in percent.

    Attributes:
        wer, cer, ser: word, character and sentence error rate.
        ci95: 95 % bootstrap interval of `wer`; `ci95_unit` and `ci95_units` say what was resampled.
        words: words in the references; `characters` likewise.
        utterances: utterances with a reference, those with a missing hypothesis included.
        sentence_errors: utterances with at least one word error.
        missing: ids without hypothesis, counted as deletions.
        without_reference: ids of hypotheses without reference, not counted.
        by_speaker, by_words, by_seconds: the same figures of groups of utterances.
        confusions: all word errors with their counts.
        worst: the utterances with the most errors.
        calibration: whether words are as often right as they are sure; None without confidences.
    """

    wer: float
    ci95: tuple[float, float]
    ci95_unit: str
    ci95_units: int
    cer: float
    ser: float
    words: int
    substitutions: int
    insertions: int
    deletions: int
    characters: int
    utterances: int
    sentence_errors: int
    missing: list[str]
    without_reference: list[str]
    by_speaker: dict[str, GroupFigures]
    by_words: dict[str, GroupFigures]
    by_seconds: dict[str, GroupFigures]
    confusions: Confusions
    worst: list[WorstFigures]
    calibration: Calibration | None = None


class PhoneFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON report of a model that writes phones. Rates and intervals in percent.

    Attributes:
        per: phone error rate; the references are the first pronunciation of each word.
        ci95, ci95_unit, ci95_units: of `per`, as in `Figures`.
        phones: in the references.
        utterances, missing, without_reference: as in `Figures`.
        by_speaker: phone error rate of each.
        confusions: all phone errors with their counts.
    """

    per: float
    ci95: tuple[float, float]
    ci95_unit: str
    ci95_units: int
    phones: int
    substitutions: int
    insertions: int
    deletions: int
    utterances: int
    missing: list[str]
    without_reference: list[str]
    by_speaker: dict[str, float | None]
    confusions: Confusions


def phone_figures(report: Report, interval: Interval) -> PhoneFigures:
    """The figures of a report on phones (`Report.unit`)."""
    phones = report.total.words
    return PhoneFigures(
        per=report.rates["per"],
        ci95=(interval.low, interval.high),
        ci95_unit=interval.unit,
        ci95_units=interval.units,
        phones=phones.length,
        substitutions=phones.substitutions,
        insertions=phones.insertions,
        deletions=phones.deletions,
        utterances=report.total.utterances,
        missing=report.missing,
        without_reference=report.without_reference,
        by_speaker={name: group.words.percent for name, group in by_speaker(report).items()},
        confusions=confusions(report),
    )


def figures(report: Report, interval: Interval, sure: Calibration | None = None) -> Figures:
    """All figures of a report, ready for `msgspec.json.encode` or `msgspec.to_builtins`."""
    total = report.total
    return Figures(
        wer=report.wer,
        ci95=(interval.low, interval.high),
        ci95_unit=interval.unit,
        ci95_units=interval.units,
        cer=report.cer,
        ser=report.ser,
        words=total.words.length,
        substitutions=total.words.substitutions,
        insertions=total.words.insertions,
        deletions=total.words.deletions,
        characters=total.chars.length,
        utterances=total.utterances,
        sentence_errors=total.wrong,
        missing=report.missing,
        without_reference=report.without_reference,
        by_speaker=_group_figures(by_speaker(report)),
        by_words=_group_figures(by_words(report)),
        by_seconds=_group_figures(by_seconds(report)),
        confusions=confusions(report),
        worst=[_worst_figures(item) for item in worst(report, _WORST)],
        calibration=sure,
    )


def _group_figures(groups: dict[str, Tally]) -> dict[str, GroupFigures]:
    return {
        name: GroupFigures(
            wer=group.words.percent,
            cer=group.chars.percent,
            ser=group.percent_wrong,
            words=group.words.length,
            substitutions=group.words.substitutions,
            insertions=group.words.insertions,
            deletions=group.words.deletions,
            utterances=group.utterances,
        )
        for name, group in groups.items()
    }


def _worst_figures(item: Aligned) -> WorstFigures:
    return WorstFigures(
        utt_id=item.utt_id,
        wer=item.words.percent,
        errors=item.words.errors,
        ref=" ".join(item.ref),
        hyp=" ".join(item.hyp),
        operations=item.operations,
    )
