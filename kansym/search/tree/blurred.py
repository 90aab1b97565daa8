"""The tree under noise: moves that lose nothing are still seen, but no answer is exact, so that all compare.

A right move leaves the noise and not zero: problems near the least that any smooth fit leaves are kept, the
table's own and those of transformed targets. Each is answered by what stands noise, ratios with a function
and named curves; what comes of all of them is fitted to the table's rows, and the likeliest are proposed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from kansym.base import criterion
from kansym.base.budget import Budget
from kansym.formula import expression
from kansym.functions.library import Library
from kansym.search.candidate import Candidate
from kansym.search.structure import outers
from kansym.search.structure.models import Fit, Models
from kansym.search.structure.naming import Proposal
from kansym.search.structure.problem import Problem
from kansym.search.structure.search import FAR_OFF, HOPELESS, Search
from kansym.search.tree import (
    alone,
    bent,
    evidence,
    exchanges,
    moves,
    neighbours,
    noisy,
    parts,
    small,
    suggestions,
    times,
    turned,
    waves,
)
from kansym.search.tree.transforms import transformed

LEAST = 1e-7
"""Share that smooth fits leave of a table below which it has no noise to speak of: exact looks know more."""

FEWEST_ROWS = 60
"""Rows below which the losses of two problems cannot be told apart."""

SMOOTH_ROWS = 700
"""Fitted rows of smooth fits: of 400 the noise hid the way from a soil's retention to a curve of a·h."""

NEAR = 1.4
"""How many times the least loss of all a problem may leave and be answered."""

PATIENT = 60.0
"""The same for problems that are still to be transformed: a smooth fit of them may be poor."""

TURNING = 0.01
"""Share that a smooth fit leaves above which its slopes mislead, and moves with them."""

FAR_BETTER = 0.3
"""Share of what a smooth fit of a curve leaves below which what neighbours say is believed instead."""

TURNED, DEPTH = 4, 2
"""Problems of two columns asked for products with a curve of both joined; transforms on the way to one."""

BEAM = 4
"""Problems whose targets are transformed, at each depth."""

ANSWERED = {1: 2, 2: 3, 3: 2, 4: 1}
"""Problems of so many columns that are answered, those of the fewest transforms first."""

ALIKE = 2
"""Problems of the same columns that are answered."""

FITTED, PROPOSED = 40, 8
"""Formulas that are fitted to the table's rows, and those that are proposed. What noise hides of their order
is large: asin(u) with 10 % of noise is 33rd before and first after."""

WIDEST_PARTED, MOST_PARTED, PARTED, PARTED_WORK = 3, 60, 4, 0.05
"""Columns of transformed problems that are asked for curves that part, such problems at most, how many that
part are named, and the units of work of one look."""

TARGETS_OF_SUMS, WIDEST_SUMMED = ("t", "t^2"), 2
"""Functions of the target that are asked for sums of products of curves: of 1/y ratios know more; and columns
of problems that are asked before any transform. Of four columns it takes 1 s, of two 0.15 s."""

KNOWN = 0.1
"""Share of what the best smooth fit left before at which sums of products are looked for again."""

MANY, NEAREST = 2, 1.1
"""Problems that are enough, one of them this close to the least loss: wider ones are not answered beside
them. Of a sum of velocities with 10 % of noise (u + v)/c leaves 1.27 times what u/c and v/c do."""

CLOSE = 10.0
"""Nats by which what is found may be longer than the shortest that a wider problem could be called, each of
its columns once, for that one to be left out."""

SHORT, FEW = 30, 3
"""Symbols and measured numbers of a formula that ends the search where it leaves nothing but noise: Bateman's
curve has 30 while its three units are measured; two more depths after it took 20 s."""

A_NUMBER = 2.0
"""Price of a number that moves measured: of two problems that leave the same the one without comes first."""

SAME = 1e-4
"""Share of what fitted formulas leave of rows left out by which two differ that are not one in two forms:
three forms of a/(b + u^2) took the place of a bell."""

UNDONE = 4
"""Transformed problems whose columns are tried for the target as it was."""

MOST_SPAN = 25.0
"""Range of a logarithm that is undone."""

WORK = 0.5
"""Units of work of one solver's look."""

SOURCE = "tree in noise"

STAND = sympy.Dummy(real=True)
"""What stands for a problem's answer."""


Answer = tuple[Proposal, Callable[[sympy.Expr], sympy.Expr]]
"""A proposal for a problem, and the way back to the table."""


@dataclass(frozen=True, eq=False)
class Node:
    """Hold a problem, the share of the table's variance that a smooth fit leaves, its transforms' price.

    It was `told` what is left where a smooth fit of a function of its target leaves that.
    """

    problem: Problem
    left: float
    price: float = 0.0
    told: bool = False


