"""Variable projection, compiled: many starts of c·f(a·x + b; p) + d for one elementary function f.

`base.leastsq` is the least-squares core; this loop stands apart because one match asks for some 10⁴ fits of
three numbers at most, which cost less than one call of the core's linear algebra. `varpro_numpy` does the
same for special functions. Tests compare both with the core.
"""

from __future__ import annotations

import math

import numpy as np

from kansym.base.linear import TINY
from kansym.functions.kernels import BLOCK, dual, kernel


@kernel
def _assess(f, y, w):
    """Return c, d and the weighted residual sum of the best c·f + d; a residual of inf when f fails."""
    n = f.shape[0]
    sw = 0.0
    mf = 0.0
    my = 0.0
    for m in range(n):
        sw += w[m]
        mf += w[m] * f[m]
        my += w[m] * y[m]
    mf /= sw
    my /= sw
    if not math.isfinite(mf) or abs(mf) > 1e150:
        return 0.0, 0.0, np.inf
    sff = 0.0
    sfy = 0.0
    for m in range(n):
        g = f[m] - mf
        sff += w[m] * g * g
        sfy += w[m] * g * (y[m] - my)
    if not (sff > 0.0) or not math.isfinite(sff):
        return 0.0, my, np.inf
    c = sfy / sff
    # one step of refinement keeps c and d to the last digit when f is nearly constant
    rf = 0.0
    rm = 0.0
    for m in range(n):
        r = (y[m] - my) - c * (f[m] - mf)
        rf += w[m] * r * (f[m] - mf)
        rm += w[m] * r
    c += rf / sff
    shift = rm / sw
    rss = 0.0
    for m in range(n):
        r = (y[m] - my - shift) - c * (f[m] - mf)
        rss += w[m] * r * r
    return c, my + shift - c * mf, rss


@kernel
def _run(code, t, alpha, beta, p, registers, curve, want):
    """Write f(alpha·t + beta; p), and its slopes by x and by p as far as wanted, to `curve` (3, n)."""
    op, left, right, number = code
    n = t.shape[0]
    v, d, e = registers[0], registers[1], registers[2]
    u = np.empty(BLOCK)
    for at in range(0, n, BLOCK):
        to = min(n, at + BLOCK)
        for m in range(at, to):
            u[m - at] = alpha * t[m] + beta
        last = dual(op, left, right, number, u[: to - at], p, v, d, e, want)
        for m in range(at, to):
            curve[0, m] = v[last, m - at]
        if want >= 1:
            for m in range(at, to):
                curve[1, m] = d[last, m - at]
        if want == 2:
            for m in range(at, to):
                curve[2, m] = e[last, m - at]


@kernel
def varpro(
    op, left, right, number, t, y, w, starts, free, lows, highs, marks, period, steps, tolerance, stop
):
    """Refine starts (k × 3: alpha, beta, p) of c·f(alpha·t + beta; p) + d in place; return residual sums.

    Levenberg–Marquardt in the free ones of (log alpha, (beta - mark)/alpha, p), with c and d projected
    out (variable projection; Golub and Pereyra 1973, in Kaufman's form). Steps are shortened, never
    masked, to keep lows < alpha·t + beta < highs. `stop` ends all once a residual sum is below it.
    """
    code = (op, left, right, number)
    count = 0
    which = np.empty(3, np.int64)
    for i in range(3):
        if free[i]:
            which[count] = i
            count += 1
    which = which[:count]
    rss = np.full(starts.shape[0], np.inf)
    work = (np.empty((3, op.shape[0], BLOCK)), np.empty((3, t.shape[0])), np.empty((3, t.shape[0])))
    columns = np.empty((count, t.shape[0]))
    for i in range(starts.shape[0]):
        limits = (t.min(), t.max(), lows[i], highs[i])
        rules = (steps, tolerance, stop)
        rss[i] = _descend(code, t, y, w, starts[i], which, limits, marks, period, rules, work, columns)
        if rss[i] < stop:
            break
    return rss


@kernel
def _descend(code, t, y, w, start, which, limits, marks, period, rules, work, columns):
    """Refine one start (alpha, beta, p) in place; return its residual sum, infinite where f is undefined."""
    steps, tolerance, stop = rules
    registers, now, then = work
    alpha, beta, p = start[0], start[1], start[2]
    want = 1
    for i in which:
        if i == 2:
            want = 2
    _run(code, t, alpha, beta, p, registers, now, want)
    c, level, cost = _assess(now[0], y, w)
    if not math.isfinite(cost):
        return cost
    lam = 1e-3
    small = 0
    for _ in range(steps):
        mark = _nearest(marks, period, beta)
        A, b = _normal(now, t, y, w, alpha, beta, mark, which, c, level, columns)
        if not _positive(A, len(which)):
            break
        accepted = False
        na, nb, np_, c2, level2, cost2 = alpha, beta, p, c, level, cost
        for _trial in range(8):
            step = _solve(A, b, lam, which)
            na, nb, np_ = _step(alpha, beta, p, mark, step, limits)
            _run(code, t, na, nb, np_, registers, then, want)
            c2, level2, cost2 = _assess(then[0], y, w)
            if cost2 < cost:
                accepted = True
                break
            lam = lam * 6.0 if lam > 1e-10 else 1e-9
            if lam > 1e12:
                break
        if not accepted:
            break
        gain = (cost - cost2) / cost if cost > 0 else 0.0
        alpha, beta, p, c, level, cost = na, nb, np_, c2, level2, cost2
        now, then = then, now
        lam = max(lam * 0.1, 1e-15)
        small = small + 1 if gain < tolerance else 0
        if cost <= stop * 1e-4 or small >= 2:
            break
    start[0], start[1], start[2] = alpha, beta, p
    return cost


