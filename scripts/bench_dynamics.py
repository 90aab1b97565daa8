"""Learn laws of motion: python scripts/benchmark.py dynamics [--noise 0.01] [--rival pysindy] [--only ids].

One trajectory of each system in problems/systems.toml over ten units of time, from its first start, to learn
from; noise is relative, per value. Results go to a JSONL file, one line a system and method; a second call
with the same file goes on where the first one stopped. Times are CPU seconds.
"""

from __future__ import annotations

# ruff: noqa: E402 (threads must be limited before numpy is imported)
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import math
import time
import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

FILE = Path(__file__).resolve().parent / "problems" / "systems.toml"
SPAN = 10.0
GOOD = 0.9
"""Share of the worst state's variance from which a trajectory counts as rebuilt."""

SAME_FORM = 1e-6
"""Share of a right side's spread that the true form, its constants free, may leave of the found one."""

CONSTANTS = 1e-3
"""Relative error that a constant may have without noise; with noise s it may have s/2."""

LOST = 0.3
"""Share of a state's size at which a chaotic trajectory counts as no longer followed."""


def systems() -> list[dict[str, Any]]:
    """Return the systems with their right sides parsed, in the order of the file."""
    from kansym.functions.parsing import symbols

    with open(FILE, "rb") as file:
        found = tomllib.load(file)["system"]
    for system in found:
        names = [*system["states"], "t"]
        local = dict(zip(names, symbols(names), strict=True))
        system["law"] = {s: sympy.sympify(e, locals=local) for s, e in system["states"].items()}
        system["symbols"] = symbols(names)
    return found


def simulate(system: dict[str, Any], start: list[float], t: np.ndarray) -> np.ndarray:
    """Return the true states (n, states) at times t from a start at t[0]."""
    law = sympy.lambdify(system["symbols"], list(system["law"].values()), modules="numpy")
    path = solve_ivp(lambda now, x: law(*x, now), (t[0], t[-1]), start, t_eval=t, rtol=1e-11, atol=1e-12,
                     method="DOP853")  # fmt: skip
    return path.y.T


