"""What `recipes/ablate.py` changes, and the table of what came of it."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from asr.config import writes_phones
from asr.errors import AsrError
from asr.scoring.pairing import pair
from asr.scoring.significance import bootstrap_interval, compare
from asr.scoring.wer import Report, score
from asr.training.monitor import read_metrics
from recipes.evaluation import evaluation_sets, read_decoded, reference_of, references, transcripts
from recipes.recipe import Recipe


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change: a short name, what it is in words, and the settings that make it."""

    name: str
    what: str
    set: tuple[str, ...] = ()


class Ablations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ablations.toml: settings of all runs, and the changes."""

    set: tuple[str, ...]
    change: tuple[Change, ...]

    def chosen(self, names: Sequence[str]) -> list[Change]:
        """The changes of these names, in the order of the file; all for none.

        Raises:
            AsrError: there is no such change.
        """
        known = [change.name for change in self.change]
        for name in names:
            if name not in known:
                raise AsrError(f"--only {name}: no such change; ablations.toml has {', '.join(known)}")
        return [change for change in self.change if not names or change.name in names]


BASE = Change("base", "as it is")


def read_ablations(path: Path) -> Ablations:
    """Read ablations.toml.

    Raises:
        AsrError: it is not there or not in this form, or two changes have the same name.
    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Ablations)
    except OSError as error:
        raise AsrError(f"{path}: the changes cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise AsrError(f"{path}: `set`, and [[change]] with name, what and set expected: {error}") from error
    names = [change.name for change in found.change]
    for name in names:
        if names.count(name) > 1 or name == BASE.name or "/" in name:
            raise AsrError(f'{path}: every change needs a name of its own, other than "{BASE.name}": {name}')
    return found


def describe(plan: Ablations, runs: Mapping[Change, Recipe]) -> str:
    """The table in Markdown: errors of each run on dev, and paired tests against the base.

    Runs that have not ended are left out, and named below.
    """
    base, first = runs[BASE], _report(runs[BASE])
    head = [
        "change",
        "greedy",
        "with words" if base.config.decoding.method == "words" else "WER",
        "95 % interval",
    ]
    head += ["difference", "95 % interval", "p", "minutes", "hours of audio"]
    rows, missing = [head, ["---"] * len(head)], list[str]()
    for change, recipe in runs.items():
        report = _report(recipe)
        if report is None or first is None:
            missing.append(change.name)
            continue
        rows.append([f"{change.what} (`{change.name}`)", *_errors(recipe, report)])
        rows[-1] += _difference(base, first, report) if change != BASE else ["", "", ""]
        rows[-1] += _cost(recipe)
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    settings = "\n".join(f"- `{change.name}`: `{' '.join(change.set)}`" for change in runs if change.set)
    told = f"\nNot there yet: {', '.join(missing)}.\n" if missing else ""
    return f"{table}\n{told}\nAll with `{' '.join(plan.set)}`, and\n\n{settings}\n"


def _report(recipe: Recipe) -> Report | None:
    """The errors of dev; None where the run has not come so far."""
    if not (recipe.exp / ".stamps" / "09.json").is_file():
        return None
    name, utterances = next(iter(evaluation_sets(recipe).items()))
    decoding, heard = recipe.config.decoding, read_decoded(recipe.exp / "decode", name)
    refs = references(utterances, reference_of(recipe, decoding))
    is_phones = writes_phones(recipe.config.units, decoding)
    return score(pair(refs, transcripts(heard)), "phone" if is_phones else "word")


def _errors(recipe: Recipe, report: Report) -> list[str]:
    found = [line for line in _metrics(recipe) if line["event"] == "evaluation"][-1]
    greedy = f"PER {found['per']:.2f} %" if "per" in found else f"CER {found['cer']:.2f} %"
    scoring = recipe.config.scoring
    interval = bootstrap_interval(report, replicates=scoring.bootstrap, seed=scoring.seed)
    return [greedy, f"{report.wer:.2f} %", f"[{interval.low:.2f}, {interval.high:.2f}]"]


def _difference(base: Recipe, first: Report, second: Report) -> list[str]:
    scoring = base.config.scoring
    if first.unit != second.unit:
        return ["other units", "", ""]
    found = compare(first, second, replicates=scoring.bootstrap, seed=scoring.seed)
    low, high = found.ci95
    p = "< 0.001" if found.mapsswe_p < 0.001 else f"{found.mapsswe_p:.3f}"
    return [f"{found.difference:+.2f}", f"[{low:+.2f}, {high:+.2f}]", p]


def _cost(recipe: Recipe) -> list[str]:
    updates = [line for line in _metrics(recipe) if line["event"] == "update"]
    return [f"{updates[-1]['seconds'] / 60:.0f}", f"{sum(line['audio'] for line in updates) / 3600:.0f}"]


def _metrics(recipe: Recipe) -> list[dict[str, object]]:
    return read_metrics(recipe.exp / "train" / "metrics.jsonl")
