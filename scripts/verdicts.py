"""Whether a found formula is the truth: strict, SRBench's rule, numeric, and size; side by side."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import sympy
from sympy.polys.polyerrors import BasePolynomialError

DIGITS = 3
WIDER = 1.25
SECONDS = 20


@dataclass(frozen=True)
class Verdict:
    """Hold the verdicts on one formula.

    `strict`: SymPy proves difference zero. `srbench`: with constants cut to three significant digits,
    SymPy proves difference or ratio constant. `numeric`: RMS difference on fresh rows of ranges 1.25
    times as wide is below 1e-6 of RMS(y) (noise/5 with noise). `small`: at most twice the truth's
    operations. `same_form`: see :func:`same_form`; asked for only where constants are measured numbers.
    `recovered` is (strict or srbench or same_form) and numeric and small, without `numeric` where
    `same_form` holds.
    """

    strict: bool
    srbench: bool
    numeric: bool
    small: bool
    error: float
    operations: int
    truth_operations: int
    same_form: bool = False

    @property
    def recovered(self) -> bool:
        """Tell whether the law counts as exactly recovered."""
        equal = (self.strict or self.srbench) and self.numeric
        return (equal or self.same_form) and self.small

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


UNDECIDED = (
    _TooSlow, TypeError, ValueError, ZeroDivisionError, NotImplementedError, RecursionError,
    BasePolynomialError,
)  # fmt: skip
"""What SymPy raises where it cannot say; the last comes from common divisors of polynomials."""


def _try(test: Callable[[], bool]) -> bool:
    try:
        with limit(SECONDS):
            return bool(test())
    except UNDECIDED:
        return False


def rounded(e: sympy.Expr, digits: int = DIGITS) -> sympy.Expr:
    """Return e with all numbers evaluated and cut to significant digits, as rationals.

    pi and the like first: SymPy's evalf leaves them as they are in exponents and arguments within a sum.
    """
    e = e.xreplace({c: c.evalf() for c in e.atoms(sympy.NumberSymbol)}).evalf()
    return e.xreplace({f: sympy.Rational(f"{float(f):.{digits}g}") for f in e.atoms(sympy.Float)})


def zero(e: sympy.Expr) -> bool:
    """Tell whether SymPy proves e = 0."""
    return e == 0 or sympy.simplify(e) == 0 or e.equals(0) is True


def same_squares(a: sympy.Expr, b: sympy.Expr, found: np.ndarray, true: np.ndarray) -> bool:
    """Tell whether two formulas of the same sign on all rows have squares that SymPy proves equal.

    sqrt((c + v)/(c - v)) is (1 + v/c)/sqrt(1 - v**2/c**2), of which SymPy sees only the squares.
    """
    return bool(np.all(found * true > 0)) and zero(a**2 - b**2)


def constant(e: sympy.Expr) -> bool:
    """Tell whether SymPy proves that e does not depend on anything."""
    s = sympy.cancel(sympy.together(e))
    if s.free_symbols:
        s = sympy.simplify(s)
    return not s.free_symbols or s.is_constant() is True


WITHIN, ERRORS = 0.01, 3.0
"""A measured constant may be off by this share of itself, or by so many standard errors, if that is more."""

REACHED = 1e-9
"""Relative RMS difference at which a form whose constants were fitted to the truth itself is the truth."""


def same_form(
    found: sympy.Expr, names: Sequence[str], X: np.ndarray, y: np.ndarray, constants: Sequence[Any]
) -> bool:
    """Tell whether a formula becomes the truth y (n,) on rows X (n, d) when its constants are moved a little.

    They are fitted to the truth itself; that must reach it to REACHED of its RMS, each constant within
    WITHIN of itself or ERRORS of its standard errors (`constants`: value, stderr), and none may vanish,
    which would be another form.
    """
    from kansym.formula.polish import Rows, fit
    from kansym.formula.program import Program
    from kansym.functions.parsing import symbols

    columns = symbols(list(names))
    try:
        program = Program.compile(found, columns)
        fitted = fit(program, Rows(X, y, None, columns), 60)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return False
    if fitted is None or not np.sqrt(fitted.loss) <= REACHED * np.sqrt(np.mean(y * y)):
        return False
    errors = {f"{c.value:.10g}": c.stderr for c in constants}
    for before, after in zip(program.start, fitted.theta, strict=True):
        error = errors.get(f"{before:.10g}", 0.0)
        room = max(WITHIN * abs(after), ERRORS * (error if np.isfinite(error) else 0.0))
        if abs(before - after) > room or after == 0:
            return False
    return True


def verdict(
    found: sympy.Expr,
    truth: sympy.Expr,
    sample: Callable[[float], np.ndarray],
    values: Callable[[sympy.Expr, np.ndarray], np.ndarray],
    positive: set[sympy.Symbol],
    noise: float = 0.0,
    constants: Sequence[Any] | None = None,
    names: Sequence[str] = (),
) -> Verdict:
    """Compare a found formula with the truth.

    `sample(width)` draws rows from ranges `width` times as wide; `values(e, X)` evaluates. `positive` are
    the symbols that are positive within the ranges. With `constants` (those of the law, with standard errors)
    the same form is accepted, too; `names` are then the columns'.
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
    strict = numeric and (_try(lambda: zero(a - b)) or _try(lambda: same_squares(a, b, got, y[ok])))
    srbench = strict
    if not strict and error < 0.5:
        p, q = rounded(a), rounded(b)
        forms = (lambda: zero(p - q), lambda: constant(p / q), lambda: constant(p - q))
        srbench = any(_try(form) for form in forms)
    size, most = int(best.count_ops()), int(truth_size)
    form = constants is not None and same_form(found, names, X[ok], y[ok], constants)
    return Verdict(strict, srbench, numeric, size <= 2 * max(most, 1), error, size, most, form)
