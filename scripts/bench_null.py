"""Tables without a law: python scripts/benchmark.py null [--tables 200] [--shuffles 5] [--estimator].

Pure noise (normal, heavy-tailed, rounded; 30 to 300 rows of 1 to 10 columns) and the tables of people with
their targets shuffled. A claimed law is a formula that is no constant where the verdict is "a law". Default
options; results go to a JSONL file, one line a table, and a second call with the same file goes on where
the first one stopped.
"""

from __future__ import annotations

# ruff: noqa: E402 (threads must be limited before numpy is imported)
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

KINDS = ("normal", "heavy-tailed", "rounded")
LEAST_ROWS = 10
"""Tables of people with fewer rows are left out: of six rows one order in 720 rises."""


def pure(count: int) -> Iterator[tuple[str, Any]]:
    """Yield tables of noise in inputs and target alike."""
    from kansym.data.dataset import from_arrays

    for k in range(count):
        rng = np.random.default_rng([7, k])
        rows, columns = int(rng.integers(30, 301)), int(rng.integers(1, 11))
        kind = KINDS[k % len(KINDS)]
        draw = {
            "normal": rng.standard_normal,
            "heavy-tailed": lambda size, rng=rng: rng.standard_t(2, size=size),
            "rounded": lambda size, rng=rng: np.round(2 * rng.standard_normal(size)),
        }[kind]
        inputs = rng.uniform(0.5, 5.0, (rows, columns)) if rng.random() < 0.5 else draw((rows, columns))
        yield f"{kind} {k}: {rows} rows of {columns}", from_arrays(inputs, draw(rows))


def shuffled(count: int) -> Iterator[tuple[str, Any]]:
    """Yield the tables of people with their targets (and their errors) in a random order."""
    from bench_real import cases, dataset_of

    from kansym.base.errors import InputError

    for case in cases():
        if case.suite == "reading":
            continue
        try:
            dataset = dataset_of(case)
        except InputError:  # text columns that are read by other options
            continue
        if dataset.rows < LEAST_ROWS:
            continue
        for k in range(count):
            order = np.random.default_rng([8, k]).permutation(dataset.rows)
            weights = None if dataset.weights is None else dataset.weights[order]
            yield f"{case.name} shuffled {k}", replace(dataset, y=dataset.y[order], weights=weights)


def run(name: str, dataset: Any, estimator: bool) -> dict[str, Any]:
    """Run one table by the command line's path, or by the estimator's."""
    from kansym import KansymRegressor
    from kansym.pipeline import flow

    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if estimator:
            model = KansymRegressor().fit(dataset.X, dataset.y)
            found, law = model.run_, model.run_.front[model._pick(0)]
        else:
            found = flow.discover(dataset)
            law = found.best
    varies = law.expression is None or bool(law.expression.free_symbols)
    return {
        "id": name,
        "estimator": estimator,
        "claimed": varies and found.verdict.kind == "law",
        "verdict": found.verdict.kind,
        "varies": varies,
        "chance": found.verdict.chance,
        "test": found.verdict.test,
        "formula": law.equation,
        "stop": found.stop_reason,
        "cpu": time.process_time() - started,
    }


def summary(results: list[dict[str, Any]]) -> None:
    """Print how many tables claim a law, and how many show structure."""
    for label, part in (
        ("pure noise", [r for r in results if "shuffled" not in r["id"]]),
        ("shuffled targets", [r for r in results if "shuffled" in r["id"]]),
    ):
        if part:
            claimed = sum(r["claimed"] for r in part)
            seen = sum(r["verdict"] == "structure" for r in part)
            cpu = sorted(r["cpu"] for r in part)
            print(
                f"{label}: {len(part)} tables, {claimed} claim a law ({claimed / len(part):.1%}), "
                f"{seen} show structure; CPU median {cpu[len(cpu) // 2]:.1f} s, longest {cpu[-1]:.1f} s"
            )


def main(argv: list[str]) -> int:
    """Run the tables; print a line for each claim and a summary."""
    parser = argparse.ArgumentParser(prog="benchmark null")
    parser.add_argument("--tables", type=int, default=200, help="tables of pure noise")
    parser.add_argument("--shuffles", type=int, default=5, help="shuffles of each table of people")
    parser.add_argument("--estimator", action="store_true", help="by KansymRegressor with its defaults")
    parser.add_argument("--out", type=Path, default=Path("outputs/null.jsonl"), help="JSONL file")
    a = parser.parse_args(argv)
    a.out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(text) for text in a.out.read_text().splitlines()] if a.out.exists() else []
    done = [r for r in done if r["estimator"] == a.estimator]
    names = {r["id"] for r in done}
    with open(a.out, "a", encoding="utf-8") as file:
        for name, dataset in (*pure(a.tables), *shuffled(a.shuffles)):
            if name in names:
                continue
            result = run(name, dataset, a.estimator)
            file.write(json.dumps(result) + "\n")
            file.flush()
            done.append(result)
            if result["varies"]:
                print(f"{name}: {result['verdict']}, {result['formula']} ({result['test']})", flush=True)
    summary(done)
    return 0
