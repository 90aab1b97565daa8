"""Count what people write: python scripts/make_prior.py writes library/prior.toml and says what it gains.

The lists are for counting only. Figures are of ten-fold cross-validation over all formulas: nats a formula
with the counts of the others, against one price for every sign.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections import Counter
from collections.abc import Container
from pathlib import Path

import numpy as np
import sympy

from kansym.base.criterion import NODE_PRICE
from kansym.formula.expression import written
from kansym.formula.grammar import Place, loose, structure, tokens
from kansym.formula.prior import Prior
from kansym.functions.parsing import FUNCTIONS
from kansym.search.families.family import INPUTS, Families

FOLDER = Path(__file__).resolve().parent / "problems"
LISTS = (
    ("textbook.csv", "formula", "inputs"),
    ("feynman.csv", "formula", "variables"),
    ("kan_feynman27.csv", "dimensionless", "variables"),
    ("fields.csv", "formula", "variables"),
    ("nguyen.csv", "expression", "variables"),
)
"""Files with the columns that hold a formula and its inputs; any other name in it is a measured constant."""

NO_LAW = 0.3
"""Share of tables in which nothing explains the target: a constant is then the whole formula.

No list of formulas tells it. It is what a law must overcome: log(0.7/0.3) nats are a weak prior.
"""

HANDBOOK = ("textbook.csv",)
"""Lists whose whole forms have a name: textbook laws, and families of curves, none of the benchmarks'."""

MOST_NAMED = 4
"""Constants up to which the name of a family tells a curve: with names for all, NIST's Bennett5 and Eckerle4
were sums of peaks with both signs, and MGH17 a ratio of cubics."""

FOLDS = 10
STRENGTHS = (8.0, 16.0, 32.0, 64.0, 128.0)
"""Counts of its own from which a place is believed, tried for parents and for functions around them."""


