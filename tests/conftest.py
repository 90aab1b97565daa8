"""What all tests share."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from windows import chromium

# Before anything loads NumPy, and inherited by what a test starts: every core has a worker, and a BLAS of two
# threads for small matrices mostly waits (test_search_structure: 102 s of CPU in place of 42).
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# the same examples every time: what failed can be seen again, and what passed passes elsewhere
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def no_callbacks_of_the_collector(request: pytest.FixtureRequest) -> Iterator[None]:
    """Take hypothesis's clock out of the garbage collector where signals are tested.

    Python drops what a handler raises while a callback of the collector runs, and with it the alarm.
    """
    if request.module.__name__.rpartition(".")[2] not in ("test_interrupts", "test_srbench", "test_cli"):
        yield
        return
    kept = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = kept


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Debian's Chromium, or skip with the word for what is missing."""
    selenium = pytest.importorskip("selenium", reason="no browser: selenium is not installed")
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("no browser: chromium and chromium-driver are not installed")
    assert selenium
    window = chromium()
    yield window
    window.quit()
