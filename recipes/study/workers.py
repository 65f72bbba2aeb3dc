"""The runs of a study, several at a time, each in a process of its own on one thread."""

import logging
import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from asr.errors import AsrError
from recipes.recipe import Recipe
from recipes.study.plan import Trial
from recipes.study.trial import Result, read_result, run_trial

log = logging.getLogger("asr")


def run_trials(recipe: Recipe, trials: Sequence[Trial], commit: str, processes: int) -> list[Result]:
    """Do the runs that have not ended yet.

    Args:
        recipe: with a study.
        trials: in the order in which they begin.
        commit: written into new results.
        processes: at the same time; 1 runs in this process.

    Returns:
        All results, in the order of `trials`.

    Raises:
        AsrError: a run failed; those that were under way have saved where they were.
        KeyboardInterrupt: likewise.
    """
    waiting = [trial for trial in trials if read_result(recipe.exp, trial) is None]
    began = time.monotonic()

    def tell(result: Result, left: int) -> None:
        done = len(waiting) - left
        minutes = (time.monotonic() - began) / 60 * left / done
        errors = "ran away" if result.cer is None else f"CER {result.cer:.1f} %, WER {result.wer:.1f} %"
        log.info("%s: %s; %d runs and about %.0f minutes to go", result.trial.name, errors, left, minutes)

    if min(processes, len(waiting)) == 1:
        for index, trial in enumerate(waiting, start=1):
            tell(run_trial(recipe, trial, commit), len(waiting) - index)
    elif waiting:
        _side_by_side(recipe, waiting, commit, min(processes, len(waiting)), tell)
    results = [read_result(recipe.exp, trial) for trial in trials]
    return [result for result in results if result is not None]


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _side_by_side(
    recipe: Recipe, waiting: list[Trial], commit: str, processes: int, tell: Callable[[Result, int], None]
) -> None:
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
    todo, done = context.Queue(), context.Queue()
    for trial in waiting:
        todo.put(trial)
    for _ in range(processes):
        todo.put(None)
    workers = [
        context.Process(target=_work, args=(recipe, commit, todo, done), daemon=True)
        for _ in range(processes)
    ]
    try:
        for worker in workers:
            worker.start()
        for left in reversed(range(len(waiting))):
            outcome = _next(done, workers)
            if isinstance(outcome, str):
                raise AsrError(outcome)
            tell(outcome, left)
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()  # a run that is training saves first
        for worker in workers:
            if worker.pid is not None:
                worker.join()


def _next(done: Any, workers: list[BaseProcess]) -> Result | str:
    """The next result, or the sentence of what went wrong."""
    while True:
        try:
            outcome: Result | str = done.get(timeout=1.0)
            return outcome
        except queue.Empty:
            dead = [worker.exitcode for worker in workers if worker.exitcode]
            if dead:
                raise AsrError(
                    f"study: a run's process ended with status {dead[0]}; run the same command again, with a "
                    "smaller study.processes if memory was short"
                ) from None


def _work(recipe: Recipe, commit: str, todo: Any, done: Any) -> None:
    """Do one run after another; end after the first that fails."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits for this one says when to stop
    parent = multiprocessing.parent_process()
    while (trial := todo.get()) is not None and parent is not None and parent.is_alive():
        try:
            done.put(run_trial(recipe, trial, commit))
        except AsrError as error:
            done.put(str(error))
            return
