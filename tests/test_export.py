"""Each target's text is run or parsed and must agree with the compiled formula."""

from __future__ import annotations

import ctypes
import json
import math
import re
import shutil
import subprocess
from functools import cache
from typing import ClassVar

import numpy as np
import pytest
import scipy.special
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from latex import Latex

from kansym.base.errors import InputError, UnknownNameError
from kansym.functions.parsing import parse_expression, symbols
from kansym.report import export
from kansym.report.export.names import excel_column, identifiers

NAMES = [
    "x 1",
    "Δt",
    "class",
    "lambda",
    "E",
    "I",
    "pi",
    "x_1",
    "_a",
    "2θ",
    "sin",
    "math",
    'a"b\\n*/',
    "y0",
    "θ",
]
a, b, c = symbols("abc")

FORMULAS = {
    "polynomial": 2.5 * a**2 - b / 3 + 7 * c**3 - sympy.Rational(5, 7),
    "constant": sympy.Float(2.25) + 0 * a,
    "negative square": -(a**2),
    "negated sum": -((a + b) ** 2) - (a - c),
    "nested quotient": a / (b / (c + 1)) / (2 * a),
    "tower": 2 ** (a**b),
    "powers": a**1.7 + b ** sympy.Rational(1, 3) + c ** sympy.Rational(-3, 2) + a ** (-b),
    "exponentials": 1.5e-7 * sympy.exp(-(a**2) / 2) + sympy.exp(1) * sympy.log(b) + sympy.pi**2 * 1e22,
    "sigmoid": 1 / (1 + sympy.exp(700 * a)) + sympy.log(1 + sympy.exp(b)),
    "trigonometric": sympy.sin(3 * a) * sympy.cos(b)
    + sympy.tan(c / 3)
    + sympy.cot(a)
    + sympy.sec(b)
    + sympy.csc(c),
    "inverse": sympy.asin(a / 4) + sympy.acos(b / 4) + sympy.atan(c) + sympy.atan2(a - 2, -b),
    "hyperbolic": sympy.sinh(a)
    + sympy.cosh(b) * sympy.tanh(c)
    + sympy.asinh(a)
    + sympy.acosh(b + 1)
    + sympy.atanh(c / 4)
    + sympy.coth(a),
    "roots": sympy.sqrt(a) + 1 / sympy.sqrt(2 * sympy.pi * b) + sympy.sqrt(2) * c,
    "absolute": sympy.Abs(a - 2) + sympy.sign(b - 2) * c + sympy.Heaviside(a - 2, sympy.Rational(1, 2)),
    "larger": sympy.Max(a, b, 1.5) - sympy.Min(b, c),
    "pieces": sympy.Piecewise((a**2, a < 1.5), (b, sympy.And(a < 2, b > 1)), (c, True)),
    "fixed middle": sympy.Heaviside(a - 2, 1),
    "erf": sympy.erf(a) + sympy.erfc(b),
    "gamma": sympy.gamma(a) * 0.5 + sympy.loggamma(b),
    "bessel j y": sympy.besselj(0, a) + sympy.besselj(1, b) + sympy.bessely(0, c) - sympy.bessely(1, a),
    "bessel i": sympy.besseli(0, a) + sympy.besseli(1, b),
    "bessel k": sympy.besselk(0, c) - sympy.besselk(1, a),
    "bessel two": sympy.besselj(2, a),
    "airy": sympy.airyai(a) + sympy.airybi(b),
    "elliptic": sympy.elliptic_k(a / 4) + sympy.elliptic_e(b / 4),
    "lambert": sympy.LambertW(a),
    "integrals": sympy.Si(a) + sympy.Ci(b),
}
ELEMENTARY = list(FORMULAS)[:17]
MISSING = {
    "python": set(),
    "numpy": set(),
    "sympy": set(),
    "json": set(),
    "mathematica": set(),
    "text": {"pieces", "fixed middle"},
    "torch": {"bessel two", "airy", "elliptic", "lambert", "integrals"},
    "jax": {"bessel j y", "bessel k", "bessel two", "airy", "elliptic", "lambert", "integrals"},
    "c": {"bessel i", "bessel k", "bessel two", "airy", "elliptic", "lambert", "integrals"},
    "excel": {"airy", "elliptic", "lambert", "integrals"},
    "javascript": {
        *("erf", "gamma", "bessel j y", "bessel i", "bessel k", "bessel two"),
        *("airy", "elliptic", "lambert", "integrals"),
    },
    "julia": {"elliptic", "lambert", "integrals"},
    "octave": {"airy", "elliptic", "lambert", "integrals"},
    "r": {"erf", "airy", "elliptic", "lambert", "integrals"},
    "fortran": {
        *("bessel j y", "bessel i", "bessel k", "bessel two"),
        *("airy", "elliptic", "lambert", "integrals"),
    },
}
X = np.random.default_rng(1).uniform(0.4, 3.2, (12, 3))


