"""The scikit-learn classifier: a formula for the logit, one for each class where there are more than two.

The search is the regressor's, on the labels first and on the working response of the best formula then
(iteratively reweighted least squares; McCullagh and Nelder, Generalized Linear Models, 1989). Every
formula's constants are then refitted to the cross-entropy, by which the front is ranked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from kansym.base import criterion
from kansym.base.errors import InputError
from kansym.data.dataset import Dataset
from kansym.estimators.regressor.encoding import Encoding, with_category
from kansym.estimators.regressor.front import FittedFront
from kansym.estimators.regressor.pysr import allowed
from kansym.estimators.regressor.rows import (
    canonical,
    checked_weights,
    column_names,
    constant_run,
    dataset_of,
    given_weights,
)
from kansym.formula import expression as expressions
from kansym.formula.program import Program, parametrise
from kansym.functions.parsing import symbols
from kansym.judge import pareto
from kansym.pipeline.run import ConstantReport, Law, Run

PENALTY = 1e-3
"""Price of a squared logit: keeps the constants finite where a formula separates the classes."""


class KansymClassifier(ClassifierMixin, FittedFront):
    """Find a formula whose sign separates two classes; its value is the logit of the second class.

    With more classes there is one formula for each, against the rest, and the probabilities are their
    softmax. Parameters are those of `KansymRegressor`; `loss` in `equations_` is the mean cross-entropy.

    >>> import numpy as np
    >>> X = np.linspace(-2, 2, 60)[:, None]
    >>> model = KansymClassifier(time_limit=10).fit(X, X[:, 0] ** 2 > 1)
    >>> model.predict([[0.0], [1.8]])
    array([False,  True])
    """

    def __init__(
        self,
        *,
        time_limit: float | None = None,
        effort: float = 1.0,
        library: Any = "default",
        binary_operators: Any = None,
        unary_operators: Any = None,
        maxsize: int = 30,
        model_selection: str = "description",
        guesses: Any = None,
        select_k_features: int | None = None,
        random_state: Any = 0,
        n_jobs: int | None = None,
        verbosity: int = 0,
        settings: Any = None,
    ) -> None:
        self.time_limit = time_limit
        self.effort = effort
        self.library = library
        self.binary_operators = binary_operators
        self.unary_operators = unary_operators
        self.maxsize = maxsize
        self.model_selection = model_selection
        self.guesses = guesses
        self.select_k_features = select_k_features
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbosity = verbosity
        self.settings = settings

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        weights: Any = None,
        variable_names: Sequence[str] | None = None,
    ) -> KansymClassifier:
        """Search for the formulas of the classes y (n,) on X (n, d).

        A weight of 2 counts as the row given twice. Ctrl-C ends the search and keeps the best so far.
        """
        sample_weight = given_weights(sample_weight, weights)
        values, labels, names = self._table(X, y, variable_names)
        sample_weight = checked_weights(sample_weight, values)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        rows, codes, sample_weight, _ = canonical(values, codes.astype(float), sample_weight, None)
        self._shares = np.bincount(codes.astype(int), sample_weight, len(self.classes_)) / (
            len(codes) if sample_weight is None else sample_weight.sum()
        )
        positive = list(range(len(self.classes_))) if len(self.classes_) > 2 else [len(self.classes_) - 1]
        options = self._options(names)
        if self.time_limit is not None:
            options = replace(options, time_limit=self.time_limit / (2 * len(positive)))
        titles = [f"logit({self.classes_[k]})" for k in positive]
        self._validation: list[list[float] | None] = [None] * len(positive)
        self._covariances: list[list[np.ndarray | None]] = [[None]] * len(positive)
        self._datasets: list[Dataset | None] = [None] * len(positive)
        self.runs_ = [
            _prior(
                constant_run(codes, sample_weight, names, rows, options, "interrupted", title),
                float(np.clip(self._shares[k], 1e-6, 1 - 1e-6)),
            )
            for k, title in zip(positive, titles, strict=True)
        ]
        for j, (k, title) in enumerate(zip(positive, titles, strict=True)):
            target = (codes == k).astype(float)
            self._one(j, rows, target, sample_weight, names, title, options)
        return self

    def _one(
        self,
        j: int,
        X: np.ndarray,
        target: np.ndarray,
        sample_weight: Any,
        names: Sequence[str],
        title: str,
        options: Any,
    ) -> None:
        """Search one class's formula: on the labels, then on the working response."""
        response, weights = 2 * target - 1, sample_weight
        # labels are no measurements: none is an outlier, and their spread follows from the classes
        options = replace(options, noise="additive", robust="off")
        for _stage in range(2):
            dataset = dataset_of(
                X, response, weights, names, title, None, None, options.seed, self.select_k_features
            )
            if dataset is None:
                self.runs_[j] = replace(self.runs_[j], stop_reason="one class, or every input is constant")
                return
            rows = X[:, [names.index(n) for n in dataset.names]]
            try:
                run = self._run(dataset, options)
            except BaseException as stopped:
                best = getattr(stopped, "run", None)
                if isinstance(best, Run):
                    self._adopt(j, best, rows, target, sample_weight)
                raise
            self._adopt(j, run, rows, target, sample_weight)
            if run.stop_reason == "interrupted":
                return
            fitted = self.runs_[j]
            eta = fitted.best.predict(X[:, [names.index(n) for n in fitted.names]], fitted.names)
            eta = np.clip(np.where(np.isfinite(eta), eta, 0.0), -6, 6)
            p = expit(eta)
            response = eta + (target - p) / (p * (1 - p))
            weights = p * (1 - p) * (1.0 if sample_weight is None else sample_weight)

    def _adopt(self, j: int, run: Run, X: np.ndarray, target: np.ndarray, sample_weight: Any) -> None:
        """Refit a run's laws to the cross-entropy and join them with those found before."""
        run = allowed(run, self.binary_operators, self.unary_operators)
        laws = [law for law in self.runs_[j].front if law.expression is not None and law.complexity == 1]
        laws += [law for law in self.runs_[j].front if law not in laws and self.runs_[j].names == run.names]
        for law in (*_plain_forms(run.names), *run.front):
            if law.expression is not None and law.expression.free_symbols:
                found = _refitted(law, run.names, X, target, sample_weight)
                if found is not None and found.complexity <= self.maxsize:
                    laws.append(found)
        front = pareto.front(laws, lambda law: law.complexity, lambda law: law.loss)
        scores = pareto.scores([law.complexity for law in front], [law.loss for law in front])
        front = [replace(law, score=s) for law, s in zip(front, scores, strict=True)]
        chosen = pareto.choose([law.row for law in front], "description")
        self.runs_[j] = replace(run, front=tuple(front), chosen=chosen, noise=0.0, graphs={}, rivals=())
        self._covariances[j] = [None] * len(front)

    def decision_function(self, X: Any, index: Any = None) -> np.ndarray:
        """Return the logits (n,), or (n, classes) for more than two; NaN where a formula is undefined."""
        check_is_fitted(self)
        values = self._numbers(X)
        columns = []
        for i, run in enumerate(self.runs_):
            law = run.front[self._pick(i, index)]
            at = [self._encoding.columns.index(n) for n in run.names]
            columns.append(law.predict(values[:, at], run.names))
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def predict_proba(self, X: Any, index: Any = None) -> np.ndarray:
        """Return the classes' probabilities (n, classes); their shares in the fit where undefined."""
        logits = self.decision_function(X, index)
        if len(self.classes_) == 1:
            return np.ones((len(logits), 1))
        two = logits.ndim == 1
        p = np.column_stack([expit(-logits), expit(logits)]) if two else softmax(logits, axis=1)
        undefined = ~np.isfinite(p).all(axis=1)
        p[undefined] = self._shares
        return p

    def predict(self, X: Any, index: Any = None) -> np.ndarray:
        """Return the likeliest class of each row (n,)."""
        shares = self.predict_proba(X, index)
        return self.classes_[np.argmax(shares, axis=1)]

    def _table(
        self, X: Any, y: Any, variable_names: Sequence[str] | None
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """Return numbers (n, d), labels and names from what was given."""
        X = with_category(X, None)
        given = [str(n) for n in X.columns] if hasattr(X, "columns") else None
        encoding = Encoding.of(X, given or ())
        if not encoding.plain:
            validate_data(self, X, reset=True, skip_check_array=True)
            values = check_array(encoding.apply(X), dtype=np.float64, ensure_min_samples=2)
            y = np.asarray(y)
            if y.shape != (len(values),):
                raise InputError(f"y has shape {y.shape}; it needs one class for each of {len(values)} rows.")
        else:
            values, y = validate_data(self, X, y, reset=True, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        names = column_names(given, self.n_features_in_, variable_names)
        self._encoding = replace(encoding, names=tuple(names))
        return values, np.asarray(y), self._encoding.columns


def _plain_forms(names: Sequence[str]) -> list[Law]:
    """Return the logits that are tried whatever the search finds: lines, squares and both."""
    columns = symbols(names)
    line = sum((sympy.Float(0.1, 17) * s for s in columns), sympy.S.Zero)
    squares = sum((sympy.Float(0.1, 17) * s**2 for s in columns), sympy.S.Zero)
    alone = [sympy.Float(0.1, 17) * s for s in columns]
    forms = dict.fromkeys([*alone, line, squares, line + squares])
    return [Law("", 1, 0.0, 0.0, 0.0, 0.0, form, form, source="plain form") for form in forms]


def _prior(run: Run, share: float) -> Run:
    """Return the run of someone who knows a class's share only."""
    logit = math.log(share / (1 - share))
    loss = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    value = sympy.Float(logit, 17)
    law = replace(
        run.best,
        equation=f"{logit:.6g}",
        expression=value,
        unrounded=value,
        loss=loss,
        heldout_loss=math.nan,
        length=run.data["rows"] * loss,
    )
    return replace(run, front=(law,), noise=0.0)


def _refitted(
    law: Law, names: Sequence[str], X: np.ndarray, target: np.ndarray, sample_weight: Any
) -> Law | None:
    """Return the law with constants of least cross-entropy; None where it is undefined on some row.

    Each term of a sum gets a factor and the sum a constant; the constants inside start where they are.
    """
    assert law.expression is not None
    program, theta, inner = _factored(law.expression, names)
    u = np.ones(len(X)) / len(X) if sample_weight is None else sample_weight / sample_weight.sum()

    def objective(t: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the penalised cross-entropy of a formula's constants, and its slopes."""
        eta, J = program.jacobian(X, t)
        if not (np.isfinite(eta).all() and np.isfinite(J).all()):
            return 1e30, np.zeros(len(t))
        value = float(u @ (np.logaddexp(0, eta) - target * eta + 0.5 * PENALTY * eta**2))
        return value, J.T @ (u * (expit(eta) - target + PENALTY * eta))

    if objective(theta)[0] >= 1e30:
        return None
    # twice the labels' regression is a fair start for the logit
    theta[inner:] *= 2.0
    theta = minimize(objective, theta, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    eta, J = program.jacobian(X, theta)
    if not np.isfinite(eta).all():
        return None
    loss = float(u @ (np.logaddexp(0, eta) - target * eta))
    p = expit(eta)
    information = (J.T * (u * len(X) * (p * (1 - p) + PENALTY))) @ J
    errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information, hermitian=True)), 0.0))
    expression = program.expression(theta)
    size = expressions.complexity(expression)
    return Law(
        equation=expressions.text(expression),
        complexity=size,
        loss=loss,
        heldout_loss=math.nan,
        score=0.0,
        length=len(X) * loss + 0.5 * len(theta) * math.log(len(X)) + criterion.NODE_PRICE * size,
        expression=expression,
        unrounded=expression,
        constants=tuple(
            ConstantReport(str(s).strip("\0"), float(v), float(e))
            for s, v, e in zip(program.parameters, theta, errors, strict=True)
        ),
        source=law.source,
    )


def _factored(expression: sympy.Expr, names: Sequence[str]) -> tuple[Program, np.ndarray, int]:
    """Return a formula with a factor for each term and an offset, its constants, and how many are inside."""
    columns = symbols(names)
    inside, parameters, start = parametrise(expression)
    values = dict(zip(parameters, map(float, start), strict=True))
    form: sympy.Expr = sympy.S.Zero
    factors: list[sympy.Symbol] = []
    first: list[float] = []
    for i, term in enumerate(sympy.Add.make_args(inside)):
        scale, shape = term.as_independent(*columns, as_Add=False)
        if not shape.free_symbols & set(columns):
            continue
        factors.append(sympy.Symbol(f"\0factor_{i}", real=True))
        first.append(float(scale.xreplace(values)))
        form += factors[-1] * shape
    offset = sympy.Symbol("\0offset", real=True)
    form += offset
    left = [p for p in parameters if p in form.free_symbols]
    constant = inside.subs(dict.fromkeys(columns, 0)) if inside.is_polynomial(*columns) else sympy.S.Zero
    theta = [*(values[p] for p in left), *first, float(constant.xreplace(values))]
    return Program.compile(form, columns, [*left, *factors, offset], theta), np.array(theta), len(left)
