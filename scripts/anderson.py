"""Labelled eigenstates of quasi-periodic chains (paper 4.4), with numpy and scipy only.

t = 1. Mosaic V = lambda cos at every kappa-th site; GAAM V = 2 lambda cos/(1 - alpha cos); MAAM hopping
e^p e^(-p|n-n'|), V = lambda cos. The chains are rings, and b the ratio of two Fibonacci numbers near the
golden ratio: an open chain has states bound to its ends, which are localised whatever its parameters say.
A label comes from the eigenstate alone: the ring is cut into BOXES boxes, D = -log sum p² / log BOXES for
the boxes' weights p, and the state is extended when D > 1/2. D is the fractal dimension at large scales,
where a localised state is one point; taken from single sites it calls states extended that reach over
the square root of the chain. Rows are grouped by Hamiltonian, so that a split can keep them together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigvalsh
from scipy.linalg.lapack import dgtsv

MODELS = ("mosaic1", "mosaic2", "mosaic3", "gaam", "maam")
CELL = (987, 1597)
SMALL = (55, 89)
BOXES = 16
STEPS = 12


def states(
    model: str, hamiltonians: int, per: int = 40, seed: int = 0, cell: tuple[int, int] = CELL
) -> dict[str, np.ndarray]:
    """Return columns E, the model's parameters, D, extended (0 or 1), hamiltonian; `per` states of each.

    A chain has cell[1] sites (kappa times as many for mosaic models). Its states are those nearest to the
    energies of a small ring with the same parameters, found by Rayleigh quotient iteration.
    """
    if model not in MODELS:
        raise ValueError(f"Model {model!r} is not known; choose from {', '.join(MODELS)}.")
    rng = np.random.default_rng([seed, MODELS.index(model)])
    columns: dict[str, list[np.ndarray]] = {}
    for i in range(hamiltonians):
        parameters = _parameters(model, rng)
        phase = rng.uniform(0, 2 * np.pi)
        near = eigvalsh(_dense(model, parameters, _potential(model, parameters, phase, SMALL)))
        near = rng.choice(near, min(per, len(near)), replace=False)
        V = _potential(model, parameters, phase, cell)
        solve, apply = (_long if model == "maam" else _short)(V, parameters)
        found = [_state(solve, apply, energy, rng.normal(size=len(V))) for energy in near]
        E, D = np.array([f for f in found if f is not None]).T
        block = {"E": E, **{k: np.full(len(E), v) for k, v in parameters.items()}, "D": D}
        block |= {"extended": (D > 0.5).astype(float), "hamiltonian": np.full(len(E), float(i))}
        for name, values in block.items():
            columns.setdefault(name, []).append(values)
    return {name: np.concatenate(v) for name, v in columns.items()}


def inputs(table: dict[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Return what a formula may use: the names and values (n, d) of the energy and the parameters."""
    names = [n for n in table if n not in ("D", "extended", "hamiltonian")]
    return names, np.column_stack([table[n] for n in names])


def _parameters(model: str, rng: np.random.Generator) -> dict[str, float]:
    if model == "maam":
        return {"lambda": rng.uniform(0.3, 3.0), "p": rng.uniform(1, 2.5)}
    if model == "gaam":
        return {"lambda": rng.uniform(0.2, 1.8), "alpha": rng.uniform(-0.8, 0.8)}
    return {"lambda": rng.uniform(0.2, 4.0)}


def _potential(model: str, c: dict[str, float], phase: float, cell: tuple[int, int]) -> np.ndarray:
    kappa = int(model[-1]) if model.startswith("mosaic") else 1
    n = np.arange(kappa * cell[1])
    wave = np.cos(2 * np.pi * cell[0] / cell[1] * n + phase)
    if model == "gaam":
        return 2 * c["lambda"] * wave / (1 - c["alpha"] * wave)
    return np.where(n % kappa == 0, c["lambda"] * wave, 0.0)


