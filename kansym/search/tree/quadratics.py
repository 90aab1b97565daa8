"""A root of a quadratic equation with polynomials in the columns as coefficients answers any problem.

A·y² + B·y + C = 0 with polynomials A, B and C is a null space, as a ratio's P - y·Q = 0 is: what is bound of
two that bind each other, a curve that rounds the corner between two limits, any p + sqrt(q).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import sympy

from kansym.base.polynomials import exponents
from kansym.base.threads import one_thread
from kansym.search.rational import monomials
from kansym.search.structure.models import Fit
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.tree.ratios import EXACT, EXACT_IN_FUNCTIONS, TERM_PRICE

MOST_COLUMNS = 6
"""Columns of problems that are looked at, at most."""

DEGREES, MOST_UNKNOWNS = (1, 2, 3), 120
"""Degrees of the three polynomials that are tried, and coefficients that they have at most together."""

TERMS, PLAIN, TERMS_OF_ONE = 12, 8, 6
"""Coefficients that an equation may have, and above which it is judged as strictly as one in functions; the
third those of an equation in one column, where more come near to any smooth curve."""

SPARE = 20
"""Rows beyond the number of coefficients."""

NULL, GAP, LEAST = 1e-12, 1e-2, 1e-8
"""Relative singular value that counts as zero, and as a share of the next one; share of the largest
coefficient, in units of its column, below which one is none."""

SAME = 1e-9
"""Relative distance from one below which a coefficient is one."""


@np.errstate(all="ignore")
def exact(problem: Problem) -> list[Fit]:
    """Return the root of a quadratic equation that a problem's target is exactly, if it is one."""
    rows = np.sort(np.concatenate([problem.fit, problem.test]))
    X, y = problem.Z[rows], problem.y[rows]
    if problem.width > MOST_COLUMNS or np.ptp(y) == 0:
        return []
    if not (np.all(np.isfinite(X)) and np.all(np.isfinite(y)) and np.all(np.any(X != 0, axis=0))):
        return []
    units, size = np.abs(X).max(0), float(np.abs(y).max())
    for degree in DEGREES:
        unknowns = 3 * math.comb(problem.width + degree, degree)
        if unknowns > min(MOST_UNKNOWNS, len(y) - SPARE):
            break
        E = exponents(problem.width, degree)
        M = monomials.columns(X / units, E)
        with one_thread():
            found = _equation(M, y / size, E.sum(axis=1))
        if found is None:
            continue
        signed = _signed(M, y / size, found)
        if signed is None or (problem.width == 1 and np.count_nonzero(found) > TERMS_OF_ONE):
            return []
        scale = np.prod(units**E, axis=1)
        plain = np.array([found[0] / size**2, found[1] / size, found[2]]) / scale
        price = TERM_PRICE * np.count_nonzero(plain)
        proposal = Proposal(1e-24, price, partial(_written, plain, E, signed, problem.formulas))
        return [Fit(1e-24, price, "root", problem, partial(list, [proposal]))]
    return []


def _equation(M: np.ndarray, y: np.ndarray, degrees: np.ndarray) -> np.ndarray | None:
    """Return coefficients (3, k) of y², y and 1 for monomials M (n, k), None where there are not few.

    Where several equations hold, terms are struck out, those of y² and of the highest degrees first.
    """
    A = np.hstack([M * (y * y)[:, None], M * y[:, None], M])
    norm = np.linalg.norm(A, axis=0)
    if not np.all(norm > 0):
        return None
    _, s, V = np.linalg.svd(np.linalg.qr(A / norm, mode="r"))
    zeros = int(np.sum(s < NULL * s[0]))
    if not 0 < zeros < len(s) or s[-zeros] > GAP * s[-zeros - 1]:
        return None
    N = V[-zeros:].T
    order = np.concatenate([degrees + 0.5, degrees + 0.1, degrees])
    for j in np.argsort(-order, kind="stable"):
        if N.shape[1] == 1:
            break
        if np.abs(N[j]).max() > LEAST:
            N = N @ np.linalg.svd(N[j][:, None])[0][:, 1:]
    keep = np.abs(N[:, 0]) > LEAST * np.abs(N[:, 0]).max()
    if np.sum(keep) > TERMS or not np.any(keep[: M.shape[1]]):
        return None
    # once more with those alone, of which nothing is left to choose
    _, _, V = np.linalg.svd(np.linalg.qr(A[:, keep] / norm[keep], mode="r"))
    found = np.zeros(len(norm))
    found[keep] = V[-1] / norm[keep]
    return found.reshape(3, -1)


def _signed(M: np.ndarray, y: np.ndarray, found: np.ndarray) -> int | None:
    """Return the sign of the root before which the law is exact on all rows, None where neither is."""
    a, b, c = (M @ row for row in found)
    within = EXACT if np.count_nonzero(found) <= PLAIN else EXACT_IN_FUNCTIONS
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))
    for sign in (1, -1):
        # of the two ways to write a root the one in which nothing cancels
        value = np.where(b * sign > 0, 2 * c / (-b - sign * root), (-b + sign * root) / (2 * a))
        if np.linalg.norm(value - y) <= within * np.linalg.norm(y):
            return sign
    return None


def _written(found: np.ndarray, E: np.ndarray, sign: int, formulas: tuple[sympy.Expr, ...]) -> sympy.Expr:
    """Return the root's formula; one coefficient, that which makes most of them one, is divided out."""
    used = np.abs(found[found != 0])
    unit = max(used.tolist(), key=lambda u: int(np.sum(np.abs(used / u - 1) < SAME)))
    first = float(np.sign(found[0][np.flatnonzero(found[0])[0]]))
    unit, sign = first * unit, int(first) * sign

    def polynomial(row: np.ndarray) -> sympy.Expr:
        """Return one of the three."""
        terms = [
            sympy.Mul(_number(float(c) / unit), *(f ** int(k) for f, k in zip(formulas, powers, strict=True)))
            for c, powers in zip(row, E, strict=True)
            if c != 0
        ]
        return sympy.Add(*terms)

    a, b, c = (polynomial(row) for row in found)
    ways = (
        (sign * sympy.sqrt(b**2 - 4 * a * c) - b) / (2 * a),
        (sign * sympy.sqrt(sympy.expand(b**2 / 4 - a * c)) - b / 2) / a,
    )
    return min(ways, key=lambda e: e.count_ops())


def _number(value: float) -> sympy.Expr:
    """Return a whole number where a value is one to rounding."""
    whole = round(value)
    return sympy.Integer(whole) if whole and abs(value / whole - 1) < SAME else sympy.Float(value)
