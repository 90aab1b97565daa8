"""What a waiting person sees on stderr: a live line on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kansym.base.budget import Progress

_EVERY = 4.0
"""Seconds between plain lines of one stage: even where a look tells nothing a line comes every five."""


class Watcher:
    """Show progress reports; use as a context manager and call it with each report."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live: Any = None
        self._report: Progress | None = None
        self._shown = self._came = -1e9
        self._over, self._gate = threading.Event(), threading.Lock()

    def __enter__(self) -> Watcher:
        if self._quiet:
            return self
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(_Line(None), console=Console(stderr=True), refresh_per_second=8, transient=True)
            self._live.start()
        else:
            threading.Thread(target=self._remind, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._gate:  # no line comes after the block has been left
            self._over.set()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, report: Progress) -> None:
        """Show one report."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(_Line(report))
            return
        now = time.monotonic()
        with self._gate:
            other = self._report is None or report.stage != self._report.stage
            self._report, self._came = report, now
            if other or now - self._shown >= _EVERY:
                self._show(report, now)

    def _remind(self) -> None:
        """Show the last report again, at its new time, while no other comes."""
        while not self._over.wait(_EVERY / 8):
            now = time.monotonic()
            with self._gate:
                if self._report is None or self._over.is_set() or now - self._shown < _EVERY:
                    continue
                since = now - self._came
                left = None if self._report.left is None else max(self._report.left - since, 0.0)
                self._show(replace(self._report, seconds=self._report.seconds + since, left=left), now)

    def _show(self, report: Progress, now: float) -> None:
        """Write one line."""
        self._shown = now
        click.echo(plain(report), err=True)


def plain(report: Progress) -> str:
    """Return one report as a line: time, stage, best loss so far, time left."""
    parts = [f"[{report.seconds:6.1f} s] {report.stage}"]
    if report.best is not None:
        parts.append(f"best error so far {report.best:.3g} of the spread")
    if report.left is not None:
        parts.append(f"at most {report.left:.0f} s left")
    return ", ".join(parts)


class _Line:
    """Draw the latest report; the clock goes on while no new one comes."""

    def __init__(self, report: Progress | None) -> None:
        from rich.spinner import Spinner

        self.report = report
        self.came = time.monotonic()
        self.spinner = Spinner("dots", style="cyan")

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        report = self.report
        elapsed = time.monotonic() - self.came + (report.seconds if report else 0.0)
        total = None if report is None or report.left is None else report.seconds + report.left
        row = Table.grid(padding=(0, 1))
        row.add_row(
            self.spinner,
            Text(report.stage if report else "starting", style="bold"),
            ProgressBar(total=total, completed=elapsed, width=20, pulse=total is None),
            Text(
                "" if report is None or report.best is None else f"best error {report.best:.3g} of the spread"
            ),
            Text(f"{elapsed:.0f} s" if total is None else f"{elapsed:.0f} of {total:.0f} s", style="dim"),
        )
        if report is None or not report.formula:
            return row
        return Group(row, Text("  " + report.formula, style="green", no_wrap=True, overflow="ellipsis"))
