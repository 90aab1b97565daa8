"""The ordered table of producers: name, purpose, and when each is asked. Cheap and exact ones come first."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from kansym.search.families.family import Families
from kansym.search.producer import Level, Producer, Propose


def _room(path: str, function: str = "propose", **given: Any) -> Callable[[], Propose]:
    """Return what loads the function of a room that proposes: rooms are imported when they are asked."""

    def load() -> Propose:
        """Import the room."""
        return partial(getattr(importlib.import_module(f"kansym.search.{path}"), function), **given)

    return load


PLAIN = Producer(
    "plain",
    "the plainest exact formulas of few rows",
    Level.QUICK,
    100.0,
    _room("enumeration.plain"),
)
FEW = Producer(
    "few rows",
    "short exact formulas of few rows, compositions included",
    Level.QUICK,
    20.0,
    _room("enumeration.search", "few"),
    fewest_rows=6,
    # tests of so few rows do not see every law: x0*sin(x1*x2) + x3 on 30 looks like noise, and so does
    # exp(-(x0 - x1)**2)*cos(3*x2) on 100
    most_rows=300,
    fewest_columns=2,
)
FEW_OF_ONE = replace(FEW, name="few rows of one column", fewest_columns=1, most_columns=1)
"""Asked where nothing is proved: x + x**2 + x**3 is plainer than the shorter (x**4 - x)/(x - 1)."""
OF_FEW_ROWS = (FEW, FEW_OF_ONE)
"""Looks that see laws in few rows where tests do not."""
TREE = Producer(
    "tree",
    "problems made simpler until a ratio, a curve or a sum answers them",
    Level.QUICK,
    50.0,
    _room("tree.search", deep=False),
)
DEEP_TREE = Producer(
    "deep tree",
    "the same, longer, with every solver asked about every problem",
    Level.DEEP,
    600.0,
    _room("tree.search", deep=True),
    leftovers=True,
)
BLURRED = Producer(
    "tree in noise",
    "the same where no answer is exact: moves that lose nothing but noise",
    Level.THOROUGH,
    600.0,
    _room("tree.blurred", transforms=False),
    fewest_rows=60,
    fewest_columns=2,  # of one column the families and curves know more
    most_columns=8,
)
RIDGES = replace(
    BLURRED,
    name="ridges",
    purpose="monomials times a curve of one argument, the likeliest alone",
    load=_room("structure.search", "ridges"),
)
TRANSFORMED = replace(
    BLURRED,
    name="transforms in noise",
    purpose="the same of functions of the target, unless something short leaves only noise",
    load=_room("tree.blurred", table=False),
)
PURSUIT = Producer(
    "pursuit",
    "sums of products of two functions, and products of powers, of many columns",
    Level.QUICK,
    5.0,
    _room("pursuit"),
    fewest_rows=20,
    fewest_columns=10,  # narrower tables are for the tree and the structure search, which know more forms
)
STRUCTURE = Producer(
    "structure",
    "monomials times a curve of one argument, sums of such terms, merged columns",
    Level.THOROUGH,
    4000.0,
    _room("structure.search"),
)
SEPARABLE = Producer(
    "separable",
    "sums of products of curves of one argument each",
    Level.THOROUGH,
    1000.0,
    _room("separable"),
    fewest_rows=40,
    most_columns=5,
)
PADE = Producer(
    "pade",
    "ratios of two polynomials with few terms",
    Level.THOROUGH,
    500.0,
    _room("rational.search"),
    most_columns=12,
)
ENUMERATION = Producer(
    "enumeration",
    "every small expression, and joins of two or three of them",
    Level.DEEP,
    4000.0,
    _room("enumeration.search"),
    fewest_rows=6,
)


def classics(families: Families) -> Producer:
    """Return the producer that tries families of curves from handbooks."""
    return Producer(
        "classics",
        "families of curves from handbooks, with good starts",
        Level.QUICK,
        20.0,
        _room("families.classics", families=families),
    )


def curves(families: Families) -> Producer:
    """Return the producer that names a table of one input: changed families, pairs of functions."""
    return Producer(
        "curves",
        "families of changed inputs and targets, sums and products of two functions",
        Level.THOROUGH,
        50.0,
        _room("families.curves", families=families),
        fewest_rows=8,
        most_columns=1,
    )


def network(device: str = "cpu") -> Producer:
    """Return the producer that trains networks on a device."""
    return Producer(
        "network",
        "trained Kolmogorov-Arnold networks, whose curves are then named",
        Level.DEEP,
        500.0,
        _room("network", device=device),
        fewest_rows=40,
        leftovers=True,
        graphs=True,
    )


EXACT = (TREE, *OF_FEW_ROWS, PLAIN)
"""The producers whose formulas are exact, or none."""


UNWEIGHED = (BLURRED, TRANSFORMED)
"""Those that weigh the rows alike whatever the survey says, unless their errors are known."""


def producers(device: str = "cpu", networks: bool = True, noisy: bool = False) -> tuple[Producer, ...]:
    """Return all producers that can answer any table, in the order in which they are asked.

    Where rows are clearly `noisy` no formula is exact: looks for such formulas only precede the deep ones.
    """
    standing = (PURSUIT, BLURRED, RIDGES, TRANSFORMED, STRUCTURE, SEPARABLE, PADE)
    first = (*standing, *EXACT) if noisy else (*EXACT, *standing)
    without = (*first, DEEP_TREE, ENUMERATION)
    return (*without, network(device)) if networks else without


NAMING = (SEPARABLE, STRUCTURE, PADE)
"""The producers that name one unknown part of a formula from its values, in the order of their use there."""