@cache
def _exact(
    expression: sympy.Expr, columns: tuple[sympy.Symbol, ...], rows: tuple[tuple[float, ...], ...]
) -> np.ndarray:
    out = []
    for row in rows:
        # the Floats hold a double each; 30 digits in between
        exact = expression.xreplace({f: sympy.Float(float(f), 30) for f in expression.atoms(sympy.Float)})
        value = exact.subs(
            {s: sympy.Float(v, 30) for s, v in zip(columns, row, strict=True)}, simultaneous=True
        )
        out.append(float(sympy.N(value, 30)))
    return np.array(out)


def value(expression: sympy.Expr, columns, rows: np.ndarray) -> np.ndarray:
    """Return the formula's values worked out to 30 digits by mpmath, the judge of every target."""
    return _exact(sympy.sympify(expression), tuple(columns), tuple(map(tuple, rows.tolist())))


def rename(expression: sympy.Expr, names: list[str]) -> sympy.Expr:
    return expression.xreplace(dict(zip((a, b, c), symbols(names), strict=True)))


def call_python(code: str, X: np.ndarray) -> np.ndarray:
    space: dict = {}
    exec(code, space)
    return np.array([space["law"](*row) for row in X.tolist()])


def call_numpy(code: str, X: np.ndarray) -> np.ndarray:
    space: dict = {}
    exec(code, space)
    return space["law"](*X.T)


def call_torch(code: str, X: np.ndarray) -> np.ndarray:
    import torch

    space: dict = {}
    exec(code, space)
    return space["Law"]()(torch.tensor(X)).detach().numpy()


def call_jax(code: str, X: np.ndarray) -> np.ndarray:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    space: dict = {}
    exec(code, space)
    return np.asarray(space["law"](X))


@cache
def compiled(code: str, width: int, folder: str) -> ctypes.CDLL:
    import hashlib
    import pathlib

    stem = pathlib.Path(folder) / hashlib.sha1(code.encode()).hexdigest()
    stem.with_suffix(".c").write_text(code, encoding="utf-8")
    subprocess.run(
        [
            "gcc",
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-shared",
            "-fPIC",
            "-o",
            f"{stem}.so",
            f"{stem}.c",
            "-lm",
        ],
        check=True,
        capture_output=True,
    )
    return ctypes.CDLL(f"{stem}.so")


def call_c(code: str, X: np.ndarray, folder: str) -> np.ndarray:
    law = compiled(code, X.shape[1], folder).law
    law.restype, law.argtypes = ctypes.c_double, [ctypes.c_double] * X.shape[1]
    return np.array([law(*row) for row in X.tolist()])


