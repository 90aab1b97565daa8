"""The command that goes on with a run that was interrupted, killed or out of time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from kansym.cli import discover as command
from kansym.cli import large, progress
from kansym.cli.options import limit_option, quiet_option, say
from kansym.cli.result import show
from kansym.cli.values import Place


@click.command(
    short_help="Go on with a run that was interrupted.",
    epilog="Example: kansym resume planets-run --time 60",
)
@click.argument("folder", metavar="DIR", type=Place(path_type=Path))
@limit_option("--time", "Stop after this long from now. Default: what was left of the run's own limit.")
@quiet_option
def resume(folder: Path, time_limit: float | None, quiet: bool) -> int:
    """Go on with the run in DIR, which `kansym discover ... --out DIR` was making when it ended.

    An unbroken run gives the same answer. Every target of a run that has several goes on in turn.
    """
    from kansym.pipeline import checkpoint as room
    from kansym.pipeline import flow as pipeline

    folders = [p.parent for p in sorted(folder.glob(f"*/{room.FILE}"))]
    if (folder / room.FILE).is_file() or not folders:
        folders = [folder]
    interrupted = False
    for place in folders:
        kept = room.Checkpoint.load(place)
        options = pipeline.Options(**room.options_of(kept.options))
        left = None if options.time_limit is None else max(options.time_limit - kept.seconds, 1e-3)
        options = replace(options, time_limit=time_limit or left)
        with progress.Watcher(quiet) as watcher:
            run = pipeline.discover(kept.dataset, options=options, progress=watcher, checkpoint=kept)
            run = large.finished(run, kept.dataset, kept.extra.get("whole"), watcher)
        if not quiet:
            say(run.data["notes"])
        show(run)
        command.close(run, kept.dataset, kept, bool(kept.extra.get("report")), quiet)
        interrupted = run.stop_reason == "interrupted"
        if interrupted:
            break
    return 130 if interrupted else 0
