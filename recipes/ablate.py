"""Change one thing at a time in a recipe and say what each change costs and gains.

python recipes/ablate.py pretrained
python recipes/ablate.py pretrained --only no-average lstm --set corpus.root=/data/speech

RECIPE/ablations.toml names the changes. Each is a run of the recipe, steps 1 to 9, in a folder of its own
below data/exp/RECIPE-ablations; several go side by side, each on one thread. What has ended is not run again,
and what was stopped goes on.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.errors import AsrError
from asr.files import write_text
from recipes.ablations import BASE, Ablations, Change, describe, read_ablations
from recipes.recipe import EXPERIMENTS, REPOSITORY, Recipe, open_recipe
from recipes.run import add_shared

LAST_STEP = 9
SHARED_STEPS = 5
"""Steps whose results the runs take over from the base, as far as a change leaves them as they are."""
OWN = ("train", "train.previous", "averaged", "decode", "score", "model", "tuning*", "run.log")
"""What a run makes in the steps after those, and what it says."""


def main(arguments: list[str] | None = None) -> int:
    """Run the changes and print the table; see `--help`.

    Returns:
        Exit status: 0 done, 1 a run failed (the others are in the table), 2 the call was wrong, 130 it was
        interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        folder = open_recipe(options.recipe).folder
        plan = read_ablations(folder / "ablations.toml")
        changes = plan.chosen(options.only)
        exp = (options.exp or EXPERIMENTS / f"{folder.name}-ablations").resolve()
        runs = {change: _open(folder, exp, plan, change, options.settings) for change in [BASE, *changes]}
    except AsrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        failed = _run([(BASE, runs[BASE])], 1, first_steps=True)
        failed = failed or _run(list(runs.items()), options.processes)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    table = describe(plan, runs)
    write_text(exp / "ablations.md", table)
    print(table)
    return 1 if failed else 0


def _open(folder: Path, exp: Path, plan: Ablations, change: Change, settings: Sequence[str]) -> Recipe:
    alone = ["training.threads=1", "batching.workers=0"]
    return open_recipe(str(folder), [*alone, *plan.set, *settings, *change.set], exp / change.name)


def _run(waiting: list[tuple[Change, Recipe]], processes: int, *, first_steps: bool = False) -> list[str]:
    """Run recipes side by side; the names of those that failed, each told with the end of what it said."""
    waiting, running, failed = list(waiting), dict[str, tuple[subprocess.Popen[bytes], Path]](), list[str]()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                change, recipe = waiting.pop(0)
                running[change.name] = _start(recipe, SHARED_STEPS if first_steps else LAST_STEP)
            time.sleep(0.2)
            for name, (process, said) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name]
                last = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                print(f"{name}: {last[0] if last else process.returncode}", file=sys.stderr, flush=True)
                failed += [name] if process.returncode else []
    finally:
        for process, _ in running.values():
            process.terminate()  # a run that is training saves first
        for process, _ in running.values():
            process.wait()
    return failed


def _start(recipe: Recipe, last_step: int) -> tuple["subprocess.Popen[bytes]", Path]:
    base, log = recipe.exp.parent / BASE.name, recipe.exp / "run.log"
    if not recipe.exp.exists() and recipe.exp != base:
        shutil.copytree(base, recipe.exp, ignore=shutil.ignore_patterns(*OWN))
        for stamp in (recipe.exp / ".stamps").iterdir():
            if int(stamp.name[:2]) > SHARED_STEPS:
                stamp.unlink()
    recipe.exp.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(REPOSITORY / "recipes" / "run.py"), str(recipe.folder)]
    command += ["--exp", str(recipe.exp), "--stop-stage", str(last_step), "--set", *recipe.settings]
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
    return process, log


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python recipes/ablate.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", metavar="NAME|PATH", help="a recipe with an ablations.toml")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of the changes; default: all")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="runs at the same time")
    add_shared(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