class Sheet:
    """Evaluate a spreadsheet formula with Excel's own rules: unary minus before ^, ^ from the left."""

    token = re.compile(
        r"\s*(?:(\d+\.?\d*(?:E[+-]?\d+)?)|([A-Z]+\d+)(?!\()|([A-Z][A-Z0-9]*)|(<>|<=|>=|[-+*/^(),<>=]))"
    )
    functions: ClassVar = {
        **{
            n.upper(): getattr(math, n)
            for n in [
                "exp",
                "sqrt",
                "sin",
                "cos",
                "tan",
                "asin",
                "acos",
                "atan",
                "asinh",
                "acosh",
                "atanh",
                "sinh",
                "cosh",
            ]
        },
        "TANH": math.tanh,
        "LN": math.log,
        "ABS": abs,
        "MAX": max,
        "MIN": min,
        "ERF": math.erf,
        "ERFC": math.erfc,
        "GAMMA": math.gamma,
        "GAMMALN": math.lgamma,
        "PI": lambda: math.pi,
        "INT": math.floor,
        "SIGN": lambda u: (u > 0) - (u < 0),
        "ATAN2": lambda x, y: math.atan2(y, x),
        "BESSELJ": lambda u, n: scipy.special.jv(n, u),
        "BESSELY": lambda u, n: scipy.special.yv(n, u),
        "BESSELI": lambda u, n: scipy.special.iv(n, u),
        "BESSELK": lambda u, n: scipy.special.kv(n, u),
        "AND": lambda *u: all(u),
        "OR": lambda *u: any(u),
        "NOT": lambda u: not u,
        "IF": lambda test, yes, no: yes if test else no,
    }

    def __init__(self, text: str, cells: dict[str, float]) -> None:
        self.tokens, self.at, self.cells = [], 0, cells
        place = 0
        while place < len(text):
            found = self.token.match(text, place)
            assert found, text[place:]
            self.tokens.append((found.lastindex, found[found.lastindex]))
            place = found.end()

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def comparison(self):
        value = self.sum()
        if self.peek() in ("<", ">", "<=", ">=", "=", "<>"):
            sign, other = self.take(), self.sum()
            return {
                "<": value < other,
                ">": value > other,
                "<=": value <= other,
                ">=": value >= other,
                "=": value == other,
                "<>": value != other,
            }[sign]
        return value

    def sum(self):
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self):
        value = self.power()
        while self.peek() in ("*", "/"):
            value = value * self.power() if self.take() == "*" else value / self.power()
        return value

    def power(self):
        value = self.unary()
        while self.peek() == "^":
            self.take()
            value = math.pow(value, self.unary())
        return value

    def unary(self):
        if self.peek() == "-":
            self.take()
            return -self.unary()
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == 1:
            return float(text)
        if kind == 2:
            return self.cells[text]
        if kind == 3:
            assert self.take() == "("
            arguments = []
            while self.peek() != ")":
                arguments.append(self.comparison())
                if self.peek() == ",":
                    self.take()
            self.take()
            return self.functions[text](*arguments)
        assert text == "("
        value = self.comparison()
        assert self.take() == ")"
        return value


def call_excel(code: str, X: np.ndarray) -> np.ndarray:
    assert code[0] == "="
    out = []
    for row in X.tolist():
        sheet = Sheet(code[1:], {f"{excel_column(i)}2": v for i, v in enumerate(row)})
        try:
            out.append(float(sheet.comparison()))
            assert sheet.at == len(sheet.tokens)
        except OverflowError:
            pytest.fail("a spreadsheet would overflow")
    return np.array(out)


def test_sheet_evaluates_like_excel() -> None:
    assert Sheet("-2^2", {}).comparison() == 4
    assert Sheet("2^3^2", {}).comparison() == 64
    assert Sheet("1-2^2*3", {}).comparison() == -11


def call_sympy(code: str, X: np.ndarray, names: list[str]) -> np.ndarray:
    space: dict = {}
    exec(code, space)
    return value(space["law"], symbols(names), X)


