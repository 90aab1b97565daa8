"""Penalised least squares |y - A c|^2 + weight |B c|^2 for any weight, by banded matrices.

A spline's rows touch a few neighbouring coefficients alone, so that one weight costs as many operations as
rows. The residual is computed from the rows themselves: the difference of two sums of squares would drown
what clean rows leave. Source of the method: Wood, J. R. Stat. Soc. B 73, 2011.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import csr_array

WHIFF = 1e-18
"""The penalty's least weight in units of the rows' own: columns that no row sees get their values from it."""

WEIGHTS = np.linspace(-30.0, 28.0, 59)
"""Logarithms of the weights that are tried, in that unit; beyond them rows or penalty drown in round-off."""

STEP = 1e-3
"""Step of the log weight for the determinant's slope."""


@dataclass(frozen=True, eq=False)
class Penalised:
    """Hold rows A (n, p), penalty B, values y (n,), and A'A and B'B as bands below their diagonals."""

    A: csr_array
    B: csr_array
    y: np.ndarray
    rows: np.ndarray
    bent: np.ndarray
    unit: float

    @staticmethod
    def of(A: csr_array, B: csr_array, y: np.ndarray) -> Penalised:
        """Return the problem of rows A and penalty B."""
        rows, bent = _bands(A), _bands(B)
        width = max(len(rows), len(bent))
        rows, bent = (np.pad(m, ((0, width - len(m)), (0, 0))) for m in (rows, bent))
        return Penalised(A, B, y, rows, bent, float(rows[0].max() / bent[0].max()))

    @property
    def size(self) -> int:
        """Return the number of coefficients."""
        return int(self.A.shape[1])

    @property
    def weights(self) -> np.ndarray:
        """Return the logarithms of the weights that are tried."""
        return np.log(self.unit) + WEIGHTS

    def coefficients(self, log_weight: float) -> np.ndarray:
        """Return the best coefficients (p,); raises LinAlgError where rows and penalty leave one open."""
        return np.asarray(cho_solve_banded((self._factor(log_weight), True), self.A.T @ self.y))

    def left(self, log_weight: float) -> float:
        """Return the least of the penalised sum of squares."""
        solution = self.coefficients(log_weight)
        miss, bend = self.y - self.A @ solution, self.B @ solution
        return float(miss @ miss) + float(np.exp(log_weight)) * float(bend @ bend)

    def determinant(self, log_weight: float) -> float:
        """Return log |A'A + weight B'B|."""
        return 2 * float(np.sum(np.log(self._factor(log_weight)[0])))

    def freedom(self, log_weight: float) -> float:
        """Return the degrees of freedom: p less the determinant's slope by the log weight."""
        rise = self.determinant(log_weight + STEP) - self.determinant(log_weight - STEP)
        return self.size - rise / (2 * STEP)

    def _factor(self, log_weight: float) -> np.ndarray:
        """Return the banded Cholesky factor for one weight."""
        weight = np.exp(log_weight) + WHIFF * self.unit
        return np.asarray(cholesky_banded(self.rows + weight * self.bent, lower=True))


def _bands(A: csr_array) -> np.ndarray:
    """Return A'A as bands (width, p), the diagonal first, as SciPy's banded Cholesky takes them."""
    product = (A.T @ A).tocoo()
    low = product.row >= product.col
    down = (product.row - product.col)[low]
    out = np.zeros((int(down.max()) + 1, product.shape[1]))
    out[down, product.col[low]] = product.data[low]
    return out
