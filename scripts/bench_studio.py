"""How soon the studio answers, in Chromium: its first page, a growing front, a constant under the hand.

Seconds on the wall, as a person waits them: run it on a machine with nothing else to do. Writes
docs/benchmarks/studio.md. Needs what the browser tests need: chromium, chromedriver, selenium.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from windows import Studio, chromium  # noqa: E402 (from the tests' folder)

STARTS = 5
"""Times that the command is started."""

MOVES = 30
"""Times that a constant is moved."""

ROWS = (10_000, 1_000_000)
"""Rows of the tables whose law is moved."""

LOOKED = 5.0
"""Seconds that a person looks at a table before the search: meanwhile its process gets ready."""

WATCHED = 10.0
"""Seconds for which a growing front is watched."""

MOVING = """
const done = arguments[arguments.length - 1];
const slider = document.querySelector('input[type=range]:not(.past *)');
const word = () => document.querySelector('.loss:not(.past *)').textContent;
const lines = () => [...document.querySelectorAll('.chart svg path')].map(p => p.getAttribute('d')).join();
const found = [];
const step = k => {
  if (k === arguments[0]) return done(found);
  const before = [word(), lines()], begun = performance.now();
  slider.value = Number(slider.min) + (slider.max - slider.min) * (0.15 + 0.1 * (k % 4));
  slider.dispatchEvent(new Event('input'));
  const look = () => {
    if (word() === before[0] || lines() === before[1]) return setTimeout(look, 1);
    found.push(performance.now() - begun);
    setTimeout(() => step(k + 1), 150);
  };
  look();
};
step(0);
"""
"""Script that moves a constant, and tells after how many milliseconds both loss and curve have followed."""

WATCHING = """
const done = arguments[arguments.length - 1], seen = new Set(), begun = performance.now();
const look = () => {
  const line = [...document.querySelectorAll('.busy')].find(e => e.checkVisibility());
  if (line) seen.add(line.textContent);
  if (performance.now() - begun > 1000 * arguments[0]) return done(seen.size);
  setTimeout(look, 10);
};
look();
"""
"""Script that counts how often the line of progress changes."""


def main(argv: list[str]) -> int:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(prog="benchmark studio", description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=PARTS, nargs="*", default=list(PARTS))
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks/studio.md")
    options = parser.parse_args(argv)
    window = chromium()
    window.set_script_timeout(600)
    lines = ["| what | wanted | measured |", "|---|---|---|"]
    print("\n".join(lines))
    try:
        for part in options.only:
            for line in PARTS[part](window):
                lines.append(line)
                print(line, flush=True)
    finally:
        window.quit()
    if options.write:
        said = (
            "`python scripts/benchmark.py studio --write`. Seconds on the wall in Chromium, as a person "
            "waits them; memory is the resident set of the page's process, the search's not counted. "
            f"The machine had {os.cpu_count()} cores and a load of {os.getloadavg()[1]:.1f}."
        )
        page = ["# How soon the studio answers", "", said, "", *lines, ""]
        (ROOT / "docs" / "benchmarks" / "studio.md").write_text("\n".join(page), encoding="utf-8")
    return 0


@contextmanager
def studio(window: Any, table: str = "") -> Iterator[Studio]:
    """Start a studio in a folder of its own, with this text as table.csv."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "table.csv").write_text(table or "x,y\n1,2\n2,4\n3,6\n")
        made = Studio(window, Path(place))
        try:
            yield made
        finally:
            made.close()


def first_page(window: Any) -> Iterator[str]:
    """Measure from the command to its address, to the page's first words, and to the tabs' answer."""
    found, memory = [], 0.0
    for _ in range(STARTS):
        begun = time.monotonic()
        with studio(window) as made:
            address = time.monotonic() - begun
            window.get(made.address)
            waited(lambda: "Bring a table" in made.text())
            page = time.monotonic() - begun
            waited(lambda: "loading" not in made.texts(".said"))
            found.append((address, page, time.monotonic() - begun))
            memory = resident(made)
    for name, wanted, values in zip(
        ("address printed", "first page", "all loaded"),
        ("", "2 s", ""),
        zip(*found, strict=True),
        strict=True,
    ):
        yield f"| {name}, median and longest of {STARTS} starts | {wanted} | {spread(values, 's')} |"
    yield f"| memory without a table | 300 MB | {memory:.0f} MB |"


