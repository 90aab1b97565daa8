"""A run as plain text: the front with the chosen row marked, the chosen formula, how far to trust it."""

from __future__ import annotations

import math
import os
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kansym.judge.band import Band
    from kansym.pipeline.run import Law, Run

MOST_OUTLIERS = 10
"""Outliers that are listed; the page and the JSON have all."""

ELSEWHERE = {
    "poisson": ", elsewhere by the root of the value",
    **dict.fromkeys(
        ("share", "percent"), ", elsewhere by the root of the value and of what is missing to the whole"
    ),
}
"""How counting noise grows, as the end of a sentence."""

_HEAD = ("complexity", "loss", "held-out", "score")


def front(run: Run, width: int | None = None) -> str:
    """Return the front as a table; `width` cuts long equations of rows that are not chosen."""
    rows = [
        (str(law.complexity), f"{law.loss:.3g}", f"{law.heldout_loss:.3g}", _score(law.score), law.equation)
        for law in run.front
    ]
    sizes = [max(len(_HEAD[i]), *(len(r[i]) for r in rows)) for i in range(4)]
    lines = ["      " + "  ".join(h.rjust(s) for h, s in zip(_HEAD, sizes, strict=True)) + "  equation"]
    for i, row in enumerate(rows):
        mark = ">>>>  " if i == run.chosen else "      "
        line = mark + "  ".join(v.rjust(s) for v, s in zip(row[:4], sizes, strict=True)) + "  " + row[4]
        if width is not None and len(line) > width:
            line = line[: max(width - 1, 40)] + "…"
        lines.append(line)
    return "\n".join(lines)


def chosen(run: Run) -> str:
    """Return the chosen formula, its constants, its held-out error and a sentence on trust."""
    law = run.best
    lines = [f"{run.data['target']} = {law.equation}"]
    if law.form:
        lines.append(f"  {law.family}: {run.data['target']} = {law.form}")
    lines += [f"  {level}: {run.data['target']} = {equation}" for level, equation in run.by_level.items()]
    for constant in law.constants:
        lines.append(f"  {constant.name}: {constant_line(constant.value, constant.stderr, constant.rounded)}")
    lines.append(heldout(run, law))
    if run.trust:
        lines.append(run.trust)
    lines += judged(run)
    if law.note:
        lines.append(law.note)
    for guess in (g for i, g in enumerate(run.front) if g.source.startswith("guess: ") and i != run.chosen):
        lines.append(f"{guess.note[:1].upper()}{guess.note[1:]}; loss {guess.loss:.3g}.")
        for c in guess.constants:
            lines.append(f"  {c.name}: {constant_line(c.value, c.stderr, c.rounded)}")
    for rival in run.rivals:
        lines.append(f"Fits these rows about as well: {run.data['target']} = {rival.equation}")
    if (short := run.shorter) is not None:
        more = (short.heldout_loss / law.heldout_loss) ** 0.5 - 1
        told = f"Less than half as long, its error {100 * more:.0f} % larger"
        lines.append(f"{told}: {run.data['target']} = {short.equation}")
    return "\n".join(lines)


