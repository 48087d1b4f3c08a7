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
 * x = n ln 2 + r, |r| <= ln 2 / 2; p = exp(r) - 1 = r + r^2 q(r), q the polynomial that makes the
 * largest relative error of p least (Remez): 1.2e-7 in float, 2.1e-17 in double. n is read off
 * the low bits of x / ln 2 + 1.5 * 2^(mantissa bits). */
RK_INLINE void v_exp_parts(vec x, vec *scale, vec *p) {
#if RK_DOUBLE
    const real lowest = -708, highest = 709, shift = 0x1.8p52;
    const real ln2_high = 0x1.62e42fefa3800p-1, ln2_low = 0x1.ef35793c76730p-45;
    const integer bias = 1023;
    enum { mantissa = 52, degree = 9 };
    static const real q_of[] = {0x1.0000000000006p-1,  0x1.5555555555560p-3,  0x1.5555555551aa5p-5,
                                0x1.111111110b6bcp-7,  0x1.6c16c180e3410p-10, 0x1.a01a01d35a181p-13,
                                0x1.a019a15d14716p-16, 0x1.71dd885bcb124p-19, 0x1.28a7e71253cf2p-22,
                                0x1.b044dc61708e8p-26};
#else
    const real lowest = -87, highest = 88, shift = 0x1.8p23f;
    const real ln2_high = 0x1.62e400p-1f, ln2_low = 0x1.7f7d1cp-20f;
    const integer bias = 127;
    enum { mantissa = 23, degree = 4 };
    static const real q_of[] = {0.49999821f, 0.16666577f, 0.04172632f, 0.0083631542f,
                                0.00099413449f};
#endif
    x = v_max(v_set1(lowest), x);
    x = v_min(v_set1(highest), x);
    const vec shifted = v_fma(x, v_set1((real)1.4426950408889634), v_set1(shift));
    const vec n = shifted - v_set1(shift);
    vec r = v_fma(n, v_set1(-ln2_high), x);
    r = v_fma(n, v_set1(-ln2_low), r);
    vec q = v_set1(q_of[degree]);
#pragma GCC unroll 16
    for (int k = degree - 1; k >= 0; k--)
        q = v_fma(q, r, v_set1(q_of[k]));
    *p = v_fma(q * r, r, r);
    *scale = (vec)(((ivec)shifted + bias) << mantissa);
}

/* 1 / (1 + exp(-x)) */
RK_INLINE vec v_sigmoid(vec x) {
    vec scale, p;
    v_exp_parts(v_zero() - x, &scale, &p);
    return v_set1(1) / (v_set1(1) + v_fma(scale, p, scale));
}

/* (1 - e) / (1 + e) with e = exp(-2 |x|), from e - 1 so that small x keep their digits, and with
 * the sign of x: tanh(-x) is -tanh(x), and no larger x gets a smaller value. */
RK_INLINE vec v_tanh(vec x) {
    vec scale, p;
    const ivec sign = (ivec)v_set1((real)-0.0);
    const vec negative = (vec)((ivec)x | sign);
    v_exp_parts(negative + negative, &scale, &p);
    const vec e_minus_1 = v_fma(scale, p, scale - v_set1(1));
    const vec y = e_minus_1 / (v_set1(2) + e_minus_1);
    return (vec)(((ivec)y & ~sign) | ((ivec)x & sign));
}

/* Of any kind: a call of its own, since all kinds inlined at every gate of the general cells were
 * a third of what the compiler has to do. */
RK_OUT_OF_LINE vec v_activate(rk_activation f, vec x) {
#if RK_DOUBLE
    const real largest = 0x1.fffffffffffffp1023;
#else
    const real largest = 0x1.fffffep127f;
#endif
    const vec alpha = v_set1((real)f.alpha), beta = v_set1((real)f.beta), one = v_set1(1);
    switch (f.kind) {
    case RK_TANH:
        return v_tanh(x);
    case RK_SIGMOID:
        return v_sigmoid(x);
    case RK_SOFTSIGN: /* of infinity like of the largest number, not inf / inf */
        x = v_min(v_set1(largest), v_max(v_set1(-largest), x));
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
RK_OUT_OF_LINE vec v_slope(rk_activation f, vec y) {
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
