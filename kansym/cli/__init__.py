"""The command line: parses, calls the API, prints; no mathematics.

Nothing heavy is imported before a command runs, so `kansym --help` answers at once. Results go to stdout;
progress, notes and errors to stderr. Exit status: 0, 2 for bad input or usage, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

import kansym
from kansym.base.errors import KansymError
from kansym.cli import curves, data, discover, models, relations


class _Program(click.Group):
    """Turn every refusal into one line on stderr and the right exit status."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        try:
            sys.exit(super().main(args, *rest, **extra) or 0)
        except (click.exceptions.NoArgsIsHelpError, click.exceptions.Exit) as end:
            if isinstance(end, click.exceptions.Exit):
                sys.exit(end.exit_code)
            click.echo(end.format_message())
            sys.exit(2)
        except click.ClickException as problem:
            _refuse(problem.format_message(), problem)
        except KansymError as problem:
            _refuse(str(problem))
        except MemoryError:
            _refuse("Memory ran out; give fewer rows or columns.")
        except (KeyboardInterrupt, click.Abort):
            click.echo("kansym: interrupted before there was a result.", err=True)
            sys.exit(130)
        except BrokenPipeError:  # the reader, `head` say, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as problem:  # a full disk, say
            where = f"{problem.filename}: " if problem.filename else ""
            _refuse(f"{where}{problem.strerror or problem}; free space or choose another place.")


def _refuse(message: str, problem: click.ClickException | None = None) -> None:
    line = " ".join(message.split())
    context = getattr(problem, "ctx", None)
    if context is not None:
        line += f" (see {context.command_path} --help)"
    click.echo(f"kansym: {line}", err=True)
    sys.exit(2)


@click.group(
    cls=_Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Try: kansym discover planets. Completion in bash: eval "$(_KANSYM_COMPLETE=bash_source kansym)" '
    "(or zsh_source, fish_source).",
)
@click.version_option(kansym.__version__, "-V", "--version", prog_name="kansym")
def main() -> None:
    """Find the law in a table."""


for _command in (
    discover.discover,
    relations.relations,
    curves.fit,
    curves.match,
    curves.pade,
    models.predict,
    models.export,
    models.report,
    data.library,
    data.datasets,
):
    main.add_command(_command)
