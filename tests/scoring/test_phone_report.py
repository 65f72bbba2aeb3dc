"""A model that writes phones is told by its phone error rate, and by no other name."""

import msgspec
import pytest

from asr.errors import AsrError
from asr.scoring.figures import phone_figures
from asr.scoring.report import summary_line, text_report
from asr.scoring.significance import bootstrap_interval
from asr.scoring.wer import Scored, score

PAIRS = [
    Scored(utt_id="a-1", speaker="a", ref="DH AH K AE T", hyp="DH AH K AH T T", seconds=1.0),
    Scored(utt_id="b-1", speaker="b", ref="S AE T", hyp="AE T", seconds=3.0),
    Scored(utt_id="b-2", speaker="b", ref="AH N", hyp=None, seconds=3.0),
]


@pytest.fixture(scope="module")
def scored():
    report = score(PAIRS, "phone")
    return report, bootstrap_interval(report, replicates=100, seed=1)


def test_phones_are_counted_one_by_one(scored):
    report, interval = scored
    assert report.rates == {"per": pytest.approx(100 * 5 / 10)}
    found = phone_figures(report, interval)
    assert (found.phones, found.substitutions, found.deletions, found.insertions) == (10, 1, 3, 1)
    assert found.by_speaker == {"a": 40.0, "b": 60.0}
    assert found.missing == ["b-2"] and found.ci95 == (interval.low, interval.high)
    assert not {"wer", "cer", "words"} & msgspec.to_builtins(found).keys()


def test_no_line_of_the_report_speaks_of_words(scored):
    report, interval = scored
    page = text_report(report, interval, details=True)
    assert summary_line(report, interval).startswith("PER 50.00 % [")
    assert "PER %" in page and "phones in reference" in page and "2 errors in 5 phones" in page
    assert "all phones counted as deletions (1): b-2" in page
    for name in ("WER", "CER", "word", "character"):
        assert name not in page


def test_every_row_of_a_table_is_as_long_as_its_head(scored):
    page = text_report(*scored).splitlines()
    (head,) = [line for line in page if line.startswith("phones in reference")]
    row = page[page.index(head) + 1]
    assert len(row) == len(head) and row.split()[1:] == ["50.00", "100.00", "10", "1", "3", "1", "3"]


def test_nothing_to_compare_with_is_one_sentence():
    with pytest.raises(AsrError, match="a phone error rate needs at least one reference phone"):
        score([Scored(utt_id="a", ref="", hyp="AH")], "phone")
