"""Compiled code for the affine fitter: run a bytecode program, correlate shapes, refine many starts.

One file, compiled once and cached on disk; nothing is compiled per library function. All arrays are
float64 unless said otherwise. This room knows no functions by name, only programs (see `bytecode`).
"""

from __future__ import annotations

import math

import numpy as np

from kansym.base.jit import njit

kernel = njit(error_model="numpy", nogil=True)

BLOCK = 64


@kernel
def dual(op, left, right, number, x, p, v, d, e, want):
    """Run a program on up to BLOCK points: values v, slopes by x in d and by p in e (registers × BLOCK).

    want: 0 values only, 1 with slopes by x, 2 with both.
    """
    n = x.shape[0]
    last = op.shape[0] - 1
    for k in range(op.shape[0]):
        o = op[k]
        i = left[k]
        j = right[k]
        c = number[k]
        if o == 0:
            for m in range(n):
                v[k, m] = x[m]
                d[k, m] = 1.0
                e[k, m] = 0.0
        elif o == 1:
            for m in range(n):
                v[k, m] = p
                d[k, m] = 0.0
                e[k, m] = 1.0
        elif o == 2:
            for m in range(n):
                v[k, m] = c
                d[k, m] = 0.0
                e[k, m] = 0.0
        elif o == 3:
            for m in range(n):
                v[k, m] = v[i, m] + v[j, m]
                d[k, m] = d[i, m] + d[j, m]
                e[k, m] = e[i, m] + e[j, m]
        elif o == 4:
            for m in range(n):
                a = v[i, m]
                b = v[j, m]
                v[k, m] = a * b
                d[k, m] = d[i, m] * b + a * d[j, m]
                e[k, m] = e[i, m] * b + a * e[j, m]
        elif o == 7:
            for m in range(n):
                a = v[i, m]
                b = v[j, m]
                f = math.pow(a, b) if (a > 0 or b == math.floor(b)) and not (a == 0 and b < 0) else np.nan
                if a == 0 and b > 0:
                    f = 0.0
                v[k, m] = f
                s = b * math.pow(a, b - 1.0) if a > 0 else (0.0 if b > 1 else np.nan)
                l = f * math.log(a) if a > 0 else 0.0
                d[k, m] = (s * d[i, m] if d[i, m] != 0 else 0.0) + l * d[j, m]
                e[k, m] = (s * e[i, m] if e[i, m] != 0 else 0.0) + l * e[j, m]
        elif o == 26 or o == 27:
            for m in range(n):
                first = v[i, m] > v[j, m] if o == 26 else v[i, m] < v[j, m]
                if v[i, m] == v[j, m]:
                    v[k, m] = v[i, m]
                    d[k, m] = 0.5 * (d[i, m] + d[j, m])
                    e[k, m] = 0.5 * (e[i, m] + e[j, m])
                elif first:
                    v[k, m] = v[i, m]
                    d[k, m] = d[i, m]
                    e[k, m] = e[i, m]
                else:
                    v[k, m] = v[j, m]
                    d[k, m] = d[j, m]
                    e[k, m] = e[j, m]
        else:
            s = d[k]  # the slope of the outer function, before the chain rule
            _unary(o, c, v[i, :n], v[k, :n], s[:n], want)
            if want >= 1:
                if want == 2:
                    for m in range(n):
                        e[k, m] = s[m] * e[i, m] if e[i, m] != 0.0 else 0.0
                for m in range(n):
                    s[m] = s[m] * d[i, m] if d[i, m] != 0.0 else 0.0
    return last


