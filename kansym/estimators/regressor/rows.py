"""Rows made ready for one output's search, and the uncertainty of what it finds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy
from sklearn.utils.validation import _check_sample_weight

from kansym.base.errors import InputError
from kansym.data.dataset import Dataset, from_arrays
from kansym.formula import uncertainty
from kansym.formula.polish import Rows
from kansym.functions.parsing import symbols
from kansym.pipeline.flow import Options
from kansym.pipeline.run import Law, Run


def given_weights(sample_weight: Any, weights: Any) -> Any:
    """Return the weights under either of their names; raises InputError for both."""
    if weights is not None and sample_weight is not None:
        raise InputError("Both weights and sample_weight are given, which mean the same; give one of them.")
    return sample_weight if weights is None else weights


def checked_weights(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return weights (n,) as scikit-learn checks them for rows X (n, d)."""
    if sample_weight is None:
        return None
    return np.asarray(_check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True))


def column_names(given: Sequence[Any] | None, count: int, variable_names: Sequence[Any] | None) -> list[str]:
    """Return the names of columns: those asked for, a frame's own, or x0, x1, ...; raises InputError."""
    names = [f"x{i}" for i in range(count)] if given is None else [str(n) for n in given]
    if variable_names is not None:
        if len(variable_names) != len(names):
            raise InputError(
                f"{len(variable_names)} names are given for {len(names)} columns of X; give one each."
            )
        names = [str(n) for n in variable_names]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"Two columns are named {twice!r}; give every column its own name.")
    return names


def denoised(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return y smoothed by a Gaussian process with a noise term, as PySR does."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    centre, scale = y.mean(), y.std() or 1.0
    spread = X.std(0)
    Z = (X - X.mean(0)) / np.where(spread > 0, spread, 1.0)
    kernel = RBF(np.ones(X.shape[1])) + WhiteKernel(1e-1) + ConstantKernel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a bound that is reached is no concern of the caller's
        process = GaussianProcessRegressor(kernel, n_restarts_optimizer=5, random_state=0)
        return process.fit(Z, (y - centre) / scale).predict(Z) * scale + centre


def canonical(
    X: np.ndarray, y: np.ndarray, weights: Any, groups: Any
) -> tuple[np.ndarray, np.ndarray, Any, Any]:
    """Return the rows in order, equal ones merged into one that weighs as much, those of weight 0 left out.

    So a weight of 2 is the row given twice, to the last bit, and no result depends on the order of rows.
    """
    n = len(y)
    weight = np.ones(n) if weights is None else np.asarray(weights, float)
    if groups is not None:
        groups = np.asarray(groups)
        if len(groups) != n:
            raise InputError(f"groups has {len(groups)} entries and X {n} rows; give one for each row.")
        kinds = np.unique(groups, return_inverse=True)[1]
    else:
        kinds = np.zeros(n, int)
    keep = weight > 0
    if not keep.any():
        raise InputError("Every weight is 0, so no row is left; give some row a weight.")
    order = np.flatnonzero(keep)
    table = np.column_stack([X, y, kinds])
    order = order[np.lexsort(table[order].T[::-1])]
    rows = table[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    total = np.add.reduceat(weight[order], np.flatnonzero(fresh))
    first = order[fresh]
    total = total * (len(total) / total.sum())
    merged = None if np.ptp(total) <= 1e-12 * total.max() else total
    return X[first], y[first], merged, None if groups is None else groups[first]


def dataset_of(
    X: np.ndarray,
    y: np.ndarray,
    weights: Any,
    names: Sequence[str],
    title: str,
    groups: Any,
    units: Any,
    seed: int,
    wanted: int | None,
) -> Dataset | None:
    """Return the dataset to search; None where there is nothing to find but a constant."""
    varying = [i for i in range(X.shape[1]) if np.ptp(X[:, i]) > 0]
    if len(y) < 3 or np.ptp(y) == 0 or not varying:
        return None
    if len(y) < len(varying) + 2:
        # more columns than the rows can distinguish: those that vary most closely with y
        spread = (X[:, varying] - X[:, varying].mean(0)) / X[:, varying].std(0)
        share = np.abs(spread.T @ ((y - y.mean()) / len(y)))
        best = np.argsort(-np.round(share, 12), kind="stable")[: max(1, (len(y) - 2) // 2)]
        varying = sorted(varying[i] for i in best)
    kept = [names[i] for i in varying]
    known = None if not units else {n: u for n, u in units.items() if n in kept or n == title}
    dataset = from_arrays(X[:, varying], y, kept, weights, target=title, groups=groups, units=known)
    if wanted is not None:
        if not 1 <= wanted <= X.shape[1]:
            raise InputError(
                f"select_k_features is {wanted}; X has {X.shape[1]} columns, so give 1 to {X.shape[1]}."
            )
        dataset = dataset.screened(limit=wanted, seed=seed)
    return dataset


def constant_run(
    y: np.ndarray,
    weights: Any,
    names: Sequence[str],
    X: np.ndarray,
    options: Options,
    reason: str,
    title: str = "y",
) -> Run:
    """Return the run of someone who found the mean only."""
    usable = None if weights is None or not np.sum(weights) else weights
    mean = float(np.average(y, weights=usable))
    loss = float(np.average((y - mean) ** 2, weights=usable))
    value = sympy.Float(mean, 17)
    law = Law(f"{mean:.6g}", 1, loss, loss, 0.0, 0.0, value, value, source="constant")
    ranges = {n: [float(X[:, i].min()), float(X[:, i].max())] for i, n in enumerate(names)}
    data = {
        "names": list(names),
        "target": title,
        "rows": len(y),
        "heldout_rows": 0,
        "hash": "",
        "source": "arrays",
        "weighted": weights is not None,
        "ranges": ranges,
        "target_range": [float(y.min()), float(y.max())],
        "target_spread": math.sqrt(loss),
        "notes": [],
    }
    return Run((law,), 0, data, options.to_dict(), math.sqrt(loss), reason, 0.0)


def covariance_of(law: Law, names: Sequence[str], dataset: Dataset) -> np.ndarray | None:
    """Return the covariance of the law's constants as fitted; None where the law is no formula."""
    formula = law.unrounded if law.unrounded is not None else law.expression
    if formula is None:
        return None
    sigma2 = 1.0 if dataset.absolute else None
    return uncertainty.covariance(
        formula, Rows(dataset.X, dataset.y, dataset.weights, symbols(names), sigma2)
    )


def standard_error(
    law: Law, names: Sequence[str], X: np.ndarray, covariance: np.ndarray | None
) -> np.ndarray:
    """Return the standard error (n,) of the law's values, to first order in its constants."""
    formula = law.unrounded if law.unrounded is not None else law.expression
    if covariance is None or formula is None:
        return np.full(len(X), np.nan)
    return uncertainty.standard_error(formula, symbols(names), X, covariance)
