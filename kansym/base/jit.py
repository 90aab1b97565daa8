"""Numba's njit with an on-disk cache that cannot fail, and compilation that nothing breaks into.

Numba raises when it finds no writable folder for its cache (a read-only install and no home
directory, say). A missing cache must cost time, not the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from kansym.base.interrupts import shielded


def njit(*args: Any, depends: str = "", **options: Any) -> Any:
    """Compile a function like numba.njit(cache=True), without the cache where none can be written.

    Numba looks for a function's code by its name and its file's date. `depends` names what else the code was
    made from, so that code made from an older one is not found. Signals that come while it is compiled or
    loaded act afterwards: half-made LLVM modules crash Python. Other people's functions are compiled as ever.
    """
    options.setdefault("cache", True)

    def decorate(function: Callable[..., Any]) -> Any:
        """Return the compiled function, compiled again where what it depends on has changed."""
        if depends:
            function.__qualname__ += f"-{depends}"
        try:
            return _guarded(numba.njit(**options)(function))
        except RuntimeError:
            return _guarded(numba.njit(**{**options, "cache": False})(function))

    return decorate(args[0]) if args else decorate


def _guarded(dispatcher: Any) -> Any:
    """Shield what a compiled function does when it meets argument types for the first time."""
    compile_for_args = dispatcher._compile_for_args

    def compile_shielded(*args: Any, **kwargs: Any) -> Any:
        """Compile while interrupts are held back."""
        with shielded():
            return compile_for_args(*args, **kwargs)

    dispatcher._compile_for_args = compile_shielded
    return dispatcher
