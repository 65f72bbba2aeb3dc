"""Steps and their stamps: what makes a step done, and what makes it run again.

A step is a file recipes/steps/NN_name.py with

    PARTS     the parts of the configuration that its result depends on
    inputs    function of a `Recipe`: files and folders that it reads
    outputs   function of a `Recipe`: files and folders that it writes
    run       function of a `Recipe`: does the work and returns one or two lines on what was done

where only one kind of recipe takes it (see `Recipe.kinds`)

    SERVES    that kind

and where it can go on with what an earlier, unfinished run of it left behind

    CONTINUES settings, by part, that may change in between
    begin     function of a `Recipe`: called before `run` where there is nothing to go on with

When a step ends, the stamp exp/.stamps/NN.json records the configuration and the digests of what was read
and written. The step is done as long as all of it still holds. A step depends on the steps whose outputs it
reads; since it compares what they hold, one that ran again with the same result makes nothing else run again.
"""

import hashlib
import importlib.util
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from asr.errors import AsrError
from asr.files import file_digest, write_text
from recipes.recipe import REPOSITORY, Recipe

STEPS = REPOSITORY / "recipes" / "steps"
FORMAT = 1
SMALL_FOLDER = 32 * 2**20

# These change where or how fast a result is made, not what it is.
NEUTRAL = {
    "corpus": {"mirrors"},
    "batching": {"workers"},
    "training": {"checkpoint_minutes", "device", "start_from", "tensorboard", "threads"},
    "study": {"processes"},
}


@dataclass(frozen=True)
class Step:
    """One step, as its file declares it."""

    number: int
    name: str
    path: Path
    parts: tuple[str, ...]
    inputs: Callable[[Recipe], Iterable[Path]]
    outputs: Callable[[Recipe], Iterable[Path]]
    run: Callable[[Recipe], list[str]]
    continues: dict[str, set[str]]
    begin: Callable[[Recipe], None]
    serves: str = ""


def load_steps(folder: Path = STEPS) -> list[Step]:
    """All steps of a folder, in order of their numbers."""
    return [load_step(path) for path in sorted(folder.glob("[0-9][0-9]_*.py"))]


def steps_of(recipe: Recipe, folder: Path = STEPS) -> list[Step]:
    """The steps of a folder that a recipe takes, in order."""
    return [step for step in load_steps(folder) if step.serves in ("", *recipe.kinds)]


