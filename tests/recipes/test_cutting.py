"""Long utterances in pieces: where pauses are, which are taken, and that texts and times stay together."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from asr.align import AlignedWord, Alignment  # noqa: E402
from asr.corpus.summary import Summary  # noqa: E402
from asr.errors import AsrError  # noqa: E402
from asr.records import Utterance  # noqa: E402
from recipes import cutting  # noqa: E402
from recipes.cutting import SHORTEST, choose_cuts, cut_long, find_pauses  # noqa: E402

RATE = 16000


class Model:
    """All that cutting asks of a recogniser, where `align` is replaced."""

    sample_rate = RATE


def word(text: str, start: float, end: float) -> AlignedWord:
    return AlignedWord(text=text, start=start, end=end, score=0.0, characters=[])


def speech(seconds: float, quiet: list[tuple[float, float]]) -> np.ndarray:
    """Noise at -20 dB with stretches at -60 dB."""
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32)
    for begin, end in quiet:
        samples[round(begin * RATE) : round(end * RATE)] *= 0.01
    return samples


def test_a_pause_is_quiet_and_lies_between_two_words() -> None:
    waveform = speech(6.0, [(1.0, 1.4), (2.5, 2.6), (4.0, 5.0)])
    words = [word("A", 0.3, 0.8), word("B", 1.5, 2.4), word("C", 2.7, 3.0), word("D", 3.3, 3.9)]
    # 2.5 to 2.6 s is too short, from C to D nobody is quiet, and 4 to 5 s has no word behind it
    assert find_pauses(waveform, RATE, words) == {1.2: 1}
    late = [word("A", 0.3, 0.8), word("B", 1.25, 2.4)]  # recognised before the pause is over
    assert find_pauses(waveform, RATE, late) == {1.125: 1}
    assert find_pauses(speech(3.0, []), RATE, [word("A", 0.0, 1.0), word("B", 2.0, 3.0)]) == {}
    assert find_pauses(np.zeros(3 * RATE, np.float32), RATE, words) == {}


def test_the_fewest_pieces_are_taken() -> None:
    assert choose_cuts([2.0, 4.0, 6.0, 8.0, 10.0, 12.0], 14.0, 6.5) == [6.0, 12.0]
    assert choose_cuts([9.0, 10.0], 14.0, 6.5) == [9.0]  # no pause within reach: the next one
    assert choose_cuts([0.5, 13.5], 14.0, 6.5) == []  # too near to the ends
    assert choose_cuts([], 14.0, 6.5) == []


@given(st.lists(st.floats(0, 40), max_size=30).map(sorted), st.floats(1, 40), st.floats(2, 10))
def test_pieces_are_never_too_short_and_as_short_as_pauses_allow(times, duration, longest) -> None:  # type: ignore[no-untyped-def]
    edges = [0.0, *choose_cuts(times, duration, longest), duration]
    for begin, end in itertools.pairwise(edges):
        assert len(edges) == 2 or end - begin >= SHORTEST
        if end - begin > longest:
            inside = [time for time in times if begin + SHORTEST <= time < end]
            assert not [time for time in inside if time <= duration - SHORTEST]


@pytest.fixture
def long_row(tmp_path: Path) -> Utterance:
    """From 2 s on in a longer file, with pauses after 3 and after 6 seconds."""
    samples = speech(12.0, [(5.0, 5.4), (8.0, 8.4)])
    soundfile.write(tmp_path / "long.wav", samples, RATE)
    return Utterance(
        utt_id="u",
        audio=str(tmp_path / "long.wav"),
        start=2.0,
        duration=9.0,
        text="'TIS A LONG DAY",
        speaker="s",
    )


def aligned(monkeypatch: pytest.MonkeyPatch, words: list[AlignedWord]) -> None:
    def align(recogniser, audio, text):  # type: ignore[no-untyped-def]
        assert soundfile.info(audio).frames == 9 * RATE  # the utterance, not the file
        return Alignment(audio="u", duration=9.0, text=text, score=0.0, words=words)

    monkeypatch.setattr(cutting, "align", align)


def test_pieces_hold_their_words_and_their_time(long_row: Utterance, monkeypatch: pytest.MonkeyPatch) -> None:
    aligned(monkeypatch, [word("TIS", 1, 1.5), word("A", 2, 2.5), word("LONG", 4, 5), word("DAY", 7, 8)])
    short, summary = (
        Utterance(utt_id="short", audio="none", start=0.0, duration=4.0, text="SHORT", speaker="s"),
        Summary(),
    )
    rows = cut_long(Model(), [short, long_row], 4.0, summary)  # type: ignore[arg-type]
    assert rows[0] == short
    assert [(row.utt_id, row.text) for row in rows[1:]] == [
        ("u-1", "'TIS A"),
        ("u-2", "LONG"),
        ("u-3", "DAY"),
    ]
    assert [row.start for row in rows[1:]] == pytest.approx([2.0, 5.2, 8.2], abs=0.011)
    assert rows[1].duration + rows[2].duration + rows[3].duration == pytest.approx(9.0)
    assert rows[-1].start + rows[-1].duration == pytest.approx(11.0)
    assert {row.speaker for row in rows} == {"s"}
    assert summary.warnings[0].reason.startswith("1 utterances longer than 4 s were cut, 0 stay whole")


def test_what_does_not_fit_or_has_no_pause_stays_whole(
    long_row: Utterance, monkeypatch: pytest.MonkeyPatch
) -> None:
    aligned(monkeypatch, [word("TIS", 1, 2), word("A", 2, 4), word("LONG", 4, 6), word("DAY", 6, 8)])
    summary = Summary()
    assert cut_long(Model(), [long_row], 4.0, summary) == [long_row]  # type: ignore[arg-type]
    assert "the texts of 0 do not fit their sound, 1 have no pause" in summary.warnings[0].reason

    other = replace(long_row, utt_id="other", text="SOMETHING ELSE")

    def fits(recogniser, audio, text):  # type: ignore[no-untyped-def]
        if text == other.text:
            raise AsrError("the text does not fit")
        return Alignment(audio="u", duration=9.0, text=text, score=0.0, words=[word("A", 0, 1)] * 4)

    monkeypatch.setattr(cutting, "align", fits)
    assert cut_long(Model(), [long_row, other], 4.0, summary) == [long_row, other]  # type: ignore[arg-type]
    assert "the texts of 1 do not fit their sound, 1 have no pause" in summary.warnings[1].reason
    with pytest.raises(AsrError, match=r"aligns none of the 1 utterances .* \(the text does not fit\); give"):
        cut_long(Model(), [other], 4.0, summary)  # type: ignore[arg-type]


def test_a_real_model_is_asked(tiny_model, babble, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from asr.transcribe import Recogniser

    soundfile.write(tmp_path / "a.wav", babble(3.0), RATE)
    row = Utterance(
        utt_id="a", audio=str(tmp_path / "a.wav"), start=1.0, duration=2.0, text="A B " * 99, speaker="s"
    )
    with pytest.raises(AsrError, match=r"aligns none of the 1 utterances longer than 1\.5 s \(.*aligned"):
        cut_long(Recogniser.load(tiny_model), [row], 1.5, Summary())
