"""Whole pieces of code around a formula: functions in Python, numpy, C, modules in torch and JAX."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import sympy

from kansym.base.errors import InputError
from kansym.formula.program import parametrise
from kansym.functions.parsing import symbols
from kansym.report.export import arrays, languages
from kansym.report.export.facts import Facts
from kansym.report.export.names import cells, function_name, identifiers
from kansym.report.export.text import Kansym, Text, readable
from kansym.report.export.walker import walk

EXCEL_LIMIT = 8192
"""Characters that a spreadsheet's formula may have."""

_PYTHON_HELPERS = {
    "exp": "    def exp(u):\n        return math.exp(u) if u < 709.78 else math.inf\n",
    "sign": "    def sign(u):\n        return math.nan if u != u else (u > 0) - (u < 0)\n",
}
_C_HELPERS = {
    "sign": "static double sign_of(double u) { return u != u ? u : (double)((u > 0.0) - (u < 0.0)); }\n",
    # unlike fmax and fmin, these let a NaN through
    "Max": "static double larger(double a, double b) { return a != a ? a : b != b ? b : a > b ? a : b; }\n",
    "Min": "static double smaller(double a, double b) { return a != a ? a : b != b ? b : a < b ? a : b; }\n",
}


def _docstring(lines: Sequence[str], indent: str) -> str:
    # whatever a column is called, it stays inside the quotes
    clean = [line.replace("\\", "\\\\").replace('"""', "'''").rstrip() for line in lines]
    if clean[-1].endswith('"'):
        clean[-1] += " "
    body = f"\n{indent}".join(clean)
    return "\n".join(line.rstrip() for line in f'{indent}"""{body}\n{indent}"""'.split("\n")) + "\n"


def _said(
    expression: sympy.Expr, names: Sequence[str], facts: Facts | None, words: Sequence[str]
) -> list[str]:
    """Return what a comment says of a formula and of where it was fitted."""
    return (facts or Facts()).lines(readable(expression, names), names, words)


def to_python(
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    name: str = "law",
    digits: int | None = None,
) -> str:
    """Return one self-contained Python function of numbers; NaN where the formula is undefined.

    It needs nothing but Python, and SciPy for special functions that `math` lacks.

    >>> print(to_python(2.5 * sympy.Symbol("x 1") ** 2, ["x 1"]))
    def law(x_1):
        \"""Return y = 2.5*`x 1`**2.
    <BLANKLINE>
        x_1: column 'x 1'
        \"""
        import math
    <BLANKLINE>
        try:
            return float(2.5*x_1**2)
        except (ValueError, ZeroDivisionError, OverflowError):
            return math.nan
    <BLANKLINE>
    """
    words = identifiers(names, "python")
    language = languages.Python(words, digits)
    text = language.write(expression, symbols(names))
    code = f"def {function_name(name)}({', '.join(words)}):\n"
    code += _docstring(_said(expression, names, facts, words), "    ")
    code += "    import math\n\n"
    if "special." in text:
        code += "    from scipy import special\n\n"
    code += "".join(f"{_PYTHON_HELPERS[k]}\n" for k in ("exp", "sign") if k in language.used)
    code += f"    try:\n        return float({text})\n"
    return code + "    except (ValueError, ZeroDivisionError, OverflowError):\n        return math.nan\n"


def to_numpy(
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    name: str = "law",
    digits: int | None = None,
) -> str:
    """Return one self-contained Python function of numpy arrays (broadcast); NaN where undefined."""
    words = identifiers(names, "python")
    language = languages.Numpy(words, digits)
    text = language.write(expression, symbols(names))
    code = f"def {function_name(name)}({', '.join(words)}):\n"
    code += _docstring(_said(expression, names, facts, words), "    ")
    code += "    import numpy as np\n"
    code += "    from scipy import special\n\n" if "special." in text else "\n"
    given = ", ".join(f"np.asarray({w}, float)" for w in words)
    code += f"    {', '.join(words)}{',' if len(words) == 1 else ''} = np.broadcast_arrays({given})\n"
    code += f'    with np.errstate(all="ignore"):\n        return np.zeros({words[0]}.shape) + ({text})\n'
    return code


def to_c(
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    name: str = "law",
    digits: int | None = None,
) -> str:
    """Return a C99 file with one function of doubles; link with -lm.

    The Bessel functions of order 0 and 1 are POSIX's; besseli, besselk, Airy and elliptic functions are
    refused by name.
    """
    words = identifiers(names, "c")
    language = languages.C(words, digits)
    text = language.write(expression, symbols(names))
    lines = _said(expression, names, facts, words)
    # no name may end the comment, or join lines by a backslash (or its trigraph)
    body = "\n".join(f" * {line}".rstrip() for line in lines)
    body = body.replace("\\", "/").replace("??/", "? ?/")
    body = "\n".join(
        line[:3] + line[3:].replace("*/", "* /").replace("/*", "/ *") for line in body.split("\n")
    )
    code = "#if !defined(_XOPEN_SOURCE) && !defined(_GNU_SOURCE)\n#define _XOPEN_SOURCE 700\n#endif\n"
    code += f"#include <math.h>\n\n/*\n{body}\n */\n"
    code += "".join(_C_HELPERS[k] for k in sorted(language.used) if k in _C_HELPERS)
    arguments = ", ".join(f"double {w}" for w in words)
    unused = "".join(f"    (void){w};\n" for w in words)
    return f"{code}double {function_name(name)}({arguments})\n{{\n{unused}    return {text};\n}}\n"


