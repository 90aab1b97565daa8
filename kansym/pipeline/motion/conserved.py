"""Quantities that a motion leaves as they are: energies, total amounts, first integrals.

A sum of terms is conserved where its derivative along the motion, sum of c_k * grad(term_k) . f, is zero. The
smallest such sums are looked for among products of states, their sines, cosines and logarithms; of two that
say the same (E and E^2) the first is kept. With values alone the sums must stay the same along every run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from kansym.base.errors import InputError
from kansym.formula.program import Program
from kansym.functions.parsing import symbols
from kansym.pipeline.motion.terms import best_subsets

LARGEST = 6
"""Terms of the largest conserved sum that is looked for."""

ALONG = 1e-8
"""Share of a term's spread that a sum of values may vary and be called conserved."""

PART = 1e-3
"""Share of the largest weight below which a term has no part in a sum that is conserved."""

ALIKE = 1e-6
"""The same for the derivative by equations whose constants are known exactly."""

BLURRED = 0.01
"""Relative error of the equations' constants above which nothing is said about what they conserve."""

MOST_STATES = 6
"""States of the largest system in which conserved sums are looked for."""

DEGREES = (2, 3, 4)
"""Degrees of the products of states, one after the other: the square of what is conserved is, too."""

POINTS = 400
"""Points of the states' box where the derivative along the motion must be zero."""


def conserved(X: Any, *, names: Sequence[str] | None = None, groups: Any = None) -> tuple[sympy.Expr, ...]:
    """Return the sums of terms of states X (n, states) that stay the same along every run.

    `groups` (n,) tells runs apart. Only where a single sum is conserved is it a law: a closed orbit satisfies
    many equations, and nothing is returned. Raises InputError for gaps and for a single column.

    >>> import numpy as np
    >>> t = np.linspace(0, 20, 300)
    >>> X = np.column_stack([np.cos(t) * np.exp(-t / 9), np.sin(t), t - np.sin(t)])
    >>> conserved(X, names=["x", "y", "z"])
    ()
    """
    values = np.asarray(X, float)
    if values.ndim != 2 or values.shape[1] < 2 or not np.all(np.isfinite(values)):
        raise InputError(f"X has shape {values.shape}; give two or more columns of states without gaps.")
    given = tuple(names) if names is not None else tuple(f"x{k}" for k in range(values.shape[1]))
    runs = np.zeros(len(values)) if groups is None else np.asarray(groups)
    labels = np.unique(runs, return_inverse=True)[1]
    for degree in DEGREES:
        sums, many = _along(symbols(given), values, labels, degree)
        if many:
            return sums
    return ()


def _along(
    variables: Sequence[sympy.Symbol], values: np.ndarray, labels: np.ndarray, degree: int
) -> tuple[tuple[sympy.Expr, ...], int]:
    """Return the sum up to a degree that stays the same along the runs, and how many there are."""
    terms = list(_terms(variables, values, degree))
    columns = np.column_stack([Program.compile(t, variables).value(values) for t in terms])
    for label in np.unique(labels):
        columns[labels == label] -= columns[labels == label].mean(axis=0)
    sizes = np.std(columns, axis=0) + np.finfo(float).tiny
    columns /= sizes
    _, singular, directions = np.linalg.svd(columns, full_matrices=False)
    many = int(np.sum(singular < ALONG * np.sqrt(len(columns))))
    if many != 1:
        return (), many
    # the one direction tells which terms take part
    part = np.flatnonzero(np.abs(directions[-1]) > PART * np.abs(directions[-1]).max())
    found = _smallest(columns[:, part], ALONG)
    if found is None:
        return (), many
    which = part[list(found[0])]
    return (_written([terms[k] for k in which], found[1] / sizes[which], np.sqrt(ALONG)),), many


def first_integrals(
    equations: Mapping[str, sympy.Expr], low: np.ndarray, high: np.ndarray, blur: float
) -> tuple[sympy.Expr, ...]:
    """Return the sums that equations dx/dt = f(x) conserve, simplest first, independent of each other.

    Asked at points of the box from `low` to `high` (states,); `blur` is the constants' relative error.
    """
    names = tuple(equations)
    variables = symbols(names)
    if not 2 <= len(names) <= MOST_STATES or blur > BLURRED:
        return ()
    if any(e.free_symbols - set(variables) for e in equations.values()):
        return ()  # driven from outside, or in time
    points = np.random.default_rng(0).uniform(low, high, (POINTS, len(names)))
    slopes = np.column_stack([Program.compile(e, variables).value(points) for e in equations.values()])
    points, slopes = points[np.isfinite(slopes).all(axis=1)], slopes[np.isfinite(slopes).all(axis=1)]
    if len(points) < POINTS // 2:
        return ()
    terms = list(_terms(variables, points, DEGREES[-1]))
    gradients = [Program.compile(t, variables).gradient(points)[1] for t in terms]
    rates = np.column_stack([np.einsum("ij,ij->i", g, slopes) for g in gradients])
    sizes = np.array([np.sqrt(np.mean(np.einsum("ij,ij->i", g**2, slopes**2))) for g in gradients])
    columns = rates / np.maximum(sizes, np.finfo(float).tiny)
    usable = np.flatnonzero(np.isfinite(columns).all(axis=0))
    out: list[sympy.Expr] = []
    kept: list[np.ndarray] = []
    while len(out) < len(names) - 1 and len(usable):
        found = _smallest(columns[:, usable], max(ALIKE, 3 * blur))
        if found is None:
            break
        which = usable[list(found[0])]
        weights = found[1] / sizes[which]
        gradient = sum(w * gradients[k] for w, k in zip(weights, which, strict=True))
        if not _vanishes(np.asarray(gradient), slopes, max(ALIKE, 3 * blur)):
            # functions resemble sums of products within this box: products alone are asked
            plain = [k for k in usable if terms[k].is_polynomial(*variables)]
            usable = np.array(plain if len(plain) < len(usable) else usable[usable != max(which)], int)
            continue
        if _independent([*kept, gradient]):
            kept.append(np.asarray(gradient))
            out.append(_written([terms[k] for k in which], weights, max(ALIKE, blur)))
        usable = usable[usable != which[-1]]
    return tuple(out)