@kernel
def _unary(o, c, u, f, s, want):
    """Apply one elementary function: values f and slopes s."""
    n = u.shape[0]
    slope = want >= 1
    if o == 5:
        q = int(c)
        for m in range(n):
            f[m] = _integer_power(u[m], q)
            if slope:
                s[m] = c * _integer_power(u[m], q - 1)
    elif o == 6:
        for m in range(n):
            a = u[m]
            f[m] = math.pow(a, c) if a > 0 else (0.0 if a == 0 and c > 0 else np.nan)
            if slope:
                s[m] = c * f[m] / a if a > 0 else (0.0 if a == 0 and c > 1 else np.nan)
    elif o == 8:
        for m in range(n):
            f[m] = math.exp(u[m])
            s[m] = f[m]
    elif o == 9:
        for m in range(n):
            f[m] = math.log(u[m]) if u[m] > 0 else np.nan
            s[m] = 1.0 / u[m] if u[m] != 0 else np.nan
    elif o == 10:
        for m in range(n):
            f[m] = math.sin(u[m])
            if slope:
                s[m] = math.cos(u[m])
    elif o == 11:
        for m in range(n):
            f[m] = math.cos(u[m])
            if slope:
                s[m] = -math.sin(u[m])
    elif o == 12:
        for m in range(n):
            f[m] = math.tan(u[m])
            s[m] = 1.0 + f[m] * f[m]
    elif o == 13 or o == 14:
        for m in range(n):
            a = u[m]
            if abs(a) <= 1:
                r = math.sqrt((1.0 - a) * (1.0 + a))
                f[m] = math.asin(a) if o == 13 else math.acos(a)
                s[m] = (1.0 if o == 13 else -1.0) / r if r > 0 else np.inf
            else:
                f[m] = np.nan
                s[m] = np.nan
    elif o == 15:
        for m in range(n):
            f[m] = math.atan(u[m])
            s[m] = 1.0 / (1.0 + u[m] * u[m])
    elif o == 16 or o == 17:
        for m in range(n):
            a = u[m]
            if abs(a) > 709.0:
                f[m] = np.inf
                s[m] = np.inf
            elif abs(a) < 0.5:
                sh = math.sinh(a)
                ch = math.sqrt(1.0 + sh * sh)
                f[m] = sh if o == 16 else ch
                s[m] = ch if o == 16 else sh
            else:
                b = math.exp(a)
                h = 0.5 / b
                f[m] = 0.5 * b - h if o == 16 else 0.5 * b + h
                s[m] = 0.5 * b + h if o == 16 else 0.5 * b - h
    elif o == 18:
        for m in range(n):
            f[m] = math.tanh(u[m])
            if slope:
                q2 = math.exp(-2.0 * abs(u[m]))
                s[m] = 4.0 * q2 / ((1.0 + q2) * (1.0 + q2))
    elif o == 19:
        for m in range(n):
            f[m] = math.asinh(u[m])
            s[m] = 1.0 / math.sqrt(1.0 + u[m] * u[m])
    elif o == 20:
        for m in range(n):
            a = u[m]
            f[m] = math.acosh(a) if a >= 1 else np.nan
            s[m] = 1.0 / math.sqrt((a - 1.0) * (a + 1.0)) if a > 1 else np.inf
    elif o == 21:
        for m in range(n):
            a = u[m]
            f[m] = math.atanh(a) if abs(a) < 1 else np.nan
            s[m] = 1.0 / ((1.0 - a) * (1.0 + a)) if abs(a) < 1 else np.nan
    elif o == 22:
        for m in range(n):
            f[m] = abs(u[m])
            s[m] = 1.0 if u[m] > 0 else (-1.0 if u[m] < 0 else 0.0)
    elif o == 23:
        for m in range(n):
            f[m] = 1.0 if u[m] > 0 else (-1.0 if u[m] < 0 else 0.0)
            s[m] = 0.0
    elif o == 24:
        for m in range(n):
            f[m] = 1.0 if u[m] > 0 else (0.0 if u[m] < 0 else 0.5)
            s[m] = 0.0
    elif o == 25:
        for m in range(n):
            f[m] = math.erf(u[m])
            if slope:
                s[m] = 1.1283791670955126 * math.exp(-u[m] * u[m])
    elif o == 28:
        for m in range(n):
            a = u[m]
            q2 = a * a
            f[m] = math.sin(a) / a if a != 0 else 1.0
            if slope:
                if q2 < 0.09:
                    s[m] = -a / 3 * (1 - q2 / 10 * (1 - q2 / 28 * (1 - q2 / 54 * (1 - q2 / 88))))
                else:
                    s[m] = (math.cos(a) - f[m]) / a
    elif o == 29:
        for m in range(n):
            f[m] = math.expm1(u[m])
            s[m] = f[m] + 1.0
    elif o == 30:
        for m in range(n):
            f[m] = math.log1p(u[m]) if u[m] > -1 else np.nan
            s[m] = 1.0 / (1.0 + u[m]) if u[m] > -1 else np.nan
    elif o == 31:
        for m in range(n):
            q2 = math.exp(-abs(u[m]))
            f[m] = math.log1p(q2) + max(u[m], 0.0)
            s[m] = 1.0 / (1.0 + q2) if u[m] >= 0 else q2 / (1.0 + q2)
    elif o == 32:
        for m in range(n):
            q2 = math.exp(-abs(u[m]))
            f[m] = 1.0 / (1.0 + q2) if u[m] >= 0 else q2 / (1.0 + q2)
            s[m] = q2 / ((1.0 + q2) * (1.0 + q2))
    elif o == 33:
        for m in range(n):
            q2 = math.exp(-abs(u[m]))
            q4 = q2 * q2
            f[m] = 2.0 * q2 / (1.0 + q4)
            h = f[m] * (1.0 - q4) / (1.0 + q4)
            s[m] = -h if u[m] > 0 else h
    elif o == 34:
        for m in range(n):
            f[m] = 1.0 / math.tanh(u[m]) if u[m] != 0 else np.nan
            s[m] = 1.0 - f[m] * f[m]
            if slope and abs(u[m]) > 1:
                q2 = math.exp(-2.0 * abs(u[m]))
                s[m] = -4.0 * q2 / ((1.0 - q2) * (1.0 - q2))
    elif o == 35:
        for m in range(n):
            a = u[m]
            z = a * a
            if abs(a) < 0.06:
                f[m] = a / 3 * (1 - z / 15 * (1 - 2 * z / 21 * (1 - z / 10 * (1 - 10 * z / 99))))
                s[m] = 1 / 3 - z / 15 + 2 * z * z / 189 - z * z * z / 675 + 2 * z * z * z * z / 10395
            else:
                h = math.tanh(a)
                f[m] = 1.0 / h - 1.0 / a
                q2 = math.exp(-2.0 * abs(a))
                s[m] = 1.0 / z - 4.0 * q2 / ((1.0 - q2) * (1.0 - q2))
    elif o == 36:
        for m in range(n):
            a = u[m]
            if a == 0:
                f[m] = 1.0
                s[m] = -0.5
            elif a > 700:
                f[m] = 0.0
                s[m] = 0.0
            else:
                g = math.expm1(a)
                f[m] = a / g
                if slope:
                    if abs(a) < 0.15:
                        a3 = a * a * a
                        s[m] = -0.5 + a / 6 - a3 / 180 + a3 * a * a / 5040 - a3 * a3 * a / 151200
                    else:
                        s[m] = 1.0 / g - a / g * (1.0 + 1.0 / g)
    elif o == 37:
        for m in range(n):
            f[m] = math.sqrt(u[m]) if u[m] >= 0 else np.nan
            s[m] = 0.5 / f[m] if u[m] > 0 else np.nan
    elif o == 38:
        for m in range(n):
            f[m] = 1.0 / u[m] if u[m] != 0 else np.nan
            s[m] = -f[m] * f[m]
    elif o == 39:
        for m in range(n):
            f[m] = -u[m]
            s[m] = -1.0
    elif o == 40:
        for m in range(n):
            f[m] = u[m] * u[m]
            s[m] = 2.0 * u[m]
    else:
        for m in range(n):
            f[m] = np.nan
            s[m] = np.nan


