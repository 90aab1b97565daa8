"""Graph to SymPy expression and back; the size of an expression; its printed forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache

import numpy as np
import sympy
from sympy.functions.elementary.trigonometric import TrigonometricFunction

from kansym.base.errors import InputError
from kansym.formula import rewriting
from kansym.formula.parts import beside_constant, by_column, squared_waves, upside_down
from kansym.functions import library
from kansym.functions.graph import Edge, Graph, Spline, Symbolic
from kansym.functions.latex import Latex
from kansym.functions.parsing import format_expression
from kansym.functions.parsing import symbols as column_symbols

MOST_TURNS = 12
"""Angles with larger whole numbers in them are left out where SymPy would expand them."""


def number(value: float) -> sympy.Expr:
    """Return a float as SymPy: integers up to 10^6 exactly, anything else as a Float.

    >>> print(number(2.0), number(0.5))
    2 0.500000000000000
    """
    return sympy.Integer(int(value)) if value == int(value) and abs(value) < 1e6 else sympy.Float(value)


def symbolic_value(curve: Symbolic, argument: sympy.Expr) -> sympy.Expr:
    """Return c·f(a·argument + b) + d as an expression."""
    inner = number(curve.a) * argument + number(curve.b)
    f = curve.function.expression.xreplace({library.X: inner})
    if curve.p is not None:
        f = f.xreplace({library.EXPONENT: number(curve.p)})
    return number(curve.c) * f + number(curve.d)


def from_graph(graph: Graph) -> tuple[sympy.Expr, ...]:
    """Return one expression per output, with one real symbol per input named as the column.

    Raises InputError when a curve is still a spline: snap it first.
    """
    values: dict[str, sympy.Expr] = dict(zip(graph.inputs, column_symbols(graph.inputs), strict=True))
    for node in graph.order():
        if node in values:
            continue
        terms = []
        for e in graph.into(node):
            if isinstance(e.curve, Spline):
                raise InputError(
                    f"Edge {e.source} -> {e.target} still carries a spline; snap it to a function first."
                )
            terms.append(symbolic_value(e.curve, values[e.source]))
        values[node] = (
            sympy.Add(number(graph.bias(node)), *terms) if graph.kind(node) == "sum" else sympy.Mul(*terms)
        )
    return tuple(values[name] for name in graph.outputs)


def to_graph(expression: sympy.Expr, inputs: Sequence[str], output: str = "y") -> Graph:
    """Compile a formula into a graph of sums, products and curves c·f(a·x+b)+d.

    Every operation of the formula becomes a node and every function of one argument an edge, so
    from_graph(to_graph(e))[0] equals e (KAN 2.0's compiler, arXiv 2408.10205). Raises InputError for
    a symbol that is not among `inputs` and for functions of several arguments.
    """
    builder = _GraphBuilder(inputs)
    top = builder.node(expression)
    if top in inputs or not builder.nodes:
        builder.nodes["sum0"] = "sum"
        builder.join(top, "sum0")
        top = "sum0"
    graph = Graph.build(inputs, [top], builder.nodes, builder.edges, builder.bias)
    return graph


class _GraphBuilder:
    """Build a graph from a formula: every operation a node, every function of one argument an edge."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self.names = dict(zip(column_symbols(inputs), inputs, strict=True))
        self.taken = set(inputs)
        self.nodes: dict[str, str] = {}
        self.bias: dict[str, float] = {}
        self.edges: list[Edge] = []
        self.seen: dict[sympy.Expr, str] = {}
        self.identity = library.get("x")

    def new(self, kind: str) -> str:
        """Add a node of a kind and return its name."""
        i = len(self.nodes)
        while f"{kind}{i}" in self.taken:
            i += 1
        name = f"{kind}{i}"
        self.taken.add(name)
        self.nodes[name] = kind
        return name

    def join(self, source: str, target: str, curve: Symbolic | None = None) -> None:
        key = sum(e.source == source and e.target == target for e in self.edges)
        self.edges.append(Edge(source, target, key, curve or Symbolic(self.identity)))

    def node(self, expression: sympy.Expr) -> str:
        """Return the name of a node that holds the value of e."""
        if expression in self.names:
            return self.names[expression]
        if expression not in self.seen:
            self.seen[expression] = self.build(expression)
        return self.seen[expression]

    def build(self, expression: sympy.Expr) -> str:
        """Add the nodes of a formula and return the last one's name."""
        if not expression.free_symbols:
            name = self.new("sum")
            self.bias[name] = float(expression)
            return name
        if expression.is_Symbol:
            raise InputError(
                f"The formula uses {expression}, which is no column; known: {', '.join(self.names.values())}."
            )
        if expression.is_Add:
            name = self.new("sum")
            constant, terms = expression.as_independent(*expression.free_symbols, as_Add=True)
            self.bias[name] = float(constant)
            for term in sympy.Add.make_args(terms):
                scale, rest = term.as_independent(*term.free_symbols, as_Add=False)
                source, curve = self.edge(rest)
                self.join(source, name, _scaled(curve, float(scale)))
            return name
        if expression.is_Mul:
            scale, rest = expression.as_independent(*expression.free_symbols, as_Add=False)
            factors = sympy.Mul.make_args(rest)
            if len(factors) == 1:
                name = self.new("sum")
                source, curve = self.edge(rest)
                self.join(source, name, _scaled(curve, float(scale)))
                return name
            name = self.new("product")
            for i, factor in enumerate(factors):
                source, curve = self.edge(factor)
                self.join(source, name, _scaled(curve, float(scale) if i == 0 else 1.0))
            return name
        name = self.new("sum")
        source, curve = self.edge(expression)
        self.join(source, name, curve)
        return name

    def edge(self, expression: sympy.Expr) -> tuple[str, Symbolic]:
        """Return a node and a curve on it that give an expression: one function, if it is one of a column."""
        head, args = expression.func, expression.args
        if expression in self.names or expression.is_Add or expression.is_Mul:
            return self.node(expression), Symbolic(self.identity)
        if expression.is_Pow and not expression.exp.free_symbols:
            inside, outer = expression.base, Symbolic(_function(library.X**expression.exp))
        elif expression.is_Pow:
            inside, outer = expression.exp * sympy.log(expression.base), Symbolic(library.get("exp"))
        elif len(args) == 1 or len([a for a in args if a.free_symbols]) == 1:
            (inside,) = (a for a in args if a.free_symbols)
            outer = Symbolic(_function(head(*(library.X if a is inside else a for a in args))))
        else:
            raise InputError(f"{head} takes several arguments; a graph's edges carry functions of one.")
        rest, shift = inside, sympy.S.Zero
        if inside.is_Add:
            shift, rest = inside.as_independent(*inside.free_symbols, as_Add=True)
        scale, rest = rest.as_independent(*inside.free_symbols, as_Add=False)
        return self.node(rest), Symbolic(
            outer.function, float(scale), float(shift), outer.c, outer.d, outer.p
        )


@cache
def _shipped() -> dict[sympy.Expr, library.Function]:
    functions = library.Library.load("all").values()
    return {f.expression: f for f in functions if library.EXPONENT not in f.expression.free_symbols}


def _function(form: sympy.Expr) -> library.Function:
    """Return the library's function of this form, or a new one named by the form itself."""
    return _shipped().get(form) or library.Function(str(form), form, complexity(form))


def _scaled(curve: Symbolic, scale: float) -> Symbolic:
    return Symbolic(curve.function, curve.a, curve.b, curve.c * scale, curve.d * scale, curve.p)


def complexity(expression: sympy.Expr) -> int:
    """Count operators + constants + variables, as PySR does.

    A subtraction, a division and a power are one operator each; sqrt is a function of one argument;
    a rational constant and pi count one each.

    >>> x, y = sympy.symbols("x y", real=True)
    >>> complexity(x), complexity(2.5 * x + y), complexity(1 / x), complexity(sympy.exp(-x))
    (1, 5, 3, 3)
    """
    e = expression
    if e.is_Symbol or e.is_Number or e.is_NumberSymbol:
        return 1
    if e.is_Add:
        total = -1
        for term in e.args:
            # a negative coefficient is a subtraction, not a factor; a leading one is a unary minus
            positive = -term if term.could_extract_minus_sign() else term
            total += complexity(positive) + 1
        return total + (1 if all(t.could_extract_minus_sign() for t in e.args) else 0)
    if e.is_Mul:
        if e.could_extract_minus_sign():
            return 1 + complexity(-e)
        over, under = e.as_numer_denom() if e.args[0].is_Rational else _fraction(e)
        if under != 1:
            return complexity(over) + 1 + complexity(under)
        return sum(complexity(a) for a in e.args) + len(e.args) - 1
    if e.is_Pow:
        if e.exp == sympy.Rational(1, 2):
            return 1 + complexity(e.base)
        if e.exp.could_extract_minus_sign():
            return 2 + complexity(e.base ** (-e.exp))
        return 1 + complexity(e.base) + complexity(e.exp)
    return 1 + sum(complexity(a) for a in e.args)


def written(expression: sympy.Expr) -> int:
    """Count the symbols of the shortest way to write products of powers: a²/b² as (a/b)².

    SymPy spreads a power over a product; a person does not, and a description should not pay for it.

    >>> v, c = sympy.symbols("v c", positive=True)
    >>> complexity(v**2 / c**2), written(v**2 / c**2), written(sympy.sqrt(v) * sympy.sqrt(c))
    (7, 5, 4)
    """
    saved = 0
    for product in sympy.preorder_traversal(expression):
        if not product.is_Mul:
            continue
        powers = [abs(f.exp) for f in product.args if f.is_Pow and f.exp.is_number and not f.base.is_number]
        for power in set(powers) - {sympy.S.One}:
            saved += (powers.count(power) - 1) * (1 if power == sympy.Rational(1, 2) else 2)
    return complexity(expression) - saved


def _fraction(e: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    """Return the parts above and below a product's line."""
    below = [f for f in e.args if f.is_Pow and f.exp.is_number and f.exp.is_negative]
    over = sympy.Mul(*(f for f in e.args if f not in below))
    return over, sympy.Mul(*(f.base ** (-f.exp) for f in below))


@lru_cache(maxsize=2000)  # the best formula's is asked for with every other one
def text(expression: sympy.Expr, digits: int | None = 6) -> str:
    """Return the expression as plain text that parsing.parse_expression reads back.

    Constants have `digits` significant digits; None writes every bit.
    """
    return format_expression(expression, digits)


def rounded(expression: sympy.Expr, digits: int) -> sympy.Expr:
    """Return the expression with its Floats cut to `digits` significant digits."""
    return expression.xreplace({f: sympy.Float(f, digits) for f in expression.atoms(sympy.Float)})


def latex(expression: sympy.Expr, digits: int = 4) -> str:
    """Return the expression in LaTeX with constants of `digits` significant digits."""
    return str(Latex(digits).doprint(expression))


Check = Callable[[sympy.Expr], bool]


def simplify(expression: sympy.Expr, same: Check, positive: Iterable[sympy.Symbol] = ()) -> sympy.Expr:
    """Return the smallest of several algebraic forms that `same` confirms to be the same function.

    `positive` names the symbols that are positive on the data: sqrt(x²) is x there. A rewriting is a
    guess; `same` (a numeric comparison on the data's rows) is what admits it.
    """
    swap = {s: sympy.Symbol(s.name, positive=True) for s in positive}
    back = {v: k for k, v in swap.items()}
    best = _exponentials(expression)
    size = complexity(best)
    e = best.xreplace(swap)
    for _ in range(3):
        before = size
        for form in _forms(e):
            candidate = _exponentials(form.xreplace(back))
            c = complexity(candidate)
            if c < size and same(candidate):
                best, size = candidate, c
        if size == before:
            break
        e = best.xreplace(swap)
    return best


def _exponentials(e: sympy.Expr) -> sympy.Expr:
    """Return the expression with powers of exponentials as one: sqrt(exp(u)) is shorter, but nobody's way."""
    return e.replace(
        lambda p: p.is_Pow and isinstance(p.base, sympy.exp) and p.exp.is_Rational,
        lambda p: sympy.exp(p.base.args[0] * p.exp),
    )


def _forms(e: sympy.Expr) -> Iterable[sympy.Expr]:
    """Yield rewritings that are cheap for SymPy; the expensive ones only on small trees."""
    yield e
    if e.has(sympy.Abs):  # the root of a square, where the rows show one sign alone
        yield e.replace(sympy.Abs, lambda u: u)
        yield e.replace(sympy.Abs, lambda u: -u)
    yield rewriting.squares(e)
    yield rewriting.turned(e)
    yield rewriting.under_roots(e)
    split = sympy.expand_power_exp(e)
    yield split
    logs = sympy.expand_log(e, force=True)
    yield logs
    if _nested(logs):  # seconds for a sum of ratios, which has nothing to unnest
        yield sympy.powdenest(sympy.expand_power_exp(logs), force=True)
    yield sympy.expand_power_base(e, force=True)
    yield sympy.powsimp(split)
    if e.count_ops() <= 60:
        yield sympy.expand_mul(e)
        yield sympy.factor_terms(e)
        yield from _one_logarithm(e)
    if e.count_ops() <= 40 and len(e.atoms(sympy.Float)) <= 4:
        together = sympy.together(e)
        yield from (together, *by_column(e), *beside_constant(together))
        if not e.atoms(sympy.Float):
            yield sympy.cancel(together)
            yield sympy.factor(e)
            if not _many_turns(e):
                yield sympy.trigsimp(e)
            yield sympy.radsimp(e)


def _one_logarithm(e: sympy.Expr) -> Iterable[sympy.Expr]:
    """Yield the expression with sums of logarithms as one, unless a column becomes an exponent: log(v**T)."""
    one = sympy.logcombine(e, force=True)
    powers = {p for f in one.atoms(sympy.log) for p in f.args[0].atoms(sympy.Pow)}
    if not any(p.exp.free_symbols for p in powers - e.atoms(sympy.Pow)):
        yield one


def _nested(e: sympy.Expr) -> bool:
    """Tell whether some power is of a power, a product or an exponential, or an exponent has a logarithm."""
    for power in e.atoms(sympy.Pow, sympy.exp):
        base, exponent = power.as_base_exp()
        if base.is_Pow or base.is_Mul or isinstance(base, sympy.exp) or exponent.has(sympy.log):
            return True
    return False


def _many_turns(e: sympy.Expr) -> bool:
    """Tell whether some angle is a large multiple: SymPy writes sin(n x) as a polynomial of degree n."""
    angles = [f.args[0] for f in e.atoms(TrigonometricFunction)]
    return any(abs(q.p) > MOST_TURNS for angle in angles for q in angle.atoms(sympy.Rational))


def gauges(expression: sympy.Expr) -> list[sympy.Expr]:
    """Return forms of the same function in which another coefficient of a sum is 1.

    In a power, product or logarithm of a sum, a common factor can move outside: each choice of the term
    that becomes free of a coefficient gives a form. Forms over a common denominator are included, and squares
    of waves.
    """
    found: dict[sympy.Expr, None] = {}
    starts = [expression]
    if expression.count_ops() <= 60:
        together = sympy.together(expression)
        starts += [together, sympy.expand_log(expression, force=True), upside_down(together)]
        starts += [sympy.expand_power_base(together, force=True), squared_waves(expression)]
    for start in dict.fromkeys(starts):
        if start != expression:
            found[start] = None
        for node in sympy.postorder_traversal(start):
            for term in node.args if node.is_Add and node != start else ():
                factor, rest = term.as_coeff_Mul()
                if factor.is_Number and abs(factor) != 1 and factor != 0:
                    inside = sympy.Add(rest, *(t / factor for t in node.args if t is not term))
                    found[_factored(start, node, factor, inside)] = None
    return [form for form in found if form != expression and not form.has(sympy.nan, sympy.zoo)]


def _factored(e: sympy.Expr, node: sympy.Expr, factor: sympy.Expr, inside: sympy.Expr) -> sympy.Expr:
    """Return e with factor·inside in the place of node, the factor moved out of powers and products."""
    if e == node:
        return sympy.Mul(factor, inside, evaluate=False)
    if not e.args or not e.has(node):
        return e
    if e.is_Pow and e.base == node and not e.exp.has(node):
        return abs(factor) ** e.exp * (inside if factor > 0 else -inside) ** e.exp
    args = [_factored(a, node, factor, inside) for a in e.args]
    if e.is_Mul:
        # flatten by hand: SymPy would multiply a number back into a lone sum
        parts = [p for a in args for p in sympy.Mul.make_args(a)]
        numbers = [p for p in parts if p.is_Number]
        return sympy.Mul(sympy.Mul(*numbers), *(p for p in parts if not p.is_Number), evaluate=len(parts) > 2)
    return e.func(*args)


def agree(one: np.ndarray, other: np.ndarray, tolerance: float = 1e-9) -> bool:
    """Tell whether two value vectors are the same function up to round-off, undefined rows included."""
    ok = np.isfinite(one) & np.isfinite(other)
    if not ok.any() or not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return False
    scale = np.sqrt(np.mean(one[ok] ** 2)) + np.finfo(float).tiny
    return bool(np.max(np.abs(one[ok] - other[ok])) <= tolerance * scale)
