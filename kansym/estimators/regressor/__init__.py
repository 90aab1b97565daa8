"""The scikit-learn estimator, with PySR's names and rules.

This room turns what scikit-learn and pandas hand over into a dataset, asks the pipeline, and shows the
front as PySR's users expect it. It finds and fits nothing itself.
"""

from __future__ import annotations

import math
import secrets
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from kansym.base import storage
from kansym.base.errors import InputError, UnknownNameError
from kansym.data.dataset import Dataset
from kansym.estimators.regressor.display import LawFunction
from kansym.estimators.regressor.encoding import Encoding, with_category
from kansym.estimators.regressor.front import FittedFront
from kansym.estimators.regressor.pysr import GENETIC, SAME, allowed
from kansym.estimators.regressor.rows import (
    canonical,
    checked_weights,
    column_names,
    constant_run,
    covariance_of,
    dataset_of,
    denoised,
    given_weights,
    standard_error,
)
from kansym.functions.library import Library, X
from kansym.functions.parsing import parse_expression
from kansym.pipeline.flow import Options
from kansym.pipeline.run import Run
from kansym.report import export

__all__ = ["KansymRegressor", "LawFunction"]


class KansymRegressor(MultiOutputMixin, RegressorMixin, FittedFront):
    """Find the law y = f(X): a front of formulas from simplest to most accurate.

    Parameters
    ----------
    time_limit : seconds for each output's search (None: until everything was tried). PySR's
        `timeout_in_seconds` is the same.
    effort : scales the limit of work; below 1 a quicker look.
    library : functions to look for: a preset's name, a TOML file, or a `kansym.functions.library.Library`.
    binary_operators, unary_operators : PySR's lists, which restrict the laws that are kept and the
        library; a unary operator may define itself, "inv(x) = 1/x".
    maxsize : greatest complexity (operators + constants + variables).
    model_selection : "description" (shortest description, what the command line chooses), PySR's "best"
        (largest score among losses up to 1.5 times the least), "accuracy" or "score"; it may be changed
        after the fit.
    guesses : formulas to start from.
    template : the form that every law must have, with unknown functions and constants:
        "y = f(x0)*g(x1) + h" or "sigmoid(f(a - b, c))".
    category_constants : the law has constants of its own for each level of the one categorical column
        (default: levels are inputs of 0 and 1 like any other).
    select_k_features : search with the k most informative columns only.
    loss : what is minimised: "squared", "absolute", "huber", "quantile:0.9", or your own function of
        prediction and target (n,), which returns what each row costs.
    noise : how y's noise grows with its value: "auto" (as the rows show), "additive", "relative",
        "poisson", "log" (a factor), "share" (counted, 0 to 1) or "percent".
    robust : whether rows that are far off are left out: "auto", "on" or "off".
    denoise : smooth y by a Gaussian process before the search.
    warm_start : start the next fit from the laws of the last.
    output_directory : folder for hall_of_fame.csv and the other files of a run (None: none is written).
    random_state : seed; the default gives the same result every time.
    n_jobs : processes for the parts that run in parallel; no result depends on it.
    verbosity : 1 reports progress on stderr.
    settings : further fields of `kansym.pipeline.flow.Options` by name, {"exclude": ["tan"]} for instance.

    Attributes: `equations_`, `runs_` (`run_`), `stop_reason_`, `noise_`, `constants_`.

    >>> import numpy as np
    >>> X = np.linspace(1, 2, 40)[:, None]
    >>> model = KansymRegressor(time_limit=20).fit(X, 3 * X[:, 0] ** 2)
    >>> model.sympy()
    3*x0**2
    """

    def __init__(
        self,
        *,
        time_limit: float | None = None,
        effort: float = 1.0,
        library: Any = "default",
        binary_operators: Any = None,
        unary_operators: Any = None,
        maxsize: int = 60,
        model_selection: str = "description",
        guesses: Any = None,
        template: str | None = None,
        category_constants: bool = False,
        select_k_features: int | None = None,
        loss: Any = "squared",
        noise: str = "auto",
        robust: str = "auto",
        denoise: bool = False,
        warm_start: bool = False,
        output_directory: Any = None,
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
        self.template = template
        self.category_constants = category_constants
        self.select_k_features = select_k_features
        self.loss = loss
        self.noise = noise
        self.robust = robust
        self.denoise = denoise
        self.warm_start = warm_start
        self.output_directory = output_directory
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
        X_units: Sequence[Any] | None = None,
        y_units: Any = None,
        category: Any = None,
        groups: Any = None,
        validation_data: tuple[Any, Any] | None = None,
    ) -> KansymRegressor:
        """Search for the law of X (n, d) and y (n,) or (n, outputs).

        `weights` is PySR's name for `sample_weight`: a weight of 2 counts as the row given twice.
        `variable_names` rename the columns. Units are texts ("m/s") or exponents of SI dimensions.
        `category` (n,) is one more, categorical, column. Rows of one of the `groups` are held out
        together. The front is ranked on `validation_data` (X, y) if that is given. Ctrl-C ends the
        search and keeps the best so far; so does any other exception, which then goes on its way.
        """
        sample_weight = given_weights(sample_weight, weights)
        if self.output_directory is not None:
            storage.writable(self.output_directory)
        previous = list(getattr(self, "runs_", ())) if self.warm_start else []
        values, y = self._table(X, y, variable_names, category)
        names = self._encoding.columns
        sample_weight = checked_weights(sample_weight, values)
        targets = y[:, None] if y.ndim == 1 else y
        titles = _titles(y if hasattr(y, "name") else self._y_names, targets.shape[1], names)
        units = _units(names, X_units, y_units, titles)
        categories = self._encoding.single() if self.category_constants else ()
        held = None if validation_data is None else self._validation_rows(validation_data)
        options = self._options(names)
        self._begin(targets, sample_weight, names, values, options, titles)
        for j, title in enumerate(titles):
            starts = _starts(previous[j], names) if j < len(previous) else ()
            options = replace(self._options(names, starts), categories=categories)
            target = denoised(values, targets[:, j]) if self.denoise else targets[:, j]
            rows, target, row_weights, row_groups = canonical(values, target, sample_weight, groups)
            known, seed, wanted = units.get(j), options.seed, self.select_k_features
            dataset = dataset_of(rows, target, row_weights, names, title, row_groups, known, seed, wanted)
            adopt = partial(self._adopt, j, held)
            self._search(dataset, rows, target, row_weights, names, options, adopt)
        if self.output_directory is not None:
            self._write()
        return self

    def _begin(
        self,
        targets: np.ndarray,
        sample_weight: np.ndarray | None,
        names: Sequence[str],
        values: np.ndarray,
        options: Options,
        titles: Sequence[str],
    ) -> None:
        """Give every output an answer from the start, its mean, so that an interrupt finds a model."""
        self._datasets: list[Dataset | None] = []
        self._validation: list[list[float] | None] = []
        self._covariances: list[list[np.ndarray | None]] = []
        self.runs_ = []
        for j, title in enumerate(titles):
            self.runs_.append(
                constant_run(targets[:, j], sample_weight, names, values, options, "interrupted", title)
            )
            self._datasets.append(None)
            self._validation.append(None)
            self._covariances.append([None])

    def predict(
        self,
        X: Any,
        index: Any = None,
        *,
        return_std: bool = False,
        return_band: float | None = None,
        category: Any = None,
    ) -> Any:
        """Return the chosen law's values (n,) or (n, outputs); NaN where it is undefined.

        `index` takes another row of the front (a list for several outputs). `return_std` adds the
        standard error of the prediction, from the covariance of the law's fitted constants. `return_band`,
        0.95 for instance, adds instead the two ends between which that share of new rows lies.
        """
        if return_std and return_band is not None:
            raise InputError("Both return_std and return_band are given; give one of them.")
        check_is_fitted(self)
        values = self._numbers(with_category(X, category))
        found, errors = [], []
        low: list[np.ndarray] = []
        high: list[np.ndarray] = []
        for i, run in enumerate(self.runs_):
            row = self._pick(i, index)
            law = run.front[row]
            columns = values[:, [self._encoding.columns.index(n) for n in run.names]]
            found.append(law.predict(columns, run.names))
            if return_std:
                errors.append(standard_error(law, run.names, columns, self._covariances[i][row]))
            if return_band is not None:
                for part, end in zip(
                    (low, high), law.predict_band(columns, run.names, return_band), strict=True
                ):
                    part.append(end)
        join = (lambda parts: parts[0]) if len(found) == 1 else np.column_stack
        if return_band is not None:
            return join(found), join(low), join(high)
        return (join(found), join(errors)) if return_std else join(found)

    def _table(self, X: Any, y: Any, variable_names: Sequence[str] | None, category: Any) -> tuple[Any, Any]:
        """Check X and y as scikit-learn does, remember their columns, and return them as numbers."""
        X = with_category(X, category)
        self._y_names = list(y.columns) if isinstance(y, pd.DataFrame) else getattr(y, "name", None)
        given = list(X.columns) if isinstance(X, pd.DataFrame) else None
        encoding = Encoding.of(X, [str(n) for n in given] if given is not None else ())
        rules: dict[str, Any] = {"dtype": np.float64, "ensure_min_samples": 2}
        if not encoding.plain:
            validate_data(self, X, reset=True, skip_check_array=True)
            values = check_array(encoding.apply(X), **rules)
            y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
            if len(y) != len(values):
                raise InputError(f"X has {len(values)} rows and y {len(y)}; give one target for each row.")
        else:
            values, y = validate_data(self, X, y, reset=True, multi_output=True, y_numeric=True, **rules)
            y = np.asarray(y, float)
        names = column_names(given, self.n_features_in_, variable_names)
        self._encoding = replace(encoding, names=tuple(names))
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        return values, y

    def _validation_rows(self, data: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return validation rows and targets (n, outputs); raises InputError for what is no pair."""
        try:
            X, y = data
        except (TypeError, ValueError):
            raise InputError("validation_data must be a pair (X, y).") from None
        values = self._numbers(X)
        y = np.asarray(y, float)
        if len(y) != len(values):
            raise InputError(
                f"The validation data have {len(values)} rows and {len(y)} targets; give one each."
            )
        return values, (y[:, None] if y.ndim == 1 else y)

    def _adopt(self, output: int, held: Any, run: Run, dataset: Dataset | None) -> None:
        """Take a run as the answer of an output: the laws that are allowed, with their uncertainty."""
        run = allowed(run, self.binary_operators, self.unary_operators)
        covariances = [
            None if dataset is None else covariance_of(law, run.names, dataset.select(run.names))
            for law in run.front
        ]
        ranking = None
        if held is not None:
            at = [self._encoding.columns.index(n) for n in run.names]
            ranking = []
            for law in run.front:
                loss = float(np.mean((law.predict(held[0][:, at], run.names) - held[1][:, output]) ** 2))
                ranking.append(loss if math.isfinite(loss) else math.inf)
        self.runs_[output], self._datasets[output] = run, dataset
        self._covariances[output], self._validation[output] = covariances, ranking

    def _write(self) -> None:
        """Write the files of the run into a new folder of the output directory."""
        from kansym.report import page as report

        folder = Path(self.output_directory) / f"{time.strftime('%Y%m%d_%H%M%S')}_{secrets.token_hex(3)}"
        for i, (run, dataset) in enumerate(zip(self.runs_, self._datasets, strict=True)):
            place = folder if len(self.runs_) == 1 else folder / f"output{i}"
            place.mkdir(parents=True, exist_ok=True)
            if dataset is not None:
                report.write_run(replace(run, chosen=self._pick(i)), dataset, place)
        self.run_directory_ = str(folder)
        self.save(folder / "estimator.json")

    @classmethod
    def from_pysr_params(cls, **parameters: Any) -> KansymRegressor:
        """Return a regressor for PySR's parameters, with a warning that names those without a meaning here.

        Raises UnknownNameError for what PySR does not know either.
        """
        ours: dict[str, Any] = {}
        ignored: list[str] = []
        for name, value in parameters.items():
            if name in SAME:
                ours[SAME[name]] = value
            elif name == "extra_sympy_mappings":
                for operator, form in (value or {}).items():
                    base = ours.get("library", parameters.get("library", "default"))
                    library = base if isinstance(base, Library) else Library.load(base)
                    ours["library"] = library.add(operator, form(X) if callable(form) else form)
            elif name in ("deterministic", "parallelism", "procs", "progress", "update", "precision"):
                pass  # what they ask for holds here anyway, or changes nothing in the result
            elif name in GENETIC:
                ignored.append(name)
            else:
                raise UnknownNameError("PySR parameter", name, [*SAME, *GENETIC, "extra_sympy_mappings"])
        if ignored:
            warnings.warn(
                f"No meaning here (kansym does not breed formulas), so ignored: {', '.join(ignored)}.",
                stacklevel=2,
            )
        return cls(**ours)


def _titles(names: Any, count: int, columns: Sequence[str]) -> list[str]:
    """Return a name for each target, none of them a column's."""
    if isinstance(names, list) and len(names) == count:
        titles = [str(n) for n in names]
    elif count == 1:
        titles = [str(names) if isinstance(names, str) else "y"]
    else:
        titles = [f"y{i}" for i in range(count)]
    out: list[str] = []
    for title in titles:
        while title in columns or title in out:
            title += "_"
        out.append(title)
    return out


def _units(
    names: Sequence[str], X_units: Any, y_units: Any, titles: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """Return for each output the units by column name."""
    if X_units is None and y_units is None:
        return {}
    if X_units is not None and len(X_units) != len(names):
        raise InputError(
            f"{len(X_units)} units are given for {len(names)} columns; give one each, '' for none."
        )
    each = y_units if isinstance(y_units, list | tuple) and len(titles) > 1 else [y_units] * len(titles)
    if isinstance(y_units, list | tuple) and len(titles) == 1 and len(y_units) == 1:
        each = y_units
    known = dict(zip(names, X_units, strict=True)) if X_units is not None else {}
    return {
        j: {**known, **({} if unit is None else {title: unit})}
        for j, (title, unit) in enumerate(zip(titles, each, strict=True))
    }


def _starts(run: Run, names: Sequence[str]) -> tuple[str, ...]:
    """Return the formulas of an earlier fit as guesses, those that columns `names` can hold."""
    out = []
    for law in run.front:
        if law.expression is None or not set(run.names) <= set(names):
            continue
        text = export.to_text(law.expression, run.names)
        try:
            parse_expression(text, names)
        except InputError:
            continue
        out.append(text)
    return tuple(out)
