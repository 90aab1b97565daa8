"""What answers a problem of the tree at once: each asks one room, and says what the answer is."""

from __future__ import annotations

from dataclasses import dataclass

from kansym.search.structure.models import Fit
from kansym.search.structure.problem import Problem
from kansym.search.structure.search import NAMED
from kansym.search.tree import (
    alone,
    bent,
    chains,
    extensions,
    means,
    monomial,
    moves,
    noisy,
    parts,
    quadratics,
    ratios,
    regimes,
    sparse,
    waves,
)

CLEAN = 1e-14
"""Share that a smooth fit of a problem leaves below which it has no noise: a name of it is exact, or none."""


@dataclass(frozen=True, eq=False)
class Node:
    """Hold a problem, its price in symbols less what a smooth fit says for it, and its transforms.

    `left` is the share of the table's variance that its polynomial leaves.
    """

    problem: Problem
    price: float
    transforms: int = 0
    last: str = ""
    left: float = 0.0


def ratio(node: Node) -> list[Fit]:
    """Answer with a ratio of polynomials."""
    return ratios.exact(node.problem)


def product(node: Node) -> list[Fit]:
    """Answer with one product of powers and exponentials."""
    return monomial.exact(node.problem)


def root(node: Node) -> list[Fit]:
    """Answer with a root of a quadratic equation."""
    return quadratics.exact(node.problem)


def products(node: Node) -> list[Fit]:
    """Answer with a sum of few products of whole powers, or a root of a quadratic equation."""
    return sparse.exact(node.problem) or quadratics.exact(node.problem)


def powers_of_products(node: Node) -> list[Fit]:
    """Answer with a root or the reciprocal of such a sum."""
    return sparse.powers(node.problem)


def angles(node: Node) -> list[Fit]:
    """Answer with a ratio, or a sum of products, of columns and the cosines and sines of some."""
    return waves.exact(node.problem, node.left)


def angles_of_two(node: Node) -> list[Fit]:
    """Answer with the same where two or three columns make one angle."""
    return waves.merged(node.problem, node.left)


def logarithms(node: Node) -> list[Fit]:
    """Answer with a ratio of polynomials of logarithms, and of square roots."""
    found = []
    for seen in (moves.in_logarithms(node.problem), moves.in_roots(node.problem)):
        found += [] if seen is None else ratios.exact(seen, within=ratios.EXACT_IN_FUNCTIONS)
    return found


def one_function(node: Node) -> list[Fit]:
    """Answer with a ratio of polynomials in the columns and one function of some."""
    return extensions.with_one(node.problem)


def in_noise(node: Node) -> list[Fit]:
    """Answer with the likeliest ratios in the columns and one function of some."""
    return noisy.fits(node.problem)


def two_functions(node: Node) -> list[Fit]:
    """Answer with a ratio of polynomials in the columns and two functions of some."""
    return extensions.with_two(node.problem)


def two_decays(node: Node) -> list[Fit]:
    """Answer with a ratio of polynomials in columns and two exponentials, of the likeliest arguments."""
    return extensions.with_decays(node.problem)


def beside_logarithms(node: Node) -> list[Fit]:
    """Answer with a ratio of polynomials in the columns, their logarithms and one function of some."""
    return extensions.beside_logarithms(node.problem)


def any_rate(node: Node) -> list[Fit]:
    """Answer with a ratio of polynomials in the columns and an exponential or a power of any rate."""
    return extensions.with_rate(node.problem)


def any_power(node: Node) -> list[Fit]:
    """Answer with any power of a ratio of polynomials, or a logarithm of one."""
    return extensions.with_power(node.problem)


def linear(node: Node) -> list[Fit]:
    """Answer with one curve and another times a column."""
    return parts.linear(node.problem)


def mean(node: Node) -> list[Fit]:
    """Answer with a mean of any exponent."""
    return means.exact(node.problem)


def product_of_curves(node: Node) -> list[Fit]:
    """Answer with a product of one curve for each column."""
    return parts.separated(node.problem, product=True)


def handbook(node: Node) -> list[Fit]:
    """Answer with a family from the handbook."""
    return alone.handbook(node.problem)


def modes(node: Node) -> list[Fit]:
    """Answer with a sum of decays and waves."""
    return alone.modes_of(node.problem)


def two_regimes(node: Node) -> list[Fit]:
    """Answer with one law up to a place of a column and another beyond it."""
    return regimes.exact(node.problem)


def chain(node: Node) -> list[Fit]:
    """Answer with a function of a function of a function."""
    return chains.exact(node.problem)


def sides(node: Node) -> list[Fit]:
    """Answer with a curve that bends or jumps at a place."""
    return alone.sides_of(node.problem)


def bend(node: Node) -> list[Fit]:
    """Answer with a power that bends into another; of a clean curve with one that is exact, or none."""
    clean = 0 < node.left < CLEAN
    return [fit for fit in bent.fits(node.problem) if fit.share < NAMED or not clean]
