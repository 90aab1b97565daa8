"""Rows as a network takes them: finite float64 of the right shape, and which of them are held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from kansym.base.errors import InputError


def array(values: Any, name: str) -> np.ndarray:
    """Return numpy, pandas or torch values as finite float64."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    try:
        out = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} holds values that are no numbers; encode or drop them.") from None
    if not np.all(np.isfinite(out)):
        bad = np.argwhere(~np.isfinite(out))[0]
        raise InputError(
            f"{name}[{', '.join(map(str, bad))}] is {out[tuple(bad)]}; all values must be "
            "finite: drop or fill such rows."
        )
    if out.size == 0:
        raise InputError(f"{name} has no rows; give at least one.")
    return out


def held_out(
    rows: int, share: float, weights: Any, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the row numbers to fit and to hold out, in random order, and the weights of the former."""
    order = np.random.default_rng(seed).permutation(rows)
    held, fitted = np.split(order, [round(rows * share)])
    return fitted, held, None if weights is None else np.asarray(weights, float)[fitted]
