"""What a law saves must not hang on one row where noise has heavy tails."""

import numpy as np

from kansym.judge import verdict


def test_what_one_row_of_heavy_tails_says_is_no_law():
    rng = np.random.default_rng(46)
    x, y = rng.standard_t(2, size=130), rng.standard_t(2, size=130)
    x[7], y[7] = 300.0, -20.0
    line = -20 / 300 * x
    one = verdict.of_one_row(y, 0.0, line, np.ones(130))
    saved = 65 * np.log(np.sum(y**2) / np.sum((y - line) ** 2))
    assert saved > 20 and one > 0.9 * saved
    # a line that all rows follow does not hang on any
    follow = 0.8 * x[:100] + rng.normal(size=100)
    assert verdict.of_one_row(follow, 0.0, 0.8 * x[:100], np.r_[np.ones(7), 0, np.ones(92)]) < 15
