"""Repeat one of the paper's experiments: python scripts/reproduce.py NAME [--quick|--full] [--device cpu].

NAME is a repro_NAME.py beside this file. --quick (the default) is the reduced row that the tests run and
prints its table; --full runs what the module says of itself and writes docs/paper/NAME.md. Exit status: 0
when every target of the row held, 1 when one did not, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PAGES = FOLDER.parent / "docs" / "paper"


def names() -> list[str]:
    """Return the rows that can be reproduced."""
    return sorted(p.stem.removeprefix("repro_") for p in FOLDER.glob("repro_*.py"))


def machine(device: str) -> str:
    """Return a short description of where this runs."""
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    text = f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}"
    text += f", BLAS threads {threads}"
    if device != "cpu":
        import torch

        text += f", {torch.cuda.get_device_name(device)}"
    return text


def main(arguments: list[str] | None = None) -> int:
    """Run the named row and say whether its targets held."""
    parser = argparse.ArgumentParser(prog="reproduce.py", description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=names(), metavar="NAME", help=", ".join(names()))
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="the reduced row that the tests run (default)")
    kind.add_argument(
        "--full", action="store_true", help="the whole row; writes docs/paper/NAME.md and its figures"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda, where a row trains networks")
    options = parser.parse_args(arguments)
    if options.device != "cpu":
        import torch

        if not torch.cuda.is_available():
            print(
                f"reproduce.py: device {options.device!r} cannot be had here; use --device cpu.",
                file=sys.stderr,
            )
            return 2
    sys.path.insert(0, str(FOLDER))
    row = importlib.import_module(f"repro_{options.name}")
    started = time.monotonic()
    lines, held, *drawn = row.run(full=options.full, device=options.device)  # a row may draw figures, too
    figures = drawn[0] if drawn else []
    seconds = time.monotonic() - started
    where = f"{machine(options.device)}; {seconds:.0f} s in all; targets {'held' if held else 'MISSED'}."
    links = [f"![{row.TITLE}]({options.name}{k or ''}.png)" for k in range(len(figures) * options.full)]
    page = "\n".join([f"# {row.TITLE}", "", *lines, "", *links, *([""] if links else []), where, ""])
    print(page)
    if options.full:
        PAGES.mkdir(parents=True, exist_ok=True)
        for k, figure in enumerate(figures):
            figure.savefig(PAGES / f"{options.name}{k or ''}.png", dpi=100)
        made = f"\nMade by `python scripts/reproduce.py {options.name} --full`.\n"
        (PAGES / f"{options.name}.md").write_text(page + made, encoding="utf-8")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
