"""`asr score`: the word error rate of transcripts that are on disk already."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.scoring.formats import Transcript
    from asr.scoring.significance import Interval
    from asr.scoring.wer import Report


def score(
    ref: Annotated[Path, typer.Argument(metavar="REF", help="What was said: trn, Kaldi text or JSON lines.")],
    hyp: Annotated[Path, typer.Argument(metavar="HYP", help="What was recognised, in any of these formats.")],
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="HYP2", help="A second run: is it better or worse than HYP?"),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures to FILE as well.")
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Show every speaker, and more confusions and alignments.")
    ] = False,
    normalise: Annotated[
        bool,
        typer.Option(
            "--normalise", help="Write both in capitals without punctuation, numbers spelled, first."
        ),
    ] = False,
    bootstrap: Annotated[
        int, typer.Option("--bootstrap", metavar="N", min=1, help="Resampled test sets behind an interval.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of the resampling.")] = 1,
) -> None:
    """Score recognised text: WER with its 95 % interval, CER, confusions, alignments.

    Utterances are matched by id and their texts compared as they are, case included. The speaker is the
    "speaker" of JSON lines, else the first part of the id (84-121123-0003 is spoken by 84). The exit status
    is 1 when an utterance lacks its hypothesis or its reference.

    \b
    Examples:
      asr score dev.trans.txt hyp.trn
      asr score dev.jsonl old.jsonl --against new.jsonl --json figures.json
    """
    from asr.scoring.report import comparison_text, summary_line, text_report
    from asr.scoring.significance import bootstrap_interval, compare

    refs = _read(ref, normalise)
    if not refs:
        raise AsrError(f"{ref}: reference transcripts were expected, the file is empty")
    hyp_paths = [hyp] if against is None else [hyp, against]
    hyps = [_read(path, normalise) for path in hyp_paths]  # all are read before any is scored
    reports = [_score(ref, refs, *named) for named in zip(hyp_paths, hyps, strict=True)]
    intervals = [bootstrap_interval(report, replicates=bootstrap, seed=seed) for report in reports]
    typer.echo(text_report(reports[0], intervals[0], details=details), nl=False)
    comparison = None
    if against is not None:
        comparison = compare(reports[0], reports[1], replicates=bootstrap, seed=seed)
        typer.echo(f"\nfirst:  {summary_line(reports[0], intervals[0])}")
        typer.echo(f"second: {summary_line(reports[1], intervals[1])}\n")
        typer.echo(comparison_text(comparison), nl=False)
    if json_file is not None:
        _write_json(json_file, reports, intervals, comparison)
    complete = [_warn(report, path) for report, path in zip(reports, hyp_paths, strict=True)]
    if not all(complete):
        raise typer.Exit(1)


def _score(ref: Path, refs: "list[Transcript]", hyp: Path, hyps: "list[Transcript]") -> "Report":
    from asr.scoring.pairing import pair
    from asr.scoring.wer import score as score_pairs

    try:
        return score_pairs(pair(refs, hyps))
    except AsrError as error:
        raise AsrError(f"{ref} and {hyp}: {error}") from error


def _read(path: Path, normalise: bool) -> "list[Transcript]":
    from asr.scoring.formats import read_transcripts

    transcripts = read_transcripts(path)
    return [_normalised(path, transcript) for transcript in transcripts] if normalise else transcripts


def _normalised(path: Path, transcript: "Transcript") -> "Transcript":
    import msgspec

    from asr.corpus.text import normalise as to_convention

    try:
        return msgspec.structs.replace(transcript, text=to_convention(transcript.text, spell_numbers=True))
    except AsrError as error:
        raise AsrError(f"{path}: {transcript.utt_id}: {error}") from error


def _write_json(path: Path, reports: "list[Report]", intervals: "list[Interval]", comparison: Any) -> None:
    import msgspec

    from asr.files import write_bytes
    from asr.scoring.figures import figures

    found = [msgspec.to_builtins(figures(*pair)) for pair in zip(reports, intervals, strict=True)]
    content = found[0] if comparison is None else {**found[0], "against": found[1], "comparison": comparison}
    write_bytes(path, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def _warn(report: "Report", path: Path) -> bool:
    """Say on stderr what could not be scored as a pair; True where there is nothing to say."""
    if report.missing:
        typer.echo(f"asr: {path}: references without hypothesis: {len(report.missing)}", err=True)
    if report.without_reference:
        typer.echo(f"asr: {path}: hypotheses without reference: {len(report.without_reference)}", err=True)
    return not report.missing and not report.without_reference
