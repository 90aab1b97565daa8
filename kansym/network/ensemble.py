"""Many networks trained in one batched call: seeds, sparsities, widths under one maximum, bootstrap samples.

Every tensor has a leading ensemble dimension. On the CPU the members run in threads over compiled kernels, on
another device all at once as batched normal equations; nothing else differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from kansym.base.errors import InputError
from kansym.network import pruning
from kansym.network.bands import Calibration, calibrate
from kansym.network.kan import KAN
from kansym.network.training import schedule
from kansym.network.training.layers import OFF, Layer
from kansym.network.training.trainer import Training, require, train


class Ensemble:
    """Hold len(seeds) networks of one shape; member e starts as KAN(shape, seed=seeds[e]) does.

    `widths` gives each member its own number of nodes on every inner level, at most the shape's; the rest is
    switched off. Options go to :class:`kansym.network.kan.KAN`.
    """

    def __init__(
        self,
        shape: Sequence[Any],
        seeds: Sequence[int] = range(10),
        widths: Sequence[int | Sequence[int]] | None = None,
        kind: type[KAN] = KAN,
        **options: Any,
    ) -> None:
        if not len(seeds):
            raise InputError("An ensemble of no seeds has no members; give at least one.")
        singles = [kind(shape, seed=int(s), **options) for s in seeds]
        self.like, self.seeds = singles[0], tuple(int(s) for s in seeds)
        self.layers: tuple[Layer, ...] = tuple(
            _stack([k.layers[l] for k in singles]) for l in range(len(singles[0].layers))
        )
        if widths is not None:
            self.layers = _masked(self.layers, widths)
        self.losses = np.full(len(seeds), np.nan)
        self.calibration: Calibration | None = None
        self.history = pd.DataFrame()
        self.stop_reason = ""
        self._fresh = True

    def __repr__(self) -> str:
        return f"Ensemble({len(self)} members like {self.like!r})"

    def __len__(self) -> int:
        return len(self.seeds)

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        lamb: float | Sequence[float] = 0.0,
        bootstrap: bool = False,
        validation: tuple[Any, Any] | float = 0.2,
        device: str = "cpu",
        **options: Any,
    ) -> Ensemble:
        """Train all members on rows X, y and return self; `lamb` one for all or one a member.

        `bootstrap` draws each member its own rows with replacement, and the rows it left out calibrate
        :meth:`interval`. Losses on held-out rows (`validation`, a
        share or rows) go to `losses`. Other options are those of KAN.fit. Raises InputError for a device that
        is not there.
        """
        require(device)
        like, loss = self.like, options.get("loss", "squared")
        rows = like._rows(X)
        target = like._targets(y, len(rows), loss)
        if isinstance(validation, tuple):
            held = (like._rows(validation[0]), like._targets(validation[1], len(validation[0]), loss))
        else:
            order = np.random.default_rng(self.seeds[0]).permutation(len(rows))
            cut = max(1, round(len(rows) * validation))
            held = (rows[order[:cut]], target[order[:cut]])
            rows, target = rows[order[cut:]], target[order[cut:]]
        strength = np.broadcast_to(np.asarray(lamb, float), (len(self),))
        weights = None
        if bootstrap:
            draws = [np.random.default_rng((s, 1)).integers(len(rows), size=len(rows)) for s in self.seeds]
            weights = np.stack([np.bincount(d, minlength=len(rows)) for d in draws]).astype(float)
        setting = Training(lamb=torch.from_numpy(strength.copy()), device=device, **options)
        outcome = train(self.layers, rows, target, setting, weights, held, fresh=self._fresh)
        self.layers, self._fresh, self.stop_reason = outcome.layers, False, outcome.reason
        if outcome.held is None:  # broken off before any step was judged: there is nothing to keep
            raise KeyboardInterrupt
        self.losses = outcome.held
        if weights is not None and loss == "squared":
            both = np.concatenate([rows, held[0]])
            unseen = np.concatenate([weights == 0, np.ones((len(self), len(held[0])), bool)], 1)
            self.calibration = calibrate(self._predict(both), np.concatenate([target, held[1]]), unseen)
        self.history = pd.concat([self.history, pd.DataFrame(outcome.rows)], ignore_index=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the outputs of all members (E, n, outputs)."""
        return self._predict(self.like._rows(X))

    def _predict(self, rows: np.ndarray) -> np.ndarray:
        return np.stack([schedule.forward(self.layers, rows, e) for e in range(len(self))])

    def interval(self, X: Any, level: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper ends (n, outputs) of bands that hold a share `level` of fresh rows' targets.

        See kansym.network.bands. Raises InputError without fit(bootstrap=True).
        """
        if self.calibration is None:
            raise InputError("Bands need rows that members left out; call fit with bootstrap=True first.")
        return self.calibration.band(self.predict(X), level)

    def attribution(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs' scores, means over members, and their standard deviations (inputs,).

        Members whose training stuck, as bootstrapped rows tell, are left out. See
        kansym.network.pruning.attribution.
        """
        rows = self.like._rows(X)
        scores = []
        members = np.arange(len(self))
        for e in members if self.calibration is None else members[self.calibration.trained]:
            alone = tuple(layer.member(int(e)) for layer in self.layers)
            scores.append(pruning.attribution(alone, pruning.activity(alone, rows))[1][0])
        return np.mean(scores, 0), np.std(scores, 0, ddof=1)

    def member(self, index: int) -> KAN:
        """Return one member as a network of its own, without what is switched off."""
        if not 0 <= index < len(self):
            raise InputError(f"Member {index} is outside the ensemble; members are 0..{len(self) - 1}.")
        new = self.like._with(tuple(layer.member(index) for layer in self.layers))
        new.seed, new.fitted = self.seeds[index], not self._fresh
        return new

    def best(self) -> KAN:
        """Return the member of least held-out loss; raises InputError before fit."""
        if not np.any(np.isfinite(self.losses)):
            raise InputError("No member has a held-out loss yet; call fit first.")
        return self.member(int(np.nanargmin(self.losses)))


def _stack(layers: Sequence[Layer]) -> Layer:
    """Return several layers as the members of one."""
    names = ("knots", "coefficients", "weights", "bias", "state")
    parts: dict[str, Any] = {k: np.concatenate([getattr(x, k) for x in layers]) for k in names}
    return replace(layers[0], **parts)


def _masked(stack: Sequence[Layer], widths: Sequence[int | Sequence[int]]) -> tuple[Layer, ...]:
    """Return layers in which each member has only its own width of nodes."""
    levels = len(stack) - 1
    if len(widths) != stack[0].members:
        raise InputError(f"{len(widths)} widths for {stack[0].members} members; give one for each.")
    out = [replace(layer, state=layer.state.copy()) for layer in stack]
    for e, given in enumerate(widths):
        each = [given] * levels if isinstance(given, int | np.integer) else list(given)
        for l, w in enumerate(each):
            if not 1 <= w <= stack[l].nodes or len(each) != levels:
                raise InputError(
                    f"Member {e} asks for widths {each}; the shape allows {[x.nodes for x in stack[:-1]]}."
                )
            out[l].state[e, stack[l].starts[w] :] = OFF
            out[l + 1].state[e, :, w:] = OFF
    return tuple(out)