def propose(
    dataset: Any,
    *,
    budget: Budget,
    library: Library | None = None,
    seed: int = 0,
    transforms: bool = True,
    table: bool = True,
) -> Iterator[Candidate]:
    """Yield the likeliest formulas of a dataset with X (n, d), y (n,), weights and names, best first.

    What the `table`'s moves lead to is answered before what `transforms` of its target do, each where asked.
    Rows weigh alike: where a smooth fit is poor, what it leaves passes for noise that grows with the value,
    and such weights hide the law.
    """
    if dataset.rows < FEWEST_ROWS:
        return
    if dataset.weights is not None and not dataset.absolute and np.all(dataset.weights > 0):
        dataset = replace(dataset, weights=None)
    search = Search(dataset, budget, seed, library)
    search.root = replace(search.root, smooth_rows=SMOOTH_ROWS)
    seen: dict[tuple, Node] = {}
    asked: set[Node] = set()
    with np.errstate(all="ignore"):
        level = _grown(Node(search.root, evidence.loss(search.root)), seen)
        several = [n for n in level if n.problem.width > 1]
        for node in dict.fromkeys((level[0], *sorted(several, key=lambda n: n.left)[:1])):
            for off, child in neighbours.curves(node.problem):
                left = evidence.loss(child)  # which a curve that turns too often defeats
                level += _grown(Node(child, off if off < FAR_BETTER * left else left), seen)
        least = known = np.inf
        for depth in range(DEPTH + 1 if transforms else 1):
            if depth:
                level = _transformed(level, least, seen, powers=depth == 1)
            found = sorted(seen.values(), key=lambda n: n.left)
            least = found[0].left
            if least < LEAST:
                return
            new = [n for n in chosen(found) if n not in asked]
            asked.update(new)
            better, known = least < KNOWN * known, min(least, known)
            if depth or table:
                proposals = _answered(new, least, budget)
            else:  # before any transform, a second or two
                proposals, better = list(_sums_of_curves(search, budget)), False
            if depth:
                proposals += _parted(seen.values(), asked, least, budget)
            if better:  # what a smooth fit leaves decides which rows noise may have carried
                known_so = any(n.problem is search.root for n in asked)
                proposals += _few_terms(search.root, least, budget, not known_so)
            fitted = _fitted(search, proposals)
            if not depth and table:
                fitted += _fitted(search, [*_corrected(search, found, fitted)])
            likely = _unlike(fitted)
            yield from likely
            if budget.exhausted or _enough(likely, search):
                return


def _fitted(search: Search, proposals: list[Answer]) -> list[tuple[float, Candidate]]:
    """Return the likeliest proposals with their constants fitted to the table's rows, and their ranks."""
    rows = len(search.root.fit)
    lengths = [float(criterion.rank(p.share, p.price, rows)) for p, _ in proposals]
    likely = [k for k in np.argsort(lengths, kind="stable")[:FITTED] if lengths[k] <= min(lengths) + HOPELESS]
    search.budget.spend(min(len(proposals), FITTED) - len(likely))  # what is hopeless was asked for, too
    measured = [search.measure(finish(p.write()), SOURCE) for p, finish in (proposals[k] for k in likely)]
    return [m for m in measured if m is not None]


def _unlike(fitted: list[tuple[float, Candidate]]) -> list[Candidate]:
    """Return the formulas of the best ranks that are not one in several forms."""
    found: list[Candidate] = []
    for _, candidate in sorted(fitted, key=lambda m: m[0]):
        if all(abs(candidate.score - other.score) > SAME * other.score for other in found):
            found.append(candidate)
    return found[:PROPOSED]


def _corrected(search: Search, found: list[Node], fitted: list[tuple[float, Candidate]]) -> Iterator[Answer]:
    """Yield what moves divided out and short formulas, times a curve (`times`), and two (`turned`)."""
    formulas = [e for _, c in sorted(fitted, key=lambda m: m[0]) if (e := c.expression) is not None]
    if _enough(_unlike(fitted), search, times.LONGEST):
        return  # nothing undercuts what is so plain
    search.budget.spend(WORK)
    curves = times.curves(search.root, [n.problem for n in found], formulas)
    of_one = (fit for _, child in curves for fit in alone.curves_of(child))
    near = [n.problem for n in found if n.problem.width == 2 and n.left < PATIENT * found[0].left]
    for fit in itertools.chain(of_one, turned.fits(near[:TURNED])):
        yield from ((p, fit.problem.finish) for p in fit.name())


def _enough(likely: list[Candidate], search: Search, most: int = SHORT) -> bool:
    """Tell whether the likeliest formula has at most so many symbols, and leaves nothing but noise."""
    e = likely[0].expression if likely else None
    if e is None or expression.complexity(e) > most or len(e.atoms(sympy.Float)) > FEW:
        return False
    return search.leaves_noise(likely[0])


