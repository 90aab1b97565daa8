"""Which terms a ratio of two polynomials needs: chosen by description length on some of the rows."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from kansym.base import criterion
from kansym.base.leastsq import levenberg_marquardt
from kansym.search.rational import monomials as rational
from kansym.search.rational.monomials import Ratio, Sheet, Support

ROWS = (600, 3000)
"""Terms are chosen on no more rows than this, the fewer the more terms; those chosen are fitted to all."""

COLUMNS = 160
"""Degrees with more candidate terms than this are not tried."""

POLE, POLE_A_ROW = 10.0, 0.02
"""Nats that a pole among the rows costs, and those for each row: data that insist on one show it on many."""

FLOOR = 1e-12
"""Relative RMS errors below this are round-off: P and Q lose digits that y has."""

Powers = tuple[int, ...]


def max_degrees(variables: int, rows: int) -> list[tuple[int, int]]:
    """Return the degrees (m, n) that are tried for so many inputs and rows, few terms first."""
    found = []
    for m, n in itertools.product(range(5), range(5)):
        size = math.comb(variables + m, m) + math.comb(variables + n, n)
        if m + n > 0 and size <= COLUMNS and (size <= rows // 3 or size <= 6):
            found.append((size, n, (m, n)))
    return [d for *_, d in sorted(found)] or [(1, 0)]


@dataclass(frozen=True, eq=False)
class Chooser:
    """Choose terms by description length on some of the rows.

    `sheet` has all rows, `part` those that choose, `rest` those that prove; `between` holds the monomials
    of points on segments between rows, where a ratio should have no pole.
    """

    sheet: Sheet
    part: Sheet
    rest: Sheet
    between: np.ndarray
    sigma2: float | None

    @staticmethod
    def of(
        X: np.ndarray, y: np.ndarray, w: np.ndarray | None, degree: int, noise: float | None, seed: int
    ) -> Chooser:
        """Return the chooser of a table, with the rows on which supports are chosen and proved."""
        sheet = Sheet.of(X, y, w, degree)
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(y))
        limit = int(np.clip(60_000 // len(sheet.E), *ROWS))
        part = sheet.rows(np.sort(order[:limit]))
        rest = sheet.rows(np.sort(order[limit : 2 * limit])) if len(y) > limit + 50 else sheet
        pairs = rng.integers(len(y), size=(2, 500))
        blend = rng.random((500, 1))
        middle = X[pairs[0]] * blend + X[pairs[1]] * (1 - blend)
        sigma2 = None if not noise else (noise / sheet.size) ** 2
        return Chooser(sheet, part, rest, rational.columns(middle / sheet.scale, sheet.E), sigma2)

    def length(self, ratio: Ratio) -> float:
        """Return the description length of a ratio in nats; a pole among the rows costs extra."""
        n = len(self.part.y)
        misfit = criterion.misfit_length(ratio.loss, n, ratio.terms - 1, FLOOR**2, self.sigma2)
        E = self.part.E[list(ratio.support[0] + ratio.support[1])]
        price = 0.5 * math.log(n) * (ratio.terms - 1)
        price += criterion.NODE_PRICE * (ratio.terms + int(np.sum(E > 0)) + int(np.sum(E > 1)))
        Q = np.concatenate([ratio.denominator(self.part.M), ratio.denominator(self.between)])
        crossing = Q.min() < 0 < Q.max()
        return misfit + price + (POLE + POLE_A_ROW * n if crossing else 0.0)

    def exact(self, support: Support) -> Ratio | None:
        """Return a ratio that is exact on the rows it was fitted to and on others."""
        found = rational.exact(self.part, support)
        if found is None:
            return None
        if rational.measured(self.rest, found.support, found.p, found.q).loss > criterion.EXACT_SHARE:
            return None
        return self.thinned(found)

    def thinned(self, ratio: Ratio) -> Ratio:
        """Return an exact ratio without the terms that it can do without."""
        for _ in range(ratio.terms):
            weights = np.concatenate(
                [
                    np.abs(ratio.p) * np.abs(self.part.M[:, ratio.support[0]]).max(0),
                    np.abs(ratio.q) * np.abs(self.part.M[:, ratio.support[1]]).max(0),
                ]
            )
            k, split = int(np.argmin(weights)), len(ratio.p)
            num = tuple(np.delete(ratio.support[0], k)) if k < split else ratio.support[0]
            den = tuple(np.delete(ratio.support[1], k - split)) if k >= split else ratio.support[1]
            if not num or not den:
                return ratio
            smaller = rational.fitted(self.part, (num, den), 5)
            if smaller.loss > max(FLOOR**2, 100 * ratio.loss):
                return ratio
            ratio = smaller
        return ratio

    def full(self, degree: tuple[int, int]) -> Support:
        """Return all terms up to the degrees."""
        return self.part.upto(degree[0]), self.part.upto(degree[1])

    def exact_of(self, degrees: list[tuple[int, int]]) -> Ratio | None:
        """Return an exact ratio of least degrees, testing the largest degrees first."""
        largest = [d for d in degrees if not any(e != d and e[0] >= d[0] and e[1] >= d[1] for e in degrees)]
        for top in largest:
            found = self.exact(self.full(top))
            if found is None:
                continue
            for smaller in degrees:
                if smaller[0] <= top[0] and smaller[1] <= top[1]:
                    again = self.exact(self.full(smaller))
                    if again is not None:
                        return again if again.terms <= found.terms else found
            return found
        return None

    def densest(self, degrees: list[tuple[int, int]]) -> tuple[int, int]:
        """Return the degrees whose dense fit is described shortest."""
        return min(degrees, key=lambda d: self.dense_length(self.dense(d)))

    def dense(self, degree: tuple[int, int]) -> Ratio:
        """Return the fit with all terms."""
        support = self.full(degree)
        return rational.fitted(self.part, support, rational.steps_of(support))

    def dense_length(self, ratio: Ratio) -> float:
        """Return the description length in nats of a dense fit, whose coefficients need no names."""
        n = len(self.part.y)
        misfit = criterion.misfit_length(ratio.loss, n, ratio.terms - 1, FLOOR**2, self.sigma2)
        return misfit + 0.5 * math.log(n) * (ratio.terms - 1)

    def choose(self, degrees: list[tuple[int, int]]) -> list[Ratio]:
        """Return the ratios worth showing, the best first."""
        found = self.exact_of(degrees)
        if found is not None:
            return [found, *self.path(self.smallest(found))]
        if len(degrees) > 1:
            dense = {d: self.dense_length(self.dense(d)) for d in degrees if self.determined(d)}
            best = sorted(dense, key=lambda d: dense[d])[:2]
            usual = [d for d in ((2, 2), (3, 3)) if d in degrees]
            few = [d for d in degrees if not self.determined(d)]
            degrees = list(dict.fromkeys([*best, *usual, *few])) or degrees[:1]
        ratios = [r for d in degrees for r in self.path(self.full(d))]
        return sorted(ratios, key=self.length)

    def determined(self, degree: tuple[int, int]) -> bool:
        """Tell whether the rows are enough for a dense fit that is no interpolation."""
        support = self.full(degree)
        return 1.5 * (len(support[0]) + len(support[1])) <= len(self.part.y)

    def smallest(self, ratio: Ratio) -> Support:
        """Return all terms up to the degrees that a ratio has, if those are few, else its own."""
        m, n = (int(self.part.E[list(ratio.support[k])].sum(axis=1).max()) for k in (0, 1))
        support = self.full((m, n))
        return support if len(support[0]) + len(support[1]) <= rational.MANY else ratio.support

    def path(self, candidates: Support) -> list[Ratio]:
        """Return good ratios of every size that these terms allow."""
        count, n = len(candidates[0]) + len(candidates[1]), len(self.part.y)
        most = min(count, max(n - 3, 2))
        if count <= 6:
            return list(rational.every(self.part, candidates, min(most, 5)))
        found = list(rational.forward(self.part, candidates, min(most, 12)))
        if 1.5 * count <= n:
            full = rational.fitted(self.part, candidates, rational.steps_of(candidates))
            # an exact fit shrinks until it is no fit at all; a noisy one until it is ten times worse
            found += rational.backward(self.part, full, max(10 * full.loss, 1e-6))
        return [r for r in found if np.isfinite(r.loss)]

    def raw(self, ratio: Ratio, errors: bool = True) -> tuple[dict[Powers, float], ...]:
        """Return coefficients and standard errors in the table's units, uniquely normalised."""
        s = self.sheet
        num, den = list(ratio.support[0]), list(ratio.support[1])
        units = np.array([float(np.prod(s.scale ** (s.E[den[0]] - s.E[c]))) for c in num + den])
        units[: len(num)] *= s.size
        p, q = ratio.p / ratio.q[0], ratio.q / ratio.q[0]
        deviation = np.zeros(len(num) + len(den))
        if errors:
            theta, function = rational.problem(s, Ratio(ratio.support, p, q, ratio.loss), pin=0)
            spread = levenberg_marquardt(function, theta, max_steps=0).covariance
            sigma = np.sqrt(np.clip(np.diag(spread), 0, None))
            deviation = np.insert(sigma, len(num), 0.0)
        values = np.concatenate([p, q]) * units
        deviation = deviation * units
        keys = [tuple(int(e) for e in s.E[c]) for c in num + den]
        split = len(num)
        return (
            dict(zip(keys[:split], values[:split].tolist(), strict=True)),
            dict(zip(keys[split:], values[split:].tolist(), strict=True)),
            dict(zip(keys[:split], deviation[:split].tolist(), strict=True)),
            dict(zip(keys[split:], deviation[split:].tolist(), strict=True)),
        )