def table(system: dict[str, Any], noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times and noisy states to learn from."""
    t = np.linspace(0, SPAN, system.get("rows", 300))
    X = simulate(system, system["start"][0], t)
    rng = np.random.default_rng([seed, *system["id"].encode()])
    return t, X * (1 + noise * rng.normal(size=X.shape))


def followed(system: dict[str, Any], noise: float) -> float:
    """Return the time over which the truth can be followed: all of it unless the system is chaotic.

    The distance of two trajectories that start 1e-8 apart gives the exponent; an error of the noise, at least
    of CONSTANTS, may then grow to LOST.
    """
    if "chaotic" not in system["kinds"]:
        return SPAN
    t, start = np.linspace(0, SPAN, 400), np.array(system["start"][0])
    apart = simulate(system, list(start * (1 + 1e-8) + 1e-8), t) - simulate(system, list(start), t)
    distance = np.linalg.norm(apart, axis=1)
    exponent = float(np.polyfit(t, np.log(distance), 1)[0])
    if exponent <= 0:
        return SPAN
    return min(SPAN, math.log(LOST / max(noise, CONSTANTS)) / exponent)


def judge(system: dict[str, Any], found: dict[str, sympy.Expr], noise: float) -> dict[str, Any]:
    """Return how well the found right sides rebuild, foretell, and agree with the true ones."""
    from kansym.pipeline.motion.simulation import follow
    from kansym.pipeline.motion.system import explained

    t, until = np.linspace(0, SPAN, 400), followed(system, noise)
    true = [simulate(system, start, t) for start in system["start"]]
    scale, early, shares = true[0].std(axis=0), t <= until, []
    for start, path in zip(system["start"], true, strict=True):
        with np.errstate(all="ignore"):
            again = follow(found, start, t[early], scale=scale).X
        # what hardly moves is judged by a thousandth of its size
        floor = 1e-3 * np.abs(path[early]).max(axis=0)
        steady = path[early].std(axis=0) < floor
        share = explained(path[early], again)
        close = np.max(np.abs(again - path[early]), axis=0) < 3 * floor
        shares.append(float(np.min(np.where(steady, np.where(close, 1.0, -1.0), share))))
    low, high = np.vstack(true).min(axis=0), np.vstack(true).max(axis=0)
    points = np.random.default_rng(1).uniform(low, high, (300, len(low)))
    rows = np.column_stack([points, np.random.default_rng(2).uniform(0, SPAN, 300)])
    rows = np.vstack([rows, np.column_stack([true[0], t])[::4]])
    verdicts = {s: same(system, s, found[s], rows, noise) for s in found}
    return {"rebuilt": shares[0], "another": shares[1], "followed": until,
            "form": all(v[0] for v in verdicts.values()), "exact": all(v[1] for v in verdicts.values()),
            "wrong": [s for s, v in verdicts.items() if not v[1]]}  # fmt: skip


def same(
    system: dict[str, Any], state: str, found: sympy.Expr, rows: np.ndarray, noise: float
) -> tuple[bool, bool]:
    """Tell whether a right side has the true form, and whether its constants are right, too.

    The truth with its numbers free (exponents that are whole are part of the form) is fitted to the found
    right side's values on rows: along the trajectory, and anywhere among the states of both of them.
    """
    from kansym.formula.program import Program

    truth = Program.compile(freed(system["law"][state]), system["symbols"])
    right = Program.compile(found, system["symbols"])
    with np.errstate(all="ignore"):
        values = right.value(rows)
        known = np.isfinite(values) & np.isfinite(truth.value(rows))
        if known.mean() < 0.5:
            return False, False
        spread = float(np.std(values[known])) or 1.0
        start = truth.start
        residual = lambda theta: np.nan_to_num(  # noqa: E731
            (truth.jacobian(rows[known], theta)[0] - values[known]) / spread, nan=1e3, posinf=1e3, neginf=-1e3
        )
        fitted = least_squares(residual, start, x_scale=np.abs(start), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    form = bool(np.sqrt(np.mean(fitted.fun**2)) < SAME_FORM)
    error = np.abs(fitted.x - start) / np.abs(start)
    return form, form and bool(np.all(error < max(CONSTANTS, noise / 2)))


def freed(law: sympy.Expr) -> sympy.Expr:
    """Return a law with all its numbers as constants, save whole exponents and signs."""
    terms = []
    for term in sympy.Add.make_args(sympy.expand_mul(law)):
        number, rest = term.as_coeff_Mul()
        terms.append(sympy.Float(number, 17) * _inside(rest))
    return sympy.Add(*terms)


def _inside(part: sympy.Expr) -> sympy.Expr:
    if part.is_Number:
        return part if abs(part) == 1 else sympy.Float(part, 17)
    if part.is_Pow:
        return sympy.Pow(_inside(part.base), part.exp if part.exp.is_Number else _inside(part.exp))
    if part.is_Add:
        return sympy.Add(*(sympy.Float(p, 17) if p.is_Number else _inside(p) for p in part.args))
    return part.func(*(_inside(p) for p in part.args)) if part.args else part


def learn_kansym(t: np.ndarray, X: np.ndarray, names: list[str], options: dict[str, Any]) -> Any:
    """Return the equations that kansym finds."""
    from kansym.pipeline.motion.dynamics import dynamics

    found = dynamics(t, X, names=names, time_limit=options["time_limit"], seed=options["seed"])
    return found.equations


def learn_pysindy(t: np.ndarray, X: np.ndarray, names: list[str], options: dict[str, Any]) -> Any:
    """Return the equations that PySINDy finds: polynomials to degree 3 with and without Fourier terms.

    The threshold, the smoothing of the slopes and the library are chosen by the Akaike criterion of the
    simulated trajectory (Mangan, Kutz, Brunton and Proctor, Proc. R. Soc. A 473, 2017).
    """
    import pysindy

    from kansym.functions.parsing import symbols
    from kansym.pipeline.motion.simulation import follow

    local = dict(zip(names, symbols(names), strict=True))
    scale = X.std(axis=0)
    best: tuple[float, dict[str, sympy.Expr]] | None = None
    slopes = [pysindy.FiniteDifference(order=4), pysindy.SmoothedFiniteDifference()]
    for fourier in (False, True):
        for slope in slopes:
            for threshold in np.geomspace(1e-3, 0.5, 10):
                library = pysindy.PolynomialLibrary(degree=3)
                if fourier:
                    library = library + pysindy.FourierLibrary(n_frequencies=1)
                model = pysindy.SINDy(
                    optimizer=pysindy.STLSQ(threshold=float(threshold), alpha=1e-6),
                    feature_library=library,
                    differentiation_method=slope,
                )
                try:
                    model.fit(X, t=t, feature_names=names)
                    found = _read(model, names, local)
                    path = follow(found, X[0], t, scale=scale).X
                except (ValueError, np.linalg.LinAlgError):
                    continue
                if not np.all(np.isfinite(path)):
                    continue
                error = float(np.mean(((path - X) / scale) ** 2))
                count = int(np.count_nonzero(model.coefficients()))
                score = X.size * math.log(max(error, 1e-16)) + 2 * count
                if best is None or score < best[0]:
                    best = score, found
    if best is None:
        raise ValueError("every model diverges")
    return best[1]


def _read(model: Any, names: list[str], local: dict[str, sympy.Symbol]) -> dict[str, sympy.Expr]:
    """Return a model of PySINDy as expressions."""
    features = []
    for feature in model.get_feature_names():
        text = feature.replace("^", "**").replace("(1 ", "(").replace(" ", "*")
        features.append(sympy.sympify(text, locals=local))
    rows = model.coefficients()
    return {
        s: sympy.Add(*(sympy.Float(float(c), 17) * f for c, f in zip(row, features, strict=True) if c))
        for s, row in zip(names, rows, strict=True)
    }


METHODS = {"kansym": learn_kansym, "pysindy": learn_pysindy}


def run(system: dict[str, Any], method: str, options: dict[str, Any]) -> dict[str, Any]:
    """Learn one system and judge what was found."""
    warnings.simplefilter("ignore")
    out: dict[str, Any] = {"id": system["id"], "method": method, "kinds": system["kinds"], **options}
    out |= {"states": len(system["states"]), "rebuilt": -1.0, "another": -1.0, "form": False, "exact": False}
    t, X = table(system, options["noise"], options["seed"])
    started = time.process_time()
    try:
        found = METHODS[method](t, X, list(system["states"]), options)
    except Exception as problem:  # a crash is a result, too: it is recorded and counted as a failure
        out["error_message"] = f"{type(problem).__name__}: {problem}"
        return {**out, "cpu": time.process_time() - started}
    out["cpu"] = time.process_time() - started
    out["equations"] = {s: str(sympy.N(e, 7)) for s, e in found.items()}
    return {**out, **judge(system, found, options["noise"])}


def main(argv: list[str]) -> int:
    """Run the systems; print a line for each and a table."""
    parser = argparse.ArgumentParser(prog="benchmark dynamics")
    parser.add_argument("--noise", type=float, default=0.0, help="relative, per value")
    parser.add_argument("--only", nargs="*", help="ids of systems")
    parser.add_argument("--every", type=int, default=1, help="only every so many systems")
    parser.add_argument("--first", type=int, default=0, help="the first of these")
    parser.add_argument("--rival", choices=["pysindy"], help="run this, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--out", type=Path, help="JSONL file (default: outputs/dynamics-noise....jsonl)")
    parser.add_argument("--summary", nargs="+", type=Path, help="print the table of these files instead")
    a = parser.parse_args(argv)
    if a.summary:
        print(summary([json.loads(line) for f in a.summary for line in f.read_text().splitlines()]))
        return 0
    options = {"noise": a.noise, "seed": a.seed, "time_limit": a.time_limit}
    path = a.out or Path("outputs") / f"dynamics-noise{a.noise:g}-s{a.seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = [d for d in done if all(d.get(k) == v for k, v in options.items())]
    names = {(d["id"], d["method"]) for d in done}
    chosen = [s for s in systems()[a.first :: a.every] if not a.only or s["id"] in a.only]
    with open(path, "a", encoding="utf-8") as file:
        for system in chosen:
            for method in ("kansym", *([a.rival] if a.rival else [])):
                if (system["id"], method) in names:
                    continue
                result = run(system, method, options)
                file.write(json.dumps(result) + "\n")
                file.flush()
                done.append(result)
                print(line(system, result), flush=True)
    print(summary(done))
    return 0


def line(system: dict[str, Any], r: dict[str, Any]) -> str:
    """Return one result as text: R rebuilt, A from another state, F form, X exact; what is wrong."""
    marks = "".join(
        c if good else "-" for good, c in ((r["rebuilt"] > GOOD, "R"), (r["another"] > GOOD, "A"),
                                           (r["form"], "F"), (r["exact"], "X"))
    )  # fmt: skip
    wrong = [f"{s}: {r['equations'][s][:110]}   TRUTH {system['states'][s]}" for s in r.get("wrong", ())]
    text = r.get("error_message", "") + "\n      ".join(["", *wrong])
    return f"{r['method']:8} {r['id']:32} {marks} {r['cpu']:6.1f} s {text}"


def summary(results: list[dict[str, Any]]) -> str:
    """Return the table of shares, one row a method and noise."""
    out = [
        "| noise | method | systems | rebuilt | another state | form | exact | CPU s: median | longest |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for noise, method in sorted({(r["noise"], r["method"]) for r in results}):
        rows = [r for r in results if (r["noise"], r["method"]) == (noise, method)]
        cpu = [r["cpu"] for r in rows]
        shares = [
            sum(r[k] > GOOD if k in ("rebuilt", "another") else r[k] for r in rows) / len(rows)
            for k in ("rebuilt", "another", "form", "exact")
        ]
        cells = " | ".join(f"{share:.0%}" for share in shares)
        out.append(
            f"| {noise:g} | {method} | {len(rows)} | {cells} | {np.median(cpu):.1f} | {max(cpu):.0f} |"
        )
    return "\n".join(out)