WOLFRAM = {
    "BesselJ": sympy.besselj,
    "BesselY": sympy.bessely,
    "BesselI": sympy.besseli,
    "BesselK": sympy.besselk,
    "AiryAi": sympy.airyai,
    "AiryBi": sympy.airybi,
    "EllipticK": sympy.elliptic_k,
    "EllipticE": sympy.elliptic_e,
    "ProductLog": sympy.LambertW,
    "SinIntegral": sympy.Si,
    "CosIntegral": sympy.Ci,
    "Erf": sympy.erf,
    "Erfc": sympy.erfc,
    "Gamma": sympy.gamma,
    "LogGamma": sympy.loggamma,
    "Sign": sympy.sign,
    "Abs": sympy.Abs,
    "Sqrt": sympy.sqrt,
    "Exp": sympy.exp,
    "Log": sympy.log,
    "Max": sympy.Max,
    "Min": sympy.Min,
    "ArcTan": lambda *u: sympy.atan(*u) if len(u) == 1 else sympy.atan2(u[1], u[0]),
    **{f"Arc{n.capitalize()}": getattr(sympy, f"a{n}") for n in ["sin", "cos", "sinh", "cosh", "tanh"]},
    **{n.capitalize(): getattr(sympy, n) for n in ["sin", "cos", "tan", "sinh", "cosh", "tanh"]},
    "Plus": sympy.Add,
    "Times": sympy.Mul,
    "Power": sympy.Pow,
    "And": sympy.And,
    "Or": sympy.Or,
    "Not": sympy.Not,
    "Less": sympy.Lt,
    "Greater": sympy.Gt,
    "LessEqual": sympy.Le,
    "GreaterEqual": sympy.Ge,
    "Equal": sympy.Eq,
}


def call_mathematica(code: str, X: np.ndarray, names: list[str]) -> np.ndarray:
    from sympy.parsing.mathematica import MathematicaParser

    parser = MathematicaParser()
    tokens = parser._from_mathematica_to_tokens(re.sub(r"([\d.]+)\*\^(-?\d+)", r"(\1*10^(\2))", code))
    words = dict(zip(identifiers(names, "mathematica"), symbols(names), strict=True))

    def build(node):
        if isinstance(node, str):
            if node in words:
                return words[node]
            return {"Pi": sympy.pi, "E": sympy.E}.get(node) or sympy.sympify(node)
        head, *rest = node
        if head == "Piecewise":
            pairs = [(build(p[1]), build(p[2])) for p in rest[0][1:]]
            return sympy.Piecewise(*pairs, (build(rest[1]), True))
        return WOLFRAM[head](*map(build, rest))

    return value(build(parser._from_tokens_to_fullformlist(tokens)), symbols(names), X)


MATHJSON = {
    "Add": sympy.Add,
    "Multiply": sympy.Mul,
    "Divide": lambda p, q: p / q,
    "Negate": lambda u: -u,
    "Rational": sympy.Rational,
    "Power": sympy.Pow,
    "Ln": sympy.log,
    "Arctan": sympy.atan,
    "Arctan2": sympy.atan2,
    "Arsinh": sympy.asinh,
    "Arcosh": sympy.acosh,
    "Artanh": sympy.atanh,
    "Arcsin": sympy.asin,
    "Arccos": sympy.acos,
    "Less": sympy.Lt,
    "Greater": sympy.Gt,
    "Equal": sympy.Eq,
    "GammaLn": sympy.loggamma,
    "LambertW": sympy.LambertW,
    **{k: v for k, v in WOLFRAM.items() if k not in ("ArcTan", "Log", "Less", "Power")},
    "If": lambda test, yes, no: sympy.Piecewise((yes, test), (no, True)),
}


def call_json(code: str, X: np.ndarray, names: list[str]) -> np.ndarray:
    data = json.loads(code)
    assert data["columns"] == names

    def build(node):
        if isinstance(node, list):
            if node[0] == "Column":
                return symbols([node[1][1:-1]])[0]
            return MATHJSON[node[0]](*map(build, node[1:]))
        return (
            {"Pi": sympy.pi, "ExponentialE": sympy.E}[node] if isinstance(node, str) else sympy.sympify(node)
        )

    values = value(build(data["mathjson"]), symbols(names), X)
    if data["expression"] is not None:
        parsed = parse_expression(data["expression"], names)
        close(value(parsed, symbols(names), X), values)
    return values


INTERPRETERS = {
    "javascript": "node",
    "julia": "julia",
    "octave": "octave",
    "r": "Rscript",
    "fortran": "gfortran",
}
CALLS = {
    "javascript": "{code}\nfor (const row of [{rows}]) console.log(law(...row));\n",
    "julia": "{code}\nfor row in [{rows}]\n println(law(row...))\nend\n",
    "octave": "1;\n{code}\nfor row = {{{rows}}}\n args = num2cell(row{{1}}); "
    "printf('%.17g\\n', law(args{{:}}));\nend\n",
    "r": "{code}\nfor (row in list({rows})) cat(format(do.call(law, as.list(row)), digits = 17), '\\n')\n",
    "fortran": "program main\n{calls}\ncontains\n{code}\nend program main\n",
}
ENDINGS = {"javascript": "js", "julia": "jl", "octave": "m", "r": "R", "fortran": "f90"}


