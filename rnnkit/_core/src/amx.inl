/* Products of pairs in the tile registers of AMX, in place of those on vectors.
 *
 * A tile register holds 16 rows of 64 bytes. Tiles 0 to 3 are sums, of 16 rows and a vector of
 * columns each; tile 4 takes the row operand and tile 5 the weights, 16 pairs deep, tiles 6 and 7
 * the same 8 pairs deep. So an operand is a multiple of 8 pairs long, with zeros beyond its end.
 *
 * One instruction sums the first halves of its pairs, then the second halves, then adds both to
 * the sum. It takes as long for 16 rows as for one: fewer are copied to where 16 have room, and
 * each of them has the bits that it has among any others.
 *
 * Tiles are a thread's from `begin_products` to `end_products`. What is called to look up may use
 * them for its own purposes (it may run Python), and nothing is kept in them meanwhile.
 */
enum { RK_AMX_ROWS = 16, RK_AMX_PAIRS = 16 };

#define RK_PLACE(p, row) "r"(p), "r"((row) * (ptrdiff_t)sizeof(real))
#define t_load(tile, p, row)                                                                       \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::RK_PLACE(p, row) : "memory")
#define t_store(tile, p, row)                                                                      \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::RK_PLACE(p, row) : "memory")
#define t_zero(tile) __asm__ volatile("tilezero %%tmm" #tile :)
#define t_dot(sums, rows, weights)                                                                 \
    __asm__ volatile("tdpbf16ps %%tmm" #weights ", %%tmm" #rows ", %%tmm" #sums :)

static const struct {
    unsigned char palette, start, none[14];
    unsigned short row_bytes[16];
    unsigned char rows[16];
} FN(tile_shapes) = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 32, 64}, {16, 16, 16, 16, 16, 16, 16, 8}};

RK_INLINE void FN(begin_products)(void) {
    __asm__ volatile("ldtilecfg %0" ::"m"(FN(tile_shapes)));
}

RK_INLINE void FN(end_products)(void) {
    __asm__ volatile("tilerelease");
}

/* rk_leave, after which the tiles have their shapes whatever has run. */
RK_INLINE int FN(leave)(rk_seat *seat, double operations) {
    seat->patience -= operations;
    if (seat->patience >= 0)
        return 0;
    const int leaving = rk_look_up(seat);
    FN(begin_products)();
    return leaving;
}

/* DO(v) for each of the tiles of sums first .. first + V. */
#define RK_EACH_SUM(first, V, DO)                                                                  \
    do {                                                                                           \
        if ((first) == 0) {                                                                        \
            DO(0);                                                                                 \
        }                                                                                          \
        if ((first) <= 1 && 1 < (first) + (V)) {                                                   \
            DO(1);                                                                                 \
        }                                                                                          \
        if ((first) <= 2 && 2 < (first) + (V)) {                                                   \
            DO(2);                                                                                 \
        }                                                                                          \
        if ((first) <= 3 && 3 < (first) + (V)) {                                                   \
            DO(3);                                                                                 \
        }                                                                                          \
    } while (0)

/* V vectors of sums from rows at `p`, or one row for all with row = 0; vectors `vector` apart. */
RK_INLINE void FN(load_sums)(const int V, const real *p, ptrdiff_t row, ptrdiff_t vector) {
#define RK_LOAD(v) t_load(v, p + v * vector, row)
    RK_EACH_SUM(0, V, RK_LOAD);
}

RK_INLINE void FN(store_sums)(const int V, real *p, ptrdiff_t row, ptrdiff_t vector) {
#define RK_STORE(v) t_store(v, p + v * vector, row)
    RK_EACH_SUM(0, V, RK_STORE);
}

RK_INLINE void FN(zero_sums)(const int V) {
    RK_EACH_SUM(0, V, t_zero);
}

/* Up to 16 rows, V vectors each, between where they lie and room for 16, where they lie side by
 * side. */
RK_INLINE void FN(copy_sums)(const int V, ptrdiff_t rows, const real *from, ptrdiff_t from_row,
                             ptrdiff_t from_vector, real *to, ptrdiff_t to_row,
                             ptrdiff_t to_vector) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (int v = 0; v < V; v++)
            v_store(to + r * to_row + v * to_vector, v_load(from + r * from_row + v * from_vector));
}

RK_INLINE void FN(load_rows)(const int V, ptrdiff_t rows, const real *p, ptrdiff_t row,
                             ptrdiff_t vector) {
    if (rows == RK_AMX_ROWS) {
        FN(load_sums)(V, p, row, vector);
        return;
    }
    real room[RK_AMX_ROWS * RK_GROUP_VECTORS * VL];
    FN(copy_sums)(V, rows, p, row, vector, room, V * VL, VL);
    FN(load_sums)(V, room, V * VL, VL);
}

