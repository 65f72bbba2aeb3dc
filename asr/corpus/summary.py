"""What a reader of a corpus left out or had to guess: each case by name, with its reason."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from asr.files import printable


class Remark(NamedTuple):
    """One thing worth telling: the utterance, file or line it is about, and what is the matter."""

    name: str
    reason: str


@dataclass
class Summary:
    """Remarks gathered while a corpus is read.

    Attributes:
        skipped: what is not in the result, one remark for each utterance or file.
        warnings: what is in the result but was guessed or mended; a case that concerns many utterances is
            one remark that counts them.
    """

    skipped: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        """Record that `name` is left out because of `reason`."""
        self.skipped.append(Remark(printable(name), printable(reason)))

    def warn(self, name: str, reason: str) -> None:
        """Record that `name` stays, with `reason` to look at it."""
        self.warnings.append(Remark(printable(name), printable(reason)))

    def extend(self, other: "Summary") -> None:
        """Take over the remarks of another summary."""
        self.skipped += other.skipped
        self.warnings += other.warnings

    def text(self, limit: int | None = 20) -> str:
        """The summary for reading: counts, then one line a remark.

        Args:
            limit: remarks of each kind that are written out; what is left out is counted. None writes all.

        Returns:
            lines without a final line end; "nothing skipped" where there is nothing to tell.
        """
        lines = [f"{len(self.skipped)} skipped" if self.skipped else "nothing skipped"]
        lines += _listed(self.skipped, limit)
        if self.warnings:
            lines.append(f"{len(self.warnings)} {'warning' if len(self.warnings) == 1 else 'warnings'}")
            lines += _listed(self.warnings, limit)
        return "\n".join(lines)


def named(names: Iterable[str], limit: int = 10) -> str:
    """Names in a sentence: the first `limit`, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more


def _listed(remarks: list[Remark], limit: int | None) -> list[str]:
    lines = [f"  {name}: {reason}" for name, reason in remarks[:limit]]
    if limit is not None and len(remarks) > limit:
        lines.append(f"  … and {len(remarks) - limit} more")
    return lines
