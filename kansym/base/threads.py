"""One thread for linear algebra: small matrices are not worth sharing, and of two threads one waits."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
import scipy.linalg
from threadpoolctl import ThreadpoolController

LOADED = (np.linalg, scipy.linalg)
"""Each brings its own BLAS, and must be there before the look at what is loaded."""

BLAS = ThreadpoolController().select(user_api="blas")
"""Looked up once, here: the look opens a file, which an interrupt could leave open."""


def one_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread within a `with`.

    >>> with one_thread():
    ...     {library["num_threads"] for library in BLAS.info()} <= {1}
    True
    """
    limit: AbstractContextManager[object] = BLAS.limit(limits=1)
    return limit