def to_excel(
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    row: int = 2,
    places: Sequence[str] | None = None,
    digits: int | None = None,
) -> str:
    """Return a spreadsheet formula over the cells of a row (A2, B2, ... in the columns' order).

    `places` names other cells, one per column. Excel reads 15 digits of a constant, computes its Bessel
    functions to about 1e-7, and gives #NUM! for EXP beyond 709; a formula has at most 8192 characters.
    Arguments are separated by commas, as in the English edition.
    """
    places = cells(len(names), row) if places is None else list(places)
    if len(places) != len(names):
        raise InputError(f"{len(places)} cells are given for {len(names)} columns; give one each.")
    text = "=" + languages.Excel(places, digits).write(expression, symbols(names))
    if len(text) > EXCEL_LIMIT:
        raise InputError(
            f"The formula has {len(text)} characters; Excel takes {EXCEL_LIMIT}. Export to Python."
        )
    return text


def to_mathematica(
    expression: sympy.Expr, names: Sequence[str], facts: Facts | None = None, *, digits: int | None = None
) -> str:
    """Return Wolfram-language text; columns become names without underscores, in lower case first."""
    return languages.Mathematica(identifiers(names, "mathematica"), digits).write(expression, symbols(names))


def to_text(
    expression: sympy.Expr, names: Sequence[str], facts: Facts | None = None, *, digits: int | None = None
) -> str:
    """Return kansym's own text, which `kansym.functions.parsing.parse_expression` reads back."""
    return Kansym(list(names), digits).write(expression, symbols(names))


def torch_code(
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    name: str = "Law",
    digits: int | None = None,
) -> str:
    """Return Python code of a torch Module in float64 whose constants are trainable parameters.

    torch's own Bessel functions J and Y are good to ten digits, everything else to double precision.
    """
    from kansym.report.export import tensors

    words = [f"X[..., {i}]" for i in range(len(names))]
    language = arrays.Torch(words)
    text, values = _with_constants(expression, names, language, digits)
    used = [arrays.Torch().functions[k] for k in sorted(language.used)]
    helpers = [inspect.getsource(getattr(tensors, h)) for h in used if "." not in h]
    if any("bessel" in u for u in used):
        helpers.insert(0, inspect.getsource(tensors._Derived))
    code = "from __future__ import annotations\n\nimport math\n\nimport torch\n\n\n"
    code += "".join(h + "\n\n" for h in helpers)
    code += f"class {function_name(name)}(torch.nn.Module):\n"
    code += _docstring(_said(expression, names, facts, words), "    ")
    code += "\n    def __init__(self):\n        super().__init__()\n"
    code += f"        self.theta = torch.nn.Parameter(torch.tensor({values!r}, dtype=torch.float64))\n"
    code += "\n    def forward(self, X):\n        theta = self.theta\n"
    return code + f"        return ({text}) + torch.zeros_like(X[..., 0])\n"


def jax_code(
    expression: sympy.Expr,
    names: Sequence[str],
    facts: Facts | None = None,
    *,
    name: str = "law",
    digits: int | None = None,
) -> str:
    """Return Python code of a JAX function law(X, theta) and the start of its parameters.

    Double precision needs jax.config.update("jax_enable_x64", True), as always in JAX.
    """
    words = [f"X[..., {i}]" for i in range(len(names))]
    text, values = _with_constants(expression, names, arrays.Jax(words), digits)
    code = "import math\n\nimport jax\nimport jax.numpy as jnp\n\n"
    code += f"PARAMETERS = {values!r}\n\n\ndef {function_name(name)}(X, theta=tuple(PARAMETERS)):\n"
    code += _docstring(_said(expression, names, facts, words), "    ")
    code += f"    return ({text}) + jnp.zeros_like(X[..., 0])\n"
    return code


def _with_constants(
    expression: sympy.Expr, names: Sequence[str], language: Text, digits: int | None
) -> tuple[str, list[float]]:
    """Return the formula with constants as a language writes parameters, and their values."""
    template, parameters, start = parametrise(expression)
    text = str(walk(template, symbols(names), language, parameters)[0])
    return text, [float(v) if digits is None else float(f"{v:.{digits}g}") for v in start]
