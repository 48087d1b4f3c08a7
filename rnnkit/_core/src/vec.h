/* One vector type for both dtypes: arithmetic by the compiler's vector extension, the rest here.
 *
 * Before including, a stub defines RK_DOUBLE (0 or 1) and includes its vec_<isa>.h, which
 * defines RK_VECTOR_BYTES, RK_TILE_ROWS (rows of a register tile four vectors wide), v_fma, v_min
 * and v_max (both return the second argument if either is NaN), and v_load_part and v_store_part:
 * the first n lanes, 0 <= n < VL, zeros beyond when loading, nothing touched beyond when storing.
 * Included once per dtype: no guard.
 */
#undef real
#undef integer
#undef vec
#undef ivec
#undef VL
#if RK_DOUBLE
#define real double
#define integer long long
#else
#define real float
#define integer int
#endif
#define vec RK_NAME(vec)
#define ivec RK_NAME(ivec)
#define VL ((ptrdiff_t)(RK_VECTOR_BYTES / sizeof(real)))

typedef real RK_NAME(lane);
typedef real vec __attribute__((vector_size(RK_VECTOR_BYTES)));
typedef integer ivec __attribute__((vector_size(RK_VECTOR_BYTES)));

#define v_set1 RK_NAME(v_set1)
#define v_zero RK_NAME(v_zero)
#define v_load RK_NAME(v_load)
#define v_store RK_NAME(v_store)
#define v_first RK_NAME(v_first)
#define v_load_n RK_NAME(v_load_n)
#define v_store_n RK_NAME(v_store_n)
#define v_select RK_NAME(v_select)
#define v_abs RK_NAME(v_abs)
#define v_sum RK_NAME(v_sum)

RK_INLINE vec v_set1(real a) {
    return a - (vec){0}; /* folds to a broadcast: a - 0 is a, for every a */
}

RK_INLINE vec v_zero(void) {
    return (vec){0};
}

RK_INLINE vec v_load(const real *p) {
    vec v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

RK_INLINE void v_store(real *p, vec v) {
    __builtin_memcpy(p, &v, sizeof v);
}

static const integer RK_NAME(lane_numbers)[] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                8, 9, 10, 11, 12, 13, 14, 15};

/* All ones in the first n lanes, zero beyond. */
RK_INLINE ivec v_first(ptrdiff_t n) {
    ivec numbers;
    __builtin_memcpy(&numbers, RK_NAME(lane_numbers), sizeof numbers);
    return numbers < (integer)n - (ivec){0};
}

#ifdef RK_LOOP_OVER_LANES
RK_OUT_OF_LINE vec RK_NAME(load_lanes)(const real *p, ptrdiff_t n) {
    real lanes[RK_VECTOR_BYTES / sizeof(real)] = {0};
    for (ptrdiff_t l = 0; l < n; l++)
        lanes[l] = p[l];
    return v_load(lanes);
}

RK_OUT_OF_LINE void RK_NAME(store_lanes)(real *p, vec v, ptrdiff_t n) {
    for (ptrdiff_t l = 0; l < n; l++)
        p[l] = v[l];
}
#endif

/* The first n lanes, zeros beyond; n >= VL is a whole vector. */
RK_INLINE vec v_load_n(const real *p, ptrdiff_t n) {
    return n >= VL ? v_load(p) : v_load_part(p, n);
}

RK_INLINE void v_store_n(real *p, vec v, ptrdiff_t n) {
    if (n >= VL)
        v_store(p, v);
    else
        v_store_part(p, v, n);
}

/* a where the mask is all ones, b where it is zero. */
RK_INLINE vec v_select(ivec mask, vec a, vec b) {
    return (vec)((mask & (ivec)a) | (~mask & (ivec)b));
}

RK_INLINE vec v_abs(vec a) {
    const integer magnitude = RK_DOUBLE ? (integer)0x7fffffffffffffffLL : (integer)0x7fffffff;
    return (vec)((ivec)a & (magnitude - (ivec){0}));
}

/* The lanes in order. */
RK_INLINE real v_sum(vec a) {
    real total = 0;
    for (ptrdiff_t l = 0; l < VL; l++)
        total += a[l];
    return total;
}
