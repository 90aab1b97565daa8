"""Whether a formula respects its columns' units, and the same table without dimensions.

Numbers in a formula have no unit. Where some product of inputs has the target's unit, the table can be
written in dimensionless groups (Buckingham, Phys. Rev. 4, 1914), which are fewer than its columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import sympy

from kansym.base.criterion import EXACT_UNITS
from kansym.data.dataset import Dataset
from kansym.data.units import BASE, groups
from kansym.functions.parsing import symbols

Vector = np.ndarray
_KEEPING = (sympy.Abs, sympy.Max, sympy.Min)


class _Broken(Exception):
    """Say that a formula adds what cannot be added."""


@dataclass(frozen=True, eq=False)
class Dimensions:
    """Hold the exponents of BASE of every column's symbol and of the target."""

    columns: Mapping[sympy.Symbol, Vector]
    target: Vector

    @staticmethod
    def of(dataset: Dataset) -> Dimensions | None:
        """Return a dataset's dimensions; None where unknown, or where no product of inputs has the target's.

        In the latter case a law has constants with units (Kepler's, say), and units do not restrict its form.
        """
        if dataset.units is None or groups(dataset.units, dataset.target) is None:
            return None
        vectors = {n: np.array([float(e) for e in u]) for n, u in dataset.units.items()}
        columns = {s: vectors[n] for n, s in zip(dataset.names, symbols(dataset.names), strict=True)}
        return Dimensions(columns, vectors[dataset.target])

    def allow(self, formula: sympy.Expr, tolerance: float = EXACT_UNITS) -> bool:
        """Tell whether a formula's unit is the target's, and sums and functions in it take like with like."""
        try:
            return bool(np.abs(self._unit(formula, tolerance) - self.target).max() <= tolerance)
        except _Broken:
            return False

    def _unit(self, e: sympy.Expr, tolerance: float) -> Vector:
        """Return the exponents of a formula's unit; raises where its parts contradict each other."""
        if e in self.columns:
            return self.columns[e]
        parts = [self._unit(a, tolerance) for a in e.args]
        if e.is_Mul:
            return np.sum(parts, axis=0)
        if e.is_Pow and e.exp.is_number:
            return parts[0] * float(e.exp)
        if e.is_Add or isinstance(e, _KEEPING):
            if any(np.abs(p - parts[0]).max() > tolerance for p in parts):
                raise _Broken
            return parts[0]
        if any(np.abs(p).max() > tolerance for p in parts):
            raise _Broken
        return np.zeros(len(BASE))


@dataclass(frozen=True, eq=False)
class Rewritten:
    """Hold a dataset in other columns and target, and what these are made of in the table's own."""

    dataset: Dataset
    columns: tuple[sympy.Expr, ...]
    product: sympy.Expr

    def back(self, formula: sympy.Expr) -> sympy.Expr:
        """Return a formula of these columns as one of the table's, for the table's target."""
        names = symbols(self.dataset.names)
        # a factor that all terms of a sum have stands before it, where it meets other numbers
        return sympy.factor_terms(
            self.product * formula.xreplace(dict(zip(names, self.columns, strict=True)))
        )


def _reduction(
    dataset: Dataset,
) -> tuple[Mapping[str, Fraction], Sequence[Mapping[str, Fraction]]] | None:
    """Return Buckingham's product and groups of a dataset; None where units are unknown or have none."""
    return None if dataset.units is None else groups(dataset.units, dataset.target)


def product(dataset: Dataset) -> sympy.Expr | None:
    """Return a product of powers of the inputs that has the target's unit, None where there is none."""
    found = _reduction(dataset)
    return None if found is None else _monomial(found[0], dataset)


def groups_of(dataset: Dataset) -> list[sympy.Expr]:
    """Return the dimensionless groups of a dataset's inputs; none where its units have no such product."""
    found = _reduction(dataset)
    return [] if found is None else [_monomial(g, dataset) for g in found[1]]


def reduced(dataset: Dataset) -> Rewritten | None:
    """Return the dataset in dimensionless groups; None where units do not make it any smaller.

    The target becomes y / product; rows are weighted so that its residuals count as those of y do.
    """
    found = _reduction(dataset)
    if found is None or not found[1] or len(found[1]) >= len(dataset.names):
        return None
    scale = _values(found[0], dataset)
    with np.errstate(all="ignore"):
        y = dataset.y / scale
        columns = np.column_stack([_values(g, dataset) for g in found[1]])
        weights = scale**2 * (1.0 if dataset.weights is None else dataset.weights)
    usable = np.all(np.isfinite(columns)) and np.all(np.isfinite(y)) and np.all(np.ptp(columns, axis=0) > 0)
    if not usable or not np.all(np.isfinite(weights)) or np.ptp(y) == 0:
        return None
    names = tuple(f"group {i + 1}" for i in range(len(found[1])))
    plain = replace(
        dataset, X=columns, y=y, names=names, weights=weights / weights.mean(), units=None, unit_texts=None
    )
    made = tuple(_monomial(g, dataset) for g in found[1])
    return Rewritten(plain, made, _monomial(found[0], dataset))


def _values(powers: Mapping[str, Fraction], dataset: Dataset) -> np.ndarray:
    """Return the values (n,) of a product of powers of columns."""
    out = np.ones(dataset.rows)
    with np.errstate(all="ignore"):
        for name, power in powers.items():
            out = out * dataset.X[:, dataset.names.index(name)] ** (
                int(power) if power.denominator == 1 else float(power)
            )
    return out


def _monomial(powers: Mapping[str, Fraction], dataset: Dataset) -> sympy.Expr:
    """Return a product of powers of columns as a formula."""
    of = dict(zip(dataset.names, symbols(dataset.names), strict=True))
    return sympy.Mul(*(of[n] ** sympy.Rational(p.numerator, p.denominator) for n, p in powers.items()))
