"""`asr transcribe`: audio files to text."""

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from asr.cli.decoding import (
    BeamOption,
    DecoderOption,
    DeviceOption,
    HotwordOption,
    LexiconOption,
    LmOption,
    LmWeightOption,
    ModelOption,
    hotwords_of,
)
from asr.cli.formats import SUFFIXES, WHOLE_FILES, Format, written
from asr.cli.inputs import STDIN, Input, find_audio, output_names
from asr.errors import AsrError
from asr.files import one_line, write_error, write_text
from asr.progress import track

if TYPE_CHECKING:
    from asr.transcribe import Failure, Transcript


def transcribe(
    audio: Annotated[
        list[str],
        typer.Argument(metavar="FILE|FOLDER|GLOB|-...", help="Audio; - reads a file from standard input."),
    ],
    model: ModelOption = None,
    form: Annotated[Format, typer.Option("--format", help="How transcripts are written.")] = Format.txt,
    output_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write one file for each input there, none to stdout.")
    ] = None,
    decoder: DecoderOption = None,
    beam: BeamOption = None,
    lm: LmOption = None,
    lexicon: LexiconOption = None,
    lm_weight: LmWeightOption = None,
    hotword: HotwordOption = None,
    nbest: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With a beam and json: the N best texts as well.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Transcribe audio files.

    Reads what soundfile reads (WAV, FLAC, MP3, Ogg, Opus, AIFF and others), of any rate, number of channels
    and length. Folders are searched with all that is below them. Transcripts come in the order given; a file
    that cannot be read is named on stderr, and the others go on.

    txt is the text alone for one FILE or -, and "path: text" for anything more. json is one object a line,
    with the times of the words in seconds. srt and vtt are subtitles, ctm is a line a word, textgrid is for
    Praat; all but ctm need --output-dir for more than one file.

    A model with a lexicon and a language model of words reads with them. --lm gives it another one, or one
    to a model of characters that has none.

    \b
    Examples:
      asr transcribe meeting.wav
      asr transcribe meeting.wav --model exp/librispeech_4h/model
      asr transcribe calls/ "more/*.flac" --format json > calls.jsonl
      asr transcribe lectures/ --output-dir subtitles --format srt
      asr transcribe talk.mp3 --model DIR --lm books.lm --beam 128 --hotword LOVELACE
      curl -s https://example.org/talk.mp3 | asr transcribe -
    """
    if (nbest or 1) > 1 and form is not Format.json:
        raise AsrError(f"--nbest {nbest}: the N best texts are written in json only; add --format json")
    hotwords = hotwords_of(hotword)
    inputs, problems = find_audio(audio)
    alone = len(audio) == 1 and audio[0] == inputs[0].audio  # one FILE or -
    if form in WHOLE_FILES and output_dir is None and not alone:
        raise AsrError(
            f"--format {form.value}: one FILE expected, or a folder for them: add --output-dir DIR"
        )
    names = output_names(inputs, SUFFIXES.get(form, form.value))
    if output_dir is not None:
        check_writable(output_dir)

    from asr.transcribe import Recogniser

    recogniser = Recogniser.load(
        model,
        device,
        decoder=decoder,
        beam=beam,
        nbest=nbest,
        lexicon=lexicon,
        lm=lm,
        lm_weight=lm_weight,
        hotwords=hotwords,
    )
    for problem in problems:
        report(problem)
    results = recogniser.transcribe_files(sources(inputs))
    if output_dir is not None or not sys.stdout.isatty():  # there, the transcripts show the progress
        results = track(results, "transcribing", total=len(inputs))
    if output_dir is not None:
        texts = (_text(result, form, prefixed=False) for result in results)
        done = _write(output_dir, names, texts)
        report(f"{output_dir}: {done} transcripts written")
    else:
        done = _print(_text(result, form, prefixed=not alone) for result in results)
    if problems or done < len(inputs):
        raise typer.Exit(1)


def report(sentence: str) -> None:
    """One line on stderr."""
    typer.echo(f"asr: {one_line(sentence)}", err=True)


def sources(inputs: Iterable[Input]) -> Iterator[str | BinaryIO]:
    """What `Recogniser.transcribe_files` reads."""
    return (sys.stdin.buffer if item.audio == STDIN else item.audio for item in inputs)


def _text(result: "Transcript | Failure", form: Format, prefixed: bool) -> str | None:
    """A transcript as it is written; None, and a line on stderr, for a failure."""
    from asr.transcribe import Failure

    if isinstance(result, Failure):
        report(result.reason)
        return None
    if form is Format.txt and prefixed:
        return f"{one_line(result.audio)}: {result.text}"
    return written(result, form)


def _print(texts: Iterable[str | None]) -> int:
    """Print the transcripts as they come; returns how many there are."""
    done, stdout = 0, sys.stdout  # a progress bar may put something else in its place
    for text in texts:
        if text is not None:
            typer.echo(text, file=stdout)
            done += 1
    return done


def _write(folder: Path, names: Sequence[PurePath], texts: Iterable[str | None]) -> int:
    """Write a file for each transcript; returns how many there are. The first that cannot be written ends
    the work: the next one could not either."""
    done = 0
    for name, text in zip(names, texts, strict=True):
        if text is None:
            continue
        try:
            write_text(folder / name, text + "\n")
        except AsrError as error:
            report(str(error))
            raise typer.Exit(1) from error
        done += 1
    return done


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written before hours of work go there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise write_error(folder, error) from error
