"""Variable projection, compiled: many starts of c·f(a·x + b; p) + d for one elementary function f.

`base.leastsq` is the least-squares core; this loop stands apart because one match asks for some 10⁴ fits of
three numbers at most, which cost less than one call of the core's linear algebra. `varpro_numpy` does the
same for special functions. Tests compare both with the core.
"""

from __future__ import annotations

import math

import numpy as np

from kansym.functions.kernels import BLOCK, dual, kernel


@kernel
def _assess(f, y, w, n):
    """Return c, d and the weighted residual sum of the best c·f + d; a residual of inf when f fails."""
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
        return 0.0, 0.0, np.inf, mf
    sff = 0.0
    sfy = 0.0
    for m in range(n):
        g = f[m] - mf
        sff += w[m] * g * g
        sfy += w[m] * g * (y[m] - my)
    if not (sff > 0.0) or not math.isfinite(sff):
        return 0.0, my, np.inf, mf
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
    return c, my + shift - c * mf, rss, mf


@kernel
def _run(op, left, right, number, t, n, alpha, beta, p, v, d, e, u, f, fx, fp, want):
    for at in range(0, n, BLOCK):
        to = min(n, at + BLOCK)
        for m in range(at, to):
            u[m - at] = alpha * t[m] + beta
        last = dual(op, left, right, number, u[: to - at], p, v, d, e, want)
        for m in range(at, to):
            f[m] = v[last, m - at]
        if want >= 1:
            for m in range(at, to):
                fx[m] = d[last, m - at]
        if want == 2:
            for m in range(at, to):
                fp[m] = e[last, m - at]


@kernel
def varpro(
    op, left, right, number, t, y, w, starts, free, lows, highs, marks, period, steps, tolerance, stop
):
    """Refine starts (k × 3: alpha, beta, p) of c·f(alpha·t + beta; p) + d in place; return residual sums.

    Levenberg–Marquardt in the free ones of (log alpha, (beta - mark)/alpha, p), with c and d projected
    out (variable projection; Golub and Pereyra 1973, in Kaufman's form). Steps are shortened, never
    masked, to keep lows < alpha·t + beta < highs. `stop` ends all once a residual sum is below it.
    """
    n = t.shape[0]
    tmin = np.inf
    tmax = -np.inf
    for m in range(n):
        tmin = min(tmin, t[m])
        tmax = max(tmax, t[m])
    k = starts.shape[0]
    q = 0
    which = np.empty(3, np.int64)
    for i in range(3):
        if free[i]:
            which[q] = i
            q += 1
    rss = np.full(k, np.inf)
    v = np.empty((op.shape[0], BLOCK))
    d = np.empty((op.shape[0], BLOCK))
    e = np.empty((op.shape[0], BLOCK))
    u = np.empty(BLOCK)
    f = np.empty(n)
    fx = np.empty(n)
    fp = np.empty(n)
    f2 = np.empty(n)
    fx2 = np.empty(n)
    fp2 = np.empty(n)
    cols = np.empty((q, n))
    want = 2 if free[2] else 1
    for i in range(k):
        low = lows[i]
        high = highs[i]
        alpha, beta, p = starts[i, 0], starts[i, 1], starts[i, 2]
        _run(op, left, right, number, t, n, alpha, beta, p, v, d, e, u, f, fx, fp, want)
        c, dd, cost, _mf = _assess(f, y, w, n)
        rss[i] = cost
        if not math.isfinite(cost):
            continue
        lam = 1e-3
        small = 0
        for _ in range(steps):
            mark = _nearest(marks, period, beta)
            A, b = _normal(f, fx, fp, t, y, w, n, alpha, beta, mark, which, q, c, dd, cols)
            ok = True
            for r in range(q):
                if not math.isfinite(A[r, r]) or A[r, r] <= 0.0:
                    ok = False
            if not ok:
                break
            accepted = False
            for _trial in range(8):
                delta = _solve(A, b, lam, q)
                grow, move, bend = 0.0, 0.0, 0.0
                for r in range(q):
                    if which[r] == 0:
                        grow = delta[r]
                    elif which[r] == 1:
                        move = delta[r]
                    else:
                        bend = delta[r]
                na, nb, np_ = _step(alpha, beta, p, mark, grow, move, bend, tmin, tmax, low, high)
                _run(op, left, right, number, t, n, na, nb, np_, v, d, e, u, f2, fx2, fp2, want)
                c2, d2, cost2, _mf2 = _assess(f2, y, w, n)
                if cost2 < cost:
                    accepted = True
                    break
                lam = lam * 6.0 if lam > 1e-10 else 1e-9
                if lam > 1e12:
                    break
            if not accepted:
                break
            gain = (cost - cost2) / cost if cost > 0 else 0.0
            alpha, beta, p, c, dd, cost = na, nb, np_, c2, d2, cost2
            f, f2 = f2, f
            fx, fx2 = fx2, fx
            fp, fp2 = fp2, fp
            lam = max(lam * 0.1, 1e-15)
            if cost <= stop * 1e-4:
                break
            if gain < tolerance:
                small += 1
                if small >= 2:
                    break
            else:
                small = 0
        starts[i, 0], starts[i, 1], starts[i, 2] = alpha, beta, p
        rss[i] = cost
        if cost < stop:
            break
    return rss


@kernel
def _nearest(marks, period, beta):
    base = period * math.floor(beta / period + 0.5) if period > 0 else 0.0
    best = base + marks[0]
    for k in range(marks.shape[0]):
        if abs(base + marks[k] - beta) < abs(best - beta):
            best = base + marks[k]
    if abs(best - beta) > 5.0:
        return 0.0  # far out a tail knows only its scale
    return best


@kernel
def _normal(f, fx, fp, t, y, w, n, alpha, beta, mark, which, q, c, dd, cols):
    """Return the normal matrix and right side of the free parameters, with 1 and f projected out."""
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
            z += w[m] * cols[r, m] * (y[m] - c * f[m] - dd)
        b[r] = z
    return A, b


@kernel
def _solve(A, b, lam, q):
    """Solve (A + lam·diag A) x = b for q <= 3, scaled to unit diagonal, by Cholesky."""
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
    for r in range(q):
        x[r] *= s[r]
    return x


@kernel
def _step(alpha, beta, p, mark, grow, move, bend, tmin, tmax, low, high):
    """Return the point a step away in (log alpha, (beta - mark)/alpha, p), shortened to keep to the domain.

    No slack to the domain's border may shrink below a tenth of what it was. Seen from the nearest mark
    (a bend, border or pole of f) the long valleys are straight: pieces near it keep its place in the
    curve, tails that are nearly a power or an exponential only their scale.
    """
    share = min(1.0, 1.5 / (abs(grow) + 1e-300))
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
