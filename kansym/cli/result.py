"""What a finished search leaves: its front on the screen, a document, files in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kansym.cli import text

if TYPE_CHECKING:
    from kansym.data.dataset import Dataset
    from kansym.pipeline.run import Run


def document(run: Run, dataset: Dataset) -> dict[str, Any]:
    """Return a run as one JSON document."""
    from kansym.report import page as report

    return report.summarise(run, dataset)


def show(run: Run) -> None:
    """Print a run as a person reads it."""
    click.echo(text.front(run, text.terminal_width()))
    click.echo()
    click.echo(text.chosen(run))
    click.echo(f"Stopped after {run.seconds:.1f} s: {run.stop_reason}.")


def write(run: Run, dataset: Dataset, out: Path | None, page: bool) -> list[Path]:
    """Write what was asked for and return the files."""
    files: list[Path] = []
    if out is not None or page:
        from kansym.report import page as report

        if out is not None:
            files += report.write_run(run, dataset, out)
        if page:
            files.append(
                report.write_html(report.summarise(run, dataset), (out or Path(".")) / "report.html")
            )
    return files