def _transformed(level: list[Node], least: float, seen: dict[tuple, Node], powers: bool) -> list[Node]:
    """Return the new problems that transforms of the likeliest ones' targets lead to."""
    several = [n for n in level if n.problem.width > 1 and n.left < PATIENT * least]
    # where a smooth fit is poor its slopes mislead, and moves with them: the problem itself comes first
    sure = [level[0]] if level and level[0].left > TURNING else []
    several.sort(key=lambda n: (n not in sure, n.left > NEAR * least, n.problem.width, n.left))
    new: list[Node] = []
    told = []
    for node in several[:BEAM]:
        for price, problem in transformed(node.problem, node.left, powers):
            left = evidence.loss(problem)
            if left <= (PATIENT if node.told else NEAR) * node.left:
                grown = _grown(Node(problem, left, node.price + price), seen)
                new += grown
                clear = [n for n in grown if n.problem.y is problem.y and n.left < FAR_BETTER * node.left]
                told += [(n, node) for n in clear if n.problem.width < node.problem.width]
            for child in _plainly_divided(problem) if node.told else ():
                if (left := evidence.loss(child)) <= NEAR * node.left:
                    new += _grown(Node(child, left, node.price + price), seen)
    return _undone(told, seen) + new


def _plainly_divided(problem: Problem) -> Iterator[Problem]:
    """Yield a problem over and times each of its columns: slopes of a poor smooth fit would not say so."""
    for i, power in itertools.product(np.flatnonzero(problem.one_signed()).tolist(), (1.0, -1.0)):
        if problem.width > 1 and (child := moves.divided(problem, i, power)) is not None:
            yield child


def _undone(told: list[tuple[Node, Node]], seen: dict[tuple, Node]) -> list[Node]:
    """Return what moves made of transformed problems with their targets taken back; nodes before are given.

    Where a smooth fit of the target is poor it shows no move, one of a function of it does: what joins the
    columns for the one does so for the other.
    """
    new = []
    for node, before in sorted(told, key=lambda t: t[0].left)[:UNDONE]:
        problem = before.problem.columns(node.problem.Z, node.problem.formulas)
        key = moves.same(problem)
        if key not in seen:
            price = before.price + A_NUMBER * max(_numbers(problem) - _numbers(before.problem), 0)
            seen[key] = Node(problem, node.left, price, told=True)
            new.append(seen[key])
    return new


def _grown(node: Node, seen: dict[tuple, Node]) -> list[Node]:
    """Return a problem and those of fewer columns that lose nothing, as far as they are new."""
    found = [(node.left, node.problem), *suggestions.reductions(node.problem, known=node.left)]
    new, known = [], _numbers(node.problem)
    for left, problem in found:
        key = moves.same(problem)
        if key not in seen:
            price = node.price + A_NUMBER * max(_numbers(problem) - known, 0)
            seen[key] = replace(node, problem=problem, left=left, price=price)
            new.append(seen[key])
    return new


def _numbers(problem: Problem) -> int:
    """Return how many measured numbers a problem's columns and the way back hold."""
    return len(sympy.Tuple(problem.finish(STAND), *problem.formulas).atoms(sympy.Float))


def chosen(found: list[Node]) -> list[Node]:
    """Return the problems to be answered: near the least that any leaves, some of each number of columns."""
    least = found[0].left
    # a smooth fit of the table itself may be poor where a ratio holds
    near = [n for n in found if n.left <= (NEAR if n.price else PATIENT) * least]
    near.sort(key=lambda n: (n.price, n.left))
    out: list[Node] = []
    for width, most in ANSWERED.items():
        kept: list[Node] = []
        for node in (n for n in near if n.problem.width == width):
            alike = sum(set(n.problem.formulas) == set(node.problem.formulas) for n in kept)
            if len(kept) < most and alike < ALIKE and (node.left <= NEAR * least or not kept):
                kept.append(node)
        out += kept
        if len(out) >= MANY and any(n.left <= NEAREST * least for n in out):
            break
    return out


def _answered(nodes: list[Node], least: float, budget: Budget) -> list[Answer]:
    """Return proposals for problems, the narrowest first, as long as those of the next could be far shorter.

    A wider problem is one from which columns were taken: where the narrower one has a short name that leaves
    as little as any smooth fit, what the wider one is called is mostly the same law once more.
    """
    found: list[Answer] = []
    for node in nodes:
        rows = len(node.problem.fit)
        lengths = [float(criterion.rank(p.share, p.price, rows)) for p, _ in found]
        if _improvable(min(lengths, default=np.inf), node, least):
            found += answers(node, least, budget)
    return found


