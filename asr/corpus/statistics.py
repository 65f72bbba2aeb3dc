"""What a corpus is made of: hours, speakers, words, characters, and how long its utterances are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from asr.files import atomic_path
from asr.records import Utterance


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers about a list of utterances; `msgspec.to_builtins` makes a dictionary of them.

    Attributes:
        hours: of speech.
        shortest, mean, longest: seconds of an utterance; 0 where there is none.
        words, distinct_words: of all transcripts.
        characters: how often each occurs, the most frequent first.
        histogram: utterances by whole seconds of duration; entry i counts i ≤ duration < i + 1.
    """

    utterances: int
    speakers: int
    hours: float
    shortest: float
    mean: float
    longest: float
    words: int
    distinct_words: int
    characters: dict[str, int]
    histogram: list[int]


def corpus_statistics(utterances: Sequence[Utterance]) -> Statistics:
    """Count a list of utterances, which may be empty."""
    seconds = [row.duration for row in utterances]
    words = Counter(word for row in utterances for word in row.text.split())
    characters = Counter(char for row in utterances for char in row.text)
    by_second = Counter(int(duration) for duration in seconds)
    return Statistics(
        utterances=len(seconds),
        speakers=len({row.speaker for row in utterances}),
        hours=sum(seconds) / 3600,
        shortest=min(seconds, default=0.0),
        mean=sum(seconds) / len(seconds) if seconds else 0.0,
        longest=max(seconds, default=0.0),
        words=words.total(),
        distinct_words=len(words),
        characters=dict(sorted(characters.items(), key=lambda item: (-item[1], item[0]))),
        histogram=[by_second[second] for second in range(max(by_second, default=-1) + 1)],
    )


def statistics_table(parts: Mapping[str, Statistics]) -> str:
    """A table as text, one line a part, such as train, dev and test."""
    header = [
        "",
        "utterances",
        "speakers",
        "hours",
        "shortest",
        "mean",
        "longest",
        "words",
        "distinct",
        "characters",
    ]
    rows = [
        [
            name,
            f"{part.utterances}",
            f"{part.speakers}",
            f"{part.hours:.2f}",
            f"{part.shortest:.2f} s",
            f"{part.mean:.2f} s",
            f"{part.longest:.2f} s",
            f"{part.words}",
            f"{part.distinct_words}",
            f"{sum(part.characters.values())}",
        ]
        for name, part in parts.items()
    ]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(cells)
        )
        for cells in (zip(row, widths, strict=True) for row in [header, *rows])
    ]
    return "\n".join(line.rstrip() for line in lines)


def draw_statistics(path: Path, parts: Mapping[str, Statistics]) -> None:
    """Write a picture: durations of each part above, frequencies of characters below.

    Args:
        path: its suffix is the format, such as .png or .svg.
        parts: at least one.

    Raises:
        AsrError: `path` cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1)
    for name, part in parts.items():
        above.stairs([100 * count / max(part.utterances, 1) for count in part.histogram] or [0], label=name)
    above.set(xlabel="duration of an utterance (s)", ylabel="utterances (%)", xlim=(0, None), ylim=(0, None))
    above.legend()
    letters = sorted({char for part in parts.values() for char in part.characters})
    width = 0.8 / len(parts)
    for index, (name, part) in enumerate(parts.items()):
        total = max(sum(part.characters.values()), 1)
        places = [place + index * width for place in range(len(letters))]
        below.bar(places, [100 * part.characters.get(char, 0) / total for char in letters], width, label=name)
    below.set_xticks([place + 0.4 - width / 2 for place in range(len(letters))])
    below.set_xticklabels(["␣" if char == " " else char for char in letters], fontfamily="monospace")
    below.set(xlabel="character", ylabel="characters (%)")
    with atomic_path(path) as partial:
        figure.savefig(partial, format=path.suffix.lstrip(".") or "png", dpi=120)
