"""The grid of recurrent layers: run in pieces, stopped and continued, and slow layers in fewer rounds."""

import json
from pathlib import Path

import pytest

from benchmarks import recurrent


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], tuple[int, ...]]]:
    """The settings that are measured, one after another; the machine is that of the test."""
    calls = []
    speeds = recurrent.speeds

    def counting(cells, setting, repeats, limit):
        calls.append((cells, setting))
        return speeds(cells, setting, repeats, limit)

    monkeypatch.setattr(recurrent, "speeds", counting)
    return calls


def run(path: Path, *options: str) -> None:
    fixed = ["--cells", "mingru", "--batch", "2", "--threads", "1", "--repeats", "2", "--json", str(path)]
    recurrent.main([*fixed, *options])


def test_a_grid_is_continued_and_run_in_pieces(measured, tmp_path, monkeypatch, capsys):
    path, quick = tmp_path / "x.json", ("--no-memory", "--frames", "5")
    run(path, *quick, "--hidden", "4")
    assert [setting for _, setting in measured] == [(4, 2, 1, 5)]
    table = capsys.readouterr().out.splitlines()
    assert table[0].strip() == "H 4, batch 2, T 5, 1 thread, median of 2"
    run(path, *quick, "--hidden", "4,6")
    assert [setting for _, setting in measured] == [(4, 2, 1, 5), (6, 2, 1, 5)]
    shown = capsys.readouterr()
    assert shown.out.splitlines()[: len(table) - 1] == table[:-1]  # what was kept is shown as it was
    assert "1 of 2: {'hidden': 4, 'batch': 2, 'threads': 1, 'frames': 5}, kept" in shown.err

    for changed in (["--frames", "6"], ["--repeats", "3"], ["--cells", "mingru", "rnn"], ["--limit", "9"]):
        before = len(measured)
        run(path, *quick, "--hidden", "4", *changed)
        run(path, *quick, "--hidden", "4", *changed)
        assert len(measured) == before + 1
    monkeypatch.setattr(recurrent, "machine", lambda: "another")
    run(path, *quick, "--hidden", "4")
    kept = json.loads(path.read_text())["settings"]
    assert [one["hidden"] for one in kept] == [4, 6, 4, 4, 4, 4, 4] and kept[-1]["machine"] == "another"
    assert [one["frames"] for one in kept][:3] == [5, 5, 6]


def test_a_grid_that_is_stopped_keeps_what_it_has(tmp_path, monkeypatch):
    path, speeds = tmp_path / "x.json", recurrent.speeds

    def stopped(cells, setting, repeats, limit):
        if setting[0] == 6:
            raise KeyboardInterrupt
        return speeds(cells, setting, repeats, limit)

    monkeypatch.setattr(recurrent, "speeds", stopped)
    with pytest.raises(SystemExit, match=r"stopped; .*x\.json has what was done, the same command goes on"):
        run(path, "--no-memory", "--frames", "5", "--hidden", "4,6")
    assert [one["hidden"] for one in json.loads(path.read_text())["settings"]] == [4]


def test_memory_is_added_to_speeds_that_are_kept(measured, tmp_path, monkeypatch):
    class Ended:
        stdout = "7.5"

    asked: list[list[str]] = []
    monkeypatch.setattr(recurrent.subprocess, "run", lambda command, **_: asked.append(command) or Ended)
    path, options = tmp_path / "x.json", ("--frames", "5", "--hidden", "4")
    run(path, *options, "--no-memory")
    run(path, *options)
    run(path, *options)
    rows = [row for row in json.loads(path.read_text())["settings"][0]["rows"] if "name" in row]
    assert len(measured) == 1 and len(asked) == len(rows) == 5
    assert {row["megabytes"] for row in rows} == {7.5}


@pytest.mark.parametrize(("first", "later", "rounds"), [(1, 1, 7), (90, 1, 7), (9, 5, 5), (99, 20, 3)])
def test_a_slow_layer_takes_part_in_fewer_rounds(first, later, rounds, monkeypatch):
    """Seconds of the first pass, which compiles, and of the next; a limit of 25."""
    passes, clock = iter([first, later]), [0.0]

    class Layer:
        def forward(self):
            clock[0] += next(passes)

        def step(self):
            pass

    monkeypatch.setattr(recurrent.time, "perf_counter", lambda: clock[0])
    assert recurrent.rounds_of(Layer(), 7, 25.0) == rounds


def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"updates": 3}')
    with pytest.raises(SystemExit, match=r"error: .*x\.json: figures of this benchmark expected"):
        run(path, "--no-memory")
    assert path.read_text() == '{"updates": 3}'