def _dense(model: str, c: dict[str, float], V: np.ndarray) -> np.ndarray:
    n = np.arange(len(V))
    apart = np.abs(n[:, None] - n)
    apart = np.minimum(apart, len(V) - apart)
    H = np.exp(c["p"] * (1 - apart)) if model == "maam" else (apart == 1).astype(float)
    np.fill_diagonal(H, V)
    return H


Solve = Callable[[float, np.ndarray], np.ndarray]
Apply = Callable[[np.ndarray], np.ndarray]


def _short(V: np.ndarray, c: dict[str, float]) -> tuple[Solve, Apply]:
    """Return (H - energy)^-1 x and H x for nearest-neighbour hopping."""
    one = np.ones(len(V))
    return (
        lambda energy, x: _ring(one, V - energy, one, x),
        lambda x: V * x + np.roll(x, 1) + np.roll(x, -1),
    )


def _long(V: np.ndarray, c: dict[str, float]) -> tuple[Solve, Apply]:
    """Return the same for exponential hopping, whose matrix with ones added has a tridiagonal inverse M."""
    t, decay = np.exp(c["p"]), np.exp(-c["p"])
    centre, side = (1 + decay**2) / (1 - decay**2), -decay / (1 - decay**2)
    one = np.ones(len(V))

    def solve(energy: float, x: np.ndarray) -> np.ndarray:
        # H - energy = t M^-1 + w with w = V - t - energy, so (t + M w) y = M x
        w = V - t - energy
        right = centre * x + side * (np.roll(x, 1) + np.roll(x, -1))
        return _ring(side * np.roll(w, 1), t + centre * w, side * np.roll(w, -1), right)

    return solve, lambda x: t * (_ring(side * one, centre * one, side * one, x) - x) + V * x


def _ring(lower: np.ndarray, d: np.ndarray, upper: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Solve a cyclic tridiagonal system (Sherman–Morrison); row i has lower[i], d[i], upper[i]."""
    corner = -d[0] or 1.0
    d = d.copy()
    d[0] -= corner
    d[-1] -= lower[0] * upper[-1] / corner
    u = np.zeros(len(d))
    u[0], u[-1] = corner, upper[-1]
    y, z = dgtsv(lower[1:], d, upper[:-1], np.column_stack([x, u]))[3].T
    ratio = lower[0] / corner
    return y - (y[0] + ratio * y[-1]) / (1 + z[0] + ratio * z[-1]) * z


def _state(solve: Solve, apply: Apply, energy: float, x: np.ndarray) -> tuple[float, float] | None:
    """Return an eigenstate's energy and D; None in the rare case that the iteration has not ended."""
    energy += 1e-9
    for step in range(STEPS):
        x = solve(energy, x)
        x = x / np.linalg.norm(x)
        if step < 2:  # first towards the nearest state, then fast
            continue
        y = apply(x)
        value = float(x @ y)
        if not np.isfinite(value):
            return None
        if np.linalg.norm(y - value * x) < 1e-7:
            weights = np.array([b.sum() for b in np.array_split(x * x, BOXES)])
            return value, float(-np.log(np.sum(weights**2)) / np.log(BOXES))
        energy = value + 1e-13
    return None


EDGES: dict[str, tuple[str, Callable[[dict[str, np.ndarray]], np.ndarray]]] = {
    # each is positive where states are extended
    "mosaic1": ("2 - lambda", lambda c: 2 - c["lambda"]),
    "mosaic2": ("2 - lambda*|E|", lambda c: 2 - c["lambda"] * np.abs(c["E"])),
    "mosaic3": ("2 - lambda*|E^2 - 1|", lambda c: 2 - c["lambda"] * np.abs(c["E"] ** 2 - 1)),
    "gaam": ("2 - 2*lambda - alpha*E", lambda c: 2 - 2 * c["lambda"] - c["alpha"] * c["E"]),
    "maam": ("E + e^p - lambda*cosh(p)", lambda c: c["E"] + np.exp(c["p"]) - c["lambda"] * np.cosh(c["p"])),
}
