"""Labelled eigenstates of three quasi-periodic chains (paper 4.4), with numpy and scipy only.

Open chains, t = 1, b the golden ratio, random phase; D = -log IPR / log N of every state, extended when
D > 1/2. Conventions are those under which the analytic mobility edges classify about 99% of states:
mosaic V = lambda cos at every kappa-th site; GAAM V = 2 lambda cos/(1 - alpha cos); MAAM hopping
e^p e^(-p|n-n'|), V = lambda cos. Rows are grouped by Hamiltonian, so that a split can keep them together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh, eigh_tridiagonal

GOLDEN = (1 + 5**0.5) / 2
MODELS = ("mosaic1", "mosaic2", "mosaic3", "gaam", "maam")


def states(
    model: str, hamiltonians: int, sites: int = 300, per: int = 60, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return columns E, the model's parameters, D, extended (0 or 1), hamiltonian; `per` states of each."""
    if model not in MODELS:
        raise ValueError(f"Model {model!r} is not known; choose from {', '.join(MODELS)}.")
    rng = np.random.default_rng([seed, MODELS.index(model)])
    n = np.arange(1, sites + 1)
    columns: dict[str, list[np.ndarray]] = {}
    for i in range(hamiltonians):
        phase = rng.uniform(0, 2 * np.pi)
        wave = np.cos(2 * np.pi * GOLDEN * n + phase)
        if model == "maam":
            p, strength = rng.uniform(1, 2.5), rng.uniform(0.3, 3.0)
            H = np.exp(p) * np.exp(-p * np.abs(n[:, None] - n))
            np.fill_diagonal(H, strength * wave)
            energies, vectors = eigh(H)
            parameters = {"lambda": strength, "p": p}
        else:
            if model == "gaam":
                alpha, strength = rng.uniform(-0.8, 0.8), rng.uniform(0.2, 1.8)
                potential = 2 * strength * wave / (1 - alpha * wave)
                parameters = {"lambda": strength, "alpha": alpha}
            else:
                kappa = int(model[-1])
                strength = rng.uniform(0.2, 4.0)
                potential = np.where(n % kappa == 0, strength * wave, 0.0)
                parameters = {"lambda": strength}
            energies, vectors = eigh_tridiagonal(potential, np.ones(sites - 1))
        D = -np.log(np.sum(vectors**4, axis=0)) / np.log(sites)
        at = rng.choice(sites, min(per, sites), replace=False)
        block = {"E": energies[at], **{k: np.full(len(at), v) for k, v in parameters.items()}, "D": D[at]}
        block |= {"extended": (D[at] > 0.5).astype(float), "hamiltonian": np.full(len(at), float(i))}
        for name, values in block.items():
            columns.setdefault(name, []).append(values)
    return {name: np.concatenate(v) for name, v in columns.items()}


EDGES: dict[str, tuple[str, Callable[[dict[str, np.ndarray]], np.ndarray]]] = {
    # each is positive where states are extended
    "mosaic1": ("2 - lambda", lambda c: 2 - c["lambda"]),
    "mosaic2": ("2 - lambda*|E|", lambda c: 2 - c["lambda"] * np.abs(c["E"])),
    "mosaic3": ("2 - lambda*|E^2 - 1|", lambda c: 2 - c["lambda"] * np.abs(c["E"] ** 2 - 1)),
    "gaam": ("2 - 2*lambda - alpha*E", lambda c: 2 - 2 * c["lambda"] - c["alpha"] * c["E"]),
    "maam": ("E + e^p - lambda*cosh(p)", lambda c: c["E"] + np.exp(c["p"]) - c["lambda"] * np.cosh(c["p"])),
}
