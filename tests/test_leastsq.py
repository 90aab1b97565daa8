"""The shared Levenberg–Marquardt against NIST's certified values and against its own promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import sympy

from kansym.base.leastsq import levenberg_marquardt, variable_projection


@dataclass(frozen=True)
class Certified:
    """One set of NIST's StRD for nonlinear regression (public domain): model, data, starts, certificate."""

    model: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    rss: float


RATIONAL = "(b1 + b2*x + b3*x**2 + b4*x**3)/(1 + b5*x + b6*x**2 + b7*x**3)"
SETS = {
    "Misra1a": Certified(
        "b1*(1 - exp(-b2*x))",
        (77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0),
        (10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78),
        ((500, 0.0001), (250, 0.0005)),
        (2.3894212918e02, 5.5015643181e-04),
        (2.7070075241e00, 7.2668688436e-06),
        1.2455138894e-01,
    ),
    "Thurber": Certified(
        RATIONAL,
        (-3.067, -2.981, -2.921, -2.912, -2.840, -2.797, -2.702, -2.699, -2.633, -2.481, -2.363, -2.322,
         -1.501, -1.460, -1.274, -1.212, -1.100, -1.046, -0.915, -0.714, -0.566, -0.545, -0.400, -0.309,
         -0.109, -0.103, 0.010, 0.119, 0.377, 0.790, 0.963, 1.006, 1.115, 1.572, 1.841, 2.047, 2.200),
        (80.574, 84.248, 87.264, 87.195, 89.076, 89.608, 89.868, 90.101, 92.405, 95.854, 100.696, 101.060,
         401.672, 390.724, 567.534, 635.316, 733.054, 759.087, 894.206, 990.785, 1090.109, 1080.914,
         1122.643, 1178.351, 1260.531, 1273.514, 1288.339, 1327.543, 1353.863, 1414.509, 1425.208,
         1421.384, 1442.962, 1464.350, 1468.705, 1447.894, 1457.628),
        ((1000, 1000, 400, 40, 0.7, 0.3, 0.03), (1300, 1500, 500, 75, 1, 0.4, 0.05)),
        (1.2881396800e03, 1.4910792535e03, 5.8323836877e02, 7.5416644291e01, 9.6629502864e-01,
         3.9797285797e-01, 4.9727297349e-02),
        (4.6647963344e00, 3.9571156086e01, 2.8698696102e01, 5.5675370270e00, 3.1333340687e-02,
         1.4984928198e-02, 6.5842344623e-03),
        5.6427082397e03,
    ),
    "MGH09": Certified(
        "b1*(x**2 + x*b2)/(x**2 + x*b3 + b4)",
        (4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625),
        (0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246),
        ((25, 39, 41.5, 39), (0.25, 0.39, 0.415, 0.39)),
        (1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01),
        (1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02),
        3.0750560385e-04,
    ),
    "MGH10": Certified(
        "b1*exp(b2/(x + b3))",
        tuple(50.0 + 5 * i for i in range(16)),
        (34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307,
         2872),
        # NIST's first start (2, 400000, 25000) needs thousands of steps along its valley
        ((0.02, 4000, 250),),
        (5.6096364710e-03, 6.1813463463e03, 3.4522363462e02),
        (1.5687892471e-04, 2.3309021107e01, 7.8486103508e-01),
        8.7945855171e01,
    ),
    "BoxBOD": Certified(
        "b1*(1 - exp(-b2*x))",
        (1, 2, 3, 5, 7, 10),
        (109, 149, 149, 191, 213, 224),
        ((1, 1), (100, 0.75)),
        (2.1380940889e02, 5.4723748542e-01),
        (1.2354515176e01, 1.0455993237e-01),
        1.1680088766e03,
    ),
    "Eckerle4": Certified(
        "b1/b2*exp(-((x - b3)/b2)**2/2)",
        (400, 405, 410, 415, 420, 425, 430, 435, *(436.5 + 1.5 * i for i in range(20)), 470, 475, 480, 485,
         490, 495, 500),
        (0.0001575, 0.0001699, 0.000235, 0.0003102, 0.0004917, 0.000871, 0.0017418, 0.00464, 0.0065895,
         0.0097302, 0.0149002, 0.023731, 0.0401683, 0.0712559, 0.1264458, 0.2073413, 0.2902366, 0.3445623,
         0.3698049, 0.3668534, 0.3106727, 0.2078154, 0.1164354, 0.0616764, 0.03372, 0.0194023, 0.0117831,
         0.0074357, 0.0022732, 0.00088, 0.0004579, 0.0002345, 0.0001586, 0.0001143, 7.1e-05),
        # NIST's first start (1, 10, 500) lies on a plateau; lmfit's and GSL's LM fail from it too
        ((1.5, 5, 450),),
        (1.5543827178e00, 4.0888321754e00, 4.5154121844e02),
        (1.5408051163e-02, 4.6803020753e-02, 4.6800518816e-02),
        1.4635887487e-03,
    ),
}  # fmt: skip


