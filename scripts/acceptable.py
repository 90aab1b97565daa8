"""Whether a scientist would accept a formula: sane between the rows, short, plain; or exact.

Nothing here fits anything: a formula is compared with the curve that is known to be acceptable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import sympy

POINTS = 2000
DECADES = 2.0
"""Decades of one positive input above which its points lie on a logarithmic grid."""

NEAR, NEAR_FEW = 2.0, 3.0
"""Standard deviations that a sane curve may be off, and with fewer than FEW rows."""

FEW = 10
OF_SPREAD = 0.002
WORSE = 1.2
"""How many times the accepted residual SD a formula may leave."""

OUTLIER = 5.0
"""Rows that the accepted curve itself misses by so many SD are no rows to judge by."""

LONGER, LONGER_EXACT = 1.5, 2.0
EXACT = 1e-9
"""Share of the target's spread within which a formula is exact."""

GREATEST_EXPONENT = 4
ALGEBRAIC = (sympy.Abs, sympy.sign, sympy.Max, sympy.Min, sympy.Piecewise, sympy.Heaviside, sympy.floor)

Values = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Accepted:
    """Hold an accepted curve: formula, its values on rows X (n, d), SD, and the rows it is for.

    `kind` says what the SD is of: "absolute" values, "relative" ones, the "log" of the values, or "poisson",
    where it is the factor on the value's root. `varying` are the columns that the points between rows vary.
    """

    formula: sympy.Expr
    value: Values
    sd: float
    kind: str
    X: np.ndarray
    y: np.ndarray
    varying: tuple[int, ...]

    @property
    def nodes(self) -> int:
        """Return the formula's length."""
        return nodes(self.formula)

    def deviation(self, expected: np.ndarray) -> np.ndarray:
        """Return the SD (n,) where the curve is at `expected` (of logarithms: everywhere the same)."""
        growth = {"relative": np.abs(expected), "poisson": np.sqrt(np.abs(expected))}
        return self.sd * growth.get(self.kind, np.ones_like(expected))


