import msgspec
import pytest

from asr.batching.check import check_trainable, summarise
from asr.errors import AsrError
from asr.records import Utterance


def encode(text):
    if "É" in text:
        raise AsrError("the character 'É' is outside the units")
    return [ord(character) for character in text]


def utterance(utt_id, *, duration=2.0, text="HELLO"):
    return Utterance(
        utt_id=utt_id, audio="/nowhere.flac", start=0.0, duration=duration, text=text, speaker="s"
    )


def check(*utterances, frames=6):
    return check_trainable(utterances, lambda _: frames, encode, min_seconds=0.5, max_seconds=10.0)


def test_good_rows_are_kept_in_order_and_limits_are_included():
    rows = [utterance("b"), utterance("a", duration=0.5), utterance("c", duration=10.0)]
    kept, rejected = check(*rows)
    assert kept == rows
    assert rejected == []
    assert summarise(rejected) == ""


@pytest.mark.parametrize(
    ("change", "cause", "said"),
    [
        ({"duration": 0.49}, "too short", "0.49 s is shorter than batching.min_seconds = 0.5"),
        ({"duration": float("nan")}, "too short", "nan s"),
        ({"duration": 10.01}, "too long", "10.01 s is longer than batching.max_seconds = 10"),
        ({"text": ""}, "empty transcript", "the transcript is empty"),
        ({"text": "  "}, "empty transcript", "the transcript is empty"),
        ({"text": "CAFÉ"}, "transcript outside the units", "'É' is outside the units"),
        ({"text": "GOODBYE"}, "more units than frames", "7 units need 8 frames"),
        ({"text": "AAAA"}, "more units than frames", "4 units need 7 frames"),
    ],
)
def test_each_trouble_is_named(change, cause, said):
    good = utterance("good")
    kept, rejected = check(good, msgspec.structs.replace(utterance("bad"), **change))
    assert kept == [good]
    assert [(item.utt_id, item.cause) for item in rejected] == [("bad", cause)]
    assert rejected[0].reason.startswith("bad: ")
    assert said in rejected[0].reason


def test_exactly_enough_frames_are_enough():
    hello = utterance("h")  # five units, and one frame more between the two Ls
    assert check(hello, frames=6)[0] == [hello]
    assert check(hello, frames=5)[0] == []


def test_causes_are_counted():
    rows = [utterance("a", duration=0.1), utterance("b", text=""), utterance("c", duration=0.2)]
    assert summarise(check(*rows)[1]) == "2 too short, 1 empty transcript"