def call_interpreter(target: str, code: str, X: np.ndarray, folder) -> np.ndarray | None:
    """Run the code by the language's own interpreter or compiler; None where this machine has none."""
    if folder is None or shutil.which(INTERPRETERS[target]) is None:
        return None
    brackets = ("c(", ")") if target == "r" else ("[", "]")
    rows = [[f"{v!r}" for v in row] for row in X.tolist()]
    listed = ", ".join(brackets[0] + ", ".join(row) + brackets[1] for row in rows)
    calls = "\n".join(f"print '(es25.17e3)', law({', '.join(v + 'd0' for v in row)})" for row in rows)
    script = folder / f"law.{ENDINGS[target]}"
    script.write_text(CALLS[target].format(code=code, rows=listed, calls=calls), encoding="utf-8")
    command = [INTERPRETERS[target], str(script)]
    if target == "fortran":
        program = str(folder / "law")
        subprocess.run([*command, "-o", program, "-ffree-line-length-none"], check=True, capture_output=True)
        command = [program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return np.array([float(line) for line in done.stdout.split()])


def call_reader(target: str, code: str, X: np.ndarray) -> np.ndarray:
    """Read the formula with the language's rules written as Python's, where nothing can run it."""
    special = scipy.special
    space = {
        **{name: getattr(math, name) for name in dir(math) if name[0] != "_"},
        **{f"bessel{k}": getattr(special, f"{k}v") for k in "jyik"},
        **{f"bessel{k.upper()}": lambda u, n, k=k: getattr(special, f"{k}v")(n, u) for k in "jyik"},
        "airyai": lambda u: special.airy(u)[0],
        "airybi": lambda u: special.airy(u)[2],
        **dict.fromkeys(("loggamma", "gammaln", "lgamma", "log_gamma"), special.gammaln),
        "exp": lambda u: math.exp(u) if u < 709 else math.inf,
        **{"pmax": max, "pmin": min, "kind": lambda u: u, "real": lambda u, _kind: float(u)},
        "ifelse": lambda test, yes, no: yes if test else no,
        "merge": lambda yes, no, test: yes if test else no,
        "sign": lambda u, v=None: math.copysign(u, v) if v is not None else (u > 0) - (u < 0),
    }
    if target == "julia":
        space["atan"] = lambda u, v=None: math.atan(u) if v is None else math.atan2(u, v)
    pattern = {
        "julia": r"return (.*)\n",
        "octave": r"  y = (.*);\n",
        "r": r"\{\n  (.*)\n\}",
        "fortran": r"  value_of_law = ((?:.|\n)*)end function",
    }[target]
    formula = re.search(pattern, code)[1].replace("&\n", " ")
    for theirs, python in [(".^", "**"), ("^", "**"), (".*", "*"), ("./", "/"), ("&&", " and "),
                           ("&", " and "), (".and.", " and "), ("~", " not "),
                           ("lambda", "lambda_")]:  # fmt: skip
        formula = formula.replace(theirs, python)
    if target == "fortran":
        formula = re.sub(r"(\d)d([-+]?\d)", r"\1e\2", formula)
    words = re.search(r"law(?: <- function)?\(([^)]*)\)", code)[1].replace("lambda", "lambda_")
    made = [w.strip(" &\n") for w in words.split(",")]
    rows = (dict(zip(made, row, strict=True)) for row in X.tolist())
    return np.array([eval(formula.strip(), {**space, **row}) for row in rows])


def close(found: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-12) -> None:
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.max(np.abs(wanted)))


