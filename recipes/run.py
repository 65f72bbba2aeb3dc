"""Run the numbered steps of a recipe in order; what is done already is skipped.

python recipes/run.py quickstart
python recipes/run.py librispeech_100 --set corpus.root=/data/speech training.device=cuda
python recipes/run.py quickstart --stage 8 --stop-stage 9
"""

import argparse
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.errors import AsrError
from recipes.recipe import Recipe, open_recipe, shipped
from recipes.stamps import (
    STEPS,
    Step,
    earlier_steps,
    is_main_process,
    perform,
    read_stamp,
    steps_of,
    why_not_done,
)
from recipes.start import require_start


def main(arguments: list[str] | None = None, steps_folder: Path = STEPS) -> int:
    """Run a recipe; see `--help`.

    Returns:
        Exit status: 0 done, 1 a step failed, 2 the call or the configuration was wrong, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    with _speaking():
        if options.recipe is None:
            print("\n".join(shipped()))
            return 0
        try:
            recipe = open_recipe(options.recipe, options.settings, options.exp)
            require_start(recipe)
            steps = steps_of(recipe, steps_folder)
            chosen = _choose(steps, options.stage, options.stop_stage)
        except AsrError as error:
            return _fail(error, status=2)
        except KeyboardInterrupt:  # a model that is started from takes seconds to open
            print("interrupted", file=sys.stderr)
            return 130
        if options.list:
            list_steps(recipe, steps)
            return 0
        return _guarded(recipe, lambda: run_steps(recipe, steps, chosen, forced=options.stage is not None))


def run_alone(step_file: str, arguments: list[str] | None = None) -> None:
    """Run one step by itself and exit: what the files in recipes/steps do when they are called."""
    path = Path(step_file).resolve()
    parser = argparse.ArgumentParser(description=f"Run only the step {path.stem} of a recipe.")
    parser.add_argument("recipe", metavar="NAME|PATH", help="a recipe's name or folder")
    add_shared(parser)
    options = parser.parse_args(arguments)
    with _speaking():
        try:
            recipe = open_recipe(options.recipe, options.settings, options.exp)
            require_start(recipe)
        except AsrError as error:
            sys.exit(_fail(error, status=2))
        steps = steps_of(recipe, path.parent)
        step = next((step for step in steps if step.path.name == path.name), None)
        if step is None:
            sys.exit(
                _fail(AsrError(f"{recipe.name}: a recipe of another kind; it does not take {path.stem}"), 2)
            )
        sys.exit(_guarded(recipe, lambda: run_steps(recipe, steps, [step], forced=False)))


def run_steps(recipe: Recipe, steps: list[Step], chosen: list[Step], *, forced: bool) -> None:
    """Run the chosen steps in order, each unless it is done; `forced` runs the done ones again.

    Raises:
        AsrError: a step failed, or the experiment folder cannot be written.
    """
    for step in chosen:
        _require_earlier(step, recipe, steps, checked=chosen)
        reason = why_not_done(step, recipe, steps)
        stamp = read_stamp(step, recipe)
        if stamp and not reason and not forced:
            _say(f"{step.name}: done already ({'; '.join(stamp['summary'])})")
            continue
        if reason not in ("", "to do"):
            _say(f"{step.name}: runs again, {reason}")
        if is_main_process():
            recipe.write_config()
        began = time.monotonic()
        summary = perform(step, recipe, steps)
        _say(f"{step.name}: {summary[0]} ({_duration(time.monotonic() - began)})")
        for line in summary[1:]:
            _say(line)


def list_steps(recipe: Recipe, steps: list[Step]) -> None:
    """Print each step as done, stale or to do."""
    waiting: set[str] = set()
    for step in steps:
        reason = why_not_done(step, recipe, steps)
        behind = [other.name for other in earlier_steps(step, recipe, steps) if other.name in waiting]
        stamp = read_stamp(step, recipe)
        if reason or behind:
            waiting.add(step.name)
        if stamp is None:
            state = reason
        elif reason or behind:
            state = f"stale: {reason or f'{behind[0]} comes first'}"
        else:
            state = f"done: {stamp['summary'][0]} ({_duration(stamp['seconds'])})"
        _say(f"{step.name:<22} {state}")


def _require_earlier(step: Step, recipe: Recipe, steps: list[Step], checked: list[Step]) -> None:
    """Refuse to work on what is missing or out of date; the steps in `checked` were seen to already."""
    for other in earlier_steps(step, recipe, steps):
        reason = "" if other in checked else why_not_done(other, recipe, steps)
        if reason:
            command = recipe.command("--stop-stage", str(step.number))
            raise AsrError(f"{step.name}: {other.name} has to run first ({reason}); run {command}")


def _choose(steps: list[Step], first: int | None, last: int | None) -> list[Step]:
    chosen = [step for step in steps if first is None or first <= step.number]
    chosen = [step for step in chosen if last is None or step.number <= last]
    if not chosen:
        numbers = ", ".join(str(step.number) for step in steps)
        given = [f"--stage {first}"] * (first is not None) + [f"--stop-stage {last}"] * (last is not None)
        raise AsrError(f"{' '.join(given)}: no such step; the steps are {numbers}")
    return chosen


def _guarded(recipe: Recipe, work: Callable[[], None]) -> int:
    """Do the work; problems of the user's and interruptions become a sentence and an exit status."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        work()
    except AsrError as error:
        return _fail(error, status=1)
    except KeyboardInterrupt:
        print(f"interrupted; to go on: {recipe.command()}", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python recipes/run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recipe",
        nargs="?",
        metavar="NAME|PATH",
        help="a recipe's name or folder; without it, their names are listed",
    )
    parser.add_argument(
        "--stage", type=int, metavar="N", help="begin with step N and run it even if it is done"
    )
    parser.add_argument("--stop-stage", type=int, metavar="M", help="end after step M")
    parser.add_argument(
        "--list", action="store_true", help="show which steps are done, stale or to do; run none"
    )
    add_shared(parser)
    return parser


def add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="settings",
        nargs="+",
        action="extend",
        default=[],
        metavar="key=value",
        help="change the configuration, such as training.epochs=3",
    )
    parser.add_argument(
        "--exp", type=Path, metavar="DIR", help="experiment folder, where it is not data/exp/NAME"
    )


@contextlib.contextmanager
def _speaking() -> Iterator[None]:
    """Send what `asr` logs to stderr, but for the remark on every file that is resampled or mixed down."""
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: record.levelno > logging.INFO or record.module != "audio")
    logger = logging.getLogger("asr")
    level = logger.level
    logger.setLevel(logging.INFO if is_main_process() else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _fail(error: AsrError, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status


def _say(line: str) -> None:
    if is_main_process():
        print(line, flush=True)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


if __name__ == "__main__":
    sys.exit(main())