@kernel
def _integer_power(a, q):
    r = 1.0
    k = abs(q)
    b = a
    while k > 0:
        if k & 1:
            r *= b
        b *= b
        k >>= 1
    if q < 0:
        return 1.0 / r if r != 0 else np.nan
    return r


@kernel
def values(op, left, right, number, x, p):
    """Return f at the points x."""
    n = x.shape[0]
    out = np.empty(n)
    v = np.empty((op.shape[0], BLOCK))
    d = np.empty((op.shape[0], BLOCK))
    e = np.empty((op.shape[0], BLOCK))
    for at in range(0, n, BLOCK):
        to = min(n, at + BLOCK)
        last = dual(op, left, right, number, x[at:to], p, v, d, e, 0)
        out[at:to] = v[last, : to - at]
    return out


@njit(fastmath=True, error_model="numpy", nogil=True)
def correlate(shapes, w, wy, out):
    """Put the squared weighted correlation of each row of `shapes` (float32) with y into out.

    w sums to 1; wy = w·(y - mean) scaled so that sum w·(y-mean)² = 1.
    """
    m = w.shape[0]
    for i in range(shapes.shape[0]):
        row = shapes[i]
        s1 = np.float32(0.0)
        s2 = np.float32(0.0)
        sy = np.float32(0.0)
        for j in range(m):
            f = row[j]
            wf = w[j] * f
            s1 += wf
            s2 += wf * f
            sy += wy[j] * f
        var = s2 - s1 * s1
        out[i] = sy * sy / var if var > np.float32(1e-5) * s2 else np.float32(0.0)


@kernel
def summits(score, neighbours, out):
    """Mark in `out` the entries above 0 that no neighbour exceeds; return the places of the best two."""
    first = 0
    second = 0
    for i in range(score.shape[0]):
        out[i] = score[i] > 0
        for k in range(neighbours.shape[1]):
            if score[neighbours[i, k]] > score[i]:
                out[i] = False
                break
        if score[i] > score[first]:
            second = first
            first = i
        elif i != first and (second == first or score[i] > score[second]):
            second = i
    return first, second


@kernel
def distinct(starts, order, count):
    """Return the first `count` of `order` whose starts differ from all earlier ones by more than 1e-3."""
    chosen = np.empty(count, np.int64)
    found = 0
    for i in order:
        new = True
        for k in range(found):
            near = True
            for m in range(starts.shape[1]):
                if abs(starts[i, m] - starts[chosen[k], m]) > 1e-3 * abs(starts[i, m]) + 1e-6:
                    near = False
            if near:
                new = False
        if new:
            chosen[found] = i
            found += 1
            if found == count:
                break
    return chosen[:found]


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
def refine(
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
