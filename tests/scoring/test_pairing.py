import pytest

from asr.errors import AsrError
from asr.scoring.formats import Transcript
from asr.scoring.pairing import pair
from asr.scoring.wer import Scored


def test_pairs_are_made_by_id() -> None:
    refs = [
        Transcript(utt_id="84-2", text="B", seconds=2.0),
        Transcript(utt_id="84-1", text="A", speaker="bob"),
        Transcript(utt_id="x", text=""),
    ]
    hyps = [
        Transcript(utt_id="84-1", text="a", speaker="nobody", seconds=3.0),
        Transcript(utt_id="85-9", text="c"),
        Transcript(utt_id="84-2", text="b"),
    ]
    assert pair(refs, hyps) == [
        Scored(utt_id="84-2", speaker="84", ref="B", hyp="b", seconds=2.0),
        Scored(utt_id="84-1", speaker="bob", ref="A", hyp="a", seconds=3.0),
        Scored(utt_id="x", speaker="unknown", ref="", hyp=None),
        Scored(utt_id="85-9", speaker="85", ref=None, hyp="c"),
    ]


def test_nothing_in_common_is_a_sentence() -> None:
    with pytest.raises(AsrError, match=r"no utterance id occurs in both .*a-1 .*dir/a-1"):
        pair([Transcript(utt_id="a-1", text="A")], [Transcript(utt_id="dir/a-1", text="A")])


def test_an_empty_run_lacks_every_hypothesis() -> None:
    assert pair([Transcript(utt_id="a-1", text="A")], []) == [
        Scored(utt_id="a-1", speaker="a", ref="A", hyp=None)
    ]