def _improvable(shortest: float, node: Node, least: float) -> bool:
    """Tell whether what a problem is called, each column once, could be far shorter than what was found."""
    symbols = node.price + 2 * node.problem.width - 1
    return shortest > criterion.rank(least, symbols, len(node.problem.fit)) + CLOSE


def answers(node: Node, least: float, budget: Budget) -> Iterator[Answer]:
    """Yield proposals for a problem, with the way back to the table; none can leave less than `least`."""
    seen = [node.problem]
    if node.problem.width == 1 and node.price and np.ptp(node.problem.y) < MOST_SPAN:
        # what a logarithm made a sum is simpler as it was
        seen = [p for p in (moves.exponent(node.problem, 1.0), node.problem) if p is not None]
    rows, shortest = len(node.problem.fit), np.inf
    for problem, solve in itertools.product(seen, SOLVERS_OF_ONE if node.problem.width == 1 else SOLVERS):
        if budget.exhausted:
            return
        if solve is _plain_sums and not _improvable(shortest, node, least):
            continue
        budget.spend(WORK)
        for fit in solve(problem):
            if fit.source in parts.SOURCES and fit.share > NEAR * node.left:
                continue
            if criterion.rank(max(fit.share, least) / FAR_OFF, node.price, rows) > shortest:
                continue
            for p in fit.name():
                named = replace(p, share=max(p.share, least), price=p.price + node.price)
                shortest = min(shortest, float(criterion.rank(named.share, named.price, rows)))
                yield named, fit.problem.finish


def _parted(nodes: Iterable[Node], asked: set[Node], least: float, budget: Budget) -> Iterator[Answer]:
    """Yield sums and products of curves that leave as little as any smooth fit, of problems not `asked`.

    Curves have far fewer numbers than a smooth fit of all columns: where they do as well the transform is
    the right one, which its own smooth fit does not tell among a hundred.
    """
    several = sorted((n for n in nodes if 1 < n.problem.width <= WIDEST_PARTED and n not in asked), key=_cost)
    found = []
    for node in several[:MOST_PARTED]:
        if budget.exhausted:
            return
        budget.spend(PARTED_WORK)
        fits = (*_sum(node.problem), *_product(node.problem))
        found += [(node, fit) for fit in fits if fit.share <= NEAR * least]
    for node, fit in sorted(found, key=lambda f: f[0].price + f[1].price)[:PARTED]:
        budget.spend(WORK)
        for p in fit.name():
            yield replace(p, share=max(p.share, least), price=p.price + node.price), fit.problem.finish


def _cost(node: Node) -> tuple[float, float]:
    return node.price, node.left


def _few_terms(problem: Problem, left: float, budget: Budget, ratios: bool) -> Iterator[Answer]:
    """Yield sums of few products for a problem of any width, and `ratios` of them; smooth fits leave `left`.

    They may leave less than any smooth fit: of a sum of four columns polynomials see little.
    """
    budget.spend(WORK)
    for fit in (*exchanges.fits(problem, left), *(small.fits(problem) if ratios else ())):
        yield from ((p, fit.problem.finish) for p in fit.name())


def _sums_of_curves(search: Search, budget: Budget) -> Iterator[Answer]:
    """Yield sums of few products of plain curves for the target and its square, 1 s each of four columns.

    Before them such sums with waves of any frequency.
    """
    budget.spend(WORK)
    for fit in waves.fits(search.root, evidence.loss(search.root)):
        yield from ((p, fit.problem.finish) for p in fit.name())
    for name in TARGETS_OF_SUMS:
        problem = search.root.target(outers.outer(name))
        if problem is not None and not budget.exhausted:
            budget.spend(WORK)
            for fit in search.models.sums(problem):
                yield from ((p, fit.problem.finish) for p in fit.name())


def _sum(problem: Problem) -> list[Fit]:
    return parts.separated(problem, product=False, noise=True)


def _product(problem: Problem) -> list[Fit]:
    return parts.separated(problem, product=True, noise=True)


def _products(problem: Problem) -> list[Fit]:
    return exchanges.fits(problem, 0.0, targets=1)


def _plain_sums(problem: Problem) -> list[Fit]:
    """Return sums of products of plain curves for the target and its square, 0.1 to 0.2 s each."""
    if problem.width > WIDEST_SUMMED:
        return []
    targets = (problem.target(outers.outer(name)) for name in TARGETS_OF_SUMS)
    return [fit for target in targets if target is not None for fit in Models.sums(target)]


def _linear(problem: Problem) -> list[Fit]:
    return parts.linear(problem, noise=True)


def _curves(problem: Problem) -> list[Fit]:
    return alone.curves_of(problem)


SOLVERS_OF_ONE = (_curves, bent.in_noise, small.fits, small.with_one, noisy.fits, alone.short_families)
SOLVERS = (small.fits, small.with_one, noisy.fits, _sum, _product, _linear, _products, _plain_sums)