def load_step(path: Path) -> Step:
    """Load one step's file."""
    spec = importlib.util.spec_from_file_location(f"step_{path.stem}", path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Step(
        number=int(path.stem[:2]),
        name=path.stem,
        path=path,
        parts=module.PARTS,
        inputs=module.inputs,
        outputs=module.outputs,
        run=module.run,
        continues=getattr(module, "CONTINUES", {}),
        begin=getattr(module, "begin", lambda recipe: None),
        serves=getattr(module, "SERVES", ""),
    )


def is_main_process() -> bool:
    """Whether this process speaks for all of them (`torchrun` starts several)."""
    return os.environ.get("RANK", "0") == "0"


def why_not_done(step: Step, recipe: Recipe, steps: list[Step]) -> str:
    """Why a step has to run, or the empty string if it is done.

    "to do" where it never ended; otherwise what changed since.
    """
    stamp = read_stamp(step, recipe)
    if stamp is None:
        return "cut off before its end" if _started_path(step, recipe).exists() else "to do"
    for path in step.outputs(recipe):
        if not _unchanged(path, stamp["outputs"].get(_shown(path, recipe))):
            return f"its output {_shown(path, recipe)} is missing or changed"
    return _difference(stamp["key"], make_key(step, recipe, steps))


def perform(step: Step, recipe: Recipe, steps: list[Step]) -> list[str]:
    """Run one step and stamp it.

    Returns:
        The step's own summary.

    Raises:
        AsrError: its work failed.
    """
    key = make_key(step, recipe, steps)
    if is_main_process():
        if not _can_go_on(step, recipe, steps):
            step.begin(recipe)
        _write_json(_started_path(step, recipe), key)
        _stamp_path(step, recipe).unlink(missing_ok=True)
    else:
        _wait_for(_started_path(step, recipe), key)
    began = time.monotonic()
    summary = step.run(recipe)
    if is_main_process():
        outputs = {_shown(path, recipe): fingerprint(path) for path in step.outputs(recipe)}
        stamp = {"key": key, "outputs": outputs, "seconds": time.monotonic() - began, "summary": summary}
        _write_json(_stamp_path(step, recipe), stamp)
        _started_path(step, recipe).unlink()
    return summary


def _can_go_on(step: Step, recipe: Recipe, steps: list[Step]) -> bool:
    """Whether what an earlier run of the step left behind is the beginning of this one."""
    started, stamp = _read_json(_started_path(step, recipe)), read_stamp(step, recipe)
    before = _completed(started, step, recipe) if started else (stamp["key"] if stamp else None)
    if before is None or not why_not_done(step, recipe, steps):  # never begun; done, and forced to run again
        return False
    return _without(before, step.continues) == _without(make_key(step, recipe, steps), step.continues)


def _without(key: dict[str, Any], settings: dict[str, set[str]]) -> dict[str, Any]:
    parts = {
        part: {name: value for name, value in values.items() if name not in settings.get(part, set())}
        for part, values in key["parts"].items()
    }
    return key | {"parts": parts}


def _wait_for(path: Path, key: dict[str, Any]) -> None:
    """Let the main process begin the step first."""
    until = time.monotonic() + 60
    while _read_json(path) != key:
        if time.monotonic() > until:
            raise AsrError(f"{path}: the first process did not begin the step within a minute; start again")
        time.sleep(0.1)


def read_stamp(step: Step, recipe: Recipe) -> dict[str, Any] | None:
    """A step's stamp; None where it never ended."""
    stamp = _read_json(_stamp_path(step, recipe))
    if not (isinstance(stamp, dict) and {"key", "outputs", "summary"} <= set(stamp)):
        return None
    return stamp | {"key": _completed(stamp["key"], step, recipe)}


def make_key(step: Step, recipe: Recipe, steps: list[Step]) -> dict[str, Any]:
    """Everything that the step's result depends on, as plain data for JSON."""
    made: dict[str, str] = {}
    for other in _needed(step, recipe, steps):
        stamp = read_stamp(other, recipe) or {"outputs": {}}
        made |= {name: output["digest"] for name, output in stamp["outputs"].items()}
    inputs = {_shown(path, recipe): path for path in step.inputs(recipe)}
    key: dict[str, Any] = {
        "format": FORMAT,
        "parts": {part: _values(recipe, part) for part in step.parts},
        "inputs": {name: made.get(name) or fingerprint(path)["digest"] for name, path in inputs.items()},
    }
    key = json.loads(json.dumps(key))  # tuples as lists, as they are read back
    return key


def earlier_steps(step: Step, recipe: Recipe, steps: list[Step]) -> list[Step]:
    """The steps whose outputs `step` reads, and those that they need, in order."""
    wanted = {step.number}
    for other in reversed(steps):
        if other.number in wanted:
            wanted.update(needed.number for needed in _needed(other, recipe, steps))
    return [other for other in steps if other.number in wanted - {step.number}]


def _needed(step: Step, recipe: Recipe, steps: list[Step]) -> list[Step]:
    read = set(step.inputs(recipe))
    return [other for other in steps if other.number < step.number and read & set(other.outputs(recipe))]


def fingerprint(path: Path) -> dict[str, Any]:
    """What a file or folder holds.

    A file by its content; a folder by the names and contents of all files below it, or where that is too much
    to read for this, by their names, sizes and times.
    """
    if path.is_dir():
        return {"digest": _folder_digest(path)}
    if not path.is_file():
        return {"digest": "missing"}
    status = path.stat()
    return {"digest": file_digest(path), "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _unchanged(path: Path, recorded: dict[str, Any] | None) -> bool:
    if recorded is None or not path.exists():
        return False
    if path.is_file() and "size" in recorded:
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) == (recorded["size"], recorded["mtime_ns"]):
            return True
        if status.st_size != recorded["size"]:
            return False
    return bool(fingerprint(path)["digest"] == recorded["digest"])


def _folder_digest(folder: Path) -> str:
    entries = {os.path.relpath(entry.path, folder): entry for entry in _files_below(folder)}
    if sum(entry.stat().st_size for entry in entries.values()) <= SMALL_FOLDER:
        lines = [f"{name}\t{file_digest(Path(entry.path))}" for name, entry in entries.items()]
    else:
        lines = [
            f"{name}\t{entry.stat().st_size}\t{entry.stat().st_mtime_ns}" for name, entry in entries.items()
        ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _files_below(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files_below(entry.path)
            elif entry.is_file():
                yield entry


def _values(recipe: Recipe, part: str) -> dict[str, Any]:
    return _counting(getattr(recipe.config, part), part)


def _counting(settings: msgspec.Struct, part: str) -> dict[str, Any]:
    """Settings by name, without those that no result depends on."""
    values: dict[str, Any] = msgspec.to_builtins(settings)
    return {name: value for name, value in values.items() if name not in NEUTRAL.get(part, set())}


def _completed(key: dict[str, Any], step: Step, recipe: Recipe) -> dict[str, Any]:
    """A key as it was written, with the defaults of options that there were not yet.

    So a new option has a default that does what was done without it, or `FORMAT` changes.
    """
    parts = dict(key.get("parts", {}))
    for part in step.parts:
        try:
            values = msgspec.convert(parts.get(part, {}), type(getattr(recipe.config, part)))
        except msgspec.ValidationError:  # an option is gone: the step runs again
            continue
        parts[part] = json.loads(json.dumps(_counting(values, part)))
    return key | {"parts": parts}


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What changed from one key to the other, in words; empty if nothing did."""
    if old == new:
        return ""
    for part, values in new["parts"].items():
        before = old.get("parts", {}).get(part, {})
        for name in sorted(set(values) | set(before)):
            if values.get(name) != before.get(name):
                return f"{part}.{name} was {before.get(name)!r} and is {values.get(name)!r}"
    for path, digest in new["inputs"].items():
        if old.get("inputs", {}).get(path) != digest:
            return f"its input {path} changed"
    return "it depends on other things than before"


def _shown(path: Path, recipe: Recipe) -> str:
    for start in (recipe.exp, recipe.folder):
        if path.is_relative_to(start):
            return path.relative_to(start).as_posix()
    return str(path)


def _stamp_path(step: Step, recipe: Recipe) -> Path:
    return recipe.exp / ".stamps" / f"{step.number:02d}.json"


def _started_path(step: Step, recipe: Recipe) -> Path:
    return recipe.exp / ".stamps" / f"{step.number:02d}.started.json"


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, UnicodeDecodeError):
        return None