def judged(run: Run) -> list[str]:
    """Return the verdict, what the noise is like, and the rows that were left out, a line each."""
    lines = []
    if run.verdict.reason and run.verdict.reason not in run.trust:
        lines.append(f"Verdict: {run.verdict.name}; {run.verdict.reason}.")
    smooth = run.front[-1]
    if run.verdict.kind == "structure" and smooth.graph is not None:
        share = 1 - smooth.heldout_loss / run.data["target_spread"] ** 2
        lines.append(
            f"A smooth curve, last row of the front, explains {share:.0%} of the variance (--out draws it)."
        )
    if run.verdict.correlation:
        lag, along = run.verdict.correlation, run.verdict.along
        lines.append(
            f"Neighbouring residuals go together along {along} (correlation {lag:.2f}): errors are too small."
        )
    if run.noise_model is not None and not run.best.exact:
        origin = run.noise_model.origin
        lines.append(f"Noise: {run.noise_model.words}{f'; {origin}' if origin else ''}.")
    band = run.best.band
    if band is not None and run.noise:
        lines.append(f"95 % of new rows should lie within {_reach(band, run.data['target'])}.")
    if run.outliers:
        lines.append(
            f"Left out as outliers, {len(run.outliers)} of {run.data['rows']} rows (--robust off keeps them):"
        )
    for outlier in run.outliers[:MOST_OUTLIERS]:
        where = ", ".join(f"{n} = {v:.6g}" for n, v in zip(run.names, outlier.inputs, strict=True))
        lines.append(f"  {where}: {_instead(outlier.value, outlier.expected)}")
    if len(run.outliers) > MOST_OUTLIERS:
        lines.append(f"  and {len(run.outliers) - MOST_OUTLIERS} more")
    return lines


def _instead(value: float, expected: float) -> str:
    """Return two numbers in as many digits as tell them apart, four at least."""
    digits = next((d for d in range(4, 17) if f"{value:.{d}g}" != f"{expected:.{d}g}"), 16)
    return f"{value:.{digits}g} instead of {expected:.{digits}g}"


def _reach(band: Band, target: str) -> str:
    """Return how far a band reaches, and how it grows with the value, in words."""
    half = band.middle_halfwidth()
    if band.kind == "log":
        return f"a factor of {math.exp(half / band.middle):.3g} of the law's value"
    if band.kind == "relative":
        return f"{100 * half / band.middle:.2g} % of the law's value"
    about = f"± {half:.3g} of the law's value"
    elsewhere = ELSEWHERE.get(band.kind)
    return about if elsewhere is None else f"{about} where {target} is {band.middle:.3g}{elsewhere}"


def heldout(run: Run, law: Law) -> str:
    """Return the root mean square error on rows that were not fitted, as a sentence."""
    loss = run.options.get("loss", "squared")
    if loss != "squared":
        return f"Mean loss on rows not fitted: {law.heldout_loss:.3g} ({loss})."
    error = math.sqrt(law.heldout_loss) if law.heldout_loss >= 0 else math.nan
    count = run.data.get("heldout_rows", 0)
    where = f"{count} held-out rows" if count else "rows left out in turn"
    if run.data.get("weighted"):
        return f"Error on {where}: {error:.3g} (times the measurement error)."
    noise, how = run.noise_model, "root mean square"
    size = f"{error:.3g}"
    if noise is not None and noise.kind == "relative":
        size = f"{100 * error / noise.middle:.3g} % of the value"
    elif noise is not None and noise.kind == "log":
        size = f"a factor of {math.exp(error / noise.middle):.3g}"
    elif noise is not None and noise.kind in ELSEWHERE:
        how += f" where {run.data['target']} is {noise.middle:.3g}"
    return f"Error on {where}: {size} ({how})."


def constant_line(value: float, stderr: float, rounded: str | None) -> str:
    """Return one constant with its standard error and the exact form it was recognised as."""
    error = f" ± {stderr:.2g}" if math.isfinite(stderr) and stderr > 0 else ""
    exact = "" if rounded is None else f" -> {rounded}"
    return f"{_digits(value, stderr)}{error}{exact}"


def _digits(value: float, stderr: float) -> str:
    """Return as many digits as the error leaves meaningful, at least 3 and at most 12."""
    if not (math.isfinite(stderr) and stderr > 0 and value):
        return f"{value:.10g}"
    digits = math.ceil(math.log10(abs(value) / stderr)) + 2
    return f"{value:.{min(max(digits, 3), 12)}g}"


def _score(score: float) -> str:
    return "exact" if score == math.inf else f"{score:.3g}"


def terminal_width() -> int | None:
    """Return the width of stdout, None where it is no terminal and nothing should be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() and "COLUMNS" not in os.environ else None
