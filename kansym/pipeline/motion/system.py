"""The frozen result: equations of motion with their constants, fronts, noise, and what they can foretell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

import kansym
from kansym.base import storage
from kansym.base.errors import FormatError, InputError
from kansym.formula import expression as expressions
from kansym.formula.program import Program
from kansym.functions.parsing import parse_expression, symbols
from kansym.pipeline.motion.integral import speed
from kansym.pipeline.motion.simulation import Simulated, follow
from kansym.pipeline.motion.trajectory import TIME
from kansym.pipeline.run import ConstantReport

STILL = 1e-6
"""Share of its size that a path may leave a state that never changes and be called the same."""

FORMAT = 2
"""Version of the JSON layout."""


@dataclass(frozen=True, eq=False)
class RightSide:
    """Hold one row of a state's front: a right side, its size, and what it leaves.

    `loss` is the mean squared residual of the integrated form over the noise's variance (1: only noise);
    `simulated` the share of the state's variance that a simulation with it and the other chosen right
    sides explains, NaN where that simulation diverges.
    """

    expression: sympy.Expr
    complexity: int
    loss: float
    simulated: float

    @property
    def equation(self) -> str:
        """Return the right side as text."""
        return expressions.text(self.expression, 6)


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Hold the laws of motion dx/dt = f(x, u, t) of a system, for order 2 those of d2x/dt2.

    `equations` maps each state to its right side; `constants` are its measured and rounded numbers with
    standard errors; `noise` the SD of each state's measurement noise. `explained` is the share of each
    state's variance that a simulation from the first row explains, `heldout` the same for a stretch of
    time, or a run, that the constants were not fitted to. `starts` are the fitted states at each run's first
    time. `horizon` is the time over which states can be
    foretold: finite for chaotic systems, where `lyapunov` (1/time) is positive. `conserved` are sums that the
    equations leave as they are (energies, total amounts). `units` are the columns' own, the time's under
    "t", and `constant_units` (parallel to `constants`) what follows for each constant, "" where unknown.
    `trust` says all that in a sentence.
    """

    equations: dict[str, sympy.Expr]
    inputs: tuple[str, ...]
    order: int
    fronts: dict[str, tuple[RightSide, ...]]
    constants: dict[str, tuple[ConstantReport, ...]]
    noise: dict[str, float]
    explained: dict[str, float]
    heldout: dict[str, float]
    horizon: float
    lyapunov: float
    scale: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    span: tuple[float, float]
    rows: int
    notes: tuple[str, ...]
    trust: str
    stop_reason: str
    seconds: float
    seed: int
    conserved: tuple[sympy.Expr, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    constant_units: dict[str, tuple[str, ...]] = field(default_factory=dict)
    version: str = kansym.__version__

    @property
    def states(self) -> tuple[str, ...]:
        """Return the states' names."""
        return tuple(self.equations)

    @property
    def start(self) -> tuple[float, ...]:
        """Return the fitted states at the first run's first time."""
        return self.starts[0]

    @property
    def couplings(self) -> dict[str, tuple[str, ...]]:
        """Return for each state what drives it: the states, speeds, inputs and time in its right side."""
        names = (*self.states, *(speed(s) for s in self.states), *self.inputs, TIME)
        held = {s: {str(v) for v in e.free_symbols} for s, e in self.equations.items()}
        return {s: tuple(n for n in dict.fromkeys(names) if n in held[s]) for s in self.states}

    def follow(self, x0: Any, t: Any, inputs: Any = None) -> Simulated:
        """Return a simulated run with its outcome; see :func:`kansym.pipeline.motion.simulation.follow`."""
        return follow(self.equations, x0, np.asarray(t, float), order=self.order, input_names=self.inputs,
                      inputs=inputs, scale=np.array(self.scale))  # fmt: skip

    def simulate(self, x0: Any, t: Any, inputs: Any = None) -> np.ndarray:
        """Return the states (n, states) at times t (n,) from x0 at t[0]; NaN from where they diverge.

        For order 2, x0 holds the states and then their speeds.
        """
        return self.follow(x0, t, inputs).X

    def derivative(self, X: Any, t: Any = 0.0, inputs: Any = None) -> np.ndarray:
        """Return the right sides (n, states) on states X (n, states), for order 2 states and speeds."""
        moving = (*self.states, *(speed(s) for s in self.states)) if self.order == 2 else self.states
        X = np.asarray(X, float).reshape(-1, len(moving))
        if len(self.inputs) and inputs is None:
            raise InputError(
                f"The right sides depend on {', '.join(self.inputs)}; give inputs, one row a state."
            )
        driven = np.empty((len(X), 0)) if inputs is None else np.asarray(inputs, float).reshape(len(X), -1)
        taken = (*moving, *self.inputs)
        columns = np.column_stack([X, driven, np.broadcast_to(np.asarray(t, float), len(X))])
        names = taken if TIME in taken else (*taken, TIME)
        compiled = [Program.compile(e, symbols(names)) for e in self.equations.values()]
        return np.column_stack([c.value(columns[:, : len(names)]) for c in compiled])

    def score(self, X: Any, t: Any, inputs: Any = None, x0: Any = None) -> float:
        """Return the mean share of the states' variance that a simulation from the first row explains.

        R² of each state, at least -1 (which a diverged simulation gets), averaged.
        """
        X, t = np.asarray(X, float).reshape(len(X), -1), np.asarray(t, float)
        path = self.simulate(X[0] if x0 is None else x0, t, inputs)
        return float(np.mean(explained(X, path)))

    def text(self) -> str:
        """Return the equations as a person reads them."""
        return "\n".join(plain(self.equations, self.order, 6))

    def __repr__(self) -> str:
        """Return the equations on a line each."""
        return self.text()

    def _repr_latex_(self) -> str:
        """Return the equations for a notebook."""
        return f"${self.latex()}$"

    def latex(self) -> str:
        """Return the system in LaTeX."""
        return aligned(self.equations, self.order)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that json can write, and that from_dict reads back."""
        number = lambda v: v if np.isfinite(v) else str(v)  # noqa: E731
        return {
            "format": FORMAT,
            "kind": "dynamics",
            "version": self.version,
            "equations": {s: expressions.text(e, None) for s, e in self.equations.items()},
            "latex": self.latex(),
            "conserved": [expressions.text(e, None) for e in self.conserved],
            "couplings": {s: list(others) for s, others in self.couplings.items()},
            "inputs": list(self.inputs),
            "order": self.order,
            "fronts": {
                s: [
                    {"equation": expressions.text(r.expression, None), "complexity": r.complexity,
                     "loss": number(r.loss), "simulated": number(r.simulated)}
                    for r in rows
                ]
                for s, rows in self.fronts.items()
            },
            "constants": {
                s: [
                    {"name": c.name, "value": c.value, "stderr": number(c.stderr), "rounded": c.rounded}
                    for c in rows
                ]
                for s, rows in self.constants.items()
            },
            "units": self.units,
            "constant_units": {s: list(units) for s, units in self.constant_units.items()},
            "noise": self.noise,
            "explained": {s: number(v) for s, v in self.explained.items()},
            "heldout": {s: number(v) for s, v in self.heldout.items()},
            "horizon": number(self.horizon),
            "lyapunov": number(self.lyapunov),
            "scale": list(self.scale),
            "starts": [list(start) for start in self.starts],
            "span": list(self.span),
            "rows": self.rows,
            "notes": list(self.notes),
            "trust": self.trust,
            "stop_reason": self.stop_reason,
            "seconds": self.seconds,
            "seed": self.seed,
        }  # fmt: skip

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Dynamics:
        """Return the result that :meth:`to_dict` described; raises FormatError for anything else."""
        if data.get("kind") != "dynamics" or data.get("format") != FORMAT:
            raise FormatError(
                f"The file holds {data.get('kind', 'no dynamics')!r} of format {data.get('format')!r}; "
                f"kansym {kansym.__version__} reads dynamics of format {FORMAT}. Run kansym dynamics again."
            )
        with storage.reading("The result", "run kansym dynamics again"):
            states = [str(s) for s in data["equations"]]
            inputs = tuple(str(n) for n in data["inputs"])
            order = int(data["order"])
            taken = [*states, *((speed(s) for s in states) if order == 2 else ()), *inputs]
            names = taken if TIME in taken else [*taken, TIME]
            read = lambda text: parse_expression(text, names)  # noqa: E731
            return Dynamics(
                equations={s: read(e) for s, e in data["equations"].items()},
                conserved=tuple(read(e) for e in data["conserved"]),
                inputs=inputs,
                order=order,
                fronts={
                    s: tuple(
                        RightSide(
                            read(r["equation"]), int(r["complexity"]), float(r["loss"]), float(r["simulated"])
                        )
                        for r in rows
                    )
                    for s, rows in data["fronts"].items()
                },
                constants={
                    s: tuple(
                        ConstantReport(c["name"], float(c["value"]), float(c["stderr"]), c["rounded"])
                        for c in rows
                    )
                    for s, rows in data["constants"].items()
                },
                units={str(n): str(u) for n, u in data.get("units", {}).items()},
                constant_units={
                    s: tuple(str(u) for u in units) for s, units in data.get("constant_units", {}).items()
                },
                noise={s: float(v) for s, v in data["noise"].items()},
                explained={s: float(v) for s, v in data["explained"].items()},
                heldout={s: float(v) for s, v in data["heldout"].items()},
                horizon=float(data["horizon"]),
                lyapunov=float(data["lyapunov"]),
                scale=tuple(float(v) for v in data["scale"]),
                starts=tuple(tuple(float(v) for v in start) for start in data["starts"]),
                span=(float(data["span"][0]), float(data["span"][1])),
                rows=int(data["rows"]),
                notes=tuple(str(n) for n in data["notes"]),
                trust=str(data["trust"]),
                stop_reason=str(data["stop_reason"]),
                seconds=float(data["seconds"]),
                seed=int(data["seed"]),
                version=str(data["version"]),
            )


def plain(equations: Mapping[str, sympy.Expr], order: int, digits: int | None) -> list[str]:
    """Return a line for each equation; constants have so many digits, all of them for None."""
    mark = "d{}/dt" if order == 1 else "d2{}/dt2"
    return [f"{mark.format(s)} = {expressions.text(e, digits)}" for s, e in equations.items()]


def aligned(equations: Mapping[str, sympy.Expr], order: int) -> str:
    """Return a system of equations in LaTeX."""
    dots = r"\dot" if order == 1 else r"\ddot"
    lines = [
        rf"{dots}{{{expressions.latex(symbols([s])[0])}}} &= {expressions.latex(e)}"
        for s, e in equations.items()
    ]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def explained(X: np.ndarray, path: np.ndarray, allowed: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the share of each state's variance that a path explains, at least -1; gaps are left out.

    A state that never changes is explained by a path that stays where it is, or not at all. Root
    mean squares of `allowed` (states,) size are not counted.
    """
    free = np.broadcast_to(np.asarray(allowed, float) ** 2, X.shape[1])
    out = np.empty(X.shape[1])
    for k in range(X.shape[1]):
        known = np.isfinite(X[:, k])
        left, spread = X[known, k] - path[known, k], float(np.var(X[known, k]))
        if not np.all(np.isfinite(left)):
            out[k] = -1.0
        elif spread > 0:
            out[k] = max(-1.0, 1 - max(float(np.mean(left**2)) - free[k], 0.0) / spread)
        else:
            still = np.abs(left).max(initial=0.0) <= STILL * np.abs(X[known, k]).max(initial=0.0)
            out[k] = 1.0 if still else -1.0
    return out


def front(rows: Sequence[RightSide]) -> tuple[RightSide, ...]:
    """Return the rows that no simpler one beats."""
    kept: list[RightSide] = []
    for row in sorted(rows, key=lambda r: (r.complexity, r.loss)):
        if not kept or row.loss < 0.99 * kept[-1].loss:
            kept.append(row)
    return tuple(kept)
