"""Run one benchmark: python scripts/benchmark.py NAME [options]; NAME is a bench_NAME.py beside this file."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> int:
    """Dispatch to the named benchmark's main(argv)."""
    folder = Path(__file__).resolve().parent
    names = sorted(p.stem.removeprefix("bench_") for p in folder.glob("bench_*.py"))
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print(f"usage: python scripts/benchmark.py NAME [options]; NAME is one of {', '.join(names)}")
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    sys.path.insert(0, str(folder))
    return int(importlib.import_module(f"bench_{sys.argv[1]}").main(sys.argv[2:]) or 0)


if __name__ == "__main__":
    raise SystemExit(main())
