"""The way a device trains, run on the CPU: the same results as the compiled kernels, memory, recordings."""

import numpy as np
import pytest
import torch

from kansym.estimators.session import KAN
from kansym.network.ensemble import Ensemble
from kansym.network.training import batchloss, batchrun, batchstep, losses, worth
from kansym.network.training import layers as lay
from kansym.network.training.problem import Problem
from kansym.network.training.replay import Replay
from kansym.network.training.trainer import Training


def _rows(n: int = 200, seed: int = 0, inputs: int = 2) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).uniform(-1, 1, (n, inputs))
    return X, np.exp(np.sin(np.pi * X[:, 0]) + X[:, 1] ** 2)


OPTIONS = [
    {},
    {"update_grid": False, "smoothness": 1e-5},  # without it rounding decides where nothing else does
    {"blend": 0.5},  # uneven grids
    {"bootstrap": True},
    {"loss": losses.Huber(0.1)},
    {"optimizer": "adam"},
    {"optimizer": "adam", "batch": 48},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [[2, 3, 1], [2, (2, [2]), 3, 1]])
def test_twenty_steps_lead_where_the_compiled_kernels_lead(shape, options) -> None:
    X, y = _rows()
    one = Ensemble(shape, seeds=[0, 1]).fit(X, y, steps=20, **options)
    two = Ensemble(shape, seeds=[0, 1]).fit(X, y, steps=20, batched=True, **options)
    assert np.abs(one.predict(X) - two.predict(X)).max() < 1e-9 * y.std()
    assert np.allclose(one.losses, two.losses, rtol=1e-7)
    assert np.allclose(one.history.loss, two.history.loss, rtol=1e-7)


@pytest.mark.parametrize("base", ["tanh", "x", None])
@pytest.mark.parametrize("order", [2, 3])
def test_every_base_and_order_and_what_is_off_or_locked(base, order: int) -> None:
    X, y = _rows()
    start = KAN([2, 3, 1], seed=2, order=order, base=base, grid=4).fit(X, y, steps=1).remove_edge(0, 1, 2)
    start = start.lock(0, 0, 0)
    one = start.copy().fit(X, y, steps=12, update_grid=False, smoothness=1e-5)
    two = start.copy().fit(X, y, steps=12, update_grid=False, smoothness=1e-5, batched=True)
    assert np.abs(one.predict(X) - two.predict(X)).max() < 1e-9 * y.std()
    assert np.array_equal(two.layers[0].coefficients[0, 0, 0], start.layers[0].coefficients[0, 0, 0])


def test_classes_are_learned() -> None:
    X, _ = _rows()
    c = (X[:, 0] ** 2 + X[:, 1] ** 2 > 0.6).astype(int) + (X[:, 0] > 0)
    one, two = (
        KAN([2, 2, 3], seed=0).fit(X, c, loss="cross_entropy", steps=15, batched=b) for b in (False, True)
    )
    assert np.allclose(one.predict(X), two.predict(X), rtol=1e-6, atol=1e-6)


def test_parts_of_the_rows_add_up_to_the_same_system() -> None:
    X, y = _rows(100)
    stack = Ensemble([2, 3, 1], seeds=[0, 1]).layers
    target = torch.from_numpy(y)[:, None]
    theta = torch.from_numpy(lay.pack(stack))
    problem = Problem(stack, X, target, losses.Squared(), smoothness=1e-3)
    state = problem.state(theta)
    gradient, matrix = problem.normal(state, torch.ones(2, dtype=torch.bool))
    for part in (0, 37):
        found = batchloss.Objective(
            stack, (X, target, None), None, losses.Squared(), "cpu", torch.float64, part
        )
        found.load(stack, 1e-3)
        assert torch.allclose(found.value(theta)[0], state.objective, rtol=1e-12)
        value, _, g, h = found.system(theta)
        size = theta.shape[1]
        assert h.shape[1] > size and not h[:, size:].any() and not h[:, :, size:].any()
        h = h[:, :size, :size]
        assert torch.allclose(value, state.objective, rtol=1e-12)
        assert torch.allclose(g, gradient, atol=1e-13) and torch.allclose(h, matrix, atol=1e-12)
        assert torch.allclose(found.slope(theta)[1], gradient, atol=1e-13)


def test_out_of_memory_halves_the_rows_in_work_and_says_so(monkeypatch) -> None:
    X, y = _rows(160)
    plain = KAN([2, 3, 1], seed=0).fit(X, y, steps=12)
    true, asked = batchloss.Objective.__init__, []

    def small(self, *arguments, **options):
        true(self, *arguments, **options)
        asked.append(self.part)
        if self.part > 50:
            raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(batchloss.Objective, "__init__", small)
    with pytest.warns(UserWarning, match="do not fit on the device; going on with"):
        model = KAN([2, 3, 1], seed=0).fit(X, y, steps=12, batched=True)
    assert asked == [160, 80, 40]
    assert np.abs(model.predict(X) - plain.predict(X)).max() < 1e-9 * y.std()
    monkeypatch.setattr(batchloss, "_FEWEST", 1000)
    with pytest.raises(torch.OutOfMemoryError, match="Not even"):
        batchloss.smaller(160, 160)


def test_what_cannot_be_recorded_runs_as_it_is(monkeypatch) -> None:
    count: list[str] = []

    def refuse(run):
        run()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr("kansym.network.training.replay._recorded", refuse)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    replay = Replay(lambda: count.append("run"), "cuda", lambda: count.append("restore"))
    assert not replay.recorded and "capturing" in replay.reason and count == ["run", "restore"]
    replay()
    assert count == ["run", "restore", "run"]
    assert not Replay(lambda: None, "cpu", lambda: None).recorded


def test_stops_say_why_and_come_at_a_look() -> None:
    X, y = _rows()

    def fitted(**options):
        return KAN([2, 2, 1], seed=0).fit(X, y, batched=True, update_grid=False, **options)

    assert fitted(steps=50, time_limit=0.0).stop_reason == "time limit"
    assert fitted(steps=50, target=1.0).stop_reason == "target"
    model = fitted(steps=50, callback=lambda row: row["step"] < 3)
    assert model.stop_reason == "asked" and len(model.history) == batchstep.LOOK

    def interrupt(row):
        if row["step"] == 4:
            raise KeyboardInterrupt

    assert fitted(steps=50, callback=interrupt).stop_reason == "interrupted"
    assert fitted(steps=500, tolerance=0.5).stop_reason == "converged"


def test_only_what_a_device_knows_goes_there_and_only_where_it_pays() -> None:
    model = KAN([2, 5, 1], seed=0)
    assert batchrun.possible(model.layers, Training())
    for setting in (Training(lamb=0.1), Training(acceleration=True), Training(optimizer="lbfgs")):
        assert not batchrun.possible(model.layers, setting)
    assert not batchrun.possible(KAN([2, 2, 1], heads=2).layers, Training())
    assert not worth.device(model.layers, 1000, 60)
    assert worth.device(Ensemble([6, 5, 1], seeds=range(50)).layers, 1000, 60)
    assert worth.device(KAN([10, 10, 1]).layers, 10**6, 3)


def test_single_precision_ends_in_double() -> None:
    X, y = _rows(400)
    single, double = (
        KAN([2, 3, 1], seed=0).fit(X, y, steps=40, dtype=kind).error for kind in ("float32", "float64")
    )
    assert single < 2 * double + 1e-6
