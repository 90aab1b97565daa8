"""Processes on other machines: a Dask cluster as the place where joblib's parallel loops run.

A cluster runs whatever it is sent, so it must be one that you trust.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import joblib

import kansym
from kansym.base.errors import InputError

ANSWER = 10.0
"""Seconds in which a scheduler must answer; a local one takes milliseconds."""


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Let joblib's loops inside the block run on the workers of the scheduler at `address`.

    None changes nothing. A worker that dies loses only what it was doing: its tasks are given to others.
    Raises InputError where the package is missing, no scheduler answers, or the workers have another kansym.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "A cluster needs the package distributed; install it with: pip install 'kansym[cluster]'."
        ) from None
    try:
        client = Client(address, timeout=ANSWER)
    except (OSError, ValueError, TypeError):
        raise InputError(
            f"No Dask scheduler answers at {address!r}; start one with `dask scheduler` and give its "
            "address, such as tcp://HOST:8786."
        ) from None
    with client:
        _check_workers(client.run(_version, on_error="return"), address)
        with joblib.parallel_config("dask"):
            yield


def _version() -> str:
    return kansym.__version__


def _check_workers(versions: dict[str, object], address: str) -> None:
    """Refuse a cluster without workers, and workers that would not give the same answers."""
    if not versions:
        raise InputError(f"The cluster at {address} has no workers; start some: dask worker {address}.")
    for worker, version in versions.items():
        if version != kansym.__version__:
            has = f"has kansym {version}" if isinstance(version, str) else "has no kansym"
            raise InputError(f"Worker {worker} {has}; install kansym {kansym.__version__} there.")
