"""Is there anything but noise? Tests that see more than low polynomials, calibrated by shuffling the target.

Where y does not depend on X its rows may be shuffled, so the tests need no model of the noise: whatever
they measure on the table is compared with what they measure on shuffled copies. Only the largest of their
standardised values counts, which is what keeps the false alarms of all tests together at the level asked
for (Westfall and Young, Resampling-Based Multiple Testing, 1993).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # scipy.stats, 40 MB, is loaded when it is first asked for
from scipy import sparse, special
from scipy.spatial import cKDTree

from kansym.base.linear import TINY, span
from kansym.base.threads import one_thread

SEEN = 0.003
"""Chance of a false alarm below which structure counts as seen, a third of the one percent that may claim a
law in noise: 9 of 2000 tables of noise came below it, 1.2 % below 0.01 and 5.1 % below 0.05."""

SHUFFLES = 999
"""Shuffled copies of the target, so that the smallest chance is one in a thousand."""

FEW_ROWS, SEEN_IN_FEW = 10, 0.05
"""Of fewer rows than this no test can be sure: six rows that rise one after the other do so by chance once
in 720 times, and a dozen tests look. There a chance of one in twenty must do."""

FIRST_SHUFFLES = 99
"""A first look: most tables are clearly one thing or the other."""

CLEAR = 8.0
"""Standard deviations above the shuffled copies (each test's value made nearly normal by its cube root) at
which a first look is enough: on 2000 tables of noise, 10 to 300 rows of 1 to 10 columns, none came beyond
5.2."""

MOST_ROWS = 500
"""Rows looked at, unless more are asked for; the cost grows with their square."""

MOST_SPECTRA = 4
"""Columns along which a spectrum is taken, first ones first: each costs as much as all other tests
together."""

CURVED_ROWS = 60
"""Rows up to which pairs of exponentials are fitted along each column: a rise and a slower fall in eleven
rows that no other test is sure of. More rows show such shapes to the others."""

RATES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Rates of those exponentials, a column's range being one; from either end."""

FAR = 6.0
"""Median distances from the middle row (four standard deviations of normal noise) beyond which a row counts
as that far: a single one at a column's end is met by a steep exponential, whatever the others are."""

BOUNDED = 6.0
"""Deviations that what two exponentials leave counts for at most: so many are beyond all shuffled copies."""

ROUNDOFF = 1e-12
"""Share below which nothing is left."""

TESTS = 14
"""Tests that may look at a table."""

FERNS, FERN_DEPTHS = 60, (2, 4)
"""Random partitions of the rows, by two and by four comparisons each: trees that do not look at the
target."""


@dataclass(frozen=True)
class Chance:
    """Hold the chance that shuffled rows look as structured, the test that saw most, and its SD."""

    pvalue: float
    test: str
    deviations: float
    rows: int = FEW_ROWS

    @property
    def seen(self) -> bool:
        """Tell whether there is more than noise."""
        return self.pvalue <= (SEEN if self.rows >= FEW_ROWS else SEEN_IN_FEW)


def structure(
    X: np.ndarray, y: np.ndarray, seed: int = 0, shuffles: int = SHUFFLES, most: int = MOST_ROWS
) -> Chance:
    """Return the chance that noise alone makes y (n,) depend on X (n, d) as much as it seems to.

    Tests, on normal scores of y's ranks: straight lines, quadratic and higher polynomials, neighbours along
    each column (von Neumann's ratio, the idea of Chatterjee's xi) and their signs (runs), the spectrum
    along each column (Lomb and Scargle), nearest neighbours in all columns, random trees, two exponentials
    along a column of few rows, and two Gaussian kernels (HSIC). Of more rows than `most` so many are drawn.
    Under 4 rows, or where y does not vary, the chance is 1.
    """
    rows = len(y)
    if rows > most:
        kept = _drawn(np.random.default_rng(seed), rows, most)
        X, y = X[kept], y[kept]
    X = X[:, np.ptp(X, axis=0) > 0]
    if len(y) < 4 or np.ptp(y) == 0 or X.shape[1] == 0:
        return Chance(1.0, "none", 0.0)
    scores = _normal_scores(y)
    with one_thread():
        # most tables show at the cheap tests what they are; the others get the same shuffles with and without
        rng = np.random.default_rng(seed)
        plain = _compared(_Looks.plain(X), y, scores, min(FIRST_SHUFFLES, shuffles), rng)
        if plain.deviations >= CLEAR:
            return plain
        looks, after = _looks(np.ascontiguousarray(X, float).tobytes(), X.shape, seed, rows)
        rng = copy.deepcopy(after)
        found = _compared(looks, y, scores, min(FIRST_SHUFFLES, shuffles), rng)
        unclear = found.deviations < CLEAR and found.pvalue < 0.1
        return _compared(looks, y, scores, shuffles, rng) if unclear and shuffles > FIRST_SHUFFLES else found


def _drawn(rng: np.random.Generator, rows: int, most: int) -> np.ndarray:
    """Return which rows are looked at, where there are too many."""
    return np.sort(rng.choice(rows, most, replace=False))


@lru_cache(maxsize=2)
def _looks(data: bytes, shape: tuple[int, int], seed: int, rows: int) -> tuple[_Looks, np.random.Generator]:
    """Return what the tests need of X, and the generator after it: a survey asks thrice about some rows."""
    rng = np.random.default_rng(seed)
    if rows > shape[0]:
        _drawn(rng, rows, shape[0])
    return _Looks.at(np.frombuffer(data).reshape(shape), rng), rng


def _compared(
    looks: _Looks, y: np.ndarray, scores: np.ndarray, shuffles: int, rng: np.random.Generator
) -> Chance:
    """Return the largest standardised value of the tests, and how many shuffled copies reach it."""
    order = np.empty((len(scores), shuffles + 1), int)
    order[:, 0] = np.arange(len(scores))
    order[:, 1:] = rng.permuted(np.tile(order[:, 0], (shuffles, 1)), axis=1).T
    names, values = [], []
    for name, value in looks.values(scores[order]):
        names.append(name)
        values.append(np.cbrt(value))
    if looks.curves:
        names.append("two exponentials")
        values.append(_closeness(looks.curves, _clipped(y)[order]))
    measured = np.array(values)
    centre, spread = measured[:, 1:].mean(1), measured[:, 1:].std(1)
    deviations = (measured - centre[:, None]) / np.maximum(spread, 1e-9 * np.abs(centre) + TINY)[:, None]
    if looks.curves:  # a share of next to nothing has no normal tail
        deviations[-1] = np.minimum(deviations[-1], BOUNDED)
    best = int(np.argmax(deviations[:, 0]))
    most = deviations.max(0)
    pvalue = (1 + np.sum(most[1:] >= most[0])) / (shuffles + 1)
    if most[0] >= CLEAR:  # far outside what shuffling makes: the normal tail, of as many tests as there are
        pvalue = min(pvalue, TESTS * float(special.ndtr(-most[0])))
    return Chance(float(pvalue), names[best], float(most[0]), len(scores))


def _normal_scores(y: np.ndarray) -> np.ndarray:
    """Return the centred unit vector of normal noise with y's ranks: heavy tails become light."""
    z = special.ndtri((scipy.stats.rankdata(y) - 0.375) / (len(y) + 0.25))
    z = z - z.mean()
    return z / np.linalg.norm(z)


@dataclass(frozen=True, eq=False)
class _Looks:
    """Hold what the tests need of X; each test is then a product with all shuffled targets at once."""

    polynomials: tuple[tuple[str, np.ndarray], ...]
    orders: tuple[np.ndarray, ...]
    spectra: tuple[np.ndarray, ...] = ()
    neighbours: np.ndarray | None = None
    ferns: tuple[sparse.csr_matrix, ...] = ()
    kernels: tuple[np.ndarray, ...] = ()
    curves: tuple[np.ndarray, ...] = ()

    @staticmethod
    def plain(X: np.ndarray) -> _Looks:
        """Return the cheap tests only: polynomials, and neighbours along each column."""
        ranks = np.column_stack([scipy.stats.rankdata(x) for x in X.T]) / len(X)
        return _Looks(tuple(_polynomials(X, ranks)), tuple(np.argsort(x, kind="stable") for x in X.T))

    @staticmethod
    def at(X: np.ndarray, rng: np.random.Generator) -> _Looks:
        """Return all tests of a table of inputs (n, d): polynomials, spectra, neighbours, kernels, trees."""
        n, d = X.shape
        ranks = np.column_stack([scipy.stats.rankdata(x) for x in X.T]) / n
        wave = 2 * math.pi * np.arange(1, n // 2 + 1)
        spectra = []
        for x in X.T[:MOST_SPECTRA]:
            # half steps of 1/range, up to the mean Nyquist frequency
            phase = np.outer((x - x.min()) / np.ptp(x), np.concatenate([wave, wave[:-1] + math.pi]))
            spectra.append(_orthonormal_pairs(phase))
        near = cKDTree(ranks + 1e-9 * rng.standard_normal(ranks.shape)).query(ranks, k=min(4, n))[1][:, 1:]
        squares = np.sum((ranks[:, None] - ranks[None]) ** 2, axis=2) if n * n * d < 3e7 else _squares(ranks)
        middle = np.median(squares[squares > 0])
        return _Looks(
            tuple(_polynomials(X, ranks)),
            tuple(np.argsort(x, kind="stable") for x in X.T),
            tuple(spectra),
            near,
            tuple(_fern(ranks, depth, rng) for depth in FERN_DEPTHS),
            tuple(_centred(np.exp(-squares / (width * middle))) for width in (1.0, 1 / 16)),
            tuple(pair for x in X.T for pair in _exponentials(x)) if n <= CURVED_ROWS else (),
        )

    def values(self, table: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each test's name and its values (shuffles + 1,) for the targets in the columns of `table`."""
        for name, Q in self.polynomials:
            yield name, _power(Q, table)
        signs = np.sign(table - np.median(table, axis=0))
        for name, part in (("neighbours along a column", table), ("runs of signs", signs)):
            sums = [np.sum(part[order][1:] * part[order][:-1], axis=0) for order in self.orders]
            yield name, np.max(sums, axis=0)
        if self.spectra:
            yield "spectrum", np.max([_peak(waves, table) for waves in self.spectra], axis=0)
        if self.neighbours is not None:
            yield "nearest neighbours", sum(np.sum(table * table[k], axis=0) for k in self.neighbours.T)
        for depth, ferns in zip(FERN_DEPTHS, self.ferns, strict=False):
            yield f"random trees of depth {depth}", np.sum((ferns @ table) ** 2, axis=0)
        for width, K in zip(("wide", "narrow"), self.kernels, strict=False):
            yield f"a {width} kernel", np.sum(table * (K @ table), axis=0)


def _power(Q: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return how much of each target (its columns) a basis explains."""
    return np.sum((Q.T @ table) ** 2, axis=0)


def _clipped(y: np.ndarray) -> np.ndarray:
    """Return y (n,) about its mean, no row further from the middle one than FAR usual distances."""
    middle = np.median(y)
    far = FAR * float(np.median(np.abs(y - middle)))
    near = np.clip(y, middle - far, middle + far) if far > 0 else y
    return near - near.mean()


def _closeness(curves: tuple[np.ndarray, ...], table: np.ndarray) -> np.ndarray:
    """Return the root of -log of the least share that any of the bases leaves of each target.

    Of its ranks no curve leaves so little that few rows prove it; of eleven rows of a curve with 4 % of noise
    it leaves a twentieth.
    """
    most = np.max([_power(Q, table) for Q in curves], axis=0)
    return np.sqrt(-np.log(np.clip(1 - most / (np.sum(table**2, axis=0) + TINY), ROUNDOFF, 1)))


def _peak(waves: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the largest power of any frequency; `waves` has its cosine and sine in neighbouring columns."""
    power = (waves.T @ table) ** 2
    return (power[0::2] + power[1::2]).max(0)


def _orthonormal_pairs(phase: np.ndarray) -> np.ndarray:
    """Return centred cosines and sines of the phases, orthonormal in pairs (Scargle's tau)."""
    c, s = np.cos(phase), np.sin(phase)
    c, s = c - c.mean(0), s - s.mean(0)
    c = c / np.maximum(np.linalg.norm(c, axis=0), 1e-9)
    s = s - c * np.sum(c * s, axis=0)
    norm = np.linalg.norm(s, axis=0)
    s = np.where(norm > 1e-6 * math.sqrt(len(s)), s / np.maximum(norm, TINY), 0.0)
    out = np.empty((len(c), 2 * c.shape[1]))
    out[:, 0::2], out[:, 1::2] = c, s
    return out


def _polynomials(X: np.ndarray, ranks: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield orthonormal polynomials without the constant, by name: lines, quadratics, higher ones."""
    n, d = X.shape
    U = 2 * ranks - ranks.max(0) - ranks.min(0)
    Z = (X - X.mean(0)) / X.std(0)
    if n > d + 2:
        yield "straight lines", _basis(Z)
        yield "straight lines", _basis(U)
    pairs = [U[:, i] * U[:, j] for i in range(d) for j in range(i, d)]
    if 3 * (d + len(pairs)) <= n:
        yield "quadratic polynomials", _basis(np.column_stack([U, *pairs]))
    degree = min(8, n // (4 * d))
    if degree > 2:
        powers = [np.polynomial.chebyshev.chebvander(u, degree)[:, 1:] for u in U.T]
        yield f"polynomials of degree {degree}", _basis(np.hstack(powers))


def _exponentials(x: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an orthonormal basis of every two exponentials of a column, a straight line among them."""
    u = (x - x.min()) / np.ptp(x)
    each = [u, *(np.exp(-rate * v) for v in (u, 1 - u) for rate in RATES)]
    for first, second in itertools.combinations(each, 2):
        yield _basis(np.column_stack([first, second]))


def _basis(A: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of centred columns."""
    return span(A - A.mean(0))[0]


def _fern(ranks: np.ndarray, depth: int, rng: np.random.Generator) -> sparse.csr_matrix:
    """Return (leaves of all ferns, n): 1/sqrt(size) where a row lies in the leaf."""
    n, d = ranks.shape
    rows = np.arange(n)
    parts = []
    for _ in range(FERNS):
        columns, cuts = rng.integers(d, size=depth), rng.uniform(0.1, 0.9, depth)
        leaf = (ranks[:, columns] > cuts) @ (2 ** np.arange(depth))
        size = np.bincount(leaf, minlength=2**depth)
        parts.append(sparse.csr_matrix((1 / np.sqrt(size[leaf]), (leaf, rows)), shape=(2**depth, n)))
    return sparse.vstack(parts).tocsr()


def _squares(ranks: np.ndarray) -> np.ndarray:
    """Return the squared distances between all rows."""
    own = np.sum(ranks**2, axis=1)
    return np.maximum(own[:, None] + own[None] - 2 * ranks @ ranks.T, 0.0)


def _centred(K: np.ndarray) -> np.ndarray:
    """Return a kernel matrix with rows and columns of mean 0."""
    return K - K.mean(0) - K.mean(1)[:, None] + K.mean()
