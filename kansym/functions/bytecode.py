"""A function of one variable (and an exponent p) as a short list of numbered operations, read by numpy.

A register program: instruction i writes register i. The same list is run by compiled code (`kernels`) and by
torch (`network`), each with its own form of the table of operations (`forms`), so that a library function is
written down once. Derivatives by x and p go along with the values (forward mode).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kansym.functions.forms import NUMPY
from kansym.functions.operations import Op


@dataclass(frozen=True, eq=False)
class Bytecode:
    """Hold the instructions: operation, two argument registers (-1: none) and a number each."""

    operations: np.ndarray
    left: np.ndarray
    right: np.ndarray
    numbers: np.ndarray

    @cached_property
    def is_elementary(self) -> bool:
        """Tell whether compiled code can run it."""
        return bool((self.operations < Op.GAMMA).all())

    @cached_property
    def lines(self) -> tuple[tuple[Op, int, int, Any], ...]:
        """Return the instructions as tuples."""
        columns = self.operations.tolist(), self.left.tolist(), self.right.tolist(), self.numbers
        return tuple((Op(op), i, j, number) for op, i, j, number in zip(*columns, strict=True))

    def value(self, x: np.ndarray, p: Any = 1.0) -> np.ndarray:
        """Return f(x); NaN where it is undefined."""
        p = p if isinstance(p, np.ndarray) else np.float64(p)
        registers: list[Any] = []
        with np.errstate(all="ignore"):
            for op, i, j, number in self.lines:
                if op is Op.X:
                    registers.append(x)
                elif op is Op.P:
                    registers.append(p)
                elif op is Op.NUMBER:
                    registers.append(number)
                else:
                    v = registers[j] if j >= 0 else None
                    registers.append(NUMPY[op].value(registers[i], v, number))
            return np.asarray(registers[-1], float) + np.zeros(np.shape(x))

    def dual(self, x: np.ndarray, p: Any = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return f, df/dx and df/dp."""
        p = p if isinstance(p, np.ndarray) else np.float64(p)
        registers: list[tuple[Any, Any, Any]] = []
        with np.errstate(all="ignore"):
            for op, i, j, number in self.lines:
                if op is Op.X:
                    registers.append((x, 1.0, 0.0))
                elif op is Op.P:
                    registers.append((p, 0.0, 1.0))
                elif op is Op.NUMBER:
                    registers.append((number, 0.0, 0.0))
                else:
                    u, ux, up = registers[i]
                    v, vx, vp = registers[j] if j >= 0 else (None, 0.0, 0.0)
                    form = NUMPY[op]
                    f = form.value(u, v, number)
                    by_u, *by_v = (slope(u, v, number, f) for slope in form.slopes)
                    fx, fp = _times(by_u, ux), _times(by_u, up)
                    for slope in by_v:
                        fx, fp = fx + _times(slope, vx), fp + _times(slope, vp)
                    registers.append((f, fx, fp))
            zero = np.zeros(np.shape(x))
            f, fx, fp = registers[-1]
            return np.asarray(f, float) + zero, np.asarray(fx, float) + zero, np.asarray(fp, float) + zero


def _times(slope: Any, inner: Any) -> Any:
    """Multiply, with 0 for a constant inner part even where the slope is infinite."""
    return 0.0 if isinstance(inner, float) and inner == 0.0 else slope * inner
