/* Pairs of bfloat16 in the 32 bits of a float: rounding to them, and what they contribute to a sum.
 *
 * bfloat16 is a float without its last 16 bits; to nearest, ties to even. A product of two is exact
 * in a float, so a pair adds two terms to a sum, each rounded once: the second half's, then the
 * first's, as the instruction of AVX-512 does.
 */
#define v_dot RK_NAME(v_dot)
#define v_round_pairs RK_NAME(v_round_pairs)
#define v_pair RK_NAME(v_pair)

#ifdef RK_PAIRS_BY_INSTRUCTION
/* Where the halves of each pair lie among 16 first ones and 16 second ones. */
static const short FN(places)[] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
#endif
typedef short FN(halves) __attribute__((vector_size(RK_VECTOR_BYTES / 2)));

/* acc + both products of the pairs of a and b. */
RK_INLINE vec v_dot(vec a, vec b, vec acc) {
#ifdef RK_PAIRS_BY_INSTRUCTION
    return (vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)a, (__m512bh)b);
#else
    const ivec high = (integer)0xffff0000 - (ivec){0};
    acc = v_fma((vec)((ivec)a & high), (vec)((ivec)b & high), acc);
    return v_fma((vec)((ivec)a << 16), (vec)((ivec)b << 16), acc);
#endif
}

/* Each lane rounded to bfloat16, in the upper half; NaN stays NaN. */
RK_INLINE ivec v_round_pairs(vec v) {
    const ivec bits = (ivec)v, one = 1 - (ivec){0};
    const ivec rounded = bits + 0x7fff + ((bits >> 16) & one);
    const ivec is_nan = v != v;
    return (is_nan & (bits | 0x400000)) | (~is_nan & rounded);
}

/* Pairs of one lane each: first in the low half, second in the high one. */
RK_INLINE vec v_pair(vec first, vec second) {
#ifdef RK_PAIRS_BY_INSTRUCTION /* which takes numbers below the normal ones as zeros, as v_dot does */
    const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    return (vec)_mm512_permutexvar_epi16(_mm512_loadu_si512(FN(places)), halves);
#else
    const ivec low = 0xffff - (ivec){0};
    return (vec)(((v_round_pairs(first) >> 16) & low) | (v_round_pairs(second) & ~low));
#endif
}

/* The lanes of v as VL / 2 pairs. */
RK_INLINE void FN(store_halves)(real *at, vec v) {
#ifdef RK_PAIRS_BY_INSTRUCTION
    const FN(halves) rounded = (FN(halves))_mm512_cvtneps_pbh((__m512)v);
#else
    const FN(halves) rounded = __builtin_convertvector(v_round_pairs(v) >> 16, FN(halves));
#endif
    memcpy(at, &rounded, sizeof rounded);
}

/* The pair of two numbers. */
RK_INLINE real FN(pair)(real first, real second) {
    return v_pair(v_set1(first), v_set1(second))[0];
}

/* Pairs of the numbers of two rows, n wide and vector after vector `vector` apart; NULL for zeros. */
RK_INLINE void FN(pair_rows)(real *pairs, const real *first, const real *second, ptrdiff_t n,
                             ptrdiff_t vector) {
    for (ptrdiff_t k = 0; k < n; k += VL) {
        const ptrdiff_t at = k / VL * vector;
        v_store(pairs + k, v_pair(first ? v_load_n(first + at, n - k) : v_zero(),
                                  second ? v_load_n(second + at, n - k) : v_zero()));
    }
}

static void FN(pair_columns)(const void *rows, ptrdiff_t n, ptrdiff_t width, void *pairs,
                             ptrdiff_t stride) {
    const ptrdiff_t whole = width / VL * VL;
    for (ptrdiff_t r = 0; r < n; r++) {
        const real *row = (const real *)rows + r * width;
        real *out = (real *)pairs + r * stride, last[RK_VECTOR_BYTES / sizeof(real) / 2];
        for (ptrdiff_t k = 0; k < whole; k += VL)
            FN(store_halves)(out + k / 2, v_load(row + k));
        FN(store_halves)(last, v_load_n(row + whole, width - whole));
        for (ptrdiff_t k = whole / 2; k < stride; k++)
            out[k] = k < whole / 2 + VL / 2 ? last[k - whole / 2] : 0;
    }
}
