"""Numba's njit with an on-disk cache that cannot fail, and compilation that nothing breaks into.

Numba raises when it finds no writable folder for its cache (a read-only install and no home
directory, say). A missing cache must cost time, not the run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numba
from numba.core import event

from kansym.base.interrupts import shielded


class _Guard(event.Listener):
    """Shield every stretch in which numba holds its compiler lock: it loads, builds or frees LLVM modules."""

    def __init__(self) -> None:
        self._open: list[AbstractContextManager[None]] = []

    def on_start(self, _event: event.Event) -> None:
        shield = shielded()
        shield.__enter__()
        self._open.append(shield)

    def on_end(self, _event: event.Event) -> None:
        self._open.pop().__exit__(None, None, None)


event.register("numba:compiler_lock", _Guard())


def njit(*args: Any, depends: str = "", **options: Any) -> Any:
    """Compile a function like numba.njit(cache=True), without the cache where none can be written.

    Numba looks for a function's code by its name and its file's date. `depends` names what else the code was
    made from, so that code made from an older one is not found.
    """
    options.setdefault("cache", True)

    def decorate(function: Callable[..., Any]) -> Any:
        if depends:
            function.__qualname__ += f"-{depends}"
        try:
            return numba.njit(**options)(function)
        except RuntimeError:
            return numba.njit(**{**options, "cache": False})(function)

    return decorate(args[0]) if args else decorate
