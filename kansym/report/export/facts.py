"""What is worth saying beside an exported formula: its target, units, where it was fitted, how well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kansym.pipeline.run import Run


@dataclass(frozen=True)
class Facts:
    """Hold what the docstring of exported code says.

    `ranges` are the fitted range of each column, `rms` the root-mean-square error on held-out rows (on
    all rows where none were held out), in the target's unit or, where `relative`, in units of the measurement
    error; `constants` pairs of value and standard error.
    """

    target: str = "y"
    units: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rows: int | None = None
    rms: float | None = None
    constants: Sequence[tuple[float, float]] = ()
    note: str = ""
    relative: bool = False

    @staticmethod
    def of(run: Run, index: int | None = None) -> Facts:
        """Return the facts of one law of a run."""
        law = run.best if index is None else run.front[index]
        data: Mapping[str, Any] = run.data
        loss = law.heldout_loss if math.isfinite(law.heldout_loss) else law.loss
        usual = data.get("usual_error") or 1.0
        return Facts(
            target=str(data.get("target", "y")),
            units=dict(data.get("units") or {}),
            ranges={n: (float(a), float(b)) for n, (a, b) in (data.get("ranges") or {}).items()},
            rows=data.get("rows"),
            rms=usual * math.sqrt(max(loss, 0.0)) if math.isfinite(loss) else None,
            constants=tuple((c.value, c.stderr) for c in law.constants),
            note=law.note,
            relative=bool(data.get("weighted")) and not data.get("usual_error"),
        )

    def lines(self, formula: str, names: Sequence[str], identifiers: Sequence[str]) -> list[str]:
        """Return the text for a docstring or a comment, a line each, without any line break within."""
        unit = self.units.get(self.target)
        lines = [f"Return {self.target}{f' [{unit}]' if unit else ''} = {formula}.", ""]
        for name, word in zip(names, identifiers, strict=True):
            line = f"{word}: column {name!r}" if name != word else f"{word}:"
            if own := self.units.get(name):
                line += f" [{own}]"
            if name in self.ranges:
                low, high = self.ranges[name]
                line += f" fitted from {low:.6g} to {high:.6g}"
            lines.append(line.rstrip(":"))
        figures = []
        if self.rows is not None:
            figures.append(f"Fitted on {self.rows} rows.")
        if self.rms is not None:
            unit = " times the measurement error" if self.relative else f" {unit}" if unit else ""
            figures.append(f"Root-mean-square error on rows held out: {self.rms:.3g}{unit}.")
        known = [f"{v:.6g} ± {s:.2g}" for v, s in self.constants if math.isfinite(s)]
        if known:
            figures.append(f"Constants: {', '.join(known)}.")
        if self.note:
            figures.append(self.note)
        lines += ["", *figures] if figures else []
        return [" ".join(line.split()) for line in lines]
