"""The process that searches: it takes orders from the studio and tells how far it is, as lines of JSON.

It never sees the page; what it needs is in a folder (`pipeline.checkpoint`), what it finds goes back as plain
data. A crash here is a message there.
"""

from __future__ import annotations

import _thread
import json
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from kansym.base.errors import KansymError

TICK = 0.2
"""Seconds between two reports while a search runs: what is shown then changes twice a second or more."""


def main(pipe: Connection) -> None:
    """Serve orders until the pipe closes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    teller, orders = _Teller(pipe), _Orders(pipe)
    threading.Thread(target=orders.listen, daemon=True).start()
    _warm()
    teller.say({"kind": "ready"})
    while (order := orders.next()) is not None:
        answer: dict[str, Any] = {"kind": "failed", "message": "Stopped before there was a result."}
        try:
            orders.begin()
            answer = JOBS[str(order["job"])](order, teller)
            orders.done()
        except KeyboardInterrupt:  # too late to change the answer, if there is one
            pass
        except KansymError as problem:
            answer = {"kind": "failed", "message": str(problem)}
        except Exception as problem:  # whatever it was, the page stays and says it
            answer = {"kind": "failed", "message": f"{type(problem).__name__}: {problem}"}
        orders.done()
        teller.say(answer)


def _warm() -> None:
    """Do what the first search would wait for: two seconds of imports, compiled code read, tables made."""
    import numpy as np

    from kansym.data.dataset import from_arrays
    from kansym.pipeline.flow import Options, search

    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (40, 2))
    with suppress(KansymError):
        search(from_arrays(X, X[:, 0] / X[:, 1] + rng.normal(0, 0.01, 40)), Options(effort=0.0))


class _Orders:
    """Wait for orders in a thread of their own, so that "stop" is heard while a search runs."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.waiting: list[dict[str, Any]] = []
        self.there = threading.Condition()
        self.busy = self.over = self.hasty = False

    def listen(self) -> None:
        """Take orders from the pipe until it closes; run in a thread of its own."""
        while not self.over:
            try:
                order = json.loads(self.pipe.recv_bytes())
            except (EOFError, OSError):
                order = {"job": "end"}
            with self.there:
                self.over = order["job"] == "end"
                if order["job"] == "stop" or self.over:
                    if self.busy:
                        _thread.interrupt_main()
                    self.hasty = bool(self.waiting)
                else:
                    self.waiting.append(order)
                self.there.notify()

    def next(self) -> dict[str, Any] | None:
        """Wait for the next order and return it; None where the pipe has closed."""
        with self.there:
            # a timeout lets signals in
            while not self.waiting and not self.over:
                self.there.wait(1.0)
            self.busy = bool(self.waiting)
            return self.waiting.pop(0) if self.waiting else None

    def begin(self) -> None:
        """Raise KeyboardInterrupt where an order was to stop before its work had begun."""
        with self.there:
            hasty, self.hasty = self.hasty, False
        if hasty:
            raise KeyboardInterrupt

    def done(self) -> None:
        """Note that the order's work is over: a stop that comes now has nothing to interrupt."""
        with self.there:
            self.busy = False


class _Teller:
    """Send plain data; reports of progress come at regular times, whatever the search is at."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.gate = threading.Lock()

    def say(self, data: dict[str, Any]) -> None:
        """Send plain data to the studio, if it is still there."""
        with self.gate, suppress(OSError):  # the studio has closed, and this process ends next
            self.pipe.send_bytes(json.dumps(data, allow_nan=False).encode())


class _Watch:
    """Keep the last report of a search, and tell it again and again with the front as it is then."""

    def __init__(self, teller: _Teller, before: float) -> None:
        self.teller, self.before = teller, before
        self.report: Any = None
        self.begun = time.monotonic()
        self.over = threading.Event()

    def __call__(self, report: Any) -> None:
        self.report = report

    def __enter__(self) -> _Watch:
        threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()

    def _tick(self) -> None:
        """Tell the last report again and again, with the front as it is then."""
        written: dict[Any, list[Any]] = {}
        while not self.over.wait(TICK):
            report = self.report
            points = () if report is None else report.front()
            written = {p: written.get(p) or [p.complexity, p.error, p.formula] for p in points}
            self.teller.say(
                {
                    "kind": "progress",
                    "seconds": self.before + time.monotonic() - self.begun,
                    "stage": "" if report is None else report.stage,
                    "left": None if report is None else report.left,
                    "front": list(written.values()),
                }
            )


def _search(order: dict[str, Any], teller: _Teller) -> dict[str, Any]:
    """Search from the checkpoint in a folder; the options there may have been changed since."""
    from kansym.pipeline import checkpoint as room
    from kansym.pipeline.flow import Options, search

    kept = room.Checkpoint.load(order["folder"])
    options = Options(**room.options_of(kept.options))
    if options.time_limit is not None:
        options = replace(options, time_limit=max(options.time_limit - float(order.get("used", 0.0)), 1e-3))
    before = kept.seconds
    with _Watch(teller, before) as watch:
        run = search(kept.dataset, options, watch, kept)
    return {"kind": "found", "run": replace(run, seconds=before + run.seconds).to_dict()}


def _judge(order: dict[str, Any], teller: _Teller) -> dict[str, Any]:
    """Fit a person's formula and say where it stands, by a search that has no time for anything else."""
    from kansym.pipeline import checkpoint as room
    from kansym.pipeline.flow import Options, search

    kept = room.Checkpoint.load(order["folder"])
    asked = {**kept.options, "guesses": [str(order["formula"])], "hypotheses": [], "template": None}
    options = replace(Options(**room.options_of(asked)), effort=0.0, time_limit=None, families="off")
    return {"kind": "judged", "run": search(kept.dataset, options).to_dict()}


def _aside(order: dict[str, Any], teller: _Teller) -> dict[str, Any]:
    """Answer one of the other questions about a table."""
    from kansym.studio.asides import asked

    return {"kind": "aside", "name": order["name"], "result": asked(order["name"], order)}


JOBS: dict[str, Callable[[dict[str, Any], _Teller], dict[str, Any]]] = {
    "search": _search,
    "judge": _judge,
    "aside": _aside,
}
