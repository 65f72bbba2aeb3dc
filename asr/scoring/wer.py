"""Word, character and sentence error rates, with their alignments.

The alignments are jiwer's: least edits, each substitution, deletion and insertion costing one. NIST's sclite
costs a substitution 4 and the others 3, so it sometimes counts a deletion and an insertion where jiwer counts
two substitutions; the numbers of errors then differ by a little.

The text is compared as it is given, case and punctuation included. Words stand between white space of any
kind. Characters are Unicode code points after canonical composition (NFC), so that é is one character however
it was typed; the space between two words counts as a character, as in jiwer and ESPnet.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import jiwer
import msgspec

from asr.errors import AsrError
from asr.progress import track

Unit = Literal["word", "phone"]
"""What stands between white space in the texts that are compared."""

_BLOCK = 500  # utterances that jiwer is given at a time: bounds the memory of its character lists
_OPERATION = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One utterance to score.

    Attributes:
        utt_id: unique among the scored.
        speaker: who speaks.
        ref: what was said; None where there is no reference: the utterance is reported, not scored.
        hyp: what was heard; None where there is no hypothesis: every word of the reference is a deletion.
        seconds: length of the utterance, None where unknown.
    """

    utt_id: str
    ref: str | None
    hyp: str | None
    speaker: str = "unknown"
    seconds: float | None = None


class Counts(msgspec.Struct, frozen=True):
    """Correct words (or characters) and the three kinds of errors."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def length(self) -> int:
        """Words (characters) in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def percent(self) -> float | None:
        """Errors for a hundred reference words; None where there are no reference words."""
        return 100 * self.errors / self.length if self.length else None


class Aligned(msgspec.Struct, frozen=True, kw_only=True):
    """One scored utterance.

    Attributes:
        ref, hyp: the words.
        operations: how `hyp` came of `ref`, a letter a step: "=" correct, "S", "D", "I".
        words, chars: the errors counted.
        missing: there was no hypothesis.
    """

    utt_id: str
    speaker: str
    seconds: float | None
    ref: list[str]
    hyp: list[str]
    operations: str
    words: Counts
    chars: Counts
    missing: bool


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over utterances; `wrong` is the number of utterances with at least one word error."""

    utterances: int
    wrong: int
    words: Counts
    chars: Counts

    @property
    def percent_wrong(self) -> float | None:
        """Utterances with an error for a hundred; None where there are no utterances."""
        return 100 * self.wrong / self.utterances if self.utterances else None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was scored.

    Attributes:
        aligned: the utterances that have a reference, in the order given.
        total: their sum; `total.words.length` is at least 1.
        missing: ids that have a reference and no hypothesis; they are in `aligned`, as deletions.
        without_reference: ids that have a hypothesis and no reference; they are not scored.
        unit: what is counted as `words`: words, or the phones of a model without a lexicon.
    """

    aligned: list[Aligned]
    total: Tally
    missing: list[str]
    without_reference: list[str]
    unit: Unit = "word"

    @property
    def rates(self) -> dict[str, float]:
        """Error rates in percent by their names; letters of phones' names are not counted."""
        return {"wer": self.wer, "cer": self.cer} if self.unit == "word" else {"per": self.wer}

    @property
    def wer(self) -> float:
        """Word error rate in percent; of phones, the phone error rate."""
        return 100 * self.total.words.errors / self.total.words.length

    @property
    def cer(self) -> float:
        """Character error rate in percent."""
        return 100 * self.total.chars.errors / self.total.chars.length

    @property
    def ser(self) -> float:
        """Sentence error rate in percent: utterances with at least one word error."""
        return 100 * self.total.wrong / self.total.utterances


def score(pairs: Sequence[Scored], unit: Unit = "word") -> Report:
    """Align and count.

    `unit` says what the texts consist of; it changes names, not numbers. An empty reference counts its
    hypothesis as insertions.

    Raises:
        AsrError: an id twice, or not one reference word in all.
    """
    twice = [utt_id for utt_id, count in Counter(item.utt_id for item in pairs).items() if count > 1]
    if twice:
        raise AsrError(f"{twice[0]}: this utterance id was given more than once to score; ids must be unique")
    scored = [item for item in pairs if item.ref is not None]
    blocks = [scored[start : start + _BLOCK] for start in range(0, len(scored), _BLOCK)]
    aligned = [item for block in track(blocks, "scoring") for item in _align(block)]
    report = Report(
        aligned=aligned,
        total=tally(aligned),
        missing=[item.utt_id for item in aligned if item.missing],
        without_reference=[item.utt_id for item in pairs if item.ref is None],
        unit=unit,
    )
    if not report.total.words.length:
        raise AsrError(
            f"a {unit} error rate needs at least one reference {unit}, none was found in {len(aligned)} "
            f"references ({report.total.words.insertions} {unit}s were recognised); check the references"
        )
    return report


def tally(items: Iterable[Aligned]) -> Tally:
    """Sum utterances up."""
    items = list(items)
    return Tally(
        utterances=len(items),
        wrong=sum(item.words.errors > 0 for item in items),
        words=_sum(item.words for item in items),
        chars=_sum(item.chars for item in items),
    )


def _align(block: list[Scored]) -> list[Aligned]:
    refs = [_clean(item.ref or "") for item in block]
    hyps = [_clean(item.hyp or "") for item in block]
    # The lists go in whole: jiwer then takes an empty reference as insertions and gives alignments, and the
    # rates, which it cannot know for an empty reference, are worked out from the counts here.
    words = jiwer.process_words(refs, hyps)
    chars = jiwer.process_characters(refs, hyps)
    return [
        Aligned(
            utt_id=item.utt_id,
            speaker=item.speaker,
            seconds=item.seconds,
            ref=words.references[index],
            hyp=words.hypotheses[index],
            operations="".join(_OPERATION[chunk.type] * _size(chunk) for chunk in words.alignments[index]),
            words=_count(words.alignments[index]),
            chars=_count(chars.alignments[index]),
            missing=item.hyp is None,
        )
        for index, item in enumerate(block)
    ]


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _size(chunk: jiwer.AlignmentChunk) -> int:
    return max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)


def _count(chunks: Iterable[jiwer.AlignmentChunk]) -> Counts:
    sizes: Counter[str] = Counter()
    for chunk in chunks:
        sizes[chunk.type] += _size(chunk)
    return Counts(sizes["equal"], sizes["substitute"], sizes["delete"], sizes["insert"])


def _sum(counts: Iterable[Counts]) -> Counts:
    counts = list(counts)
    return Counts(
        hits=sum(item.hits for item in counts),
        substitutions=sum(item.substitutions for item in counts),
        deletions=sum(item.deletions for item in counts),
        insertions=sum(item.insertions for item in counts),
    )
