/* exp, log and log-softmax in double, at most 2 ULP from exact, and rows read into whole vectors. */
#include <float.h>
#include "labels.h"

#define IMPOSSIBLE (-1e300) /* stands for log 0; finite, so that it may be subtracted from itself */

/* exp(x), for x up to 709; 0 where it would not be a normal number. NaN in, NaN out. */
RK_INLINE vec FN(v_exp)(vec x) {
    vec scale, p;
    v_exp_parts(x, &scale, &p);
    return v_select(x < v_set1(-708), v_zero(), scale + scale * p);
}

/* log(x) of a positive normal number; NaN of any other that is not finite.
 *
 * x = 2^k m, m from sqrt(1/2) to sqrt(2); with s = (m - 1) / (m + 1)
 * log m = 2 s (1 + s^2 / 3 + ... + s^20 / 21), and s^22 / 23, the first term left out, is 6e-19. */
RK_INLINE vec FN(v_log)(vec x) {
    typedef unsigned long long unsigned_lanes __attribute__((vector_size(RK_VECTOR_BYTES)));
    const long long root_of_half = 0x3fe6a09e667f3bcdLL, one = 0x3ff0000000000000LL;
    const long long exponent_bits = -(1LL << 52);
    const ivec above = (ivec)x - root_of_half;
    const ivec power = above & exponent_bits; /* k in the place of the exponent */
    const vec m = (vec)((ivec)x - power);
    const ivec biased = (ivec)((unsigned_lanes)(power + one) >> 52);
    const vec k = (vec)(biased | 0x4330000000000000LL) - v_set1(0x1p52 + 1023);
    const vec s = (m - v_set1(1)) / (m + v_set1(1)), z = s * s;
    vec series = v_set1(1.0 / 21);
#pragma GCC unroll 16
    for (int n = 19; n >= 3; n -= 2)
        series = series * z + v_set1(1.0 / n);
    const vec twice = s + s;
    const vec small = twice * z * series + k * v_set1(0x1.ef35793c76730p-45);
    return k * v_set1(0x1.62e42fefa3800p-1) + (twice + small) + (x - x);
}

/* log(exp a + exp b) */
RK_INLINE vec FN(v_log_add)(vec a, vec b) {
    const vec e = FN(v_exp)(v_zero() - v_abs(a - b));
    return v_max(a, b) + FN(v_log)(v_set1(1) + e);
}

RK_INLINE double FN(log_of)(double x) {
    return FN(v_log)(v_set1(x))[0];
}

RK_INLINE double FN(exp_of)(double x) {
    return FN(v_exp)(v_set1(x))[0];
}

RK_INLINE double FN(log_add)(double a, double b) {
    return FN(v_log_add)(v_set1(a), v_set1(b))[0];
}

/* Eight sums beside each other, whatever a register holds: all sets of instructions add in one order. */
typedef struct {
    vec parts[RK_LANES / VL];
} FN(eight_sums);

RK_INLINE double FN(total_of)(FN(eight_sums) sums) {
    double total = 0;
    for (ptrdiff_t l = 0; l < RK_LANES; l++)
        total += sums.parts[l / VL][l % VL];
    return total;
}

/* The largest of n numbers, n a multiple of eight; never less than `least`. */
RK_INLINE double FN(largest)(const double *x, ptrdiff_t n, double least) {
    vec top = v_set1(least);
    for (ptrdiff_t i = 0; i < n; i += VL)
        top = v_max(v_load(x + i), top);
    double found = top[0];
    for (ptrdiff_t l = 1; l < VL; l++)
        found = top[l] > found ? top[l] : found;
    return found;
}

/* Write exp(x - top) of n numbers; return their sum, n a multiple of eight. */
RK_INLINE double FN(exp_below)(const double *x, double top, double *out, ptrdiff_t n) {
    FN(eight_sums) sums = {{{0}}};
    for (ptrdiff_t first = 0; first < n; first += RK_LANES)
        for (ptrdiff_t part = 0; part < RK_LANES / VL; part++) {
            const ptrdiff_t i = first + part * VL;
            const vec e = FN(v_exp)(v_load(x + i) - v_set1(top));
            v_store(out + i, e);
            sums.parts[part] += e;
        }
    return FN(total_of)(sums);
}

RK_INLINE void FN(fill)(double *out, double value, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = value;
}

/* The packed row of step t of sequence b. */
RK_INLINE ptrdiff_t FN(row_of)(const rk_rows *in, ptrdiff_t t, ptrdiff_t b) {
    return in->step_offsets[t] + b;
}

/* A packed row of scores as doubles, -inf beyond K. */
RK_INLINE void FN(read_row)(const rk_rows *in, ptrdiff_t row, double *out) {
    const ptrdiff_t k = in->width;
    if (in->single) {
        const float *scores = (const float *)in->scores + row * k;
        for (ptrdiff_t i = 0; i < k; i++)
            out[i] = scores[i];
    } else {
        memcpy(out, (const double *)in->scores + row * k, (size_t)k * sizeof *out);
    }
    FN(fill)(out + k, -INFINITY, rk_whole(k) - k);
}

/* The K doubles of a packed row into an array (P, K) of the dtype of the scores. */
RK_INLINE void FN(write_row)(const rk_rows *in, ptrdiff_t row, const double *x, void *array) {
    const ptrdiff_t k = in->width;
    if (in->single) {
        float *out = (float *)array + row * k;
        for (ptrdiff_t i = 0; i < k; i++)
            out[i] = (float)x[i];
    } else {
        memcpy((double *)array + row * k, x, (size_t)k * sizeof *x);
    }
}