def residual_of(case: Certified) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    p = len(case.values)
    x = sympy.Symbol("x")
    b = sympy.symbols([f"b{i + 1}" for i in range(p)])
    model = sympy.sympify(case.model, {"x": x, **{s.name: s for s in b}})
    value = sympy.lambdify((x, *b), model, "numpy")
    slopes = [sympy.lambdify((x, *b), sympy.diff(model, s), "numpy") for s in b]
    X, y = np.array(case.x, float), np.array(case.y, float)

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return value(X, *theta) - y, np.column_stack([s(X, *theta) * np.ones_like(X) for s in slopes])

    return residual


def digits(got: float, truth: float) -> float:
    """Return the matching significant digits; certificates have eleven."""
    return min(11.0, -math.log10(max(abs(got - truth) / abs(truth), 1e-16)))


@pytest.mark.parametrize(("name", "start"), [(n, i) for n, c in SETS.items() for i in range(len(c.starts))])
def test_matches_nist_certified_values(name: str, start: int, record_property: Callable[..., None]) -> None:
    case = SETS[name]
    fit = levenberg_marquardt(residual_of(case), np.array(case.starts[start], float), max_steps=1000)
    found = min(digits(a, b) for a, b in zip(fit.theta, case.values, strict=True))
    errors = np.sqrt(np.diag(fit.covariance))
    record_property("digits", found)
    assert fit.stop_reason == "converged"
    assert found > 9.5
    assert min(digits(a, b) for a, b in zip(errors, case.errors, strict=True)) > 8
    assert digits(fit.cost, case.rss) > 9


def test_tiny_and_huge_constants_together() -> None:
    x = np.linspace(0, 8, 50)
    truth = np.array([6.62607015e-34, 3.1e20, 0.7])

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # exponent and factors in units 1e-34 and 1e20 at once
        h, k, p = theta
        f = h * 1e34 * x + k * 1e-20 * np.exp(-p * x)
        J = np.column_stack([1e34 * x, 1e-20 * np.exp(-p * x), -k * 1e-20 * x * np.exp(-p * x)])
        return f - (6.62607015 * x + 3.1 * np.exp(-0.7 * x)), J

    fit = levenberg_marquardt(residual, np.array([5e-34, 4e20, 0.9]))
    assert np.allclose(fit.theta / truth, 1, rtol=0, atol=1e-11)
    assert np.linalg.norm(fit.residual) < 1e-13