def _smallest(columns: np.ndarray, tolerance: float) -> tuple[tuple[int, ...], np.ndarray] | None:
    """Return the smallest set of columns whose weighted sum is zero, and the weights."""
    still = np.flatnonzero(np.sqrt(np.mean(columns**2, axis=0)) < tolerance)
    if len(still):
        return (int(still[0]),), np.ones(1)
    best: tuple[int, float, tuple[int, ...], np.ndarray] | None = None
    for pivot in range(len(columns.T)):
        others = np.delete(np.arange(columns.shape[1]), pivot)
        power = float(np.sqrt(np.mean(columns[:, pivot] ** 2)))
        limit = LARGEST if best is None else best[0]
        for subset, weights in best_subsets(
            columns[:, others], columns[:, pivot], largest=limit - 1, beam_size=4, shown=1
        ):
            which = (*(int(k) for k in others[list(subset)]), pivot)
            left = columns[:, pivot] - columns[:, others[list(subset)]] @ weights
            miss = float(np.sqrt(np.mean(left**2))) / power
            if miss < tolerance and (best is None or (len(which), miss) < best[:2]):
                best = len(which), miss, which, np.append(-weights, 1.0)
                break
    return None if best is None else best[2:]


def _vanishes(gradient: np.ndarray, slopes: np.ndarray, tolerance: float) -> bool:
    """Tell whether the parts of a derivative along the motion, one a state, take each other away.

    The terms of a state may already do so: x^2 + 2*cos(x) - x^4/12 hardly depends on x.
    """
    parts = gradient * slopes
    left, size = np.mean(parts.sum(axis=1) ** 2), np.mean((parts**2).sum(axis=1))
    return bool(np.sqrt(left) < tolerance * np.sqrt(size))


def _independent(gradients: Sequence[np.ndarray]) -> bool:
    """Tell whether sums with these gradients (points, states) are functions of their own."""
    stacked = np.stack(gradients, axis=1)
    stacked = stacked / (np.linalg.norm(stacked, axis=2, keepdims=True) + np.finfo(float).tiny)
    singular = np.linalg.svd(stacked, compute_uv=False)
    return bool(np.median(singular[:, -1]) > 1e-3)


def _written(terms: Sequence[sympy.Expr], weights: np.ndarray, error: float) -> sympy.Expr:
    """Return the sum with its first weight one, others as simple fractions where they are."""
    order = sorted(range(len(terms)), key=lambda k: sympy.default_sort_key(terms[k]))
    unit = weights[order[0]]
    out = sympy.S.Zero
    for k in order:
        value = float(weights[k] / unit)
        simple = Fraction(value).limit_denominator(12)
        near = simple != 0 and abs(float(simple) - value) < error * abs(value)
        number = sympy.Rational(simple.numerator, simple.denominator) if near else sympy.Float(value, 17)
        out += number * terms[k]
    return out


def _terms(variables: Sequence[sympy.Symbol], values: np.ndarray, degree: int) -> Iterator[sympy.Expr]:
    """Yield products of states, functions of one, and products of two beside the cosine of a difference."""
    count = len(variables)
    for size in range(1, (min(degree, 4) if count <= 3 else min(degree, 3) if count <= 4 else 2) + 1):
        for which in itertools.combinations_with_replacement(variables, size):
            yield sympy.Mul(*which)
    for x, v in zip(variables, values.T, strict=True):
        yield from (sympy.sin(x), sympy.cos(x))
        if v.min() > 0:
            yield from (sympy.log(x), 1 / x)
        if np.abs(v).max() < 20:
            yield from (sympy.exp(-x), sympy.exp(-2 * x), sympy.exp(x))
    if count <= 4:
        for a, b in itertools.combinations(variables, 2):
            yield from (sympy.sin(a - b), sympy.cos(a - b))
            others = [x for x in variables if x not in (a, b)]
            for u, v in itertools.combinations_with_replacement(others, 2):
                yield u * v * sympy.cos(a - b)
