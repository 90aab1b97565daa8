"""Tables as people have them: python scripts/benchmark.py real [--only coffee DanWood] [--set nist].

Each table goes through `discover` with default options and the inputs that its case names. The chosen
formula, and every row of the front, is judged against an accepted curve (`acceptable`). Results go to a JSONL
file, one line a table; a second call with the same file goes on where the first one stopped. Times are CPU
of this process, with caches warm.
"""

from __future__ import annotations

# ruff: noqa: E402 (threads must be limited before numpy is imported)
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import csv
import json
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import sympy

sys.path.insert(0, str(Path(__file__).resolve().parent))
from acceptable import Accepted, Answer, Verdict, judge, judge_exact, judge_rows

FOLDER = Path(__file__).resolve().parent / "problems" / "real"
ROWS_ONLY = ("xor", "six_rows", "interleaved", "switch")
"""Exact cases that are judged on their rows alone: so few, or so special, that nothing is between them."""

DRAWS = 40
"""Fresh targets for each row, from which the coverage of prediction bands is measured."""

SAME_TABLE = ("Misra1a", "Misra1b", "Misra1c", "Misra1d")
"""One table with four accepted curves."""


@dataclass(frozen=True)
class Case:
    """Hold one table: file, columns, how it is judged, accepted formulas as text with their SDs."""

    name: str
    suite: str
    path: Path
    target: str
    inputs: tuple[str, ...]
    sigma: str | None
    judged: str
    accepted: tuple[tuple[str, float, str], ...] = ()


def cases() -> list[Case]:
    """Return all cases: NIST's tables, the people's, everyday experiments, those that must simply be read."""
    return [*_nist(), *_people("people"), *_people("everyday"), *_reading()]


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _nist() -> list[Case]:
    out: list[Case] = []
    for row in _rows(FOLDER / "nist" / "nist.csv"):
        name, d = row["name"], int(row["inputs"])
        sd = 1e-10 if name == "Lanczos1" else float(row["residual_sd"])
        curve = (row["certified"], sd, "log" if name == "Nelson" else "absolute")
        if name in SAME_TABLE[1:]:
            out = [replace(c, accepted=(*c.accepted, curve)) if c.name == SAME_TABLE[0] else c for c in out]
            continue
        inputs = ("x",) if d == 1 else tuple(f"x{i + 1}" for i in range(d))
        path = FOLDER / "nist" / f"{name}.csv"
        out.append(Case(name, "nist", path, "y", inputs, None, "curve", (curve,)))
    return out


def _people(folder: str) -> list[Case]:
    out = []
    for row in _rows(FOLDER / folder / "cases.csv"):
        words = row["options"].split()
        sigma = words[words.index("--sigma") + 1] if "--sigma" in words else None
        sd = float(row["sd"]) if row["sd"] else 0.0
        curve = ((row["accepted"], sd, row["sd_kind"]),) if row["accepted"] else ()
        judged = "rows" if row["name"] == "bikes" else row["judged"]
        inputs = () if not row["inputs"] else tuple(row["inputs"].split(","))
        suite = {"reading": "reading", "exact": "exact"}.get(row["judged"], folder)
        path = FOLDER / folder / f"{row['name']}.csv"
        out.append(Case(row["name"], suite, path, row["target"], inputs, sigma, judged, curve))
    return out


def _reading() -> list[Case]:
    paths = sorted((FOLDER / "people").glob("reading_*.csv"))
    return [Case(p.stem, "reading", p, "", (), None, "reading") for p in paths]


def _find(names: tuple[str, ...], wanted: str) -> str:
    """Return the column that a header became: its unit may have been taken off."""
    return next((n for n in names if n == wanted), None) or next(
        (n for n in names if wanted.startswith(f"{n} ")), wanted
    )


def dataset_of(case: Case) -> Any:
    """Return the dataset that the case's table and choices describe."""
    from kansym.data.dataset import from_table
    from kansym.data.table import read_table

    table = read_table(case.path)
    target = _find(table.names, case.target) if case.target else None
    inputs = [_find(table.names, n) for n in case.inputs] or None
    return from_table(table, target=target, inputs=inputs, sigma=case.sigma)


def accepted_curves(case: Case, dataset: Any) -> list[list[tuple[Accepted, dict[int, float]]]]:
    """Return the alternatives, each a list of parts (one for each category): curve and what is constant."""
    parts = [p for p in _rows(FOLDER / "people" / "parts.csv") if p["name"] == case.name]
    if not parts:
        return [[(_accepted(text, sd, kind, case, dataset, None), {})] for text, sd, kind in case.accepted]
    import pandas as pd

    frame = pd.read_csv(case.path)
    _, sd, kind = case.accepted[0]
    out = []
    for part in parts:
        rows = np.flatnonzero((frame[part["column"]] == part["value"]).to_numpy())
        curve = _accepted(part["accepted"], sd, kind, case, dataset, rows)
        constant = [j for j in range(len(dataset.names)) if np.ptp(curve.X[:, j]) == 0]
        out.append((curve, {j: float(curve.X[0, j]) for j in constant}))
    return [out]