def formulas(files: Container[str] | None = None) -> list[sympy.Expr]:
    """Return the formulas of all lists (or some), each once, with measured constants as Floats."""
    found: dict[sympy.Expr, None] = {}
    for name, column, inputs in (row for row in LISTS if files is None or row[0] in files):
        with open(FOLDER / name, encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found[_read(row[column], row[inputs].split(";"))] = None
    return list(found)


def _read(text: str, inputs: list[str]) -> sympy.Expr:
    names = sorted(set(re.findall(r"[A-Za-z_]\w*", text)))
    known = {n: sympy.Symbol(n, positive=True) for n in inputs}
    # constants of their own values: equal ones would be taken for one, round ones for exact numbers
    # e and E are constants of a law here, charges and energies: exp(x) is how the lists write the other
    unknown = [n for n in names if n not in known and n not in FUNCTIONS and n != "pi"]
    measured = {n: sympy.Float(0.7310 + 0.61803 * k) for k, n in enumerate(unknown)}
    calls = {"ln": sympy.log, "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan}
    given = {n: f for n, f in calls.items() if n not in known}
    e = sympy.sympify(text, locals={**given, **measured, **known}, rational=True)
    return _merged(e.xreplace({s: sympy.Symbol(s.name, real=True) for s in e.free_symbols}))


def _merged(e: sympy.Expr) -> sympy.Expr:
    """Return the formula with constants that stand together as one: only their value can be measured."""
    if not e.args:
        return e
    if not e.free_symbols:
        return sympy.Float(abs(float(e)) + 0.1234) if e.has(sympy.Float) else e
    args = [_merged(a) for a in e.args]
    if e.is_Add or e.is_Mul:
        numbers = [a for a in args if not a.free_symbols]
        if any(a.has(sympy.Float) for a in numbers):
            args = [a for a in args if a.free_symbols]
            args.append(sympy.Float(abs(float(e.func(*numbers))) + 0.1234))
    return e.func(*args)


def held_out(all_of_them: list[sympy.Expr], shared: float, nested: float) -> np.ndarray:
    """Return the nats of each formula by the counts of the other folds."""
    order = np.random.default_rng(0).permutation(len(all_of_them))
    nats = np.zeros(len(order))
    for k in range(FOLDS):
        held = set(order[k::FOLDS].tolist())
        prior = Prior.counted((f for i, f in enumerate(all_of_them) if i not in held), shared, nested)
        for i in held:
            nats[i] = sum(prior.sign_price(t) for t in tokens(all_of_them[i]))
    return nats


def flat(all_of_them: list[sympy.Expr]) -> tuple[np.ndarray, np.ndarray]:
    """Return each formula's nats at NODE_PRICE a symbol, and at one price for all signs that occur."""
    signs = {t.sign for f in all_of_them for t in tokens(f)}
    return (
        np.array([NODE_PRICE * written(f) for f in all_of_them]),
        np.array([math.log(len(signs)) * len(tokens(f)) for f in all_of_them]),
    )


def named(textbook: Counter[str]) -> dict[str, float]:
    """Return the counts of forms that have a name: a textbook's, and of families those that it lacks.

    Not what may be any curve: pieces of waves, several peaks, more than MOST_NAMED constants. Such forms have
    the names that the textbook gives them.
    """
    forms: dict[str, float] = dict(textbook)
    # a line through nought is no family, since it needs no start, and as common as any line
    forms[structure(sympy.Float(1.37) * INPUTS[0])] = Families.load()["line"].common
    for family in Families.load().values():
        form = family.form(1)
        wave = any(start.role == "frequency" for start in form.starts)
        if not wave and len(form.constants) <= MOST_NAMED:
            values = {c: sympy.Float(0.7310 + 0.61803 * k) for k, c in enumerate(form.constants)}
            name = structure(_merged(form.formula.xreplace(values)))
            forms[name] = family.common if family.common < 1 else max(forms.get(name, 0.0), family.common)
    return forms


def main() -> None:
    """Choose the strengths, write the table, print the figures."""
    lists = formulas()
    grid = {pair: held_out(lists, *pair).mean() for pair in itertools.product(STRENGTHS, STRENGTHS)}
    shared, nested = min(grid, key=lambda pair: grid[pair])
    by_symbol, uniform = flat(lists)
    print(f"{len(lists)} formulas, {sum(len(tokens(f)) for f in lists)} signs")
    print(f"nats a formula held out: prior {grid[shared, nested]:.2f} (shared {shared}, nested {nested})")
    print(f"one price for all signs: {uniform.mean():.2f}")
    print(f"{NODE_PRICE} a symbol, which is no code: {by_symbol.mean():.2f}")
    counts = dict(Prior.counted(lists, shared, nested).counts)
    root = Place("root", "none")
    none = round(len(lists) * NO_LAW / (1 - NO_LAW))
    counts[root] = {**counts[root], "measured": counts[root].get("measured", 0) + none}
    forms = named(Counter(structure(f) for f in formulas(HANDBOOK)))
    prior = Prior(counts, shared, nested)
    lines = [
        "# How often people write a sign, by what stands above it and the function around it.",
        "# Made by scripts/make_prior.py from lists of scientific formulas; see kansym/formula/prior.py.",
        f"shared = {shared}",
        f"nested = {nested}",
    ]
    for parent in sorted({place.parent for place in prior.counts}):
        lines.append(f'\n[counts."{parent}"]')
        for place in sorted(p for p in prior.counts if p.parent == parent):
            row = sorted(prior.counts[place].items(), key=lambda pair: (-pair[1], pair[0]))
            lines.append(f"{place.inside} = {{" + ", ".join(f'"{s}" = {int(n)}' for s, n in row) + "}")
    lines += ["", "# Whole forms of a handbook: x a column, c a measured constant; the columns.", "[known]"]
    lines += [f'"{form}" = {count:g}' for form, count in sorted(forms.items())]
    freed = [loose(f) for f in lists]
    for name, values in (
        ("numbers", Counter(q for f in freed for q in f.numbers)),
        ("exponents", Counter(q for f in freed for q in f.exponents)),
    ):
        lines += ["", f"# Exact {name} of the formulas, without signs.", f"[{name}]"]
        lines += [f'"{q}" = {count}' for q, count in sorted(values.items(), key=lambda v: (-v[1], v[0]))]
    target = FOLDER.parent.parent / "library" / "prior.toml"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
