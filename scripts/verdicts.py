"""Whether a found formula is the truth: strict, SRBench's rule, numeric, and size; side by side."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import sympy

DIGITS = 3
WIDER = 1.25
SECONDS = 20


@dataclass(frozen=True)
class Verdict:
    """Hold the verdicts on one formula.

    `strict`: SymPy proves difference zero. `srbench`: with constants cut to three significant digits,
    SymPy proves difference or ratio constant. `numeric`: RMS difference on fresh rows of ranges 1.25
    times as wide is below 1e-6 of RMS(y) (noise/5 with noise). `small`: at most twice the truth's
    operations. `recovered` is (strict or srbench) and numeric and small.
    """

    strict: bool
    srbench: bool
    numeric: bool
    small: bool
    error: float
    operations: int
    truth_operations: int

    @property
    def recovered(self) -> bool:
        """Tell whether the law counts as exactly recovered."""
        return (self.strict or self.srbench) and self.numeric and self.small

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "recovered": self.recovered}


class _TooSlow(Exception):
    pass


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Raise after some seconds: SymPy's simplifications can take for ever."""

    def stop(*_: Any) -> None:
        raise _TooSlow

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def _try(test: Callable[[], bool]) -> bool:
    try:
        with limit(SECONDS):
            return bool(test())
    except (_TooSlow, TypeError, ValueError, ZeroDivisionError, NotImplementedError, RecursionError):
        return False


def rounded(e: sympy.Expr, digits: int = DIGITS) -> sympy.Expr:
    """Return e with all numbers evaluated and cut to significant digits, as rationals."""
    e = e.evalf()
    return e.xreplace({f: sympy.Rational(f"{float(f):.{digits}g}") for f in e.atoms(sympy.Float)})


def zero(e: sympy.Expr) -> bool:
    """Tell whether SymPy proves e = 0."""
    return e == 0 or sympy.simplify(e) == 0 or e.equals(0) is True


def constant(e: sympy.Expr) -> bool:
    """Tell whether SymPy proves that e does not depend on anything."""
    s = sympy.cancel(sympy.together(e))
    if s.free_symbols:
        s = sympy.simplify(s)
    return not s.free_symbols or s.is_constant() is True


def verdict(
    found: sympy.Expr,
    truth: sympy.Expr,
    sample: Callable[[float], np.ndarray],
    values: Callable[[sympy.Expr, np.ndarray], np.ndarray],
    positive: set[sympy.Symbol],
    noise: float = 0.0,
) -> Verdict:
    """Compare a found formula with the truth.

    `sample(width)` draws rows from ranges `width` times as wide; `values(e, X)` evaluates. `positive` are
    the symbols that are positive within the ranges.
    """
    X = sample(WIDER)
    y = values(truth, X)
    ok = np.isfinite(y)
    got = values(found, X[ok])
    power = float(np.sqrt(np.mean(y[ok] ** 2)))
    error = float(np.sqrt(np.mean((got - y[ok]) ** 2))) / power
    numeric = bool(error <= max(1e-6, noise / 5))
    swap = {s: sympy.Symbol(s.name, positive=True) for s in positive}
    a, b = found.xreplace(swap), truth.xreplace(swap)
    truth_size = sympy.S.Zero
    try:
        with limit(SECONDS):
            truth_size = sympy.simplify(b).count_ops()
    except _TooSlow:
        truth_size = b.count_ops()
    best = found
    for form in (lambda: found, lambda: sympy.simplify(a)):
        try:
            with limit(SECONDS):
                best = min(best, form(), key=lambda e: e.count_ops())
        except (_TooSlow, TypeError, ValueError, ZeroDivisionError, RecursionError):
            pass
    strict = numeric and _try(lambda: zero(a - b))
    srbench = strict
    if not strict and error < 0.5:
        p, q = rounded(a), rounded(b)
        forms = (lambda: zero(p - q), lambda: constant(p / q), lambda: constant(p - q))
        srbench = any(_try(form) for form in forms)
    size, most = int(best.count_ops()), int(truth_size)
    return Verdict(strict, srbench, numeric, size <= 2 * max(most, 1), error, size, most)
