/* exp, sigmoid, tanh and the other activations on one vector, with their derivatives.
 *
 * Error against the exact value, over the whole range, as tests/_core/test_activations.py
 * measures it: sigmoid and tanh <= 4 ULP; softsign and the piecewise linear ones <= 1.5 ULP.
 * NaN in, NaN out. Included once per dtype: no guard.
 */
#define v_exp_parts RK_NAME(v_exp_parts)
#define v_sigmoid RK_NAME(v_sigmoid)
#define v_tanh RK_NAME(v_tanh)
#define v_activate RK_NAME(v_activate)
#define v_slope RK_NAME(v_slope)

/* exp(x) = scale + scale * p with scale a power of two and |p| < .42, so that both exp(x) and
 * exp(x) - 1 come without cancellation. x is limited to where scale is a normal number.
 * x = n ln 2 + r, |r| <= ln 2 / 2; p = exp(r) - 1 by its Taylor series, cut where the rest is
 * below a tenth of an ULP. n is read off the low bits of x / ln 2 + 1.5 * 2^(mantissa bits). */
RK_INLINE void v_exp_parts(vec x, vec *scale, vec *p) {
#if RK_DOUBLE
    const real lowest = -708, highest = 709, shift = 0x1.8p52;
    const real ln2_high = 0x1.62e42fefa3800p-1, ln2_low = 0x1.ef35793c76730p-45;
    const integer bias = 1023;
    enum { mantissa = 52, degree = 13 };
    static const real factor[] = {/* 1 / k! for k = 2 .. 13 */
                                  1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
                                  1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                                  1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
#else
    const real lowest = -87, highest = 88, shift = 0x1.8p23f;
    const real ln2_high = 0x1.62e400p-1f, ln2_low = 0x1.7f7d1cp-20f;
    const integer bias = 127;
    enum { mantissa = 23, degree = 7 };
    static const real factor[] = {1.0f / 2, 1.0f / 6, 1.0f / 24, 1.0f / 120, 1.0f / 720, 1.0f / 5040};
#endif
    x = v_max(v_set1(lowest), x);
    x = v_min(v_set1(highest), x);
    const vec shifted = v_fma(x, v_set1((real)1.4426950408889634), v_set1(shift));
    const vec n = shifted - v_set1(shift);
    vec r = v_fma(n, v_set1(-ln2_high), x);
    r = v_fma(n, v_set1(-ln2_low), r);
    vec q = v_set1(factor[degree - 2]);
#pragma GCC unroll 16
    for (int k = degree - 3; k >= 0; k--)
        q = v_fma(q, r, v_set1(factor[k]));
    *p = v_fma(q * r, r, r);
    *scale = (vec)(((ivec)shifted + bias) << mantissa);
}

/* 1 / (1 + exp(-x)) */
RK_INLINE vec v_sigmoid(vec x) {
    vec scale, p;
    v_exp_parts(v_zero() - x, &scale, &p);
    return v_set1(1) / (v_set1(1) + v_fma(scale, p, scale));
}

/* (1 - e) / (1 + e), e = exp(-2 |x|), from e - 1 so that small x keep their digits. */
RK_INLINE vec v_tanh(vec x) {
    vec scale, p;
    const vec magnitude = v_abs(x);
    v_exp_parts(v_set1(-2) * magnitude, &scale, &p);
    const vec e_minus_1 = v_fma(scale, p, scale - v_set1(1));
    const vec y = (v_zero() - e_minus_1) / (v_set1(2) + e_minus_1);
    return v_select(x < v_zero(), v_zero() - y, y);
}

RK_INLINE vec v_activate(rk_activation f, vec x) {
    const vec alpha = v_set1((real)f.alpha), beta = v_set1((real)f.beta), one = v_set1(1);
    switch (f.kind) {
    case RK_TANH:
        return v_tanh(x);
    case RK_SIGMOID:
        return v_sigmoid(x);
    case RK_SOFTSIGN:
        return x / (one + v_abs(x));
    case RK_RELU:
        return v_max(v_zero(), x);
    case RK_HARD_SIGMOID:
        return v_min(one, v_max(v_zero(), v_fma(alpha, x, beta)));
    case RK_LINEAR:
        return v_fma(alpha, x, beta);
    case RK_LEAKY_RELU:
        return v_select(x < v_zero(), alpha * x, x);
    default: /* RK_SCALED_TANH */
        return alpha * v_tanh(beta * x);
    }
}

/* The derivative at the point where the activation's value is y (rnnkit/cells.py). */
RK_INLINE vec v_slope(rk_activation f, vec y) {
    const vec alpha = v_set1((real)f.alpha), beta = v_set1((real)f.beta);
    const vec one = v_set1(1), zero = v_zero();
    switch (f.kind) {
    case RK_TANH:
        return one - y * y;
    case RK_SIGMOID:
        return y * (one - y);
    case RK_SOFTSIGN: {
        const vec rest = one - v_abs(y);
        return rest * rest;
    }
    case RK_RELU:
        return v_select(y > zero, one, zero);
    case RK_HARD_SIGMOID:
        return v_select((y > zero) & (y < one), alpha, zero);
    case RK_LINEAR:
        return alpha;
    case RK_LEAKY_RELU:
        return v_select(y > zero, one, alpha);
    default: /* RK_SCALED_TANH */
        return beta * (alpha - y * y / alpha);
    }
}
