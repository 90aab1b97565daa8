"""What is tried before any search: however short the time, there is an answer, the same one every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import sympy

from kansym.base.linear import TINY
from kansym.base.weights import roots
from kansym.data import dimensions
from kansym.data.dataset import Dataset
from kansym.functions.parsing import parse_expression, symbols
from kansym.judge.archive import Archive
from kansym.judge.refine import refine

MOST_LINEAR = 6
"""Linear laws are tried with up to this many inputs."""


def opened(archive: Archive, starts: Iterable[str], free: bool, thorough: bool = True) -> None:
    """Judge what is tried before any search, and keep it in the archive (see `openings`).

    Nice constants of a line that explains little take longer than the search of most exact laws: unless
    `thorough`, they wait.
    """
    trial, guesses = archive.trial, [law.expression for law in archive.guesses]
    for formula, source in openings(trial.dataset, guesses, starts, free):
        for law in refine(formula, trial, source):
            archive.add(law)
            if source in LINES and not thorough and law.loss > POOR * trial.power:
                break


LINES = ("constant", "linear")

POOR = 0.02
"""Share of the target's variance that a line leaves where its constants can wait."""


def openings(
    dataset: Dataset, guesses: Iterable[sympy.Expr], starts: Iterable[str], free: bool
) -> Iterator[tuple[sympy.Expr, str]]:
    """Yield formulas and their sources: the person's guesses and starts, the constant, the lines.

    Where a template binds the form (not `free`), neither the product of units nor the lines are tried.
    """
    columns = symbols(dataset.names)
    for guess in guesses:
        yield guess, "started from a guess"
    for text in starts:
        yield parse_expression(text, dataset.names), "started from an earlier formula"
    yield sympy.Float(float(np.average(dataset.y, weights=dataset.weights))), "constant"
    if free:
        if (scale := dimensions.product(dataset)) is not None:
            yield sympy.Float(1.0) * scale, "units"
        yield from _lines(dataset, columns)
        yield from _years(dataset, columns)


def _lines(dataset: Dataset, columns: Sequence[sympy.Symbol]) -> Iterator[tuple[sympy.Expr, str]]:
    """Yield linear laws of 1, 2, ... inputs, each adding the one that explains most (forward selection)."""
    root = roots(dataset.weights, dataset.rows)
    one = root[:, None]
    y, Z = dataset.y * root, dataset.X * one
    used: list[int] = []
    for _ in range(min(MOST_LINEAR, len(columns), dataset.rows - 2)):
        base = np.hstack([one, Z[:, used]])
        left = np.column_stack([y, Z]) - base @ np.linalg.lstsq(base, np.column_stack([y, Z]), rcond=None)[0]
        norms = np.linalg.norm(left, axis=0)
        gain = np.abs(left[:, 0] @ left[:, 1:]) / np.maximum(
            norms[1:], 1e-9 * np.linalg.norm(Z, axis=0) + TINY
        )
        gain[used] = -1.0
        used.append(int(np.argmax(gain)))
        slope = np.linalg.lstsq(np.hstack([one, Z[:, used]]), y, rcond=None)[0]
        terms = [sympy.Float(float(a)) * columns[j] for a, j in zip(slope[1:], used, strict=True)]
        yield sympy.Add(sympy.Float(float(slope[0])), *terms), "linear"


def _years(dataset: Dataset, columns: Sequence[sympy.Symbol]) -> Iterator[tuple[sympy.Expr, str]]:
    """Yield a wave of one year for each season that a date gave, alone and above a line in its days."""
    root = roots(dataset.weights, dataset.rows)
    for season in (n for n, how in dataset.made.items() if how.kind == "angle"):
        date = dataset.made[season].column
        turn, angle = dataset.column(season), columns[dataset.names.index(season)]
        wave = [np.sin(turn), np.cos(turn), np.ones_like(turn)]
        for days in ([], [date] if date in dataset.names else []):
            A = np.column_stack([*wave, *map(dataset.column, days)]) * root[:, None]
            sine, cosine, *rest = np.linalg.lstsq(A, dataset.y * root, rcond=None)[0].tolist()
            size, phase = sympy.Float(np.hypot(sine, cosine)), sympy.Float(np.arctan2(cosine, sine))
            line = [sympy.Float(rest[-1]) * columns[dataset.names.index(d)] for d in days]
            yield sympy.Add(size * sympy.sin(angle + phase), sympy.Float(rest[0]), *line), "season"
