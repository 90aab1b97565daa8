"""The shipped functions: every derived form agrees with SymPy; libraries load, save and refuse."""

import json
import math
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy
from latex import Latex

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.functions import kernels, library
from kansym.functions.library import Function, Library
from kansym.report import export

ALL = list(Library.load("all").values())
ids = [f.name for f in ALL]


def points(f: Function, count: int = 40) -> np.ndarray:
    rng = np.random.default_rng(3)
    x = np.concatenate(
        [rng.uniform(-4, 4, count), rng.uniform(0, 1, count), 10.0 ** rng.uniform(-3, 1, count)]
    )
    p = 1.7
    y = f(x, p)
    return x[np.isfinite(y)]


def exact(f: Function, x: float, p: float, derivative: bool = False) -> float:
    e = f.expression
    with mpmath.workdps(40):
        g = sympy.lambdify((library.X, library.EXPONENT), e, "mpmath")
        if derivative:
            return float(mpmath.re(mpmath.diff(lambda u: g(u, mpmath.mpf(p)), mpmath.mpf(x))))
        return float(mpmath.re(g(mpmath.mpf(x), mpmath.mpf(p))))


@pytest.mark.parametrize("f", ALL, ids=ids)
def test_numpy_form_is_sympys_to_the_last_digits(f):
    if f.name == "0":
        return
    x = points(f)[:30]
    found, slope = f(x, 1.7), f.derivative_values(x, 1.7)
    want = np.array([exact(f, v, 1.7) for v in x])
    scale = np.abs(want) + np.abs(slope * x) * 1e-3  # an argument has round-off of its own
    assert (np.abs(found - want) <= 1e-12 * scale + 1e-300).all()
    for v, s in list(zip(x, slope, strict=True))[:6]:
        d = exact(f, v, 1.7, derivative=True)
        assert s == pytest.approx(d, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("f", ALL, ids=ids)
def test_compiled_form_is_the_numpy_form(f):
    program = f.program
    if not program.is_elementary:
        return
    x = np.random.default_rng(0).normal(size=64) * 3
    size = len(program.operations)
    v, d, e = (np.empty((size, kernels.BLOCK)) for _ in range(3))
    last = kernels.dual(program.operations, program.left, program.right, program.numbers, x, 1.7, v, d, e, 2)
    value, slope, by_p = program.dual(x, 1.7)
    finite = np.isfinite(value)
    assert (np.isfinite(v[last]) == finite).all()
    for ours, theirs in ((v[last], value), (d[last], slope), (e[last], by_p)):
        good = finite & np.isfinite(theirs)
        assert (np.abs(ours - theirs)[good] <= 1e-12 * np.abs(theirs[good]) + 1e-300).all()


@pytest.mark.parametrize("f", ALL, ids=ids)
def test_latex_says_the_same(f):
    x = points(f)[:20]
    x = x[x != 0]
    found = np.array([Latex(f.latex, {"x": v, "p": 1.7}).sum() for v in x.tolist()])
    want = f(x, 1.7)
    scale = np.abs(want) + np.abs(f.derivative_values(x, 1.7) * x) * 1e-2  # printed forms may cancel
    assert (np.abs(found - want) <= 1e-12 * scale + 1e-300).all()


NOT_IN_TORCH = {"Ai", "Bi", "ellipk", "ellipe", "lambertw", "Si", "Ci", "dilog"}


@pytest.mark.parametrize("f", ALL, ids=ids)
def test_torch_form_is_the_numpy_form(f):
    import torch

    if f.name in NOT_IN_TORCH:
        with pytest.raises(InputError, match="has no counterpart in torch"):
            export.to_torch(f.expression, ["x", "p"])
        return
    x = points(f)[:30]
    law = export.to_torch(f.expression, ["x", "p"])
    found = law(torch.tensor(np.column_stack([x, np.full(len(x), 1.7)]))).detach().numpy()
    want = f(x, 1.7)
    scale = np.abs(want) + np.abs(f.derivative_values(x, 1.7) * x) * 1e-2
    # torch computes its Bessel functions J and Y to nine places only
    slack = 1e-9 if f.expression.has(sympy.besselj, sympy.bessely) else 1e-300
    assert (np.abs(found - want) <= 1e-12 * scale + slack).all()


@pytest.mark.parametrize("f", ALL, ids=ids)
def test_survives_saving(f):
    again = Function.from_dict(json.loads(json.dumps(f.to_dict())))
    assert again == f and hash(again) == hash(f)
    assert json.dumps(f.describe())


@pytest.mark.parametrize("f", ALL, ids=ids)
def test_domain_is_where_it_is_finite(f):
    for piece in f.domain:
        low = (
            piece.low if math.isfinite(piece.low) else (piece.high if math.isfinite(piece.high) else 0.0) - 4
        )
        high = piece.high if math.isfinite(piece.high) else low + 5
        u = low + (high - low) * np.array([0.013, 0.31, 0.77, 0.987])
        assert np.isfinite(f(u, 1.5)).all(), (f.name, piece)
        for end, closed in ((piece.low, piece.low_closed), (piece.high, piece.high_closed)):
            if math.isfinite(end):
                assert np.isfinite(f(end, 1.5)) == closed or end in f.poles


@pytest.mark.parametrize(
    ("name", "redundant", "parity", "domain", "period"),
    [
        ("x", "ab", "odd", "(-inf, inf)", None),
        ("exp", "b", "none", "(-inf, inf)", None),
        ("log", "a", "none", "(0, inf)", None),
        ("sqrt", "a", "none", "[0, inf)", None),
        ("x^2", "a", "even", "(-inf, inf)", None),
        ("sin", "", "odd", "(-inf, inf)", 2 * math.pi),
        ("tan", "", "odd", "(-inf, inf)", math.pi),
        ("asin", "", "odd", "[-1, 1]", None),
        ("acosh", "", "none", "[1, inf)", None),
        ("gaussian", "", "even", "(-inf, inf)", None),
        ("atanh", "", "odd", "(-1, 1)", None),
    ],
)
def test_derived_facts(name, redundant, parity, domain, period):
    f = library.get(name)
    assert (set(redundant), parity, domain) == (f.redundant, f.parity, str(f.domain[0]))
    assert f.period == (None if period is None else pytest.approx(period))
    assert library.get("1/x").poles == (0.0,) and library.get("bose").poles == (0.0,)
    assert library.get("sigmoid").reflection == (-1.0, 1.0)


def test_presets():
    pykan = Library.load("pykan")
    for name in [
        "x^0.5",
        "1/sqrt(x)",
        "1/x^0.5",
        "sgn",
        "arcsin",
        "arccos",
        "arctan",
        "arctanh",
        "0",
        "gaussian",
        "x^5",
    ]:
        assert name in pykan
    for name in library.presets():
        assert "x" in Library.load(name) and Library.load(name)["x"].redundant >= {"a", "b"}
        assert json.dumps(Library.load(name).to_dict())
    assert Library.from_dict(Library.load("default").to_dict()) == Library.load("default")


def test_selecting():
    lib = Library.load("default")
    assert list(lib.only(["arcsin", "x"])) == ["asin", "x"]
    assert "sin" not in lib.exclude(["sin"]) and "sin" in lib
    for act in (lib.only, lib.exclude):
        with pytest.raises(UnknownNameError, match="did you mean 'sin'"):
            act(["sinn"])
    with pytest.raises(UnknownNameError, match="did you mean 'default'"):
        Library.load("defalt")
    with pytest.raises(UnknownNameError):
        library.get("nope")
    with pytest.raises(KeyError):
        lib["nope"]


def test_adding():
    lib = Library.load("polynomial").add("bump", "x**3*exp(-x)")
    assert lib["bump"](2.0) == pytest.approx(8 * math.exp(-2))
    assert Library.from_dict(json.loads(json.dumps(lib.to_dict()))) == lib
    assert lib.add("bump", "x**3*exp(-x)") == lib
    x = sympy.Symbol("x")
    assert lib.add("mine", x**7)["mine"](2.0) == 128
    for name, text in [
        ("x", "x^2"),
        ("c", "3"),
        ("q", "y*x"),
        ("h", "sqrt(-1-x^2)"),
        ("", "x^9"),
        ("i", "x.real"),
    ]:
        with pytest.raises(InputError):
            lib.add(name, text)
    with pytest.raises(InputError, match="complexity"):
        lib.add("z", "x^9", 0)


def test_files(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[bump]\nexpression = "x^3*exp(-x)"\n["f 2"]\nexpression = "x^p"\ncomplexity = 4\n', "utf-8"
    )
    assert list(Library.load(path)) == ["bump", "f 2"]
    assert [row["name"] for row in library.check(path)] == ["bump", "f 2"]
    for text, kind in [
        ("[a]\nexpression = \"__import__('os')\"", InputError),
        ('[a]\nexpression = "x.real"', InputError),
        ("[a]\nexpression = 3", FormatError),
        ('[a]\nexpression = "x"\ncolour = 1', FormatError),
        ('[a]\nexpression = "x"\naliases = "b"', FormatError),
        ('[a]\nexpression = "x"\ncomplexity = 1.5', InputError),
        ("a = ", FormatError),
        ("", FormatError),
        ("a = 1", FormatError),
        ('[a]\nexpression = "foo(x)"', InputError),
    ]:
        path.write_text(text, "utf-8")
        with pytest.raises(kind):
            library.check(path)
        with pytest.raises(kind):
            Library.load(path)
    with pytest.raises(InputError, match="No such file"):
        Library.load(tmp_path / "none.toml")
    with pytest.raises(FormatError):
        Function.from_dict({"name": "a"})


@pytest.mark.parametrize(
    "path",
    sorted(
        p
        for p in library.resources.folder("library").glob("*.toml")
        if p.name == library.PRESETS or p.name not in library.NOT_FUNCTIONS
    ),
    ids=lambda p: p.stem,
)
def test_shipped_files_pass_the_check(path):
    if path.name != library.PRESETS:
        assert library.check(path)


def test_stays_light():
    modules = "numba", "torch"
    loaded = f"print(*(m in sys.modules for m in {modules}))"
    code = f"import sys, kansym.functions.library as l; l.Library.load(); {loaded}"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]
