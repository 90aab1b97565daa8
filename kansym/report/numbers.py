"""Numbers as a page has them: floats that JSON can hold, and as people write them."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from kansym.report.labels import raised


def drawable(values: np.ndarray) -> list[float | None]:
    """Return floats of 7 digits (enough to draw), with None for what is not finite."""
    return [float(f"{v:.7g}") if math.isfinite(v) else None for v in np.asarray(values, float).tolist()]


def measured(value: float, error: Any) -> str:
    """Return a value with two more digits than its standard error leaves sure, where that is known."""
    if isinstance(error, str) or not error or not value:
        return figures(value, 7)
    sure = math.ceil(math.log10(abs(value) / error)) + 2
    return figures(value, min(max(sure, 3), 15), zeros=True)


def figures(value: Any, digits: int = 4, zeros: bool = False) -> str:
    """Return a number as people write it; texts such as "inf" stay."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return {"inf": "∞", "-inf": "−∞", "nan": "–"}.get(value, value)
    text = f"{value:#.{digits}g}" if zeros else f"{value:.{digits}g}"
    text = text.removesuffix(".")
    found = re.fullmatch(r"(-?[\d.]+)e([+-]\d+)", text)
    if not found:
        return text.replace("-", "−")
    return f"{found[1].replace('-', '−')}·10{raised(str(int(found[2])))}"