def search(window: Any) -> Iterator[str]:
    """Measure a search's first formula and how often its page changes."""
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (1000, 4))
    y = X[:, 0] * np.exp(-X[:, 1] * X[:, 2]) / X[:, 3] + 0.02 * rng.normal(size=1000)
    with studio(window, text(np.column_stack([X, y]), "a,b,c,d,y")) as made:
        opened(made)
        made.write("At most so many seconds", "60")
        time.sleep(LOOKED)
        made.press("Search for the law")
        begun = time.monotonic()
        waited(lambda: made.texts("tr[data-row]"))
        took = time.monotonic() - begun
        yield f"| first formula after the press, {LOOKED:.0f} s after the table | 2 s | {took:.2f} s |"
        changes = window.execute_async_script(WATCHING, WATCHED)
        yield f"| updates a second while it searches | 2 | {changes / WATCHED:.1f} |"


def moving(window: Any) -> Iterator[str]:
    """Measure how soon loss and curve follow a constant, in tables of several sizes."""
    for rows in ROWS:
        rng = np.random.default_rng(0)
        x = rng.uniform(0.2, 10, rows)
        y = 3.2 * x / (1.7 + x) + rng.normal(0, 0.05, rows)
        with studio(window, text(np.column_stack([x, y]), "S,v")) as made:
            begun = time.monotonic()
            opened(made)
            yield f"| {rows:,} rows: table opened | | {time.monotonic() - begun:.1f} s |"
            made.write("At most so many seconds", "20")
            made.press("Search for the law")
            made.see(lambda made=made: made.button("Search anew"))
            made.see(lambda made=made: made.all("input[type=range]") and made.texts(".loss"))
            made.see(lambda made=made: made.all(".chart svg path"))
            time.sleep(LOOKED)
            delays = window.execute_async_script(MOVING, MOVES)
            best = f"{np.quantile(delays, 0.1):.3g} ms in the best tenth, {spread(delays, 'ms')}"
            yield f"| {rows:,} rows: loss and curve follow a constant | 50 ms | {best} |"
            begun = time.monotonic()
            made.click(lambda made=made: made.all("tr[data-row]")[0])
            waited(lambda made=made: "picked" in made.all("tr[data-row]")[0].get_attribute("class"))
            yield f"| {rows:,} rows: a row of the front is clicked | | {time.monotonic() - begun:.2f} s |"
            yield f"| {rows:,} rows: memory | 300 MB | {resident(made):.0f} MB |"


PARTS: dict[str, Callable[[Any], Iterator[str]]] = {"first": first_page, "search": search, "moving": moving}


def opened(made: Studio) -> None:
    """Open the table of the folder."""
    made.open()
    made.press("table.csv")
    made.see("table.csv: ")


def waited(there: Callable[[], Any]) -> None:
    """Wait until something is there, looking often."""
    from selenium.common.exceptions import WebDriverException

    while True:
        try:
            if there():
                return
        except (WebDriverException, IndexError):
            pass
        time.sleep(0.005)


def text(rows: np.ndarray, head: str) -> str:
    """Return rows as CSV with six digits."""
    return head + "\n" + "\n".join(",".join(f"{v:.6g}" for v in row) for row in rows.tolist()) + "\n"


def resident(made: Studio) -> float:
    """Return the resident memory of the page's process in MB."""
    status = Path(f"/proc/{made.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def spread(values: Any, unit: str) -> str:
    """Return the median and the largest of some values."""
    return f"{np.median(values):.3g} {unit}, {max(values):.3g} {unit}"
