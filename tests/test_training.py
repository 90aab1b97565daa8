"""Training: exact derivatives, every loss and optimiser, grid extension, stops, ensembles."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kansym.base import leastsq
from kansym.base.errors import InputError
from kansym.estimators.session import KAN
from kansym.network.ensemble import Ensemble
from kansym.network.training import compiled, losses, normal, schedule
from kansym.network.training import layers as lay
from kansym.network.training.penalty import Sparsity
from kansym.network.training.problem import Problem


def _rows(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return X, np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)


LOSSES = [losses.Squared(), losses.Huber(0.3), losses.GaussianHead(0.5), losses.CrossEntropy()]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("shape", [[2, 3, 2], [2, (2, [2, 3]), 2]])
@pytest.mark.parametrize("lamb", [0.0, 1e-2])
def test_gradient_is_exact_and_kernels_agree_with_tensors(loss, shape, lamb: float) -> None:
    X = np.random.default_rng(0).uniform(-1.3, 1.3, (200, 2))  # some rows outside the grid
    y = np.stack([X[:, 0] > 0, X[:, 1] > 0], 1).astype(float)
    if isinstance(loss, losses.CrossEntropy):
        y = y[:, 0]
    stack = KAN(shape, seed=3, grid=4).layers
    weights = torch.rand(1, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    setting = {"weights": weights, "sparsity": Sparsity(lamb), "smoothness": 1e-3}
    fast = Problem(stack, X, torch.from_numpy(y), loss, **setting)
    slow = Problem(stack, X, torch.from_numpy(y), loss, **setting)
    slow.__dict__["compiled"] = False
    theta = torch.from_numpy(lay.pack(stack))
    a, b = fast.state(theta), slow.state(theta)
    assert torch.allclose(a.objective, b.objective, rtol=1e-12)
    wanted, free = torch.ones(1, dtype=torch.bool), fast.free[0]
    (g, h), (g2, h2) = fast.normal(a, wanted), slow.normal(b, wanted)
    x = theta.clone().requires_grad_(True)
    slow.differentiable(x, slice(None)).sum().backward()
    assert torch.allclose(g[0, free], x.grad[0, free], atol=1e-13)
    assert torch.allclose(g2[0, free], x.grad[0, free], atol=1e-13)
    assert torch.allclose(h[0][free][:, free], h2[0][free][:, free], atol=1e-10)
    for part in (slice(None), torch.arange(0, 200, 3)):
        (v, g), (v2, g2) = fast.slope(theta, part), slow.slope(theta, part)
        assert torch.allclose(v, v2, rtol=1e-12) and torch.allclose(g, g2, atol=1e-13)
    single = replace(fast, y=fast.y.float(), weights=weights.float(), dtype=torch.float32)
    value, slope = single.slope(theta.float())
    assert slope.dtype == torch.float32 and single.compiled
    assert torch.allclose(value.double(), a.objective, rtol=1e-4)
    exact = fast.slope(theta)[1]
    assert torch.allclose(slope.double(), exact, atol=1e-4 * float(exact.abs().max()))


@pytest.mark.parametrize("order", [1, 2, 5])
def test_kernels_know_every_order(order: int) -> None:
    X, y = _rows()
    stack = KAN([2, 3, 1], seed=3, grid=4, order=order, base="tanh").layers
    fast, slow = (Problem(stack, X, torch.from_numpy(y)[:, None], losses.Squared()) for _ in "ab")
    slow.__dict__["compiled"] = False
    theta = torch.from_numpy(lay.pack(stack))
    (v, g), (v2, g2) = fast.slope(theta), slow.slope(theta)
    assert torch.allclose(v, v2, rtol=1e-12) and torch.allclose(g, g2, atol=1e-13)


def test_blocks_of_rows_do_not_change_a_gradient(monkeypatch) -> None:
    X, y = _rows(1000)
    problem = Problem(KAN([2, 3, 1], seed=3).layers, X, torch.from_numpy(y)[:, None], losses.Squared())
    theta = torch.from_numpy(lay.pack(problem.layers))
    whole = problem.slope(theta)
    monkeypatch.setattr(compiled, "BLOCK", 100)
    parts = problem.slope(theta)
    monkeypatch.setattr(compiled, "_CORES", 1)
    alone = problem.slope(theta)
    assert torch.allclose(whole[1], parts[1], rtol=1e-12, atol=1e-15)
    assert torch.equal(parts[1], alone[1])


@pytest.mark.parametrize("lamb", [0.0, 1e-2])
def test_a_second_way_up_is_saved_without_a_change(monkeypatch, lamb: float) -> None:
    X, y = _rows(300)
    stack = Ensemble([2, (3, [2]), 1], range(3), grid=4).layers
    problem = Problem(stack, X, torch.from_numpy(y)[:, None], losses.Huber(0.3), sparsity=Sparsity(lamb))
    theta = torch.from_numpy(lay.pack(stack))
    calls: list[int] = []
    monkeypatch.setattr(compiled.Engine, "pull_back", _counted(compiled.Engine.pull_back, calls))
    kept = problem.slope(theta)
    assert not calls
    monkeypatch.setattr(compiled, "KEPT", 0)
    again = problem.slope(theta)
    assert calls and torch.allclose(kept[0], again[0], rtol=1e-13)
    assert torch.allclose(kept[1], again[1], rtol=1e-11, atol=1e-14)


def _counted(method, calls: list[int]):
    """Return a method that takes note of its calls."""

    def noted(*given):
        calls.append(1)
        return method(*given)

    return noted


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
def test_every_loss_has_one_slope_with_and_without_its_factor(loss) -> None:
    classes = isinstance(loss, losses.CrossEntropy)
    target = torch.tensor([0, 1, 1]) if classes else torch.tensor([[0.0, 1.0], [1.0, 0.2], [-3.0, 4.0]])
    at = torch.tensor([[[0.3, -0.2], [1.0, 0.1], [0.5, 2.0]]], dtype=torch.float64, requires_grad=True)
    exact = torch.autograd.grad(loss.rows(at, target).sum(), at)[0]
    assert torch.allclose(loss.slope(at, target), exact, atol=1e-12)
    assert torch.equal(loss.slope(at, target), loss.expand(at, target)[0])


def test_dense_and_local_normal_equations_are_the_same(monkeypatch) -> None:

    X, y = _rows()
    stack = KAN([2, (2, [2]), 1], seed=0, grid=4).layers
    stack = (lay.replace(stack[0], bias_free=True), stack[1])
    problem = Problem(stack, X, torch.from_numpy(y)[:, None], losses.Squared())
    state, wanted = problem.state(torch.from_numpy(lay.pack(stack))), torch.ones(1, dtype=torch.bool)
    dense = problem.normal(state, wanted)
    monkeypatch.setattr(normal, "DENSE", 0.0)
    local = problem.normal(state, wanted)
    assert torch.allclose(dense[0], local[0], atol=1e-14) and torch.allclose(dense[1], local[1], atol=1e-12)


def test_levenberg_marquardt_reaches_what_lbfgs_takes_200_steps_for() -> None:
    X, y = _rows(1000)
    Xt, yt = _rows(1000, 1)
    model = KAN([2, 5, 1], seed=0).fit(X, y, steps=100)
    assert np.sqrt(np.mean((model.predict(Xt) - yt) ** 2)) < 1e-3


@pytest.mark.parametrize("heads", [None, [3, 2]])
def test_a_bent_step_follows_the_second_derivative_of_the_predictions(heads) -> None:
    X, y = _rows()
    stack = KAN([2, 3, 1], seed=0, heads=heads).fit(X, y, steps=5).layers
    weights = torch.rand(1, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    fast, slow = (Problem(stack, X, torch.from_numpy(y)[:, None], losses.Squared(), weights) for _ in "ab")
    slow.__dict__["compiled"] = False
    theta = torch.from_numpy(lay.pack(stack))
    direction = 1e-3 * torch.randn(theta.shape, dtype=theta.dtype, generator=torch.Generator().manual_seed(1))
    found = fast.bend(fast.state(theta), direction)
    assert torch.allclose(found, slow.bend(slow.state(theta), direction), rtol=1e-6, atol=1e-12)

    def outputs(x: torch.Tensor) -> torch.Tensor:
        return slow._network(slow.tied(x), torch.from_numpy(X))[0]

    def slope(x: torch.Tensor) -> torch.Tensor:
        return torch.autograd.functional.jvp(outputs, x, direction, create_graph=True)[1]

    second = torch.autograd.functional.jvp(slope, theta, direction)[1]
    x = theta.clone().requires_grad_(True)
    (outputs(x) * second * 2 * weights[..., None] / 300).sum().backward()
    assert torch.allclose(found, x.grad * fast.free, rtol=1e-2, atol=1e-3 * float(x.grad.abs().max()))


def test_acceleration_brings_a_product_to_rounding_errors_on_a_coarse_grid() -> None:
    X = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    y = X.prod(1)
    straight, bent = (
        KAN([2, 2, 1], seed=1).fit(X, y, steps=400, acceleration=a, tolerance=1e-12, margin=0.1).error
        for a in (False, True)
    )
    assert bent < 1e-10 < straight


def test_the_same_seed_gives_the_same_network() -> None:
    X, y = _rows()
    one, two = (KAN([2, 3, 1], seed=5).fit(X, y, steps=10).predict(X) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, KAN([2, 3, 1], seed=6).fit(X, y, steps=10).predict(X))


@pytest.mark.parametrize(
    "options", [{"optimizer": "lbfgs"}, {"optimizer": "adam", "rate": 0.02, "batch": 64}]
)
def test_first_order_optimisers_lower_the_loss(options) -> None:
    X, y = _rows()
    model = KAN([2, 3, 1], seed=0).fit(X, y, steps=15, **options)
    assert model.history.loss.iloc[-1] < 0.2 * model.history.loss.iloc[0] or model.history.loss.min() < 0.05


def test_lbfgs_says_when_no_descent_is_left() -> None:
    X, y = _rows()
    model = KAN([2, 1], seed=0).fit(X, X.sum(1), steps=300, optimizer="lbfgs")
    assert model.stop_reason == "converged" and model.error < 1e-6
    model = KAN([2, 2, 1], seed=0).fit(X, y, steps=300, optimizer="lbfgs", time_limit=0.0)
    assert model.stop_reason == "time limit" and model.history.empty


def test_classes_are_learned() -> None:
    X, _ = _rows()
    c = (X[:, 0] ** 2 + X[:, 1] ** 2 > 0.6).astype(int) + (X[:, 0] > 0)
    model = KAN([2, 2, 3], seed=0).fit(X, c, loss="cross_entropy", steps=30)
    assert np.mean(model.predict(X).argmax(1) == c) > 0.95


def test_huber_ignores_outliers_and_weights_are_heeded() -> None:
    X, y = _rows()
    bad = y.copy()
    bad[::20] += 50
    robust = KAN([2, 2, 1], seed=0).fit(X, bad, loss=losses.Huber(0.01), steps=60)
    plain = KAN([2, 2, 1], seed=0).fit(X, bad, steps=60)
    weighted = KAN([2, 2, 1], seed=0).fit(X, bad, steps=60, weights=(bad == y).astype(float))
    error = [float(np.median(np.abs(m.predict(X) - y))) for m in (robust, plain, weighted)]
    assert error[0] < 0.2 * error[1] and error[2] < 0.2 * error[1]


def test_a_torch_function_of_the_network_is_a_loss() -> None:
    """Solve u'' = -sin(x), u(0) = u(pi) = 0 from derivatives of the network by its input."""
    x = np.linspace(0, np.pi, 60)[:, None]

    def residual(network, X, y):
        z = X.clone().requires_grad_(True)
        u = network(z)
        (first,) = torch.autograd.grad(u.sum(), z, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), z, create_graph=True)
        return ((second + torch.sin(z)) ** 2).mean() + 10 * (u[0] ** 2 + u[-1] ** 2).sum()

    model = KAN([1, 1], grid=8, seed=0).fit(x, 0 * x, loss=residual, optimizer="lbfgs", steps=20)
    assert np.abs(model.predict(x) - np.sin(x[:, 0])).max() < 1e-2


def test_grid_extension_descends_a_staircase_without_a_jump() -> None:
    X, y = _rows(2000)
    model = KAN([2, 1, 1], seed=0).fit(X, y, grids=[5, 10, 20, 40], steps=40)
    last = model.history.groupby("grid").loss.last().to_numpy()
    first = model.history.groupby("grid").loss.first().to_numpy()
    assert np.all(first[1:] <= last[:-1] * 1.01)
    slope = np.polyfit(np.log([5, 10, 20, 40]), 0.5 * np.log(last), 1)[0]
    assert slope < -3.5


def test_a_bad_step_is_rolled_back_and_nan_never_reaches_the_caller() -> None:
    X, y = _rows()
    model = KAN([2, 2, 1], seed=0).fit(X, y * 1e150, steps=5)
    assert np.all(np.isfinite(model.predict(X)))
    model = KAN([2, 2, 1], seed=0).fit(X, y, steps=5, optimizer="adam", rate=1e308)
    assert np.all(np.isfinite(model.predict(X)))


def test_stops_say_why() -> None:
    X, y = _rows()
    assert KAN([2, 1], seed=0).fit(X, y, steps=50, time_limit=0.0).stop_reason == "time limit"
    assert KAN([2, 2, 1], seed=0).fit(X, y, steps=50, target=1.0).stop_reason == "target"
    assert (
        KAN([2, 2, 1], seed=0).fit(X, y, steps=50, callback=lambda row: row["step"] < 3).stop_reason
        == "asked"
    )

    def interrupt(row):
        if row["step"] == 4:
            raise KeyboardInterrupt

    model = KAN([2, 3, 1], seed=0).fit(X, y, steps=50, callback=interrupt)
    assert model.stop_reason == "interrupted" and np.all(np.isfinite(model.predict(X)))
    for optimizer in ("lm", "adam", "lbfgs"):
        calls: list[int] = []

        def once(row, calls=calls):
            calls.append(row["step"])
            if len(calls) == 2:
                raise KeyboardInterrupt

        model = KAN([2, 1, 1], seed=0)
        model.fit(
            X,
            y,
            steps=9,
            callback=once,
            optimizer=optimizer,
            smoothness=(1e-3, 1e-9),
            grids=(3, 6),
            validation=0.2,
        )
        assert model.stop_reason == "interrupted" and len(calls) == 2


def test_early_stopping_keeps_the_best_held_out_step() -> None:
    rng = np.random.default_rng(0)
    X, y = _rows(60)
    y = y + rng.normal(size=60)
    Xv, yv = _rows(300, 1)
    model = KAN([2, 5, 1], seed=0).fit(X, y, steps=80, validation=(Xv, yv), patience=20, update_grid=False)
    assert model.stop_reason == "early stop"
    assert np.mean((model.predict(Xv) - yv) ** 2) == pytest.approx(model.history.held_out.min(), rel=1e-6)


def test_smoothness_is_chosen_on_held_out_rows() -> None:
    X, y = _rows(100)
    with pytest.raises(InputError, match="give validation"):
        KAN([2, 1, 1]).fit(X, y, smoothness=[1e-3, 1e-9])
    model = KAN([2, 1, 1], seed=0).fit(X, y, steps=30, smoothness=[1e2, 1e-9], validation=0.2)
    assert np.sqrt(np.mean((model.predict(X) - y) ** 2)) < 0.1


def test_the_penalty_of_a_smooth_curve_is_not_lost_in_rounding() -> None:
    model = KAN([1, 1], grid=250, base=None, seed=0)
    layer = model.layers[0]
    c = np.exp(np.linspace(0, 2, layer.size))
    stack = (replace(layer, coefficients=c.reshape(layer.coefficients.shape)),)
    theta, X = torch.from_numpy(lay.pack(stack)), np.zeros((1, 1))
    y = torch.from_numpy(schedule.forward(stack, X))
    found = Problem(stack, X, y, losses.Squared(), smoothness=1.0).state(theta)
    exact = ((np.exp(2 / (layer.size - 1)) - 1) ** 6 * c[:-6]) ** 2  # sixth differences of e^(hi)
    assert float(found.objective - found.loss) == pytest.approx(exact.sum(), rel=0.05, abs=0.0)


def test_smoothness_continues_a_curve_into_cells_without_rows() -> None:
    x = np.sort(np.random.default_rng(0).uniform(-1, 1, 1000))
    inside = x[x < 0.95]
    model = KAN([1, 1], seed=0).fit(inside[:, None], np.exp(inside), margin=0.05)
    model.fit(inside[:, None], np.exp(inside), grids=[50, 200], steps=40, margin=0.05, smoothness=1e-3)
    assert np.abs(model.predict(x[:, None]) - np.exp(x)).max() < 1e-7


def test_ensemble_members_train_as_they_would_alone_and_the_best_is_picked() -> None:
    X, y = _rows()
    held = _rows(100, 1)
    many = Ensemble([2, 3, 1], seeds=[4, 5, 6], kind=KAN).fit(X, y, steps=12, validation=held)
    alone = KAN([2, 3, 1], seed=5).fit(X, y, steps=12, validation=held)
    assert np.allclose(many.member(1).predict(X), alone.predict(X), rtol=1e-9)
    loss = [np.mean((many.member(e).predict(held[0]) - held[1]) ** 2) for e in range(3)]
    assert np.allclose(loss, many.losses) and many.best().seed == [4, 5, 6][int(np.argmin(loss))]
    assert many.predict(X).shape == (3, 300, 1)


def test_ensembles_differ_by_lambda_width_and_bootstrap() -> None:
    X, y = _rows()
    many = Ensemble([2, 4, 1], seeds=[1, 1, 1], widths=[4, 4, 2]).fit(X, y, lamb=[0, 0.3, 0], steps=20)
    sizes = [sum(s.sum() for s in many.member(e).activity(X).size) for e in range(3)]
    assert sizes[1] < 0.7 * sizes[0]
    assert not many.member(2).activity(X).size[0][2:].any()
    boot = Ensemble([2, 2, 1], seeds=[1, 2]).fit(X, y, bootstrap=True, steps=5)
    assert np.all(np.isfinite(boot.losses))
    with pytest.raises(InputError, match="the shape allows"):
        Ensemble([2, 2, 1], seeds=[1], widths=[3])


def test_batches_keep_memory_flat_and_change_nothing() -> None:
    X, y = _rows(1000)
    stack = KAN([2, 2, 1], seed=0).layers
    whole = Problem(stack, X, torch.from_numpy(y)[:, None], losses.Squared())
    parts = Problem(stack, X, torch.from_numpy(y)[:, None], losses.Squared(), batch=130)
    state, wanted = whole.state(torch.from_numpy(lay.pack(stack))), torch.ones(1, dtype=torch.bool)
    for a, b in zip(whole.normal(state, wanted), parts.normal(state, wanted), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-14)


def test_grids_follow_the_activations() -> None:
    X, y = _rows()
    model = KAN([2, 2, 1], seed=0).fit(100 + 5 * X, y, steps=30)
    for layer, x in zip(model.layers, model.activity().nodes, strict=False):
        k, room = layer.order, 0.2 * np.ptp(x, axis=0)
        assert np.all(np.abs(layer.knots[0, :, k] - x.min(0)) <= room)
        assert np.all(np.abs(layer.knots[0, :, -k - 1] - x.max(0)) <= room)
    assert np.sqrt(np.mean((model.predict(100 + 5 * X) - y) ** 2)) < 0.05


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device: torch finds none on this machine")
    X, y = _rows()
    one = Ensemble([2, 3, 1], seeds=[1, 2]).fit(X, y, steps=20)
    two = Ensemble([2, 3, 1], seeds=[1, 2]).fit(X, y, steps=20, device="cuda", batched=True)
    assert np.abs(one.predict(X) - two.predict(X)).max() < 1e-9 * y.std()


def test_a_device_that_is_not_there_is_said() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    X, y = _rows()
    with pytest.raises(InputError, match="needs CUDA"):
        Ensemble([2, 1], seeds=[0]).fit(X, y, device="cuda")


def test_a_damped_system_is_solved_and_an_indefinite_one_is_said_to_fail() -> None:
    A = np.random.default_rng(0).normal(size=(6, 9))
    h, g, extra, out = A @ A.T, np.arange(6.0), np.full(6, 0.1), np.empty(6)
    assert normal.solve(h, extra, g, out)
    np.testing.assert_allclose((h + 0.1 * np.eye(6)) @ out, -g, rtol=1e-9, atol=1e-12)
    for bad in (-h, np.full((6, 6), np.nan)):
        assert not normal.solve(bad, extra, g, out) and not out.any()


@pytest.mark.parametrize("shape", [[2, 1], [2, 1, 1]])
@pytest.mark.parametrize("batched", [False, True])
def test_both_loops_end_where_the_shared_least_squares_ends(shape, batched: bool) -> None:
    """The networks' own loops solve normal equations of many members; `base.leastsq` one problem, by SVD."""
    X, y = _rows(200)
    stack = KAN(shape, seed=0, grid=3).fit(X, y, steps=1).layers
    free = lay.free(stack)[0]
    problem = Problem(stack, X, torch.from_numpy(y)[:, None], losses.Squared())
    theta = torch.from_numpy(lay.pack(stack))

    def residual(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = theta.clone()
        x[0, free] = torch.from_numpy(part)
        found, jacobian = problem._network.jacobian(x, torch.from_numpy(X))
        return found[0, :, 0].numpy() - y, jacobian[0, :, 0].numpy()[:, free]

    shared = leastsq.levenberg_marquardt(residual, theta[0, free].numpy(), max_steps=400)
    model = KAN(shape, seed=0, grid=3).fit(X, y, steps=1)
    options = {"update_grid": False, "smoothness": 0.0, "tolerance": 1e-13, "batched": batched}
    model.fit(X, y, steps=400, **options)
    assert model.history.loss.iloc[-1] * len(y) == pytest.approx(shared.cost, rel=1e-4)
