"""The command line: parses, calls the API, prints; no mathematics.

Nothing heavy is imported before a command runs, so `kansym --help` answers at once. Results go to stdout;
progress, notes and errors to stderr. Exit status: 0, 2 for bad input or usage, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

import kansym
from kansym.base.errors import KansymError
from kansym.cli import curves, data, discover, dynamics, models, relations, resume, studio


class _Program(click.Group):
    """Turn every refusal into one line on stderr and the right exit status."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that is meant, unless an option is repeated that may not be."""
        found = super().resolve_command(ctx, args)
        if found[1] is not None:
            _refuse_repeated(found[1], found[2])
        return found

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command so that it ends as a person at a terminal expects."""
        extra["standalone_mode"] = False
        with _ended_as_by_a_person():
            self._run(args, *rest, **extra)

    def _run(self, args: Sequence[str] | None, *rest: Any, **extra: Any) -> None:
        """Run a command; every error becomes one line and an exit code."""
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


@contextmanager
def _ended_as_by_a_person() -> Iterator[None]:
    """Let SIGTERM act as Ctrl-C does, so that a job that is ended shows the best so far."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _refuse_repeated(command: click.Command, args: Sequence[str]) -> None:
    """Refuse an option that takes one value and is given twice; click would take the last without a word."""
    given = list(args[: args.index("--")]) if "--" in args else list(args)
    for option in command.params:
        if isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count):
            times = [
                a for a in given if a in option.opts or a.startswith(tuple(f"{o}=" for o in option.opts))
            ]
            if len(times) > 1:
                name = max(option.opts, key=len)
                raise click.UsageError(
                    f"{name} is given {len(times)} times, and it takes one value; give it once."
                )


def _refuse(message: str, problem: click.ClickException | None = None) -> None:
    """Print a message on one line of stderr, with the command that explains more."""
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
    dynamics.dynamics,
    resume.resume,
    relations.relations,
    curves.fit,
    curves.match,
    curves.pade,
    models.predict,
    models.export,
    models.report,
    data.library,
    data.datasets,
    studio.studio,
):
    main.add_command(_command)
