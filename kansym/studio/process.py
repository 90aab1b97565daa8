"""The studio's end of the process that searches (`worker`): start it, give orders, hear what it says."""

from __future__ import annotations

import json
import multiprocessing
from typing import Any

from kansym.studio import worker

PATIENCE = 2.0
"""Seconds that a process is given to end by itself when the studio closes."""


class Process:
    """Hold the process and its pipe; it is started early, since it takes seconds to be ready.

    `busy` tells whether an order has not been answered yet.
    """

    def __init__(self) -> None:
        self._process: Any = None
        self._pipe: Any = None
        self.busy = False

    @property
    def alive(self) -> bool:
        """Tell whether there is a process."""
        return self._process is not None and self._process.is_alive()

    def start(self) -> None:
        """Start the process where there is none."""
        if self.alive:
            return
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=worker.main, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe = ours

    def order(self, job: str, **details: Any) -> None:
        """Give an order; its answer comes with :meth:`news`."""
        self.start()
        self._send({"job": job, **details})
        self.busy = True

    def stop(self) -> None:
        """Ask for the best so far; the answer comes as usual."""
        if self.busy and self.alive:
            self._send({"job": "stop"})

    def news(self) -> list[dict[str, Any]]:
        """Return what was said since; a process that died says so as a failure."""
        found: list[dict[str, Any]] = []
        try:
            while self._pipe is not None and self._pipe.poll():
                found.append(json.loads(self._pipe.recv_bytes()))
        except (EOFError, OSError, ValueError):
            self._pipe = None
        if any(one["kind"] not in ("progress", "ready") for one in found):
            self.busy = False
        elif self.busy and not self.alive:
            self.busy, code = False, self._process.exitcode
            message = f"The search's process ended by itself (exit status {code}); what it had found is kept."
            found.append({"kind": "failed", "message": message})
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        if self._pipe is not None:
            self._pipe.close()
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None
        self.busy = False

    def _send(self, order: dict[str, Any]) -> None:
        """Send an order; where the process has died, `news` says so."""
        try:
            self._pipe.send_bytes(json.dumps(order).encode())
        except (OSError, AttributeError):  # it died; `news` says so
            self._pipe = None
