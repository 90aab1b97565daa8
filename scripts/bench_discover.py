"""Recover laws: python scripts/benchmark.py discover --suite feynman|fields|curves|nguyen [--noise 0.01] [--units].

One configuration for every problem. With `--file LAWS.csv`, written as `problems/fields.csv` is, the laws are your
own. Results go to a JSONL file, one line per problem and seed; a second
call with the same file goes on where the first one stopped. Times are CPU seconds; `proved` is when the
final formula first stood.
"""

from __future__ import annotations

# ruff: noqa: E402, E501 (threads must be limited before numpy is imported)
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import csv
import json
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sympy

FOLDER = Path(__file__).resolve().parent / "problems"
FEYNMAN_UNITS = ("m", "s", "kg", "K", "V")


def problems(suite: str) -> list[dict[str, Any]]:
    """Return the problems of a suite, or of a CSV file: id, truth as text, names, ranges, rows, units."""
    own = suite.endswith(".csv")
    with open(suite if own else FOLDER / f"{suite}.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    out = []
    for row in rows:
        names = row["variables"].split(";")
        low, high = (
            [float(v) for v in row[k].split(";")] * (len(names) if ";" not in row[k] else 1)
            for k in ("low", "high")
        )
        out.append(
            {
                "id": row.get("id") or row["name"],
                "truth": row.get("formula") or row["expression"],
                "names": names,
                "target": row.get("output", "y"),
                "low": low,
                "high": high,
                "scale": row["scale"].split(";") if row.get("scale") else ["uniform"] * len(names),
                "spread": own or suite in ("fields", "curves"),
                "rows": int(row["rows"]) if "rows" in row else 1000,
                "units": [_unit(u) for u in row["units"].split(";")] if row.get("units") else None,
            }
        )
    return out


def scrambled(problem: dict[str, Any], of_x: sympy.Rational, of_y: sympy.Rational) -> dict[str, Any]:
    """Return the same law with its columns renamed, in reverse order and `of_x` times as large, y `of_y` times.

    `plain` is the problem itself, in whose columns a finding is judged (`unscrambled`): the verdicts cut
    constants to three digits, and a scale is no part of a law.
    """
    from kansym.functions.parsing import symbols

    names = [f"v{k}" for k in range(len(problem["names"]))]
    old, new = symbols(problem["names"][::-1]), symbols(names)
    law = truth(problem).xreplace({a: b / of_x for a, b in zip(old, new, strict=True)}) * of_y
    low, high = ([float(of_x) * v for v in problem[k][::-1]] for k in ("low", "high"))
    return {**problem, "truth": str(law), "names": names, "low": low, "high": high, "units": None,
            "plain": problem, "scales": (of_x, of_y)}  # fmt: skip


def unscrambled(problem: dict[str, Any], found: sympy.Expr) -> sympy.Expr:
    """Return what was found for a scrambled problem as a law of the problem itself, its sums as `unscaled`."""
    from kansym.functions.parsing import symbols

    of_x, of_y = problem["scales"]
    old, new = symbols(problem["plain"]["names"][::-1]), symbols(problem["names"])
    return unscaled(found.xreplace({b: a * of_x for a, b in zip(old, new, strict=True)}) / of_y)


def unscaled(e: sympy.Expr) -> sympy.Expr:
    """Return a formula with the number of the first term taken out of every sum that is a factor or a power.

    A scale of the columns may stand in a sum, 6.18e9/(6.18e9 - 2.06e9*u) for 1/(1 - u/3): cut to three digits
    there, each number would be off by itself.
    """

    def parted(total: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
        """Return the size of a sum's first number and the sum divided by it; anything else as it is."""
        if not total.is_Add or not total.free_symbols:
            return sympy.S.One, total
        terms = {rest: number for number, rest in (t.as_coeff_Mul() for t in total.evalf(17).args)}
        size = abs(terms[min(terms, key=sympy.default_sort_key)])
        return size, sympy.Add(*(number / size * rest for rest, number in terms.items()))

    def of_power(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
        """Return a power of a sum as one of a number and one of the sum of that size."""
        size, rest = parted(base)
        return size**exponent * rest**exponent if exponent.is_number else base**exponent

    def of_product(*factors: sympy.Expr) -> sympy.Expr:
        """Return a product with its sums' sizes multiplied into one number."""
        parts = [parted(f) for f in factors]
        return sympy.Mul(*(size for size, _ in parts), *(rest for _, rest in parts))

    return e.replace(sympy.Pow, of_power).replace(sympy.Mul, of_product)


def scales(suite: list[dict[str, Any]], kind: str, seed: int) -> list[tuple[sympy.Rational, sympy.Rational]]:
    """Return for every problem what x and y are multiplied by.

    "millions": 10^6 and 10^-6 in turn, y by the inverse. "random": each by any number from 10^-6 to 10^6.
    """
    if kind == "millions":
        million = sympy.Integer(10) ** 6
        return [(million, 1 / million) if k % 2 == 0 else (1 / million, million) for k in range(len(suite))]
    drawn = np.random.default_rng(seed).uniform(-6, 6, (len(suite), 2))
    return [tuple(sympy.Rational(f"{10**u:.3g}") for u in pair) for pair in drawn]


def _unit(text: str) -> str:
    powers = text.split()
    named = [f"{u}^{p}" for u, p in zip(FEYNMAN_UNITS, powers, strict=True) if p != "0"]
    return "*".join(named) or "1"


def truth(problem: dict[str, Any]) -> sympy.Expr:
    """Return the truth with one real symbol per column."""
    from kansym.functions.parsing import symbols

    local: dict[str, Any] = {str(s): s for s in symbols(problem["names"])}
    functions = {"ln": sympy.log, "arcsin": sympy.asin, "pi": sympy.pi}
    names = {n: f for n, f in functions.items() if n not in local}
    return sympy.sympify(problem["truth"], locals={**names, **local}, rational=True)


def values(e: sympy.Expr, X: np.ndarray, names: list[str]) -> np.ndarray:
    """Return the formula's values on rows."""
    from kansym.functions.parsing import symbols

    f = sympy.lambdify(symbols(names), e, modules=["scipy", "numpy"])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        v = np.asarray(f(*X.T)) + np.zeros(len(X))
    return np.where(np.isreal(v), v.real, np.nan)


def sample(problem: dict[str, Any], n: int, rng: np.random.Generator, width: float = 1.0) -> np.ndarray:
    """Return rows drawn from ranges `width` times as wide, uniformly or, by `scale`, uniformly in the logarithm."""
    log = np.array([kind == "log" for kind in problem.get("scale", ["uniform"] * len(problem["low"]))])
    low, high = (np.where(log, np.log(np.where(log, problem[k], 1.0)), problem[k]) for k in ("low", "high"))
    middle, half = 0.5 * (low + high), 0.5 * (high - low) * width
    drawn = rng.uniform(middle - half, middle + half, (n, len(low)))
    return np.where(log, np.exp(np.where(log, drawn, 0.0)), drawn)


def table(
    problem: dict[str, Any], noise: float, dummies: int, seed: int, rows: int | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return training rows X, y and names; noise is in units of RMS(y), for `fields` and `curves` of y's deviation."""
    rng = np.random.default_rng([seed, *problem["id"].encode()])
    n = rows or problem["rows"]
    X = np.empty((0, len(problem["names"])))
    y = np.empty(0)
    law = truth(problem)
    while len(y) < n:
        more = sample(problem, n, rng)
        v = values(law, more, problem["names"])
        X, y = np.vstack([X, more[np.isfinite(v)]])[:n], np.concatenate([y, v[np.isfinite(v)]])[:n]
    y = y + noise * (np.std(y) if problem.get("spread") else np.sqrt(np.mean(y**2))) * rng.normal(size=n)
    names = list(problem["names"])
    for k in range(dummies):
        X = np.column_stack([X, rng.uniform(1, 5, n)])
        names.append(f"dummy{k}")
    return X, y, names


class _Watch:
    """Note when, in CPU seconds, the best formula so far last changed: when the final one first stood."""

    def __init__(self) -> None:
        self.started = time.process_time()
        self.formula, self.changed = "", 0.0

    def __call__(self, progress: Any) -> None:
        if progress.formula and progress.formula != self.formula:
            self.formula, self.changed = progress.formula, time.process_time() - self.started


AGAIN = 5.0
"""CPU seconds after which an interrupt that had no effect is repeated."""


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Interrupt the block as Ctrl-C would after so many CPU seconds of this process; None for no limit."""
    if seconds is None:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    before = signal.signal(signal.SIGPROF, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)  # one that falls into a callback is lost
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def run(problem: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Run one problem and judge what was found."""
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from verdicts import verdict

    from kansym.data.dataset import from_arrays
    from kansym.functions.parsing import symbols
    from kansym.pipeline import flow as pipeline

    warnings.simplefilter("ignore")
    X, y, names = table(problem, options["noise"], options["dummies"], options["seed"], options["rows"])
    units = None
    if options["units"] and problem["units"]:
        units = dict(zip([*names, problem["target"]], [*problem["units"][:-1]] + ["1"] * options["dummies"]
                         + [problem["units"][-1]], strict=True))  # fmt: skip
    out: dict[str, Any] = {"id": problem["id"], "truth": problem["truth"], **options}
    started, cpu, watch = time.perf_counter(), time.process_time(), _Watch()
    try:
        dataset = from_arrays(X, y, names, target=problem["target"], units=units)
        with limited(options["cpu_limit"]):
            found = pipeline.discover(
                dataset,
                seed=options["seed"],
                time_limit=options["time_limit"],
                progress=watch,
                families=options.get("families") or "default",
            )
    except (
        Exception,
        KeyboardInterrupt,
    ) as problem_found:  # a crash is a result, too: it is recorded and counted as a failure
        return {**out, "error_message": f"{type(problem_found).__name__}: {problem_found}", "recovered": False,
                "traceback": traceback.format_exc(), "seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}  # fmt: skip
    out["seconds"], out["cpu"] = time.perf_counter() - started, time.process_time() - cpu
    law = found.best
    out["proved"] = watch.changed
    out |= {"formula": law.equation, "source": law.source, "stop": found.stop_reason, "exact": law.exact}
    rng = np.random.default_rng(12345)
    full = {**problem, "names": names, "low": [*problem["low"], *[1.0] * options["dummies"]],
            "high": [*problem["high"], *[5.0] * options["dummies"]]}  # fmt: skip
    true = truth(problem)
    positive = {s for s, low in zip(symbols(names), full["low"], strict=True) if low >= 0}
    fresh = sample(full, 2000, rng)
    expected = values(true, fresh, names)
    ok = np.isfinite(expected)
    got = law.predict(fresh[ok], names)
    out["r2"] = float(1 - np.mean((got - expected[ok]) ** 2) / np.var(expected[ok]))
    if law.expression is None:
        return {**out, "recovered": False}
    expression = law.expression
    if "plain" in problem:
        expression, full = unscrambled(problem, expression), problem["plain"]
        true, names = unscaled(truth(full)), full["names"]
        positive = {s for s, low in zip(symbols(names), full["low"], strict=True) if low >= 0}
    judged = verdict(
        expression,
        true,
        # laws of `fields` are judged in their own ranges: beyond them many are undefined
        lambda width: sample(full, 2000, rng, 1.0 if problem.get("spread") else width),
        lambda e, rows: values(e, rows, names),
        positive,
        options["noise"],
        law.constants if problem.get("spread") else None,
        names,
    )
    return {**out, **judged.to_dict()}


def main(argv: list[str]) -> int:
    """Run a suite; print a line per problem and a summary."""
    parser = argparse.ArgumentParser(prog="benchmark discover")
    parser.add_argument("--suite", default="feynman", choices=["feynman", "fields", "curves", "nguyen"])
    parser.add_argument("--file", type=Path, help="a CSV file of laws in the format of fields.csv instead")
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--units", action="store_true")
    parser.add_argument("--dummies", type=int, default=0)
    parser.add_argument(
        "--scramble", choices=["millions", "random"], help="rename, reorder, rescale all columns"
    )
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time-limit", type=float, default=100.0)
    parser.add_argument("--cpu-limit", type=float, help="CPU seconds for a problem (default: none)")
    parser.add_argument("--families", choices=["off"], help="without the families of curves from handbooks")
    parser.add_argument("--half", choices=["even", "odd"], help="only every other problem: to develop on")
    parser.add_argument("--only", nargs="*", help="ids of problems")
    parser.add_argument("--out", type=Path, help="JSONL file (default: outputs/discover-....jsonl)")
    parser.add_argument("--summary", nargs="+", type=Path, help="print tables of these result files instead")
    a = parser.parse_args(argv)
    if a.summary:
        from summary import tables

        print("\n".join(tables(a.summary)))
        return 0
    kept = (
        "suite",
        "noise",
        "units",
        "dummies",
        "scramble",
        "rows",
        "seed",
        "time_limit",
        "cpu_limit",
        "families",
    )
    if a.file and a.file.suffix != ".csv":
        parser.error(f"{a.file} is no CSV file: write the laws as problems/fields.csv has them")
    a.suite = a.suite if a.file is None else str(a.file)
    options = {k: getattr(a, k) for k in kept}
    marks = "-units" * a.units + (f"-{a.scramble}" if a.scramble else "")
    name = f"discover-{Path(a.suite).stem}-noise{a.noise:g}{marks}-d{a.dummies}-s{a.seed}.jsonl"
    path = a.out or Path("outputs") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = [d for d in done if all((d.get(k) or None) == (v or None) for k, v in options.items())]
    names = {d["id"] for d in done}
    suite = problems(a.suite)
    if a.scramble and a.dummies:
        parser.error(
            "--scramble and --dummies cannot be combined: verdicts are given in the problem's own columns"
        )
    if a.scramble:
        suite = [scrambled(p, *by) for p, by in zip(suite, scales(suite, a.scramble, a.seed), strict=True)]
    if a.half:
        suite = suite[a.half == "odd" :: 2]
    todo = [p for p in suite if p["id"] not in names and (not a.only or p["id"] in a.only)]
    from joblib import Parallel, delayed

    results = Parallel(n_jobs=a.jobs, return_as="generator_unordered")(delayed(run)(p, options) for p in todo)
    with open(path, "a", encoding="utf-8") as file:
        for result in results:
            file.write(json.dumps(result) + "\n")
            file.flush()
            done.append(result)
            print(line(result), flush=True)
    summary(done)
    return 0


def line(r: dict[str, Any]) -> str:
    """Return one result as text."""
    marks = "".join(c if r.get(k) else "-" for k, c in (("strict", "S"), ("srbench", "B"), ("numeric", "N"),
                                                          ("same_form", "F"), ("small", "C")))  # fmt: skip
    text = r.get("formula") or r.get("error_message", "")
    shown = text if r["recovered"] else f"{text[:120]}   TRUTH {r['truth']}"
    state = "ok  " if r["recovered"] else "FAIL"
    cpu, proved, source = r["cpu"], r.get("proved", 0.0), r.get("source", "")
    return f"{state} {r['id']:10} {marks} {cpu:6.1f}s proved {proved:5.1f}s {source:12} {shown}"


def summary(results: list[dict[str, Any]]) -> None:
    """Print the counts."""
    from summary import anytime, counts

    n = len(results)
    if not n:
        return
    recovered, strict, srbench, numeric, good = counts(results)
    seconds = sorted(r["seconds"] for r in results)
    cpu = sorted(r["cpu"] for r in results)
    print(
        f"{n} problems: recovered {recovered}, strict {strict}, SRBench {srbench}, "
        f"numeric {numeric}, R2>0.999 {good}; median {seconds[n // 2]:.1f} s (cpu {cpu[n // 2]:.1f}), "
        f"longest {seconds[-1]:.1f} s (cpu {cpu[-1]:.1f}); cpu 90 % within {cpu[int(0.9 * (n - 1))]:.1f} s"
    )
    print("share proved within CPU s: " + ", ".join(f"{t:g} s: {share:.0%}" for t, share in anytime(results)))