def test_noiseless_data_reach_machine_precision() -> None:
    x = np.linspace(0.1, 3, 40)
    y = 2 * np.exp(-1.3 * x) + 0.5 * np.sin(2 * x)

    def residual(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        e, s = np.exp(-t[1] * x), np.sin(t[3] * x)
        J = np.column_stack([e, -t[0] * x * e, s, t[2] * x * np.cos(t[3] * x)])
        return t[0] * e + t[2] * s - y, J

    fit = levenberg_marquardt(residual, np.array([1, 1, 1, 2.3]))
    assert np.allclose(fit.theta, [2, 1.3, 0.5, 2], atol=1e-14)
    assert fit.stop_reason == "converged"


def test_undefined_and_infeasible_steps_are_refused() -> None:
    x = np.linspace(0, 1, 30)
    seen: list[float] = []

    def residual(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(t[0])
        with np.errstate(all="ignore"):
            return np.log(x + t[0]) - np.log(x + 0.01), (1 / (x + t[0]))[:, None]

    fit = levenberg_marquardt(residual, np.array([5.0]))
    assert min(seen) < 0  # the full step left the domain of log
    assert fit.theta[0] == pytest.approx(0.01, rel=1e-12)
    bounded = levenberg_marquardt(residual, np.array([5.0]), feasible=lambda t: t[0] >= 0.5)
    assert 0.5 <= bounded.theta[0] < 0.51
    assert levenberg_marquardt(residual, np.array([-3.0])).stop_reason == "undefined start"


def test_rank_deficiency_is_survived() -> None:
    x = np.linspace(0, 1, 20)

    def residual(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # only the sum of t0 and t1 matters, t2 not at all
        f = (t[0] + t[1]) * x
        return f - 3 * x, np.column_stack([x, x, np.zeros_like(x)])

    fit = levenberg_marquardt(residual, np.array([0.0, 1.0, 7.0]))
    assert fit.theta[0] + fit.theta[1] == pytest.approx(3, abs=1e-14)
    assert fit.theta[2] == 7
    assert np.all(np.isfinite(fit.covariance))


def test_the_result_is_deterministic_and_nothing_is_changed() -> None:
    case = SETS["MGH09"]
    start = np.array(case.starts[1], float)
    a = levenberg_marquardt(residual_of(case), start)
    b = levenberg_marquardt(residual_of(case), start)
    assert np.array_equal(a.theta, b.theta) and np.array_equal(start, case.starts[1])


def test_nothing_to_fit_and_fewer_rows_than_constants() -> None:
    empty = levenberg_marquardt(lambda t: (np.ones(3), np.zeros((3, 0))), np.zeros(0))
    assert empty.cost == 3 and empty.stop_reason == "converged"
    few = levenberg_marquardt(lambda t: (np.array([t[0] + t[1] - 1]), np.ones((1, 2))), np.zeros(2))
    assert few.cost < 1e-28


def separable(columns: Callable, slopes: Callable, y: np.ndarray, linear: int) -> Callable:
    """Return residual and Jacobian of sum c_k·f_k(q) - y, the linear constants c first."""

    def residual(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        c, q = theta[:linear], theta[linear:]
        A = columns(q)
        return A @ c - y, np.column_stack([A, *(D @ c for D in slopes(q))])

    return residual


X_GRID = np.linspace(0.2, 3.0, 60)
NOISE = 0.02 * np.random.default_rng(5).normal(size=60)


def exponential(y: np.ndarray) -> Callable:
    """Return c·exp(q·x) + d - y."""
    one, zero = np.ones(60), np.zeros(60)
    return separable(
        lambda q: np.column_stack([np.exp(q[0] * X_GRID), one]),
        lambda q: [np.column_stack([X_GRID * np.exp(q[0] * X_GRID), zero])],
        y,
        2,
    )


def test_variable_projection_reaches_what_all_constants_together_reach() -> None:
    residual = exponential(2 * np.exp(-1.3 * X_GRID) + 0.5 + NOISE)
    together = levenberg_marquardt(residual, np.array([1.0, 0.0, -0.5]))
    projected = variable_projection(residual, np.array([-0.5]), 2)
    assert np.allclose(projected.theta, together.theta, rtol=1e-9)
    assert np.allclose(projected.covariance, together.covariance, rtol=1e-6)
    assert projected.stop_reason == "converged" and projected.steps < together.steps
    alone = variable_projection(residual, np.array([-1.3]), 2, max_steps=0)
    assert alone.cost == pytest.approx(together.cost, rel=0.1)


@pytest.mark.parametrize("name", ["tanh", "J0"])
def test_fits_of_one_function_agree_with_the_core(name: str) -> None:
    from kansym.functions import library
    from kansym.functions.affine import variable_projection as many_starts
    from kansym.functions.shapes import shapes

    f = library.get(name)
    t = np.linspace(-1, 1, 60)
    y = 2 * f(1.5 * t + 0.4) + 0.3 + NOISE
    starts, rss = many_starts(f, shapes(f), (t, y, np.ones(60)), np.array([[1.2, 0.2, 1.0]]), 80, 1e-12, 0.0)
    zero = np.zeros(60)

    def slopes(q: np.ndarray) -> list[np.ndarray]:
        d = f.derivative_values(q[0] * t + q[1])
        return [np.column_stack([d * t, zero]), np.column_stack([d, zero])]

    residual = separable(lambda q: np.column_stack([f(q[0] * t + q[1]), np.ones(60)]), slopes, y, 2)
    core = variable_projection(residual, np.array([1.2, 0.2]), 2)
    assert rss[0] == pytest.approx(core.cost, rel=1e-10)
    assert np.allclose(starts[0, :2], core.theta[2:], rtol=1e-4)


def test_ridges_and_terms_agree_with_the_core() -> None:
    from kansym.search.structure import ridge, terms

    rng = np.random.default_rng(2)
    L = rng.uniform(-1, 1, (200, 2))
    weight = np.ones(200)
    y = np.exp(L @ [1.4, -0.6]) + 0.02 * rng.normal(size=200)
    y /= np.linalg.norm(y)
    one = separable(
        lambda q: np.exp(L @ q)[:, None],
        lambda q: [np.exp(L @ q)[:, None] * L[:, [k]] for k in (0, 1)],
        y,
        1,
    )
    core = variable_projection(one, np.array([1.0, 0.0]), 1)
    view = ridge.View(L, L[:, :0], y, weight, None)
    found = ridge.solve(view, np.array([1.0, 0.0]), np.zeros(0), 0, 60, 0.0)
    assert found.share == pytest.approx(core.cost, rel=1e-8)
    assert np.allclose(found.p, core.theta[1:], rtol=1e-4)
    fit = terms.solve(L, np.ones((200, 1)), y, weight, np.array([[1.0, 0.0]]), 60, 0.0)
    assert fit.share == pytest.approx(core.cost, rel=1e-8)
    assert np.allclose(fit.exponents[0], core.theta[1:], rtol=1e-4)


def test_rates_of_named_curves_agree_with_the_core() -> None:
    from kansym.search.structure import curve, inners, outers

    y = 2 * np.exp(-1.3 * X_GRID) + 0.5 + NOISE
    column = outers.Column(y, np.full(60, 1 / 60), 1.0, 0.0, outers.OUTERS[0], 1.0, 0.0)
    share, kind = curve._refine(column, X_GRID, inners.Inner("exp", 1.0, -1.0), 40)
    core = variable_projection(exponential(y), np.array([-1.0]), 2)
    assert share == pytest.approx(core.cost / np.sum((y - y.mean()) ** 2), rel=1e-9)
    assert kind.a == pytest.approx(core.theta[2], rel=1e-5)


def test_segments_with_their_starts_eliminated_agree_with_the_core() -> None:
    import sympy

    from kansym.pipeline.motion import shooting, trajectory
    from kansym.pipeline.motion.integral import motion

    t = np.linspace(0, 4, 61)
    x = 3 * np.exp(-0.7 * t) + 0.01 * np.random.default_rng(0).normal(size=61)
    moving = motion(trajectory.series(t, x, names=["x"]))
    system = shooting.System.of([sympy.Float(-0.5) * moving.symbols[0]], moving)
    cut = shooting.segments(moving)
    known = np.isfinite(cut.data)[:, :, 0]
    count = len(cut.starts)

    def residual(free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        path, by_begin, by_theta = shooting.simulate_segments(system, cut, free[:1], free[1:, None])
        at = np.nonzero(known)[0]
        J = np.zeros((len(at), 1 + count))
        J[:, 0] = (by_theta / cut.noise[..., None])[known][:, 0, 0]
        J[np.arange(len(at)), 1 + at] = (by_begin / cut.noise[..., None])[known][:, 0, 0]
        return ((path - cut.data) / cut.noise)[known][:, 0], J

    core = levenberg_marquardt(residual, np.concatenate([system.start, cut.starts[:, 0]]), max_steps=60)
    found = shooting._shoot_apart(system, cut, 60)
    assert found is not None and found.chi2 == pytest.approx(core.cost, rel=1e-6)
    assert found.theta == pytest.approx(core.theta[:1], rel=1e-4)
    assert found.covariance[0, 0] == pytest.approx(core.covariance[0, 0], rel=1e-2)


def test_collocation_ends_where_the_core_finds_nothing_below() -> None:
    from kansym.pipeline import collocation, pde

    equation = pde.Equation(("x",), ((0.0, 1.0),), "u_xx + 4*u - exp(3*x)", {("x", 0): "0", ("x", 1): "1"})
    settings = pde.Settings(width=1, grids=(3,), steps=60)
    rng = np.random.default_rng(0)
    inside, (edge, value) = collocation.interior(equation, 40, rng), collocation.border(equation, 4)
    begun = collocation._start(equation, settings, 3, rng)
    fitted = collocation._fit(begun, inside, edge, value, settings)
    within, along = collocation._bases(fitted, inside), collocation._bases(fitted, edge)
    a, b = np.sqrt(settings.weight / len(inside)), 1 / np.sqrt(len(edge))

    def residual(move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = collocation._moved(fitted, move - origin)
        r, J = collocation._jacobian(at, inside, True, within)
        e, K = collocation._jacobian(at, edge, False, along)
        return np.concatenate([a * r, b * (e - value)]), np.vstack([a * J, b * K])

    origin = np.zeros(fitted.parameters)
    core = levenberg_marquardt(residual, origin, max_steps=200)
    assert core.cost > 0.1 and fitted.loss == pytest.approx(core.cost, rel=1e-3)