@kernel
def _positive(A, q):
    """Return how many of the first pivots are not positive."""
    bad = 0
    for r in range(q):
        if not (math.isfinite(A[r, r]) and A[r, r] > 0.0):
            bad += 1
    return bad == 0


@kernel
def _nearest(marks, period, beta):
    """Return the mark nearest to beta, marks repeated with the period."""
    base = period * math.floor(beta / period + 0.5) if period > 0 else 0.0
    best = base + marks[0]
    for k in range(marks.shape[0]):
        if abs(base + marks[k] - beta) < abs(best - beta):
            best = base + marks[k]
    if abs(best - beta) > 5.0:
        return 0.0  # far out a tail knows only its scale
    return best


@kernel
def _normal(curve, t, y, w, alpha, beta, mark, which, c, level, cols):
    """Return the normal matrix and right side of the free parameters, with 1 and f projected out."""
    f, fx, fp = curve[0], curve[1], curve[2]
    n, q = t.shape[0], which.shape[0]
    sw = 0.0
    mf = 0.0
    for m in range(n):
        sw += w[m]
        mf += w[m] * f[m]
    mf /= sw
    sff = 0.0
    for m in range(n):
        sff += w[m] * (f[m] - mf) ** 2
    for r in range(q):
        g = cols[r]
        if which[r] == 0:
            for m in range(n):
                g[m] = c * fx[m] * (alpha * t[m] + beta - mark)
        elif which[r] == 1:
            for m in range(n):
                g[m] = c * fx[m] * alpha
        else:
            for m in range(n):
                g[m] = c * fp[m]
        for _ in range(2):
            mg = 0.0
            for m in range(n):
                mg += w[m] * g[m]
            mg /= sw
            sfg = 0.0
            for m in range(n):
                g[m] -= mg
                sfg += w[m] * g[m] * (f[m] - mf)
            sfg /= sff
            for m in range(n):
                g[m] -= sfg * (f[m] - mf)
    A = np.zeros((3, 3))
    b = np.zeros(3)
    for r in range(q):
        for s in range(r + 1):
            z = 0.0
            for m in range(n):
                z += w[m] * cols[r, m] * cols[s, m]
            A[r, s] = z
            A[s, r] = z
        z = 0.0
        for m in range(n):
            z += w[m] * cols[r, m] * (y[m] - c * f[m] - level)
        b[r] = z
    return A, b


@kernel
def _solve(A, b, lam, which):
    """Return the step (3,) that solves (A + lam·diag A) x = b: by Cholesky, scaled to unit diagonal."""
    q = which.shape[0]
    x = np.zeros(3)
    s = np.ones(3)
    for r in range(q):
        s[r] = 1.0 / math.sqrt(A[r, r])
    L = np.zeros((3, 3))
    for r in range(q):
        for j in range(r + 1):
            z = A[r, j] * s[r] * s[j]
            if r == j:
                z = 1.0 + lam
            for m in range(j):
                z -= L[r, m] * L[j, m]
            if r == j:
                L[r, r] = math.sqrt(max(z, 1e-30))
            else:
                L[r, j] = z / L[j, j]
    for r in range(q):
        z = b[r] * s[r]
        for m in range(r):
            z -= L[r, m] * x[m]
        x[r] = z / L[r, r]
    for r in range(q - 1, -1, -1):
        z = x[r]
        for m in range(r + 1, q):
            z -= L[m, r] * x[m]
        x[r] = z / L[r, r]
    step = np.zeros(3)
    for r in range(q):
        step[which[r]] = x[r] * s[r]
    return step


@kernel
def _step(alpha, beta, p, mark, step, limits):
    """Return the point a step away in (log alpha, (beta - mark)/alpha, p), shortened to keep to the domain.

    No slack to the domain's border may shrink below a tenth of what it was. Seen from the nearest mark
    (a bend, border or pole of f) the long valleys are straight: pieces near it keep its place in the
    curve, tails that are nearly a power or an exponential only their scale.
    """
    grow, move, bend = step[0], step[1], step[2]
    tmin, tmax, low, high = limits
    share = min(1.0, 1.5 / (abs(grow) + TINY))
    na, nb, np_ = alpha, beta, p
    for _ in range(60):
        na = alpha * math.exp(share * grow)
        nb = mark + na * ((beta - mark) / alpha + share * move)
        np_ = p + share * bend
        inside = True
        for side in range(2):
            tt = tmin if side == 0 else tmax
            u0 = alpha * tt + beta
            u1 = na * tt + nb
            if low > -1e300 and u1 - low < 0.1 * (u0 - low):
                inside = False
            if high < 1e300 and high - u1 < 0.1 * (high - u0):
                inside = False
        if inside:
            return na, nb, np_
        share *= 0.6
    return alpha, beta, p
