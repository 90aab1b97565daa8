"""Numba's njit with an on-disk cache that cannot fail.

Numba raises when it finds no writable folder for its cache (a read-only install and no home
directory, say). A missing cache must cost time, not the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def njit(*args: Any, **options: Any) -> Any:
    """Compile a function like numba.njit(cache=True), without the cache where none can be written."""
    options.setdefault("cache", True)

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(**options)(function)
        except RuntimeError:
            return numba.njit(**{**options, "cache": False})(function)

    return decorate(args[0]) if args else decorate
