"""What regressor and classifier share: a fitted front to choose from, show, export and keep."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, estimator_html_repr
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

import kansym
from kansym.base import storage
from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.data.dataset import Dataset
from kansym.estimators.regressor import checks
from kansym.estimators.regressor.encoding import Encoding
from kansym.estimators.regressor.pysr import checked_rule, latex_rows, operators, read_hall_of_fame
from kansym.estimators.regressor.rows import constant_run
from kansym.functions.library import Library
from kansym.functions.parsing import parse_expression
from kansym.judge import pareto
from kansym.judge.verdict import NOISE
from kansym.pipeline import flow as pipeline
from kansym.pipeline.flow import Options
from kansym.pipeline.run import Law, Run
from kansym.report import export

FORMAT = 1
"""Version of the JSON layout of a saved estimator."""

_OWN_OPTIONS = {
    "time_limit": "time_limit",
    "effort": "effort",
    "library": "library",
    "maxsize": "maxsize",
    "guesses": "guesses",
    "template": "template",
    "seed": "random_state",
    "jobs": "n_jobs",
    "selection": "model_selection",
}
"""Fields of Options that are parameters of the estimator, under its names."""


class LawFunction:
    """Compute one law on X (n, columns), an array or a DataFrame; what `lambda_format` holds."""

    def __init__(self, law: Law, names: Sequence[str], columns: Sequence[str]) -> None:
        self.law, self.names, self.columns = law, tuple(names), tuple(columns)

    def __call__(self, X: Any) -> np.ndarray:
        """Return the values (n,)."""
        X = np.asarray(X, float)
        return self.law.predict(X[:, [self.columns.index(n) for n in self.names]], self.names)

    def __repr__(self) -> str:
        """Return the formula."""
        return f"LawFunction({self.law.equation})"


class FittedFront(BaseEstimator):
    """Share what regressor and classifier do with fitted fronts: choose, show, export, keep."""

    runs_: list[Run]

    def __new__(cls, *_: Any, **parameters: Any) -> Any:
        """Return a new estimator; raises TypeError for a name that is no parameter, with the likeliest."""
        checks.check_names(cls, parameters)
        return super().__new__(cls)

    # PySR's name for it; SRBench sets whichever it finds
    @property
    def timeout_in_seconds(self) -> float | None:
        """Give `time_limit` PySR's name."""
        return self.time_limit

    @timeout_in_seconds.setter
    def timeout_in_seconds(self, seconds: float | None) -> None:
        self.time_limit = seconds

    def _options(self, names: Sequence[str], guesses: Sequence[str] = ()) -> Options:
        """Return the pipeline's options; raises for parameters that no search can use."""
        checks.check(self.get_params(deep=False))
        settings = dict(self.settings or {})
        for name in settings:
            if name in _OWN_OPTIONS:
                raise InputError(
                    f"Setting {name!r} is the estimator's parameter {_OWN_OPTIONS[name]!r}; set it there."
                )
            if name not in {f.name for f in fields(Options)}:
                raise UnknownNameError(
                    "setting", name, [f.name for f in fields(Options) if f.name not in _OWN_OPTIONS]
                )
        seed = self.random_state
        if seed is None:
            seed = 0
        elif not isinstance(seed, int | np.integer):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        asked = [self.guesses] if isinstance(self.guesses, str) else list(self.guesses or ())
        for text in asked:
            parse_expression(text, names)
        return replace(
            Options(),
            library=operators(self.unary_operators, self.library),
            time_limit=self.time_limit,
            effort=float(self.effort),
            seed=int(seed),
            jobs=self.n_jobs or 1,
            maxsize=int(self.maxsize),
            guesses=(*asked, *guesses),
            template=getattr(self, "template", None),
            **settings,
        )

    def _listener(self) -> Callable[[Any], None] | None:
        """Return what reports progress on stderr, if it is asked for."""
        if not self.verbosity:
            return None

        def tell(progress: Any) -> None:
            best = "" if progress.best is None else f" best {progress.best:.3g}: {progress.formula}"
            print(f"kansym {progress.seconds:7.1f} s {progress.stage}{best}", file=sys.stderr)

        return tell

    def _search(
        self,
        dataset: Dataset | None,
        X: np.ndarray,
        y: np.ndarray,
        w: Any,
        names: Sequence[str],
        options: Options,
        adopt: Callable[[Run, Dataset | None], None],
    ) -> None:
        """Run the pipeline and hand over its result, or the best so far when something breaks in."""
        adopt(constant_run(y, w, names, X, options, "interrupted"), None)
        if dataset is None:
            adopt(constant_run(y, w, names, X, options, "the target or every input is constant"), None)
            return
        try:
            run = pipeline.search(dataset, options, self._listener())
        except BaseException as stopped:
            # an alarm's exception: SRBench asks for the model all the same
            best = getattr(stopped, "run", None)
            if isinstance(best, Run):
                adopt(best, dataset)
            raise
        adopt(run, dataset)

    # --- the front ------------------------------------------------------------------------------

    def _frame(self, output: int) -> pd.DataFrame:
        run = self.runs_[output]
        frame = pd.DataFrame(
            {
                "complexity": [law.complexity for law in run.front],
                "loss": [law.loss for law in run.front],
                "equation": [law.equation for law in run.front],
                "score": [law.score for law in run.front],
                "sympy_format": [law.expression for law in run.front],
                "lambda_format": [LawFunction(law, run.names, self._encoding.columns) for law in run.front],
            }
        )
        if self._validation[output] is not None:
            frame["validation_loss"] = self._validation[output]
        return frame

    @property
    def equations_(self) -> Any:
        """Return the front as a DataFrame by complexity; a list of them for several outputs."""
        check_is_fitted(self)
        frames = [self._frame(i) for i in range(len(self.runs_))]
        return frames[0] if len(frames) == 1 else frames

    @property
    def run_(self) -> Run:
        """Return the whole result of a fit with one output."""
        check_is_fitted(self)
        if len(self.runs_) > 1:
            raise InputError(f"There are {len(self.runs_)} outputs, so there is no one run; see runs_.")
        return self.runs_[0]

    def _pick(self, output: int, index: Any = None) -> int:
        run = self.runs_[output]
        if isinstance(index, Sequence):
            if len(index) != len(self.runs_):
                raise InputError(
                    f"{len(index)} indices are given for {len(self.runs_)} outputs; give one each."
                )
            index = index[output]
        if index is not None:
            if not isinstance(index, int | np.integer) or isinstance(index, bool):
                raise InputError(f"index is {index!r}; give a row of equations_ as a whole number.")
            if not -len(run.front) <= index < len(run.front):
                raise InputError(
                    f"Row {index} is not in the front, which has rows 0 to {len(run.front) - 1}."
                )
            return int(index) % len(run.front)
        if run.verdict.kind == NOISE:  # whatever the rule, nothing but the constant is claimed
            return run.chosen
        losses = self._validation[output] or [law.loss for law in run.front]
        scores = pareto.scores([law.complexity for law in run.front], losses)
        if self._validation[output] and checked_rule(self.model_selection) == "description":
            return int(np.argmin(losses))
        return pareto.choose(
            losses, scores, [law.length for law in run.front], checked_rule(self.model_selection)
        )

    def _each(self, answer: Callable[[int], Any]) -> Any:
        check_is_fitted(self)
        answers = [answer(i) for i in range(len(self.runs_))]
        return answers[0] if len(answers) == 1 else answers

    def _law(self, output: int, index: Any = None) -> Law:
        return self.runs_[output].front[self._pick(output, index)]

    def _formula(self, output: int, index: Any = None) -> sympy.Expr:
        law = self._law(output, index)
        if law.expression is None:
            raise InputError(
                "This law is not symbolic (it holds spline curves); choose another row of the front."
            )
        return law.expression

    def get_best(self, index: Any = None) -> Any:
        """Return the chosen row of `equations_` as a Series (a list of them for several outputs)."""
        return self._each(lambda i: self._frame(i).iloc[self._pick(i, index)])

    def get_hof(self) -> Any:
        """Return `equations_`, under PySR's name."""
        return self.equations_

    def refresh(self, run_directory: str | Path | None = None) -> None:
        """Read the front again from a run directory (the one that the fit wrote, by default)."""
        folder = run_directory or getattr(self, "run_directory_", None)
        if folder is None:
            check_is_fitted(self)
            return
        self.__dict__.update(type(self).from_file(run_directory=folder).__dict__)

    def sympy(self, index: Any = None) -> Any:
        """Return the law as a SymPy expression; its symbols are the columns (real=True)."""
        return self._each(lambda i: self._formula(i, index))

    def latex(self, index: Any = None, precision: int = 3) -> Any:
        """Return the law in LaTeX with constants of `precision` digits."""
        return self._each(
            lambda i: export.to_latex(self._formula(i, index), self.runs_[i].names, digits=precision)
        )

    def latex_table(
        self,
        indices: Sequence[int] | None = None,
        precision: int = 3,
        columns: Sequence[str] = ("equation", "complexity", "loss", "score"),
    ) -> str:
        """Return the front, or some rows of it, as a LaTeX table (one table per output, booktabs rules)."""
        for column in columns:
            if column not in ("equation", "complexity", "loss", "score"):
                raise UnknownNameError("column", column, ["equation", "complexity", "loss", "score"])
        check_is_fitted(self)
        tables = []
        for run in self.runs_:
            rows = range(len(run.front)) if indices is None else indices
            tables.append(latex_rows(run, rows, precision, columns))
        return "\n\n".join(tables)

    def pytorch(self, index: Any = None) -> Any:
        """Return the law as a trainable torch Module over X (n, columns of the fit) in float64."""
        return self._each(lambda i: export.to_torch(self._formula(i, index), self._encoding.columns))

    def jax(self, index: Any = None) -> Any:
        """Return {"callable", "parameters"} for JAX; raises InputError where it is not installed."""
        return self._each(lambda i: export.to_jax(self._formula(i, index), self._encoding.columns))

    def export(self, target: str, index: Any = None, **options: Any) -> Any:
        """Return the law as text of a target language; see `kansym.report.export.TARGETS`."""
        return self._each(lambda i: export.export(self.runs_[i], target, self._pick(i, index), **options))

    @property
    def stop_reason_(self) -> Any:
        """Return why the search ended."""
        return self._each(lambda i: self.runs_[i].stop_reason)

    @property
    def noise_(self) -> Any:
        """Return the estimated standard deviation of the target's noise."""
        return self._each(lambda i: self.runs_[i].noise)

    @property
    def constants_(self) -> Any:
        """Return the chosen law's constants: name, value, standard error and rounded form."""
        return self._each(lambda i: self._law(i).constants)

    def extrapolates(self, X: Any) -> np.ndarray:
        """Tell for each row (n,) whether a column that the law may use leaves its range in the fit."""
        check_is_fitted(self)
        values = self._numbers(X)
        outside = np.zeros(len(values), bool)
        for run in self.runs_:
            for name, (low, high) in run.data["ranges"].items():
                column = values[:, self._encoding.columns.index(name)]
                outside |= (column < low) | (column > high)
        return outside

    def report(self, path: str | Path, output: int | None = None) -> Path:
        """Write the result as one self-contained HTML page and return its path.

        With several outputs, `output` says whose page it is.
        """
        from kansym.report import page as report

        check_is_fitted(self)
        if output is None and len(self.runs_) > 1:
            raise InputError(f"There are {len(self.runs_)} outputs; say whose page: report(path, output=0).")
        if not isinstance(output or 0, int) or not 0 <= (output or 0) < len(self.runs_):
            raise InputError(f"output is {output!r}; the outputs are 0 to {len(self.runs_) - 1}.")
        run = replace(self.runs_[output or 0], chosen=self._pick(output or 0))
        dataset = getattr(self, "_datasets", [None] * len(self.runs_))[output or 0]
        return report.write_html(report.summarise(run, dataset), path)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the law and the front, or scikit-learn's picture before a fit."""
        if not hasattr(self, "runs_"):
            return str(estimator_html_repr(self))
        return "".join(replace(run, chosen=self._pick(i))._repr_html_() for i, run in enumerate(self.runs_))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _repr_latex_(self) -> str | None:
        if not hasattr(self, "runs_"):
            return None
        return "\n\n".join(
            f"${export.to_latex(self._formula(i), self.runs_[i].names, digits=3)}$"
            for i in range(len(self.runs_))
        )

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return the front as a table, the chosen row marked, once there is one."""
        if not hasattr(self, "runs_"):
            return str(super().__repr__(N_CHAR_MAX))
        tables = []
        for i, run in enumerate(self.runs_):
            chosen = self._pick(i)
            frame = pd.DataFrame(
                {
                    "pick": [">>>>" if j == chosen else "" for j in range(len(run.front))],
                    "score": [law.score for law in run.front],
                    "equation": [law.equation for law in run.front],
                    "loss": [law.loss for law in run.front],
                    "complexity": [law.complexity for law in run.front],
                }
            )
            tables.append("\n".join("\t" + line for line in frame.to_string(float_format="%.6g").split("\n")))
        return f"{type(self).__name__}.equations_ = [\n" + "\n],[\n".join(tables) + "\n]"

    # --- keeping ----------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickle keeps: plain data, the runs as in JSON."""
        state = dict(super().__getstate__())
        if "runs_" in state:
            state["runs_"] = [run.to_dict() for run in self.runs_]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`__getstate__` gave; raises FormatError for runs of another format."""
        state = dict(state)
        if "runs_" in state:
            state["runs_"] = [Run.from_dict(run) for run in state["runs_"]]
        super().__setstate__(state)

    def save(self, path: str | Path) -> Path:
        """Write the fitted estimator as versioned JSON: data only, so that loading executes nothing."""
        check_is_fitted(self)
        parameters = {k: _plain(v) for k, v in self.get_params(deep=False).items()}
        return storage.write_json(
            path,
            {
                "kind": "kansym estimator",
                "format": FORMAT,
                "version": kansym.__version__,
                "class": type(self).__name__,
                "parameters": parameters,
                "features": int(self.n_features_in_),
                "feature_names": [str(n) for n in getattr(self, "feature_names_in_", ())] or None,
                "names": list(self._encoding.names),
                "levels": {
                    str(i): [_plain(v) for v in levels] for i, levels in self._encoding.levels.items()
                },
                "validation": [None if v is None else [str(u) for u in v] for v in self._validation],
                "covariances": [[None if c is None else c.tolist() for c in cs] for cs in self._covariances],
                "shares": [float(p) for p in getattr(self, "_shares", ())] or None,
                "classes": [_plain(c) for c in getattr(self, "classes_", ())] or None,
                "runs": [run.to_dict() for run in self.runs_],
            },
        )

    @classmethod
    def load(cls, path: str | Path) -> Any:
        """Return the estimator that :meth:`save` wrote; raises FormatError for other files and versions."""
        data = storage.read_json(path)
        if data.get("kind") != "kansym estimator":
            raise FormatError(f"{path} is no saved estimator; give a file that its save() wrote.")
        if data.get("format") != FORMAT:
            raise FormatError(
                f"{path} has format {data.get('format')!r} (kansym {data.get('version', 'unknown')}); kansym "
                f"{kansym.__version__} reads format {FORMAT}. Fit again."
            )
        if data.get("class") != cls.__name__:
            raise FormatError(f"{path} holds a {data.get('class')}, not a {cls.__name__}.")
        with storage.reading(str(path), "fit again"):
            model = cls()
            known = model.get_params(deep=False)
            model.set_params(**{k: _unplain(k, v) for k, v in data["parameters"].items() if k in known})
            model.n_features_in_ = int(data["features"])
            if data["feature_names"]:
                model.feature_names_in_ = np.array(data["feature_names"], dtype=object)
            levels = {int(i): tuple(v) for i, v in data["levels"].items()}
            model._encoding = Encoding(tuple(data["names"]), levels)
            model._validation = [None if v is None else [float(u) for u in v] for v in data["validation"]]
            model._covariances = [
                [None if c is None else np.array(c) for c in cs] for cs in data["covariances"]
            ]
            if data["classes"]:
                model.classes_ = np.array(data["classes"])
                model._shares = np.array(data["shares"])
            model.runs_ = [Run.from_dict(run) for run in data["runs"]]
        return model

    @classmethod
    def from_file(cls, *, run_directory: str | Path, variable_names: Sequence[str] | None = None) -> Any:
        """Return the model of a run directory: ours, the command line's, or PySR's hall_of_fame.csv.

        The latter holds formulas only; `variable_names` are the columns (those that occur, by default).
        """
        folder = Path(run_directory)
        if (folder / "estimator.json").exists():
            return cls.load(folder / "estimator.json")
        if (folder / "result.json").exists():
            from kansym.report import page as report

            runs = [report.load(folder)[0]]
        elif (folder / "hall_of_fame.csv").exists():
            runs = [read_hall_of_fame(folder / "hall_of_fame.csv", variable_names)]
        else:
            raise InputError(
                f"{folder} has no estimator.json, result.json or hall_of_fame.csv; give a run's folder."
            )
        model = cls()
        model._encoding = Encoding(runs[0].names, {})
        model.n_features_in_ = len(runs[0].names)
        if any(n != f"x{i}" for i, n in enumerate(runs[0].names)):
            model.feature_names_in_ = np.array(runs[0].names, dtype=object)
        model._validation = [None]
        model._covariances = [[None] * len(runs[0].front)]
        model.runs_ = runs
        return model

    def _numbers(self, X: Any) -> np.ndarray:
        """Return X as numbers, checked as scikit-learn wants it."""
        if self._encoding.levels:
            numbers = self._encoding.apply(X)
            validate_data(self, X, reset=False, skip_check_array=True)
            return check_array(numbers, dtype=np.float64)
        return validate_data(self, X, reset=False, dtype=np.float64)


def _plain(value: Any) -> Any:
    """Return a parameter as JSON can write it; objects that cannot be are left out (None)."""
    if isinstance(value, Library):
        return {"library": value.to_dict()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else None


def _unplain(name: str, value: Any) -> Any:
    return Library.from_dict(value["library"]) if name == "library" and isinstance(value, dict) else value
