"""`asr align`: when each word of a known text is spoken."""

import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from asr.cli.decoding import DeviceOption, ModelOption
from asr.errors import AsrError
from asr.files import write_text
from asr.timings import ctm_line, recording_id, textgrid

if TYPE_CHECKING:
    from asr.align import Alignment


class Format(StrEnum):
    """How an alignment is written."""

    json = "json"
    ctm = "ctm"
    textgrid = "textgrid"


def align(
    audio: Annotated[str, typer.Argument(metavar="AUDIO", help="One audio file, of any length.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A text file; - reads standard input.")],
    model: ModelOption = None,
    form: Annotated[Format, typer.Option("--format", help="How the alignment is written.")] = Format.json,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
    max_misfit: Annotated[
        float,
        typer.Option(
            min=0.0, help="Nats a frame that five seconds of the text may lose against free recognition."
        ),
    ] = 1.6,
    device: DeviceOption = "auto",
) -> None:
    """Find when each word of a text is spoken, and each of its units: characters, phones or pieces of words.

    The text is normalised as for training: numbers are spelled, punctuation goes. A text that does not fit
    the sound is refused, with the second and the word where it leaves. The default of --max-misfit refused
    none of 229 right texts with a weak model (WER 77 %), and of wrong ones 97 % where another utterance was
    read, 77 % where a sentence was missing, 99 % where one was too many. A weaker model or an hour of audio
    may need 2; with a good model 1 finds more wrong texts. One short missing sentence may well pass.

    json is one object with words, their units and scores; ctm a line a word; textgrid, for Praat, has a tier
    of words and one of units. A gap has an empty label.

    \b
    Examples:
      asr align chapter.flac chapter.txt --model exp/librispeech_4h/model
      asr align chapter.flac chapter.txt --model DIR --format textgrid --output chapter.TextGrid
    """
    words = _read(text)
    from asr.align import align as align_text
    from asr.transcribe import Recogniser

    written = _text(align_text(Recogniser.load(model, device), audio, words, max_misfit=max_misfit), form)
    if output is None:
        typer.echo(written, nl=False)
    else:
        write_text(output, written)


def _read(text: str) -> str:
    try:
        content = sys.stdin.buffer.read() if text == "-" else Path(text).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise AsrError(f"{text}: a text file expected, it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise AsrError(
            f"{text}: UTF-8 text expected, found the byte {error.object[error.start]:#04x} at {error.start}; "
            "convert it to UTF-8"
        ) from error


def _text(alignment: "Alignment", form: Format) -> str:
    if form is Format.json:
        return msgspec.json.encode(alignment).decode() + "\n"
    if form is Format.ctm:
        utt_id = recording_id(alignment.audio)
        return "".join(
            ctm_line(utt_id, word, math.exp(min(0.0, word.score))) + "\n" for word in alignment.words
        )
    units = [unit for word in alignment.words for unit in word.units]
    return textgrid([("words", alignment.words), ("units", units)], alignment.duration)