def run(target: str, expression: sympy.Expr, names: list[str], X: np.ndarray, folder) -> np.ndarray:
    code = export.TARGETS[target](expression, names)
    match target:
        case "python":
            return call_python(code, X)
        case "numpy":
            return call_numpy(code, X)
        case "torch":
            return call_torch(code, X)
        case "jax":
            return call_jax(code, X)
        case "c":
            return call_c(code, X, str(folder))
        case "excel":
            return call_excel(code, X)
        case "sympy":
            return call_sympy(code, X, names)
        case "mathematica":
            return call_mathematica(code, X, names)
        case "text":
            return value(parse_expression(code, names), symbols(names), X)
        case "json":
            return call_json(code, X, names)
        case "javascript" | "julia" | "octave" | "r" | "fortran":
            own = call_interpreter(target, code, X, folder)
            return call_reader(target, code, X) if own is None else own
    raise AssertionError(target)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("c")


@pytest.mark.parametrize("title", FORMULAS)
@pytest.mark.parametrize("target", MISSING)
def test_agrees_with_the_formula(target: str, title: str, folder) -> None:
    if target == "c" and shutil.which("gcc") is None:
        pytest.skip("no gcc on this machine")
    expression = FORMULAS[title]
    if title in MISSING[target]:
        with pytest.raises(InputError, match="has no counterpart in"):
            export.TARGETS[target](expression, ["a", "b", "c"])
        return
    if (target, title) == ("excel", "sigmoid"):
        pytest.skip("EXP overflows beyond 709 in a spreadsheet")
    wanted = value(expression, (a, b, c), X)
    # torch computes its Bessel functions to ten digits
    tolerance = 1e-9 if target == "torch" and "bessel" in title else 1e-12
    close(run(target, expression, ["a", "b", "c"], X, folder), wanted, tolerance)


@pytest.mark.parametrize("target", MISSING)
def test_any_column_name_is_legal(target: str, folder) -> None:
    if target == "c" and shutil.which("gcc") is None:
        pytest.skip("no gcc on this machine")
    columns = symbols(NAMES)
    expression = sum((i + 1.5) * s**2 + sympy.sin(s) for i, s in enumerate(columns)) + sympy.pi * sympy.exp(
        columns[4]
    )
    rows = np.random.default_rng(0).uniform(0.5, 1.5, (5, len(NAMES)))
    close(run(target, expression, NAMES, rows, folder), value(expression, columns, rows))


def test_hostile_names_stay_inside_comments_and_quotes(folder) -> None:
    names = ['"""\nimport os\n"""', "*/ int main", "\\", "'); x = ('", "a\nb", "${x}", "??/"]
    expression = sum(symbols(names)) * 1.5
    rows = np.arange(14.0).reshape(2, 7)
    for target in (
        "python",
        "numpy",
        "torch",
        "sympy",
        "json",
        "excel",
        *INTERPRETERS,
        *(["c"] if shutil.which("gcc") else []),
    ):
        close(run(target, expression, names, rows, folder), 1.5 * rows.sum(1))


def test_torch_module_is_trainable_and_keeps_its_precision() -> None:
    import copy
    import pickle

    import torch

    for title, expression in FORMULAS.items():
        if title in MISSING["torch"]:
            with pytest.raises(InputError, match="has no counterpart in torch"):
                export.to_torch(expression, ["a", "b", "c"])
            continue
        module = export.to_torch(expression, ["a", "b", "c"])
        found = module(torch.tensor(X)).detach().numpy()
        close(found, value(expression, (a, b, c), X), 1e-9 if "bessel" in title else 1e-12)
    module = export.to_torch(1.5 * sympy.besselj(0, 0.5 * a) + 1.25 * sympy.besselk(1, 2.5 * b), ["a", "b"])
    assert module.theta.dtype == torch.float64 and module.theta.requires_grad
    tensor = torch.tensor(X[:, :2])
    assert torch.autograd.gradcheck(
        lambda t: torch.func.functional_call(module, {"theta": t}, tensor), (module.theta,)
    )
    close(pickle.loads(pickle.dumps(module))(tensor).detach().numpy(), module(tensor).detach().numpy())
    other = copy.deepcopy(module)
    optimiser = torch.optim.LBFGS(other.parameters(), max_iter=3)
    goal = 1.1 * module(tensor).detach()

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = ((other(tensor) - goal) ** 2).mean()
        loss.backward()
        return loss

    before = step().item()
    optimiser.step(step)
    assert step().item() < before
    assert other.sympy() != module.sympy()


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", ["besselj", "bessely", "besseli", "besselk"])
def test_torch_bessel_functions_have_derivatives(kind: str, order: int) -> None:
    import torch

    module = export.to_torch(getattr(sympy, kind)(order, a), ["a"])
    point = torch.linspace(0.5, 3.0, 6, dtype=torch.float64)[:, None].requires_grad_()
    assert torch.autograd.gradcheck(module, (point,))