@dataclass(frozen=True)
class Answer:
    """Hold a formula to judge, with the values of its constants that have a standard error."""

    formula: sympy.Expr
    value: Values = field(compare=False)
    measured: tuple[float, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Hold what is true of an answer; `off` and `worse` are in accepted SDs, `nodes` against `allowed`."""

    sane: bool
    short: bool
    plain: bool
    off: float
    worse: float
    nodes: int
    allowed: float
    exact: bool = False

    @property
    def acceptable(self) -> bool:
        """Tell whether all three hold."""
        return self.sane and self.short and self.plain

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "acceptable": self.acceptable}


def nodes(e: sympy.Expr) -> int:
    """Return the number of nodes of SymPy's preorder traversal."""
    return sum(1 for _ in sympy.preorder_traversal(e))


def depth(e: sympy.Basic) -> int:
    """Return how deep transcendental functions are nested; a variable exponent counts as one."""
    inside = max((depth(a) for a in e.args), default=0)
    if e.is_Pow:
        return inside + bool(e.exp.free_symbols)
    return inside + (isinstance(e, sympy.Function) and not isinstance(e, ALGEBRAIC))


def everyday(e: sympy.Expr, measured: Sequence[float]) -> bool:
    """Tell whether exponents are thirds, halves and whole numbers up to 4, or measured with an error."""
    for power in e.atoms(sympy.Pow):
        exponent = power.exp
        if exponent.is_Rational:
            if exponent.q > 3 or abs(exponent) > GREATEST_EXPONENT:
                return False
        elif exponent.is_number and power.base.free_symbols:
            near = [abs(float(exponent) - m) <= 1e-9 * abs(m) for m in (*measured, *(-m for m in measured))]
            if not any(near):
                return False
    return True


def plain(e: sympy.Expr, accepted: sympy.Expr, measured: Sequence[float]) -> bool:
    """Tell whether functions are nested no deeper than in the accepted formula and exponents are everyday."""
    return depth(e) <= max(1, depth(accepted)) and everyday(e, measured)


def between(X: np.ndarray, varying: Sequence[int]) -> np.ndarray:
    """Return points between the rows: a grid of one varying column, blends of two random rows of more."""
    rng = np.random.default_rng(12345)
    if len(varying) == 1:
        j = varying[0]
        low, high = X[:, j].min(), X[:, j].max()
        wide = low > 0 and high / low > 10**DECADES
        grid = np.geomspace(low, high, POINTS) if wide else np.linspace(low, high, POINTS)
        points = np.repeat(X[:1], POINTS, axis=0)
        points[:, j] = grid
        return points
    first, second = rng.integers(0, len(X), (2, POINTS))
    share = rng.random((POINTS, 1))
    return share * X[first] + (1 - share) * X[second]


def judge(answer: Answer, accepted: Accepted) -> Verdict:
    """Return the verdict on an answer by one accepted curve."""
    points = between(accepted.X, accepted.varying)
    off = _off(answer.value(points), accepted.value(points), accepted)
    worse = residual(answer.value(accepted.X), len(answer.formula.atoms(sympy.Float)), accepted)
    near = NEAR_FEW if len(accepted.y) < FEW else NEAR
    size = nodes(answer.formula)
    return Verdict(
        sane=bool(off <= near and worse <= WORSE),
        short=size <= LONGER * accepted.nodes,
        plain=plain(answer.formula, accepted.formula, answer.measured),
        off=off,
        worse=worse,
        nodes=size,
        allowed=LONGER * accepted.nodes,
    )


def _off(found: np.ndarray, expected: np.ndarray, accepted: Accepted) -> float:
    """Return the largest distance in SDs, 0.2 % of the target's spread forgiven."""
    y = accepted.y
    with np.errstate(all="ignore"):
        if accepted.kind == "log":
            found, expected, y = np.log(found), np.log(expected), np.log(y)
        sd = accepted.deviation(expected)
        gap = np.maximum(np.abs(found - expected) - OF_SPREAD * np.std(y), 0.0) / sd
    gap = gap[np.isfinite(expected)]
    return float(np.max(gap)) if np.all(np.isfinite(gap)) else np.inf


def residual(found: np.ndarray, constants: int, accepted: Accepted) -> float:
    """Return the residual SD on the rows, corrected for measured constants, in accepted SDs."""
    y, expected = accepted.y, accepted.value(accepted.X)
    with np.errstate(all="ignore"):
        if accepted.kind == "log":
            y, found, expected = np.log(y), np.log(found), np.log(expected)
        sd = accepted.deviation(expected)
        kept = np.abs(y - expected) <= OUTLIER * sd
        r = ((y - found) / sd)[kept]
        worse = float(np.sqrt(np.sum(r * r) / max(len(r) - constants, 1)))
    return worse if np.isfinite(worse) else np.inf


def judge_exact(answer: Answer, accepted: Accepted, fresh: bool) -> Verdict:
    """Return the verdict on an answer that must equal the accepted formula; `fresh`: between the rows too."""
    spread = float(np.std(accepted.y))
    gaps = [np.abs(answer.value(accepted.X) - accepted.y)]
    if fresh:
        points = between(accepted.X, accepted.varying)
        gaps.append(np.abs(answer.value(points) - accepted.value(points)))
    off = float(np.max(np.concatenate(gaps))) / spread
    size, easy = nodes(answer.formula), plain(answer.formula, accepted.formula, answer.measured)
    same, short = bool(off <= EXACT), size <= LONGER_EXACT * accepted.nodes
    allowed = LONGER_EXACT * accepted.nodes
    return Verdict(same, short, easy, off, off, size, allowed, exact=same and short and easy)


def judge_rows(answer: Answer, accepted: Accepted, share: float = 0.9) -> Verdict:
    """Return the verdict on an answer that must be within the SD of the curve on nine rows of ten."""
    expected = accepted.value(accepted.X)
    sd = accepted.deviation(expected)
    off = float(np.quantile(np.abs(answer.value(accepted.X) - expected) / sd, share))
    size = nodes(answer.formula)
    return Verdict(bool(off <= 1.0), True, True, off, off, size, LONGER * accepted.nodes)
