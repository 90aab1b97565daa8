"""Make the gallery of the documentation: real tables, what kansym finds in them, what to think of it.

Each case of `gallery.toml` is searched; the page and its pictures are written into docs/gallery. What was
found is kept in a folder, so that a text can be changed without searching again; cases that are named are
searched anew. Run: python scripts/gallery.py [NAME ...]
"""

from __future__ import annotations

import argparse
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import click
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from kansym.cli import text
from kansym.data.dataset import Dataset, from_table
from kansym.data.table import read_table
from kansym.pipeline.flow import discover
from kansym.pipeline.run import Run

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs" / "gallery"
DARK, LIGHT, LAW = "#1b2a38", "#9fc3d6", "#c0392b"


def frame(case: dict[str, Any]) -> Any:
    """Return a case's table, its columns named for people."""
    name = case["table"]
    if not name.endswith(".csv"):
        return name
    table = read_table(ROOT / name).frame
    return table.set_axis(case.get("columns", list(table.columns)), axis=1)


def command(case: dict[str, Any]) -> str:
    """Return what one types for a case."""
    return f"kansym discover {case['table']}"


def picture(run: Run, data: Dataset, path: Path) -> None:
    """Draw the rows and the law with its band, or what is predicted against what is measured."""
    figure, axes = plt.subplots(figsize=(4.4, 2.9), dpi=90)
    if len(data.names) == 1:
        x = np.linspace(data.X.min(), data.X.max(), 400)[:, None]
        with np.errstate(all="ignore"):
            values, (low, high) = run.predict(x), run.predict_band(x)
        axes.fill_between(x[:, 0], low, high, color=LIGHT, alpha=0.5, lw=0)
        axes.plot(x[:, 0], values, color=LAW, lw=1.4)
        axes.plot(data.X[:, 0], data.y, "o", ms=3, color=DARK, alpha=0.8)
        axes.set(xlabel=data.names[0], ylabel=data.target)
    else:
        with np.errstate(all="ignore"):
            axes.plot(data.y, run.predict(data.X), "o", ms=3, color=DARK, alpha=0.7)
        ends = [data.y.min(), data.y.max()]
        axes.plot(ends, ends, color=LAW, lw=1.2)
        axes.set(xlabel=f"{data.target}, measured", ylabel="by the law")
    save(figure, path)


def becoming(run: Run, data: Dataset, path: Path) -> None:
    """Draw a table, and beside it the law that it became."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), dpi=110, width_ratios=(1, 2.2))
    shown = np.column_stack([data.X[:, 0], data.y])[:: max(1, data.rows // 8)][:8]
    cells = [[f"{v:g}" for v in row] for row in shown] + [["...", "..."]]
    left.axis("off")
    left.table(cells, colLabels=[data.names[0], data.target], loc="center", edges="horizontal").scale(1, 1.25)
    x = np.linspace(0, data.X.max(), 100)[:, None]
    right.fill_between(x[:, 0], *run.predict_band(x), color=LIGHT, alpha=0.5, lw=0)
    right.plot(x[:, 0], run.predict(x), color=LAW, lw=1.6)
    right.plot(data.X[:, 0], data.y, "o", ms=4, color=DARK)
    law = run.best.constants[0]
    right.set_title(f"{data.target} = ({law.value:.0f} ± {law.stderr:.0f}) · {data.names[0]}", color=LAW)
    right.set(xlabel=data.names[0], ylabel=data.target)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a picture without what changes from one machine to the next."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def found(case: dict[str, Any], seconds: float | None) -> str:
    """Search a case, draw its picture, and return what the command prints of the chosen law."""
    target = PLACE / f"{case['name']}.png"
    data = from_table(read_table(frame(case)))
    run = discover(data, time_limit=seconds)
    picture(run, data, target)
    if case["name"] == "hubble":
        becoming(run, data, ROOT / "docs" / "pictures" / "law.png")
    return text.chosen(run)


def section(case: dict[str, Any], said: str) -> str:
    """Return a case as Markdown."""
    return (
        f"## {case['title']} <small>({case['field']})</small>\n\n{case['about']}\n\n"
        f"```text\n$ {command(case)}\n{said}\n```\n\n![{case['title']}]({case['name']}.png)\n\n"
        f"**What it means.** {case['means']}\n\n**What to distrust.** {case['distrust']}\n"
    )


def main() -> None:
    """Search the cases that have no result yet, or those named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="cases to search anew")
    parser.add_argument("--kept-only", action="store_true", help="search nothing")
    parser.add_argument("--seconds", type=float, help="longest search of a case")
    kept = Path(tempfile.gettempdir()) / "kansym-gallery"
    parser.add_argument("--kept", type=Path, default=kept, help="where results are kept")
    arguments = parser.parse_args()
    cases = tomllib.loads((ROOT / "scripts" / "gallery.toml").read_text(encoding="utf-8"))["case"]
    PLACE.mkdir(exist_ok=True)
    arguments.kept.mkdir(parents=True, exist_ok=True)
    sections, shown = [], []
    for case in cases:
        file = arguments.kept / f"{case['name']}.txt"
        if arguments.kept_only and not file.exists():
            continue
        if not file.exists() or case["name"] in arguments.names:
            file.write_text(found(case, arguments.seconds), encoding="utf-8")
            click.echo(f"{case['name']}: {file.read_text(encoding='utf-8').splitlines()[0]}")
        shown.append(case)
        sections.append(section(case, file.read_text(encoding="utf-8")))
    listed = "\n".join(f"- [{c['title']}](#{anchor(c)}): {c['field']}" for c in shown)
    fields = len({c["field"] for c in shown})
    page = (
        f"# Gallery: laws in real tables\n\n{len(shown)} tables from {fields} fields, as measured. Every "
        "output and picture is from a real run (`python scripts/gallery.py`), and beside each stands what a "
        "careful reader should not believe.\n\nPoints are rows, the line is the law, the shade is where 95 % "
        "of new rows should lie. In the files NIST's columns are x and y; here they have names. Searches "
        "were cut after 80 seconds on a busy machine (`--seconds 80`).\n\n"
        f"{listed}\n\n" + "\n".join(sections)
    )
    (PLACE / "index.md").write_text(page, encoding="utf-8")


def anchor(case: dict[str, Any]) -> str:
    """Return the anchor that a page gives a heading."""
    from markdown.extensions.toc import slugify

    return slugify(f"{case['title']} ({case['field']})", "-")


if __name__ == "__main__":
    main()
