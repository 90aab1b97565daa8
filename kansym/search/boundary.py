"""The boundary between two classes as a formula g = 0: a sparse sum of products of simple functions.

Terms come from a pool: functions of one column, and products of two such of different columns. They are
chosen by beam search, each step ranked by Rao's score test of all terms at once, and refitted by logistic
regression; the front trades likelihood against size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.special import expit

from kansym import noise
from kansym.errors import InputError
from kansym.expression import complexity, number, text
from kansym.parsing import symbols

BEAM = 16
OFFERED = 6
SIMPLE_AMONG = 50
SLACK = 0.003
ROUNDS = 3
EXCHANGED = 8
MISLABELLED = 0.005
"""Share of labels that may be wrong at any distance, so that no far row bends the boundary."""

RIDGE = 1e-4


@dataclass(frozen=True)
class Boundary:
    """Hold one boundary: g > 0 on the second class; `g` is scaled so that its least coefficient is ±1.

    `loss` is the mean cross-entropy, `accuracy` the share of rows on the right side.
    """

    g: sympy.Expr
    coefficients: tuple[float, ...]
    terms: tuple[sympy.Expr, ...]
    errors: tuple[float, ...]
    loss: float
    accuracy: float
    complexity: int

    @property
    def text(self) -> str:
        """Return g as text."""
        return text(self.g, 4)


def boundaries(
    X: np.ndarray, labels: np.ndarray, names: Sequence[str], most: int = 4, beam: int = BEAM
) -> list[Boundary]:
    """Return boundaries with 1 to `most` terms: the simplest as good as any first, then by accuracy.

    As good as any: within SLACK or one standard error of the best accuracy (Breiman's rule). A logit is not
    linear in the distance to the boundary, so likelihood alone would reward terms that only bend it.
    X (n, d) finite; labels (n,) of two kinds. Raises InputError for other labels.
    """
    kinds = np.unique(labels)
    if len(kinds) != 2:
        raise InputError(f"The labels have {len(kinds)} values; a boundary needs two classes.")
    y = (labels == kinds[1]).astype(float)
    forms, F = _pool(X, names)
    scale = np.sqrt(np.mean(F * F, axis=0))
    F = F / scale
    sizes = [complexity(f) for f in forms]
    states: list[tuple[tuple[int, ...], np.ndarray]] = [((), np.zeros(0))]
    found: dict[tuple[int, ...], Boundary] = {}
    for _ in range(most):
        grown: dict[tuple[int, ...], np.ndarray] = {}
        for chosen, beta in states:
            ranked = _telling(F, y, chosen, beta)
            # many terms are nearly alike on the rows: the simple ones among the telling get a chance
            plain = sorted(ranked[:SIMPLE_AMONG].tolist(), key=sizes.__getitem__)[:OFFERED]
            for k in dict.fromkeys((*ranked[:OFFERED].tolist(), *plain)):
                key = tuple(sorted((*chosen, int(k))))
                if key not in grown:
                    loss, grown[key] = _logistic(F[:, key], y)
                    found[key] = _judged(
                        F[:, key], y, grown[key], scale[list(key)], [forms[k] for k in key], loss
                    )
        # half the beam for likelihood, half for what is right and simple
        close = sorted(grown, key=lambda key: (found[key].loss, key))[: beam // 2]
        plain = sorted(
            grown,
            key=lambda key: (
                len(y) * (1 - found[key].accuracy) + noise.NODE_PRICE * found[key].complexity,
                key,
            ),
        )[: beam // 2]
        states = [(key, grown[key]) for key in dict.fromkeys((*close, *plain))]
        if len(states[0][0]) == 1 and (0,) not in dict(states):
            states.append(((0,), _logistic(F[:, :1], y)[1]))  # a threshold: a constant and one more term
    for _ in range(ROUNDS):
        # exchange: drop one term of a good set, or put a simpler one in its place
        best = max(b.accuracy for b in found.values())
        close = [key for key in found if found[key].accuracy > best - 2 * SLACK and len(key) > 1]
        for key in sorted(close, key=lambda k: (found[k].complexity, k))[:EXCHANGED]:
            for left in itertools.combinations(key, len(key) - 1):
                ranked = _telling(F, y, left, _logistic(F[:, left], y)[1])
                plain = sorted(ranked[:SIMPLE_AMONG].tolist(), key=sizes.__getitem__)[:OFFERED]
                for other in (left, *(tuple(sorted((*left, int(k)))) for k in plain)):
                    if other not in found:
                        loss, beta = _logistic(F[:, other], y)
                        found[other] = _judged(
                            F[:, other], y, beta, scale[list(other)], [forms[i] for i in other], loss
                        )
    top = max(b.accuracy for b in found.values())
    slack = max(SLACK, math.sqrt(max(top * (1 - top), 0.0) / len(y)))
    by_accuracy = sorted(found.values(), key=lambda b: (-b.accuracy, b.complexity))
    good = [b for b in by_accuracy if b.accuracy >= top - slack]
    first = min(good, key=lambda b: (b.complexity, b.loss))
    return [first, *(b for b in by_accuracy if b is not first)]


def _judged(
    A: np.ndarray, y: np.ndarray, beta: np.ndarray, scale: np.ndarray, forms: list[sympy.Expr], loss: float
) -> Boundary:
    beta = _sharpened(A, y > 0.5, beta)
    raw = beta / scale
    errors = np.sqrt(np.diag(_covariance(A, beta))) / scale
    unit = float(np.abs(raw).min()) or 1.0
    g = sympy.Add(*(number(float(c / unit)) * f for c, f in zip(raw, forms, strict=True)))
    right = float(np.mean((A @ beta > 0) == (y > 0.5)))
    return Boundary(g, tuple(raw / unit), tuple(forms), tuple(errors / unit), loss, right, complexity(g))


def _pool(X: np.ndarray, names: Sequence[str]) -> tuple[list[sympy.Expr], np.ndarray]:
    columns = symbols(names)
    single: list[list[tuple[sympy.Expr, np.ndarray]]] = []
    for s, x in zip(columns, X.T, strict=True):
        mine = [(s, x), (s**2, x**2), (s**4, x**4)]
        if x.min() < 0 < x.max():
            mine.append((sympy.Abs(s), np.abs(x)))
        if np.abs(x).max() < 20:
            mine += [(sympy.exp(s), np.exp(x)), (sympy.exp(-s), np.exp(-x)), (sympy.cosh(s), np.cosh(x))]
            mine += [(sympy.sinh(s), np.sinh(x))]
        if x.min() > 1e-3 * np.abs(x).max():
            mine += [(1 / s, 1 / x), (sympy.log(s), np.log(x)), (sympy.sqrt(s), np.sqrt(x))]
        single.append(mine)
    forms: list[sympy.Expr] = [sympy.S.One]
    values = [np.ones(len(X))]
    for mine in single:
        for e, v in mine:
            forms.append(e)
            values.append(v)
    for a, b in itertools.combinations(single, 2):
        for (e, v), (f, w) in itertools.product(a, b):
            forms.append(e * f)
            values.append(v * w)
    F = np.column_stack(values)
    keep = np.all(np.isfinite(F), axis=0) & (F.std(0) + (np.arange(F.shape[1]) == 0) > 0)
    return [f for f, k in zip(forms, keep, strict=True) if k], F[:, keep]


def _telling(F: np.ndarray, y: np.ndarray, chosen: tuple[int, ...], beta: np.ndarray) -> np.ndarray:
    """Return all terms by falling score statistic (U'V⁻¹U, given those chosen), the chosen ones left out."""
    p = expit(F[:, chosen] @ beta) if chosen else np.full(len(y), 0.5)
    w = p * (1 - p) + 1e-9
    U = F.T @ (y - p)
    V = w @ (F * F)
    if chosen:
        A = F[:, chosen]
        C = F.T @ (A * w[:, None])
        V = V - np.sum(
            C * np.linalg.solve((A * w[:, None]).T @ A + 1e-9 * np.eye(len(chosen)), C.T).T, axis=1
        )
    score = U * U / np.maximum(V, 1e-9 * len(y))
    score[list(chosen)] = -1
    return np.argsort(-score, kind="stable")


def _logistic(A: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return mean cross-entropy and coefficients; p = e + (1 - 2e)·sigmoid(A beta), Fisher scoring."""
    beta = np.zeros(A.shape[1])
    n = len(y)
    spread = 1 - 2 * MISLABELLED

    def value(b: np.ndarray) -> float:
        p = MISLABELLED + spread * expit(A @ b)
        return float(-np.mean(np.where(y > 0.5, np.log(p), np.log(1 - p))) + 0.5 * RIDGE / n * b @ b)

    now = value(beta)
    for _ in range(40):
        q = expit(A @ beta)
        p = MISLABELLED + spread * q
        slope = spread * q * (1 - q)
        w = slope**2 / (p * (1 - p)) + 1e-12
        H = (A * w[:, None]).T @ A + RIDGE * np.eye(len(beta))
        step = np.linalg.solve(H, A.T @ (slope * (y - p) / (p * (1 - p))) - RIDGE * beta)
        size = 1.0
        while size > 1e-4 and not value(beta + size * step) < now:
            size /= 2
        if size <= 1e-4:
            break
        beta = beta + size * step
        before, now = now, value(beta)
        if before - now < 1e-8 * before:
            break
    return now, beta


def _sharpened(A: np.ndarray, positive: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return coefficients after two sweeps of exact line searches for the fewest rows on the wrong side.

    The logit's slope differs on the two sides of a boundary, which moves the likelihood's zero off it.
    """
    if len(beta) < 2:
        return beta
    beta = beta.copy()
    z = A @ beta
    fixed = int(np.argmax(np.abs(beta)))  # a common factor means nothing
    for _ in range(2):
        for j in range(len(beta)):
            if j == fixed:
                continue
            f = A[:, j]
            rest = z - beta[j] * f
            use = np.abs(f) > 1e-12
            cut = -rest[use] / f[use]
            # raising the coefficient past the cut puts the row on the side of f's sign
            gain = np.where((f[use] > 0) == positive[use], 1, -1)
            # rows of one system share a value: only between distinct cuts is there a choice
            cut, inverse = np.unique(cut, return_inverse=True)
            if len(cut) < 3:
                continue
            right = np.cumsum(np.bincount(inverse, weights=gain))[:-1]
            cut = (cut[1:] + cut[:-1]) / 2
            window = 15 if len(cut) > len(A) // 2 else 1
            near = np.abs(cut - beta[j]) <= 0.5 * abs(beta[j])
            if np.sum(near) < 3:
                continue
            smooth = np.convolve(right, np.ones(window) / window, mode="same")
            top = smooth[near].max()
            level = cut[near][smooth[near] >= top - 1.0]
            if top > np.interp(beta[j], cut, smooth) + 0.5:
                beta[j] = float(np.median(level))
                z = rest + beta[j] * f
    return beta


def _covariance(A: np.ndarray, beta: np.ndarray) -> np.ndarray:
    p = expit(A @ beta)
    w = p * (1 - p) + 1e-12
    return np.linalg.pinv((A * w[:, None]).T @ A + RIDGE * np.eye(len(beta)))
