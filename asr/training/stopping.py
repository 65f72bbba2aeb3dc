"""A stop that somebody asks for by Ctrl-C or SIGTERM, at a place where training can be saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stop:
    """Whether somebody asked for the end.

    Attributes:
        wanted: set by the signals; whoever trains looks at it between two updates.
    """

    def __init__(self) -> None:
        self.wanted = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Within the block Ctrl-C and SIGTERM set `wanted`, and end nothing themselves."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: Any) -> None:
            self.wanted = True

        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
