"""Memory that is given back to the system when an array is dropped.

Linux's C library answers the first large array that is freed by keeping the next ones of its size, up to 30
MB in each thread: a program that waits for somebody to click would hold tables that it has read long ago.
"""

from __future__ import annotations

import ctypes
from typing import Any

LARGE = 1 << 20
"""Bytes from which an array has pages of its own, which go when it goes."""

THREADS = 2
"""Stores of small things that all threads share."""

_OWN_PAGES, _STORES = -3, -8
"""Numbers of the two settings in glibc's malloc.h: M_MMAP_THRESHOLD and M_ARENA_MAX."""


def give_back() -> bool:
    """Have arrays of LARGE bytes and more returned to the system at once; tell whether it can be had here.

    For a process that lives long and waits: 10^6 rows in the studio kept 40 MB, and keep 4.
    """
    try:
        library: Any = ctypes.CDLL(None)
        return bool(library.mallopt(_OWN_PAGES, LARGE)) and bool(library.mallopt(_STORES, THREADS))
    except (OSError, TypeError, AttributeError):  # another system's library
        return False
