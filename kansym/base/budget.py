"""How long a search may go on: work units, a deadline, an interrupt; and whom to tell.

Work is counted in units that do not depend on the machine (one unit is about one candidate polished
or a thousand features projected), so a search that ends by itself ends at the same place everywhere;
the clock only cuts.
"""

from __future__ import annotations

import _thread
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass(frozen=True)
class Point:
    """Say what one formula of a front is worth: its error on rows left out is a share of the spread."""

    complexity: int
    error: float
    formula: str


def _none() -> Sequence[Point]:
    return ()


@dataclass(frozen=True)
class Progress:
    """Say where a search is: stage, best loss share so far, work done and seconds left (None: open).

    `front` gives the best formulas so far by complexity; it is a function, since writing them takes time.
    """

    stage: str
    best: float | None = None
    formula: str = ""
    done: float = 0.0
    seconds: float = 0.0
    left: float | None = None
    front: Callable[[], Sequence[Point]] = _none


@dataclass
class Budget:
    """Count work and watch the clock; the one mutable object that a search carries with it.

    `exhausted` is checked between small steps. `spend` adds work, to the `parent` too that a part is of.
    `stage` reports to the listener.
    """

    work: float = float("inf")
    seconds: float | None = None
    listener: Callable[[Progress], None] | None = None
    started: float = field(default_factory=time.monotonic)
    used: float = 0.0
    cancelled: bool = False
    parent: Budget | None = None
    _last: Progress = field(default_factory=lambda: Progress(""))

    @property
    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float | None:
        """Return the seconds left, None without a limit."""
        return None if self.seconds is None else max(0.0, self.seconds - self.elapsed)

    @property
    def exhausted(self) -> bool:
        """Tell whether work, time or patience is at an end."""
        return self.cancelled or self.used >= self.work or (self.left is not None and self.left <= 0)

    @property
    def reason(self) -> str:
        """Name what ended: "interrupted", "time limit" or "work limit"; empty while there is some left."""
        if self.cancelled:
            return "interrupted"
        if self.left is not None and self.left <= 0:
            return "time limit"
        return "work limit" if self.used >= self.work else ""

    def spend(self, units: float = 1.0) -> None:
        """Count work as done."""
        self.used += units
        if self.parent is not None:
            self.parent.spend(units)

    def part(self, work: float) -> Budget:
        """Return a budget of so much work with the same clock; what it spends is charged here, too."""
        return Budget(
            work=work,
            seconds=self.seconds,
            listener=self.listener,
            started=self.started,
            parent=self,
            _last=self._last,
        )

    def share(self, fraction: float) -> Budget:
        """Return a part that has a fraction of the remaining work."""
        return self.part(max(0.0, self.work - self.used) * fraction)

    def tell(
        self,
        stage: str,
        best: float | None = None,
        formula: str = "",
        front: Callable[[], Sequence[Point]] | None = None,
    ) -> None:
        """Report a stage and the best so far to the listener."""
        if self.listener is None:
            return
        self._last = Progress(
            stage,
            self._last.best if best is None else best,
            formula or self._last.formula,
            self.used,
            self.elapsed,
            self.left,
            front or self._last.front,
        )
        self.listener(self._last)


GRACE = 0.5
"""Seconds past the deadline after which a step that does not look at the clock is broken off."""

AGAIN = 2.0
"""Seconds after which it is broken off once more, should something have swallowed the interrupt."""


@contextmanager
def watchdog(budget: Budget) -> Iterator[None]:
    """Raise KeyboardInterrupt in the main thread when a step overruns the budget's deadline.

    Does nothing without a time limit or outside the main thread, where only the steps themselves can
    stop. The interrupt comes as Ctrl-C would (see `interrupts`); whoever catches it asks the budget
    which it was.
    """
    if budget.left is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    over, gate = threading.Event(), threading.Lock()

    def bark(after: float) -> None:
        """Interrupt the main thread, again and again, until the block has been left."""
        while not over.wait(min(after, threading.TIMEOUT_MAX)):
            with gate:  # so that none comes after the block has been left
                if over.is_set():
                    return
                late.set()
                _thread.interrupt_main()
            after = AGAIN

    before = signal.getsignal(signal.SIGINT)

    def heard(number: int, frame: FrameType | None) -> None:
        """Pass an interrupt on to the handler before, unless it would be lost."""
        if late.is_set() and _dropped(frame):
            return  # the next bark comes soon
        if callable(before):
            before(number, frame)
        elif late.is_set():  # not a person's Ctrl-C, which stays ignored
            raise KeyboardInterrupt

    late = threading.Event()
    # a process that was started in the background ignores Ctrl-C, and our interrupt with it
    ours = callable(before) or before is signal.SIG_IGN
    if ours:
        signal.signal(signal.SIGINT, heard)
    threading.Thread(target=bark, args=(budget.left + GRACE,), daemon=True).start()
    try:
        yield
    finally:
        with gate:
            over.set()
        if ours:
            signal.signal(signal.SIGINT, before)


def _dropped(frame: FrameType | None) -> bool:
    """Tell whether Python would print and drop what a handler raises here, in a weak reference's callback or
    the garbage collector's.
    """
    collector = [getattr(callback, "__code__", None) for callback in gc.callbacks]
    weak = ("weakref", "_weakrefset")
    while frame is not None and frame.f_code not in collector and frame.f_globals.get("__name__") not in weak:
        frame = frame.f_back
    return frame is not None