def _accepted(text: str, sd: float, kind: str, case: Case, dataset: Any, rows: np.ndarray | None) -> Accepted:
    """Return the accepted curve over the dataset's columns (a case's x1 is its first input)."""
    from kansym.functions.parsing import symbols

    X, y = (dataset.X, dataset.y) if rows is None else (dataset.X[rows], dataset.y[rows])
    columns = symbols(dataset.names)
    local: dict[str, Any] = {str(s): s for s in columns}
    for k, name in enumerate(case.inputs):
        found = _find(dataset.names, name)
        if found in dataset.names:
            local[f"x{k + 1}"] = columns[dataset.names.index(found)]
    weekend = sympy.Symbol("weekend", real=True)
    formula = sympy.sympify(text, locals={**local, "weekend": weekend})
    if weekend in formula.free_symbols:
        import pandas as pd

        days = pd.read_csv(case.path)["weekday"].isin(["Saturday", "Sunday"]).to_numpy(float)
        call = sympy.lambdify((*columns, weekend), formula, modules=["scipy", "numpy"])
        value = lambda Z: call(*Z.T, days)  # noqa: E731
    else:
        call = sympy.lambdify(columns, formula, modules=["scipy", "numpy"])
        value = lambda Z: call(*Z.T) + np.zeros(len(Z))  # noqa: E731
    varying = tuple(j for j in range(X.shape[1]) if np.ptp(X[:, j]) > 0)
    return Accepted(formula, value, sd, kind or "absolute", X, y, varying)


def answer_of(law: Any, dataset: Any, constant: dict[int, float]) -> Answer:
    """Return a law as an answer; columns that are constant in a part are written in."""
    from kansym.functions.parsing import symbols

    columns = symbols(dataset.names)
    measured = tuple(c.value for c in law.constants if c.rounded is None and 0 < c.stderr < np.inf)
    numbers = {columns[j]: sympy.nsimplify(v) for j, v in constant.items()}
    formula = law.expression.xreplace(numbers)
    return Answer(formula, lambda Z: law.predict(Z, dataset.names), measured)


def verdict(law: Any, case: Case, dataset: Any) -> Verdict | None:
    """Return the best verdict on a law over the accepted alternatives; the worst part of each counts."""
    if law.expression is None:
        return None
    best = None
    for parts in accepted_curves(case, dataset):
        judged = []
        for curve, constant in parts:
            answer = answer_of(law, dataset, constant)
            with np.errstate(all="ignore"):
                if case.judged == "exact":
                    judged.append(judge_exact(answer, curve, case.name not in ROWS_ONLY))
                elif case.judged == "rows":
                    judged.append(judge_rows(answer, curve))
                else:
                    judged.append(judge(answer, curve))
        worst = min(judged, key=_merit)
        best = worst if best is None or _merit(worst) > _merit(best) else best
    return best


def _merit(v: Verdict) -> tuple[int, float]:
    return v.sane + v.short + v.plain, -v.off


def run(case: Case, settings: dict[str, Any]) -> dict[str, Any]:
    """Run one case and judge what was found."""
    from kansym.pipeline import flow as pipeline

    warnings.simplefilter("ignore")
    out: dict[str, Any] = {"id": case.name, "set": case.suite, "judged": case.judged, **settings}
    started = time.process_time()
    try:
        dataset = dataset_of(case)
        found = pipeline.discover(dataset, **settings)
    except Exception as problem:  # a crash is a result, too: it is recorded and counted as a failure
        message = f"{type(problem).__name__}: {problem}"
        return {**out, "error_message": message, "good": False, "cpu": time.process_time() - started}
    out["cpu"] = time.process_time() - started
    law = found.best
    out |= {"formula": law.equation, "source": law.source, "stop": found.stop_reason, "trust": found.trust}
    out["unsure"] = _without_error(law)
    out["front_rows"] = [r.equation for r in found.front]
    if not case.accepted:
        return {**out, "good": bool(law.expression is not None and law.expression.free_symbols)}
    out["covered"] = coverage(found, case, dataset)
    out["verdict"], out["outliers"] = found.verdict.kind, len(found.outliers)
    out["noise"] = None if found.noise_model is None else found.noise_model.words
    verdicts = [verdict(row, case, found_dataset(dataset, found)) for row in found.front]
    good = [v is not None and _good(v, case) for v in verdicts]
    chosen = verdicts[found.chosen]
    out |= {"good": good[found.chosen], "some": any(good)}
    out["front"] = next((r.equation for r, g in zip(found.front, good, strict=True) if g), None)
    return {**out, **(chosen.to_dict() if chosen is not None else {})}


def coverage(found: Any, case: Case, dataset: Any) -> float | None:
    """Return the share of fresh rows, drawn from the accepted curve at the table's inputs, in the band."""
    if case.judged != "curve":
        return None
    rng = np.random.default_rng(11)
    rows = found_dataset(dataset, found)
    low, high = found.predict_band(rows.X)
    hits: list[np.ndarray] = []
    for curve, _ in accepted_curves(case, dataset)[0]:
        values = curve.value(curve.X)
        sd = curve.deviation(values)
        at = [int(np.flatnonzero((x == dataset.X).all(axis=1))[0]) for x in curve.X]
        for _draw in range(DRAWS):
            fresh = rng.normal(size=len(values))
            fresh = values * np.exp(curve.sd * fresh) if curve.kind == "log" else values + sd * fresh
            hits.append((low[at] <= fresh) & (fresh <= high[at]))
    return float(np.mean(np.concatenate(hits)))


