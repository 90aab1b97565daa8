"""Hold Ctrl-C, alarms and deadlines back where breaking in would crash Python.

A signal's handler may raise between any two bytecodes. Half-built LLVM modules and half-imported
compiled packages (torch) do not survive that, so while they are made the handlers only take note.
Handlers run in the main thread alone; elsewhere there is nothing to hold back.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

HELD = tuple(getattr(signal, n) for n in ("SIGINT", "SIGALRM", "SIGTERM", "SIGUSR1") if hasattr(signal, n))
"""Signals whose Python handlers wait; others keep their course."""


LOADING = 4.0
"""Seconds that loading torch may take, which no deadline can break off: 2.4 s of one core at version 2.13,
and more on a busy machine."""


class _Shield:
    """Count nested calls; swap the handlers at the outermost and call those that were due at its end."""

    def __init__(self) -> None:
        self.depth = 0
        self.handlers: dict[int, Any] = {}
        self.due: dict[int, FrameType | None] = {}

    def up(self) -> None:
        """Enter a shielded block: signals wait from the first one on; nothing outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        if not self.depth:
            try:
                self._swap()
            except BaseException:  # a signal came between two swaps: nothing has begun that it could break
                self._restore()
                raise
        self.depth += 1

    def down(self) -> None:
        """Leave a shielded block: after the last one signals act again, those that came meanwhile at once."""
        if threading.current_thread() is not threading.main_thread():
            return
        self.depth -= 1
        if self.depth:
            return
        handlers = dict(self.handlers)
        self._restore()
        while self.due:
            number, frame = self.due.popitem()
            handlers[number](number, frame)

    def _swap(self) -> None:
        """Put our handler in the place of each one there is."""
        for number in HELD:
            handler = signal.getsignal(number)
            if callable(handler) and handler != self._note:
                self.handlers[number] = handler
                signal.signal(number, self._note)

    def _restore(self) -> None:
        """Put the handlers back that were there before."""
        while self.handlers:  # one by one, so that a signal that breaks in here loses none
            number = next(iter(self.handlers))
            if signal.getsignal(number) == self._note:
                signal.signal(number, self.handlers[number])
            del self.handlers[number]

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal that comes while it is held back; pass any other on."""
        if self.depth:
            self.due[number] = frame
        else:
            self.handlers[number](number, frame)


_SHIELD = _Shield()


@contextmanager
def shielded() -> Iterator[None]:
    """Let signals that come inside the block act at its end; blocks may be nested.

    >>> with shielded():
    ...     pass
    """
    _SHIELD.up()
    try:
        yield
    finally:
        _SHIELD.down()


def loadable(seconds: float | None) -> bool:
    """Tell whether torch is loaded, or can be before so many seconds are over (None: there is no limit)."""
    return seconds is None or seconds > LOADING or "torch" in sys.modules


@contextmanager
def unwrapped() -> Iterator[None]:
    """Let an interrupt in compiled code come out as KeyboardInterrupt.

    CPython makes it the cause of a SystemError where a compiled function returns beside an exception.
    """
    try:
        yield
    except SystemError as wrapped:
        if isinstance(wrapped.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from wrapped
        raise
