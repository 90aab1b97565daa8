"""Columns with many gaps: left out where they say nothing about the target, so that their rows stay.

Dropping rows for a column is worth it only where the column matters. It matters when a polynomial gains
more from it, on the rows where it is known, than from any shuffled copy of it.
"""

from __future__ import annotations

import numpy as np

from kansym.data.repair import MISSING_SHARE, Rows, listed

WORTH = 0.1
"""Share of the rows that a column's gaps may cost before it is asked whether it matters."""

SHUFFLES = 30
"""Copies a column must beat all of: 3 of 100 columns without meaning stay by chance."""

_MOST_ROWS, _ROWS_A_TERM = 2000, 4
"""Rows looked at, at most, and rows for each term of their polynomial, at least."""


def bearable(rows: Rows, notes: list[str]) -> Rows:
    """Return the rows without the columns whose gaps would cost many rows for nothing.

    At least one column stays. The note counts the gaps of all that go.
    """
    holes = ~np.isfinite(rows.X)
    order = [int(j) for j in np.argsort(-holes.sum(axis=0), kind="stable")]
    known = np.isfinite(rows.y)
    gone: list[int] = []
    kept = list(range(rows.X.shape[1]))
    rng = np.random.default_rng(0)
    for j in order:
        others = [k for k in kept if k != j]
        whole = known & ~holes[:, others].any(axis=1)
        cost = int((whole & holes[:, j]).sum())
        alone = holes[:, j].sum()
        if not others or max(cost, alone) <= WORTH * len(rows.y):
            continue
        full = [k for k in others if holes[:, k].sum() <= WORTH * len(rows.y)]
        if not _matters(rows, j, full, known, rng):
            kept, gone = others, [*gone, j]
    if not gone:
        return rows
    gone.sort()
    names = [rows.names[j] for j in gone]
    counts = holes[:, gone].sum(axis=0)
    many = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else f"{counts.max()}"
    notes.append(
        f"{'columns' if len(gone) > 1 else 'column'} {listed(names)}: left out, gaps in {many} of "
        f"{len(rows.y)} rows and no sign that the target goes with {'them' if len(gone) > 1 else 'it'}"
    )
    return rows.columns_of(kept)


def _matters(rows: Rows, j: int, others: list[int], known: np.ndarray, rng: np.random.Generator) -> bool:
    """Tell whether a polynomial gains more from column j than from any shuffled copy."""
    use = known & np.isfinite(rows.X[:, [j, *others]]).all(axis=1)
    at = np.flatnonzero(use)
    if len(at) > _MOST_ROWS:
        at = np.sort(rng.choice(at, _MOST_ROWS, replace=False))
    if len(at) < 3 * _ROWS_A_TERM:  # too few to ask; a column that would cost most rows goes
        return int(np.isfinite(rows.X[:, j]).sum()) >= (1 - MISSING_SHARE) * len(rows.y)
    y = rows.y[at] - rows.y[at].mean()
    base = [_scaled(rows.X[at, k]) for k in others]
    terms = [np.ones(len(at)), *base, *(z**2 for z in base)]
    terms += [a * b for i, a in enumerate(base) for b in base[i + 1 :]]
    terms = terms[: max(1, len(at) // _ROWS_A_TERM - 2)]
    frame, _ = np.linalg.qr(np.column_stack(terms))
    left = y - frame @ (frame.T @ y)
    crossed = base[: max(0, (len(at) - len(terms)) // _ROWS_A_TERM - 2)]

    def gain(z: np.ndarray) -> float:
        """Return what a column, its square and its products explain of what is left."""
        new = np.column_stack([z, z**2, *(z * b for b in crossed)])
        new = new - frame @ (frame.T @ new)
        q, _ = np.linalg.qr(new)
        return float(np.sum((q.T @ left) ** 2))

    z = _scaled(rows.X[at, j])
    return gain(z) > max(gain(rng.permutation(z)) for _ in range(SHUFFLES))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return values of mean 0 and standard deviation 1, zeros where they are constant."""
    spread = float(np.std(values))
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
