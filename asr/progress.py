"""A progress bar on stderr for what takes longer than two seconds; silent when stderr is no terminal."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items`, showing how far along they are.

    Args:
        items: what to go through.
        description: shown beside the bar, such as "reading audio".
        total: number of items, where `items` has no length.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    if total is None and isinstance(items, Sized):
        total = len(items)
    started = time.monotonic()
    # stdout is left alone: what a caller prints there is a result, and must not land on stderr
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(description, total=total, visible=False)
        for item in items:
            yield item
            bar.update(task, advance=1, visible=time.monotonic() - started > 2)
