"""The tables of a study, in Markdown."""

import math
import statistics
from collections.abc import Callable, Sequence

from recipes.study.gradients import lag_below
from recipes.study.intervals import Estimate, difference, estimate
from recipes.study.lengths import ARRANGEMENTS, Timing
from recipes.study.plan import Questions, Setting
from recipes.study.trial import Result

Runs = dict[Setting, list[Result]]
"""The runs of each setting, one a seed."""
LEFT = 0.1
"""The share of a gradient whose lag the table of gradients gives."""
NAMES = {
    "gru": "GRU",
    "gru_reset_after": "GRU, reset after",
    "lstm": "LSTM",
    "rnn": "tanh RNN",
    "ligru": "Li-GRU",
    "sligru": "SLi-GRU",
    "mingru": "minGRU",
}
GATES = {
    "": "whole",
    "reset": "no reset gate (r = 1)",
    "update": "no update gate (z = 1)",
    "constant_update": "update gate constant (z = σ(b))",
}


def label(setting: Setting, table: str) -> str:
    """What a row of a table is called."""
    if table in ("gates", "matched"):
        return GATES[setting.gate]
    if table == "layers":
        return f"{setting.num_layers} × {setting.hidden_size}"
    return f"{setting.hidden_size}" if table == "hidden" else NAMES[setting.cell]


def errors_table(asked: Questions, table: str, runs: Runs) -> str:
    """Errors of one question's settings, beside the difference to its first row."""
    base = asked[table][0]
    rows = sorted(asked[table], key=lambda s: {"hidden": s.hidden_size, "layers": s.num_layers}.get(table, 0))
    head = {"hidden": "hidden size", "layers": "layers × hidden size", "gates": "GRU", "matched": "GRU"}
    columns: dict[str, Callable[[Setting, list[Result]], str]] = {
        head.get(table, "cell"): lambda s, own: label(s, table) + _runaways(own),
        "hidden size": lambda s, own: str(s.hidden_size),
        "parameters": lambda s, own: f"{s.parameters / 1e3:.0f} k",
        "learning rate": lambda s, own: f"{own[0].trial.rate:g}",
        "updates": lambda s, own: f"{statistics.mean(run.updates for run in own):.0f}",
        "minutes": lambda s, own: f"{statistics.mean(run.seconds for run in own) / 60:.2f}",
        "× real time": lambda s, own: f"{_speed(own):.0f}",
        "CER %": lambda s, own: interval([run.cer for run in own if run.cer is not None]),
        "WER %": lambda s, own: interval([run.wer for run in own if run.wer is not None]),
        f"CER − {label(base, table)}": lambda s, own: "" if s == base else signed(_change(runs, base, s)),
    }
    if table == "layers":  # whose first column says it
        del columns["hidden size"]
    lines = [[cell(setting, runs[setting]) for cell in columns.values()] for setting in rows]
    return markdown(list(columns), lines)


def verdict(asked: Questions, table: str, runs: Runs) -> str:
    """One sentence on which settings differ from the first in CER, and which do not as far as can be told."""
    base, *others = asked[table]
    unknown = "too few runs ended to tell"
    found: dict[str, list[str]] = {
        "fewer errors": [],
        "more errors": [],
        "no difference that shows": [],
        unknown: [],
    }
    for setting in others:
        change = _change(runs, base, setting)
        kind = unknown if math.isnan(change.half) else "no difference that shows"
        if change.differs:
            kind = "fewer errors" if change.mean < 0 else "more errors"
        found[kind].append(label(setting, table))
    parts = [f"{kind}: {'; '.join(names)}" for kind, names in found.items() if names]
    return (
        f"Against the {NAMES[base.cell]} of {base.num_layers} × {base.hidden_size}: " + ". ".join(parts) + "."
    )


def lengths_table(timings: Sequence[Timing]) -> str:
    """Speeds of each cell by arrangement; the padding is in the head."""
    padding = {timing.arrangement: timing.padding for timing in timings}
    heads = {
        "equal": "equal",
        "sorted": f"sorted, {padding['sorted']:.0%} padding",
        "mixed": f"mixed, {padding['mixed']:.0%} padding",
    }
    speeds = {(timing.setting, timing.arrangement): timing.speed for timing in timings}
    lines = []
    for setting in dict.fromkeys(timing.setting for timing in timings):
        equal, ordered, mixed = (speeds[setting, name] for name in ARRANGEMENTS)
        costs = [f"{ordered:.0f} ({ordered / equal - 1:+.0%})", f"{mixed:.0f} ({mixed / equal - 1:+.0%})"]
        lines.append([NAMES[setting.cell], f"{equal:.0f}", *costs])
    return markdown(["cell", *heads.values()], lines)


def gradients_table(settings: Sequence[Setting], runs: Runs, table: str, frame_seconds: float) -> str:
    """After how many milliseconds a tenth of a gradient is left, by layer, before training and after."""
    layers = max(setting.num_layers for setting in settings)
    head = [{"cells": "cell"}.get(table, "GRU")]
    head += [f"layer {layer}, {when}" for layer in range(1, layers + 1) for when in ("drawn", "trained")]
    lines = []
    for setting in settings:
        ended = [run for run in runs[setting] if run.reach]
        cells = []
        for layer in range(layers):
            for reaches in ([run.reach_before for run in ended], [run.reach for run in ended]):
                lags = [lag_below(reach[layer], LEFT) for reach in reaches if layer < len(reach)]
                longest = max((len(reach[layer]) - 1 for reach in reaches if layer < len(reach)), default=0)
                cells.append(_lags(lags, longest, 1000 * frame_seconds))
        lines.append([label(setting, table), *cells])
    return markdown(head, lines)


def interval(values: Sequence[float]) -> str:
    """`12.3 ± 0.4`."""
    found = estimate(values)
    if math.isnan(found.mean):
        return "–"
    return f"{found.mean:.1f}" + ("" if math.isnan(found.half) else f" ± {found.half:.1f}")


def signed(found: Estimate) -> str:
    """`+1.2 ± 0.4`, in bold where 0 is outside."""
    if math.isnan(found.half):
        return "–"
    text = f"{found.mean:+.1f} ± {found.half:.1f}"
    return f"**{text}**" if found.differs else text


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _change(runs: Runs, base: Setting, setting: Setting) -> Estimate:
    """Of CER, from one setting to the other, over the runs that ended."""
    first, second = (
        {run.trial.seed: run.cer for run in runs[one] if run.cer is not None} for one in (base, setting)
    )
    return difference(first, second)


def _speed(own: Sequence[Result]) -> float:
    """Seconds of speech that a second of processor time trained on."""
    return sum(run.audio_seconds for run in own) / sum(run.seconds for run in own)


def _runaways(own: Sequence[Result]) -> str:
    gone = sum(run.cer is None for run in own)
    return f" ({gone} of {len(own)} runs ran away)" if gone else ""


def _lags(lags: Sequence[float], longest: int, milliseconds: float) -> str:
    """The median over seeds, and the range."""
    if not lags:
        return "–"

    def shown(lag: float) -> str:
        return f"> {longest * milliseconds:.0f}" if math.isinf(lag) else f"{lag * milliseconds:.0f}"

    middle, low, high = statistics.median(lags), min(lags), max(lags)
    return f"{shown(middle)} ({shown(low)} to {shown(high)})" if low < high else shown(middle)