def found_dataset(dataset: Any, found: Any) -> Any:
    """Return the dataset in the columns that the run's laws are written in."""
    if tuple(found.names) == tuple(dataset.names):
        return dataset
    return dataset.select(found.names)


def _good(v: Verdict, case: Case) -> bool:
    return v.exact if case.judged == "exact" else v.acceptable


def _without_error(law: Any) -> int:
    """Return how many measured constants of a law have no standard error."""
    if law.expression is None:
        return 0
    known = sum(c.rounded is None and bool(0 < c.stderr < np.inf) for c in law.constants)
    # of A - A*exp(-k*x) both numbers are one constant
    sizes = {abs(number) for number in law.expression.atoms(sympy.Float)}
    return max(len(sizes) - known, 0)


def line(r: dict[str, Any]) -> str:
    """Return one result as text."""
    marks = "".join(c if r.get(k) else "-" for k, c in (("sane", "S"), ("short", "H"), ("plain", "P")))
    state = "ok  " if r["good"] else ("row " if r.get("some") else "FAIL")
    figures = ""
    if "off" in r:
        figures = f"off {r['off']:.3g} worse {r['worse']:.3g} nodes {r['nodes']}/{r['allowed']:.0f}"
    text = (r.get("formula") or r.get("error_message", ""))[:150]
    other = f"   FRONT {r['front']}" if r.get("some") and not r["good"] else ""
    return f"{state} {r['id']:24} {marks} {r['cpu']:6.1f}s {figures:38} {r.get('source', '')}: {text}{other}"


def summary(results: list[dict[str, Any]]) -> None:
    """Print a line of counts for each set, and the times."""
    for name in ("nist", "people", "everyday", "exact", "reading"):
        part = [r for r in results if r["set"] == name]
        if not part:
            continue
        cpu = sorted(r["cpu"] for r in part)
        chosen, some = sum(r["good"] for r in part), sum(bool(r.get("some")) for r in part)
        three = ", ".join(f"{k} {sum(bool(r.get(k)) for r in part)}" for k in ("sane", "short", "plain"))
        unsure = sum(r.get("unsure", 0) for r in part)
        print(
            f"{name}: {len(part)} tables: chosen good {chosen}, some row {some} ({three}); constants without "
            f"error {unsure}; CPU median {cpu[len(cpu) // 2]:.1f} s, longest {cpu[-1]:.1f} s"
        )


def bands(results: list[dict[str, Any]]) -> None:
    """Print how many fresh rows lay within the prediction bands of 95 %, over all tables with a curve."""
    known = [r["covered"] for r in results if r.get("covered") is not None]
    if known:
        print(
            f"prediction bands of 95 % cover {np.mean(known):.1%} of fresh rows over {len(known)} tables "
            f"(middle table {np.median(known):.1%}, worst {min(known):.1%})"
        )


def warm_up() -> None:
    """Import and compile what every search needs, so that the first table does not pay for it."""
    from kansym.pipeline import flow as pipeline

    x = np.linspace(1.0, 3.0, 25)
    noise = 0.1 * np.random.default_rng(0).normal(size=25)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.discover(x[:, None], np.exp(-x) + noise, time_limit=20.0)


def main(argv: list[str]) -> int:
    """Run the tables; print a line for each and a summary."""
    parser = argparse.ArgumentParser(prog="benchmark real")
    parser.add_argument(
        "--set", dest="suites", nargs="*", help="nist, people, everyday, exact, reading; default: all"
    )
    parser.add_argument("--only", nargs="*", help="names of tables")
    parser.add_argument("--option", nargs="*", default=[], metavar="NAME=JSON", help="options of discover")
    parser.add_argument("--out", type=Path, default=Path("outputs/real.jsonl"), help="JSONL file")
    a = parser.parse_args(argv)
    pairs = (text.partition("=") for text in a.option)
    settings = {name: json.loads(value) for name, _, value in pairs}
    a.out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(text) for text in a.out.read_text().splitlines()] if a.out.exists() else []
    done = [r for r in done if all(r.get(k) == v for k, v in settings.items())]
    names = {r["id"] for r in done}
    chosen = [c for c in cases() if not a.suites or c.suite in a.suites]
    chosen = [c for c in chosen if not a.only or c.name in a.only]
    todo = [c for c in chosen if c.name not in names]
    if todo:
        warm_up()
    with open(a.out, "a", encoding="utf-8") as file:
        for case in todo:
            result = run(case, settings)
            file.write(json.dumps(result) + "\n")
            file.flush()
            done.append(result)
            print(line(result), flush=True)
    shown = [r for r in done if r["id"] in {c.name for c in chosen}]
    summary(shown)
    bands(shown)
    return 0
