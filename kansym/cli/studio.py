"""The command that opens the studio in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from kansym.cli.options import tables


@click.command(
    short_help="Look, steer and decide in the browser.",
    epilog='Example: kansym studio planets. Needs: pip install "kansym[studio]".',
)
@click.argument("data", metavar="[DATA|RUN.json|SESSION.json]", required=False, shell_complete=tables)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Port to listen on. Default: a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; any but 127.0.0.1 lets others in who know the address with its token.",
)
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def studio(data: str | None, port: int, host: str, no_browser: bool) -> None:
    """Open a page in the browser where a table becomes a law: bring it, watch, decide, take it along.

    Prints the address, whose token keeps others out, and serves this machine alone until Ctrl-C. Reads and
    writes nothing but DATA, the shipped tables and the present folder.
    """
    from kansym.base import resources
    from kansym.base.errors import UnknownNameError
    from kansym.studio.server import serve

    shipped = [path.stem for path in sorted(resources.folder("datasets").glob("*.toml"))]
    if data is not None and not Path(data).exists() and data not in shipped:
        raise UnknownNameError("file or shipped table", data, shipped)
    serve(data, host, port, click.echo, browse=not no_browser)