RK_INLINE void FN(store_rows)(const int V, ptrdiff_t rows, real *p, ptrdiff_t row,
                              ptrdiff_t vector) {
    if (rows == RK_AMX_ROWS) {
        FN(store_sums)(V, p, row, vector);
        return;
    }
    real room[RK_AMX_ROWS * RK_GROUP_VECTORS * VL];
    FN(store_sums)(V, room, V * VL, VL);
    FN(copy_sums)(V, rows, room, V * VL, VL, p, row, vector);
}

/* The sums first .. first + V += a w: up to 16 rows of an operand, n pairs, times vectors of
 * weights. */
RK_INLINE void FN(add_products)(const int first, const int V, ptrdiff_t rows, const real *a,
                                ptrdiff_t a_row, ptrdiff_t n, const real *w, ptrdiff_t w_row,
                                ptrdiff_t w_vector) {
    real few[RK_AMX_ROWS * RK_AMX_PAIRS];
    const int is_whole = rows == RK_AMX_ROWS;
    for (; n > 0; n -= RK_AMX_PAIRS, a += RK_AMX_PAIRS, w += RK_AMX_PAIRS * w_row) {
        const real *from = a;
        ptrdiff_t from_row = a_row;
        if (!is_whole) {
            for (ptrdiff_t r = 0; r < rows; r++)
                v_store(few + r * RK_AMX_PAIRS, v_load_n(a + r * a_row, n));
            from = few, from_row = RK_AMX_PAIRS;
        }
        if (n >= RK_AMX_PAIRS) {
#define RK_DOT(v)                                                                                  \
    t_load(5, w + (v - first) * w_vector, w_row);                                                  \
    t_dot(v, 4, 5)
            t_load(4, from, from_row);
            RK_EACH_SUM(first, V, RK_DOT);
        } else {
#define RK_DOT_HALF(v)                                                                             \
    t_load(7, w + (v - first) * w_vector, w_row);                                                  \
    t_dot(v, 6, 7)
            t_load(6, from, from_row);
            RK_EACH_SUM(first, V, RK_DOT_HALF);
        }
    }
}

/* f(V, ...) for a number of vectors known when running. */
#define RK_WIDTHS(f, V, ...)                                                                       \
    do {                                                                                           \
        if ((V) == 1)                                                                              \
            f(1, __VA_ARGS__);                                                                     \
        else if ((V) == 2)                                                                         \
            f(2, __VA_ARGS__);                                                                     \
        else if ((V) == 3)                                                                         \
            f(3, __VA_ARGS__);                                                                     \
        else                                                                                       \
            f(4, __VA_ARGS__);                                                                     \
    } while (0)

/* 16 vectors, of which row becomes column. */
RK_INLINE void FN(turn)(vec v[RK_AMX_ROWS]) {
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps((__m512)v[i], (__m512)v[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps((__m512)v[i], (__m512)v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            const __m512d low = (__m512d)a[i + j], high = (__m512d)a[i + 2 + j];
            b[i + 2 * j] = (__m512)_mm512_unpacklo_pd(low, high);
            b[i + 2 * j + 1] = (__m512)_mm512_unpackhi_pd(low, high);
        }
    for (int j = 0; j < 4; j++) {
        const __m512 even_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88);
        const __m512 odd_low = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd);
        const __m512 even_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88);
        const __m512 odd_high = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
        v[j] = (vec)_mm512_shuffle_f32x4(even_low, even_high, 0x88);
        v[4 + j] = (vec)_mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
        v[8 + j] = (vec)_mm512_shuffle_f32x4(even_low, even_high, 0xdd);
        v[12 + j] = (vec)_mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
    }
}

/* Rows of n numbers, in pairs of rows and turned: out[column][n_pairs], zeros beyond the rows. */
static void FN(turned_pairs)(const real *const *rows, ptrdiff_t n_rows, ptrdiff_t n, real *out,
                             ptrdiff_t n_pairs) {
    for (ptrdiff_t k = 0; k < n; k += VL)
        for (ptrdiff_t first = 0; first < n_pairs; first += RK_AMX_PAIRS) {
            vec v[RK_AMX_PAIRS];
            for (ptrdiff_t i = 0; i < RK_AMX_PAIRS; i++) {
                const ptrdiff_t row = 2 * (first + i);
                v[i] = v_pair(row < n_rows ? v_load_n(rows[row] + k, n - k) : v_zero(),
                              row + 1 < n_rows ? v_load_n(rows[row + 1] + k, n - k) : v_zero());
            }
            FN(turn)(v);
            for (ptrdiff_t i = 0; i < VL; i++)
                v_store(out + (k + i) * n_pairs + first, v[i]);
        }
}
