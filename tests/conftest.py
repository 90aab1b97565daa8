"""What all tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


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
