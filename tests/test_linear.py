"""Columns of size one, what their span leaves, and rows that weigh differently."""

import numpy as np
import pytest

from kansym.base.linear import basis, decomposed, fitted, left, norms, solved, span, squares_left, turned_by
from kansym.base.weights import roots, spread


def test_a_column_of_zeros_has_norm_one_and_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(20, 3)) * [1e-9, 1.0, 1e9], rng.normal(size=20)
    empty = np.column_stack([A, np.zeros(20)])
    assert norms(empty)[3] == 1.0
    assert left(empty, y) == pytest.approx(left(A, y), abs=1e-12)


def test_what_is_left_is_orthogonal_to_every_column() -> None:
    rng = np.random.default_rng(1)
    A, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    assert np.abs(A.T @ left(A, y)).max() < 1e-12
    assert left(A, A @ np.arange(4.0)) == pytest.approx(np.zeros(30), abs=1e-12)


def test_a_basis_begins_with_that_of_the_first_columns() -> None:
    A = np.random.default_rng(4).normal(size=(20, 5))
    Q = basis(A)
    assert np.allclose(Q.T @ Q, np.eye(5), atol=1e-12)
    assert Q[:, :3] @ (Q[:, :3].T @ A[:, :3]) == pytest.approx(A[:, :3], abs=1e-12)


def test_a_span_lacks_the_directions_that_are_round_off() -> None:
    A = np.random.default_rng(3).normal(size=(15, 3))
    U, s, Vt = span(np.column_stack([A, A @ np.ones(3)]))
    assert len(s) == 3 and U.shape == (15, 3) and Vt.shape == (3, 4)
    assert (U * s @ Vt)[:, :3] == pytest.approx(A, abs=1e-12)
    assert all(part.size == 0 for part in span(np.zeros((4, 2))))


def test_a_weight_of_two_is_a_row_twice() -> None:
    rng = np.random.default_rng(2)
    y, weights = rng.normal(size=12), rng.integers(1, 4, 12)
    repeated = np.repeat(y, weights)
    assert spread(y, roots(weights, 12)) == pytest.approx(spread(repeated, roots(None, len(repeated))))
    assert spread(repeated, np.ones(len(repeated))) == pytest.approx(len(repeated) * repeated.var())


@pytest.mark.parametrize("rows", [2, 12])
def test_a_fit_by_lapack_alone_is_the_same(rows):
    A, y = np.random.default_rng(0).normal(size=(rows, 3)), np.arange(float(rows))
    A /= norms(A)
    found, Q = fitted(A, y)
    np.testing.assert_allclose(found, np.linalg.lstsq(A, y, rcond=None)[0], rtol=1e-10)
    np.testing.assert_allclose(Q @ (Q.T @ y), A @ found, atol=1e-12)


def test_dependent_columns_get_the_smallest_coefficients():
    column = np.ones((6, 1)) / np.sqrt(6)
    found, _ = fitted(np.hstack([column, column]), np.ones(6))
    np.testing.assert_allclose(found, np.sqrt(6) / 2)


def test_decomposed_and_multiplied_again_it_is_the_same():
    A = np.random.default_rng(0).normal(size=(9, 3))
    U, s, Vt = decomposed(A)
    np.testing.assert_allclose(U * s @ Vt, A, atol=1e-14)


@pytest.mark.parametrize("rows", [4, 30])
def test_one_factorisation_tells_the_fits_by_all_first_columns(rows):
    rng = np.random.default_rng(5)
    A, y = rng.normal(size=(rows, 4)), rng.normal(size=rows)
    turned, every = turned_by(A, y), squares_left(A, y)
    assert every[0] == pytest.approx(y @ y)
    for m in range(1, 5):
        c = np.linalg.lstsq(A[:, :m], y, rcond=None)[0]
        assert solved(turned.packed[:m, :m], turned.target[:m]) == pytest.approx(c, abs=1e-10)
        assert every[m] == pytest.approx(np.sum((A[:, :m] @ c - y) ** 2), abs=1e-12)
        hat = A[:, :m] @ np.linalg.pinv(A[:, :m])
        assert turned.leverages[:, m - 1] == pytest.approx(np.diag(hat), abs=1e-10)


def test_what_has_no_factorisation_is_refused():
    for shape in ((3, 4), (3, 0)):
        with pytest.raises(ValueError, match="no QR of this sort"):
            turned_by(np.ones(shape), np.ones(3))
    assert np.isnan(solved(np.array([[1.0, 1.0], [0.0, 0.0]]), np.ones(2))).all()