def test_torch_gamma_of_negative_numbers() -> None:
    import torch

    u = np.array([[-0.5], [-1.5], [2.5]])
    found = export.to_torch(sympy.gamma(a), ["a"])(torch.tensor(u)).detach().numpy()
    close(found, scipy.special.gamma(u[:, 0]))


def test_jax_dictionary_or_a_kind_refusal() -> None:
    try:
        import jax
    except ImportError:
        with pytest.raises(InputError, match="pip install jax"):
            export.to_jax(1.5 * a, ["a"])
        return
    jax.config.update("jax_enable_x64", True)
    made = export.to_jax(1.5 * sympy.sin(a), ["a"])
    close(np.asarray(made["callable"](X[:, :1], made["parameters"])), 1.5 * np.sin(X[:, 0]))
    assert jax.grad(lambda t: made["callable"](X[:, :1], t).sum())(made["parameters"]).shape == (1,)


def test_python_and_numpy_say_nan_where_undefined() -> None:
    expression = sympy.log(a) + 1 / (b - 1) + c**0.5
    rows = np.array([[-1.0, 2, 1], [1, 2, -1], [1, 2, 4]])
    for target in ("python", "numpy"):
        found = run(target, expression, ["a", "b", "c"], rows, None)
        assert np.isnan(found).tolist() == [True, True, False] and found[2] == 3.0


def test_python_tells_where_it_was_fitted() -> None:
    facts = export.Facts(
        "v", {"v": "m/s", "t": "s"}, {"t": (0.0, 2.5)}, 200, 1.25e-3, ((9.81, 0.01),), "a note"
    )
    code = export.to_python(9.81 * symbols("t")[0], ["t"], facts)
    space: dict = {}
    exec(code, space)
    text = space["law"].__doc__
    for part in (
        "v [m/s] = 9.81*t",
        "t: [s] fitted from 0 to 2.5",
        "200 rows",
        "0.00125",
        "9.81 ± 0.01",
        "a note",
    ):
        assert part in text


def test_latex_is_well_formed() -> None:
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    for title, expression in FORMULAS.items():
        if title not in ("pieces", "fixed middle"):
            text = (
                export.to_latex(expression, ["a", "b", "c"]).replace(r"\middle|", "|").replace(r"\bmod", "")
            )
            parser.parse(f"${text}$")
    for name in NAMES:
        text = export.to_latex(2.5 * sympy.sin(symbols([name])[0]), [name])
        parser.parse(f"${text}$")
    assert export.to_latex(1.23456e-9 * a, ["a"], digits=3) == r"1.23 \cdot 10^{-9} a"
    assert export.to_latex(symbols(["pi"])[0] + sympy.pi, ["pi"]) == r"\mathrm{pi} + \pi"
    assert export.to_latex(symbols(["Δt"])[0], ["Δt"]) == r"\mathrm{\Delta t}"


@pytest.mark.parametrize(
    "name, written",
    [
        ("x1", "x_{1}"),
        ("mu_r", r"\mu_{r}"),
        ("T_max", r"T_{\mathrm{max}}"),
        ("xdot", r"\dot{x}"),
        ("gravity", r"\mathrm{gravity}"),
        ("semi_major_axis", r"\mathrm{semi\_major\_axis}"),
        ("length_m", r"\mathrm{length\_m}"),
    ],
)
def test_signs_are_mathematics_and_words_are_upright(name: str, written: str) -> None:
    assert export.to_latex(symbols([name])[0], [name]) == written


