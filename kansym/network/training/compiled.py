"""The compiled kernels for all members of an ensemble: threads over members and over blocks of rows.

Kernels hold no lock. Blocks do not depend on the number of cores and are summed in their order, so neither do
results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import numpy as np

from kansym.base.interrupts import shielded
from kansym.network.training import kernels, normal, plan
from kansym.network.training.layers import Layer

BLOCK = 1 << 12
"""Rows of a block: some 2 ms of work for 200 edges, against 0.1 ms to hand it to a thread."""

KEPT = 1 << 21
"""Bytes that a way up may leave for the way down: 0.6 to 4 MB saved a fifth to a third of a gradient's time,
6 MB and more, which the cache no longer holds, cost half as much again as a second way up."""

_MOST = 64
"""Tasks that keep some dozen cores busy; more members than that go without blocks of rows."""

_CORES = os.cpu_count() or 1


class Engine:
    """Compute predictions, gradients and normal equations of E members, real numbers of one `kind`."""

    def __init__(self, stack: Sequence[Layer], kind: Any) -> None:
        self.members, self.kind = stack[0].members, kind
        self.outputs = stack[-1].nodes
        self.edges = sum(layer.sums * layer.inputs for layer in stack)
        self._stack = stack
        self._spare: list[np.ndarray] = []

    @cached_property
    def plans(self) -> list[plan.Plan]:
        """Return the members' shapes and grids."""
        return [plan.plan(self._stack, e, self.kind) for e in range(self.members)]

    def values(self, theta: np.ndarray, X: np.ndarray, asked: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (E, n, K) and mean |phi| (E, edges), zeros unless asked, at theta (E, P)."""
        out = np.empty((self.members, len(X), self.outputs), self.kind)
        blocks = _blocks(len(X), self.members)
        sums = np.zeros((len(blocks), self.members, self.edges if asked else 0), self.kind)
        none = np.empty((0, 0), self.kind)

        def one(e: int, b: int) -> None:
            """Do one member's part, and one block of rows where there are several."""
            out[e, blocks[b]] = kernels.values(self.plans[e], theta[e], X[blocks[b]], sums[b, e], none)

        _each(one, self.members, len(blocks))
        if not asked:
            return out, np.zeros((self.members, self.edges), self.kind)
        return out, sums.sum(0) / self.kind(len(X))

    def pull_back(self, theta: np.ndarray, X: np.ndarray, slope: np.ndarray, price: np.ndarray) -> np.ndarray:
        """Return J' slope (E, P), slope (E, n, K); price (E, edges or 0) is that of the kernel."""
        blocks = _blocks(len(X), self.members)
        parts = np.zeros((len(blocks), *theta.shape), self.kind)

        def one(e: int, b: int) -> None:
            """Do one member's part, and one block of rows where there are several."""
            part = blocks[b]
            kernels.pull_back(self.plans[e], theta[e], X[part], slope[e, part], price[e], parts[b, e])

        _each(one, self.members, len(blocks))
        return parts.sum(0)

    def ascend(
        self, theta: np.ndarray, X: np.ndarray, asked: bool
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
        """Return outputs and magnitudes as :meth:`values` does, and a function of slope and price that pulls
        them back as :meth:`pull_back` does, without a second way up where the first one's traces are few.
        """
        if self.members * len(X) * self._traces * np.dtype(self.kind).itemsize > KEPT:
            return *self.values(theta, X, asked), partial(self.pull_back, theta, X)
        out = np.empty((self.members, len(X), self.outputs), self.kind)
        sums = np.zeros((self.members, self.edges if asked else 0), self.kind)
        kept: dict[int, kernels.Buffers] = {}

        def up(e: int, _: int) -> None:
            """Send all rows up one member."""
            kept[e] = kernels.ascend(self.plans[e], theta[e], X, sums[e])
            out[e] = kept[e].acts[:, -self.outputs :]

        def descend(slope: np.ndarray, price: np.ndarray) -> np.ndarray:
            """Come back down from there."""
            found = np.zeros_like(theta)
            _each(
                lambda e, _: kernels.descend(self.plans[e], kept[e], slope[e], price[e], found[e]),
                self.members,
            )
            return found

        _each(up, self.members)
        if not asked:
            sums = np.zeros((self.members, self.edges), self.kind)
        return out, sums / self.kind(len(X)), descend

    @cached_property
    def _traces(self) -> int:
        """Return how many numbers a row leaves behind on its way up, about."""
        local = sum(layer.inputs * (layer.order + 4) + 2 * layer.sums for layer in self._stack)
        return local + 2 * self.outputs + self.edges

    def bend(
        self, theta: np.ndarray, at: np.ndarray, d: np.ndarray, factor: float, gradient: np.ndarray
    ) -> np.ndarray:
        """Return the penalty (E,) on rough curves; add its slope to the gradient (E, P)."""
        found = [normal.bend(theta[e], at, d, factor, gradient[e]) for e in range(self.members)]
        return np.array(found, self.kind)

    def add_normal(
        self,
        wanted: np.ndarray,
        theta: np.ndarray,
        X: np.ndarray,
        curvature: tuple[np.ndarray, np.ndarray],
        penalty: tuple[np.ndarray, np.ndarray],
        system: tuple[np.ndarray, np.ndarray],
    ) -> None:
        """Add to a system (gradient, matrix) the rows' share for the members `wanted`.

        `curvature` holds the loss's slope and factor, `penalty` price and magnitudes of the edges; see
        :func:`normal.normal_equations`.
        """
        slope, factor = curvature
        price, magnitudes = penalty
        size = theta.shape[1]

        def one(e: int, _: int) -> None:
            """Do one member's part, and one block of rows where there are several."""
            if wanted[e]:
                with self._memory(normal.entries(len(X), factor.shape[2], size)) as memory:
                    normal.normal_equations(
                        self.plans[e],
                        theta[e],
                        X,
                        slope[e],
                        factor[e],
                        price[e],
                        magnitudes[e],
                        system[0][e],
                        system[1][e],
                        memory,
                    )

        _each(one, self.members)

    def solve(
        self, matrix: np.ndarray, extra: np.ndarray, gradient: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return -(matrix + diag(extra))^-1 gradient (E, P), and where that failed (E,)."""
        out, failed = np.empty_like(gradient), np.zeros(self.members, bool)

        def one(e: int, _: int) -> None:
            """Do one member's part, and one block of rows where there are several."""
            failed[e] = not normal.solve(matrix[e], extra[e], gradient[e], out[e])

        _each(one, self.members)
        return out, failed

    @contextmanager
    def _memory(self, entries: int) -> Iterator[np.ndarray]:
        """Lend memory for `entries` numbers to one thread; it is kept for the next one."""
        try:
            found = self._spare.pop()
        except IndexError:
            found = np.empty(0, self.kind)
        if len(found) < entries:
            found = np.empty(entries, self.kind)
        yield found[:entries]
        self._spare.append(found)


def _blocks(rows: int, members: int) -> list[slice]:
    """Return slices of the rows, enough for all threads."""
    number = max(1, min(-(-rows // BLOCK), _MOST // members))
    size = -(-rows // number)
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def _each(one: Callable[[int, int], Any], members: int, blocks: int = 1) -> None:
    """Run one(e, b) for every member and block, in threads when there are several."""
    tasks = [(e, b) for e in range(members) for b in range(blocks)]
    workers = min(len(tasks), _CORES)
    if workers == 1:
        for task in tasks:
            one(*task)
        return
    # an interrupt between two of the pool's locks would leave one of them taken
    with shielded(), ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(one, *task) for task in tasks]:
            done.result()
