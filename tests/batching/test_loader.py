import logging
import os
import signal
import subprocess
import sys
import textwrap
import time

import msgspec
import pytest
import torch

from asr.batching.loader import load_batches
from asr.errors import AsrError

BATCHES = [[0, 1, 2], [11], [3, 4], [10, 5, 6, 7], [8, 9]]


def content(batch):
    tensors = (batch.feats, batch.feat_lens, batch.targets, batch.target_lens)
    return batch.utt_ids, batch.seconds, batch.skipped, [tensor.numpy().tobytes() for tensor in tensors]


def contents(dataset, batches=BATCHES, epoch=2, workers=0):
    return [content(batch) for batch in load_batches(dataset, batches, epoch, workers)]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Telling:
    """Stands in front of a dataset: its batches say which process made them."""

    def __init__(self, dataset):
        self.dataset = dataset
        self.reported = dataset.reported

    def batch(self, indices, epoch):
        batch = self.dataset.batch(indices, epoch)
        batch.utt_ids[:] = [str(os.getpid())]
        return batch


def readers(batches):
    return {int(batch.utt_ids[0]) for batch in batches}


def test_same_bytes_for_any_number_of_workers(speech, dataset_of):
    torch.mm(torch.ones(300, 300), torch.ones(300, 300))  # the parent's thread pool is in use
    here = contents(dataset_of(speech))
    assert [ids for ids, *_ in here] == [[f"u{i:02d}" for i in rows] for rows in BATCHES]
    assert contents(dataset_of(speech), workers=1) == here
    assert contents(dataset_of(speech), workers=2) == here
    assert contents(dataset_of(speech), epoch=3) != here


def test_same_bytes_for_any_number_of_threads(speech, dataset_of):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        two = contents(dataset_of(speech))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert two == contents(dataset_of(speech))


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_gives_the_rest(speech, dataset_of, workers):
    full = contents(dataset_of(speech))
    for position in (1, 4, 5):
        assert contents(dataset_of(speech), BATCHES[position:], workers=workers) == full[position:]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_cache_changes_nothing(speech, dataset_of, workers):
    cached = dataset_of(speech, cache_bytes=200_000)  # most of the audio, not all of it
    for epoch in range(3):
        assert contents(cached, epoch=epoch, workers=workers) == contents(dataset_of(speech), epoch=epoch)
    held = [row for row in range(len(speech)) if cached._cache.get(row) is not None]
    assert held == list(range(len(held)))
    assert 5 < len(held) < 12


@pytest.mark.parametrize("workers", [0, 1])
def test_random_numbers_of_training_are_not_touched(speech, dataset_of, workers):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    contents(dataset_of(speech), workers=workers)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_file_is_warned_of_once_and_counted_each_time(
    speech, dataset_of, tmp_path, caplog, workers
):
    rows = list(speech)
    for index in (4, 11):
        bad = tmp_path / f"bad{index}.wav"
        bad.write_text("this is no audio")
        rows[index] = msgspec.structs.replace(rows[index], audio=str(bad))
    dataset = dataset_of(rows)
    with caplog.at_level(logging.WARNING, "asr"):
        for epoch in range(2):
            batches = list(load_batches(dataset, BATCHES, epoch, workers))
            assert [len(batch) for batch in batches] == [3, 0, 1, 4, 2]
            assert [len(batch.skipped) for batch in batches] == [0, 1, 1, 0, 0]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [message.partition(":")[0] for message in warnings] == ["u11", "u04"]
    assert all(message.endswith("; left out") for message in warnings)


def test_audio_that_has_gone_stops_training(speech, dataset_of):
    rows = [msgspec.structs.replace(row, audio=f"/nowhere/{row.utt_id}.wav") for row in speech]
    batches = load_batches(dataset_of([speech[0], *rows[1:]]), BATCHES, 0)
    assert [len(next(batches)) for _ in range(3)] == [1, 0, 0]
    with pytest.raises(AsrError, match=r"3 batches in a row could be read \(u07: /nowhere/u07\.wav"):
        next(batches)


def test_readers_end_when_the_iterator_is_let_go(speech, dataset_of):
    batches = load_batches(Telling(dataset_of(speech)), BATCHES * 20, 0, 2)
    pids = readers([next(batches), next(batches)])
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    del batches
    assert not any(alive(pid) for pid in pids)


def test_readers_do_not_hear_the_signals_of_the_group(speech, dataset_of):
    batches = load_batches(Telling(dataset_of(speech)), BATCHES * 4, 0, 1)
    (pid,) = readers([next(batches)])
    # Sent by another process, as a terminal or a batch system does.
    for name in ("INT", "TERM"):
        subprocess.run(["kill", f"-{name}", str(pid)], check=True)
    assert readers(batches) == {pid}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_dead_reader_is_a_sentence(speech, dataset_of):
    batches = load_batches(Telling(dataset_of(speech)), BATCHES * 40, 0, 1)
    (pid,) = readers([next(batches)])
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)  # nothing is raised in the middle of other work
    with pytest.raises(AsrError, match=r"ended unexpectedly.*batching\.workers=0"):
        list(batches)


def test_a_bug_in_a_reader_keeps_its_traceback(speech, dataset_of):
    class Broken(Telling):
        def batch(self, indices, epoch):
            raise RuntimeError("a bug of ours")

    with pytest.raises(RuntimeError, match="a bug of ours"):
        list(load_batches(Broken(dataset_of(speech)), BATCHES, 0, 1))


SOURCE = """
    import os, signal
    from asr.batching.batch import collate
    from asr.batching.loader import load_batches

    class Source:
        reported = set()
        def batch(self, indices, epoch):
            batch = collate([], 3)
            batch.utt_ids[:] = [str(os.getpid())]
            return batch

    batches = load_batches(Source(), [[0]] * 1000, 0, 1)
    print(next(batches).utt_ids[0], flush=True)
"""


def leave(last_line):
    """Run a program that ends while a reader is at work; the reader's process id, and the program's end."""
    script = textwrap.dedent(SOURCE) + last_line
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    return int(done.stdout), done


def test_an_error_on_the_way_out_does_not_hang():
    """The error's traceback keeps the iterator alive until Python itself ends."""
    pid, done = leave("raise ValueError('stop here')")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ValueError: stop here")
    assert not alive(pid)


def test_a_reader_follows_a_parent_that_was_killed():
    """The call returns once nobody holds the program's standard output any more: the reader has ended."""
    _, done = leave("os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