@pytest.mark.parametrize(
    "title",
    [
        "polynomial",
        "negative square",
        "negated sum",
        "nested quotient",
        "tower",
        "powers",
        "exponentials",
        "roots",
    ],
)
def test_latex_says_the_same(title: str) -> None:
    expression = FORMULAS[title]
    text = export.to_latex(expression, ["a", "b", "c"])
    found = [Latex(text, dict(zip("abc", row, strict=True))).sum() for row in X.tolist()]
    close(np.array(found), value(expression, (a, b, c), X))


def test_refusals_name_the_thing() -> None:
    with pytest.raises(InputError, match=r"Function 'airyai' has no counterpart in c"):
        export.to_c(sympy.airyai(a), ["a"])
    with pytest.raises(InputError, match="'b', which is no column"):
        export.to_python(a + b, ["a"])
    with pytest.raises(InputError, match="'b', which is no column"):
        export.to_latex(a + b, ["a"])
    with pytest.raises(InputError, match="8192"):
        export.to_excel(sympy.Add(*(sympy.Float(1 + i / 7) * sympy.sin(i * a) for i in range(1, 400))), ["a"])
    with pytest.raises(InputError, match="Function 'zeta'"):
        export.to_numpy(sympy.zeta(a), ["a"])
    with pytest.raises(InputError, match="cannot name a function"):
        export.to_python(a, ["a"], name="x; import os")
    with pytest.raises(UnknownNameError, match="python"):
        export.export(None, "pyhton")  # type: ignore[arg-type]


def test_excel_takes_other_cells() -> None:
    assert export.to_excel(a + 2 * b, ["a", "b"], places=["$D$1", "F7"]) == "=$D$1 + 2*F7"
    assert export.to_excel(a, ["a"], row=9) == "=A9"
    assert excel_column(0) == "A" and excel_column(26) == "AA" and excel_column(701) == "ZZ"


def test_onnx_agrees_or_is_refused_kindly() -> None:
    try:
        import onnx  # noqa: F401
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        with pytest.raises(InputError, match="pip install onnx"):
            export.to_onnx(1.5 * a, ["a"])
        return
    for title in FORMULAS:
        try:
            model = export.to_onnx(FORMULAS[title], ["a", "b", "c"])
        except InputError as problem:
            assert title not in ELEMENTARY or "atan2" in str(problem)
            assert "has no counterpart in onnx" in str(problem)
            continue
        with np.errstate(all="ignore"):  # a huge number overflows on its way to a sum of exponentials
            found = ReferenceEvaluator(model).run(None, {"X": X})[0]
        close(found, value(FORMULAS[title], (a, b, c), X))


def trees() -> st.SearchStrategy[sympy.Expr]:
    leaf = st.one_of(
        st.sampled_from([a, b, c]),
        st.integers(-5, 5).map(sympy.Integer),
        st.floats(-9, 9, allow_subnormal=False).map(lambda v: sympy.Float(round(v, 4))),
        st.fractions(-3, 3, max_denominator=9).map(lambda f: sympy.Rational(f.numerator, f.denominator)),
    )

    def grow(inner: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
        return st.one_of(
            st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
            st.tuples(inner, inner).map(lambda p: p[0] - p[1]),
            st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
            st.tuples(inner, inner).map(lambda p: p[0] / (p[1] ** 2 + 1)),
            inner.map(sympy.sin),
            inner.map(sympy.tanh),
            inner.map(lambda u: sympy.exp(-(u**2))),
            inner.map(lambda u: -u),
            inner.map(lambda u: u**2),
            inner.map(sympy.Abs),
        )

    return st.recursive(leaf, grow, max_leaves=8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trees())
def test_random_formulas_agree(expression: sympy.Expr) -> None:
    names = ["a", "b", "c"]
    wanted = value(sympy.sympify(expression), (a, b, c), X)
    for target in ("python", "numpy", "excel", "sympy", "text", "json", "torch"):
        found = run(target, expression, names, X, None)
        # round-off grows with the largest intermediate value, which a difference may hide
        np.testing.assert_allclose(
            found, wanted, rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(wanted))), err_msg=target
        )
