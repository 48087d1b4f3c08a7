/* Products on register tiles: what keeps the multipliers busy.
 *
 * The products take their operands as reals or, with RK_PAIRS, as pairs of bfloat16 (pairs.inl):
 * one multiplication of a pair adds two terms, so the same loops run over half the length. With
 * RK_QUADS quads.inl has another `accumulate`.
 */
#undef v_multiply_add
#if RK_PAIRS
#define v_multiply_add v_dot
#else
#define v_multiply_add v_fma
#endif

#if !RK_AMX
/* What surrounds products that need no more than a thread has. */
RK_INLINE void FN(begin_products)(void) {}
RK_INLINE void FN(end_products)(void) {}
RK_INLINE int FN(leave)(rk_seat *seat, double operations) {
    return rk_leave(seat, operations);
}
#endif

#if !RK_QUADS
/* acc[r][from + v] += a[r] w[v], r < R, v < V, vectors of w w_vector apart. The smaller of the two
 * stays in registers and the other passes by: a tile of LSTM gates would not fit the 16 registers
 * of AVX2 otherwise. */
RK_INLINE void FN(add_outer)(const int R, const int V, vec acc[][RK_GROUP_VECTORS], const int from,
                             const real *a, ptrdiff_t a_stride, const real *w,
                             ptrdiff_t w_vector) {
    vec kept[RK_MOST_TILE_ROWS];
    if (R < V) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
            kept[r] = v_set1(a[r * a_stride]);
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            const vec row = v_load(w + v * w_vector);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++)
                acc[r][from + v] = v_multiply_add(kept[r], row, acc[r][from + v]);
        }
        return;
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; v++)
        kept[v] = v_load(w + v * w_vector);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
        const vec factor = v_set1(a[r * a_stride]);
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][from + v] = v_multiply_add(factor, kept[v], acc[r][from + v]);
    }
}

/* acc[q R + r][from + v] += sum over k of a[r][k] w[q][k][v], q < P, r < R, v < V, k < n. */
RK_INLINE void FN(accumulate)(const int P, const int R, const int V, vec acc[][RK_GROUP_VECTORS],
                              const int from, const real *a, ptrdiff_t a_stride, ptrdiff_t n,
                              const real *w, ptrdiff_t w_stride) {
    if (P == 1) { /* a loop of its own: GCC runs out of registers for addresses otherwise */
        for (ptrdiff_t k = 0; k < n; k++, w += w_stride)
            FN(add_outer)(R, V, acc, from, a + k, a_stride, w, VL);
        return;
    }
    for (ptrdiff_t k = 0; k < n; k++, w += w_stride)
#pragma GCC unroll 4
        for (int q = 0; q < P; q++)
            FN(add_outer)(R, V, acc + q * R, from, a + k, a_stride, w + q * n * w_stride, VL);
}
#endif

/* Rows of a tile V vectors wide: as many sums as RK_TILE_ROWS rows of four vectors, so that a
 * narrow tile, too, has enough of them to keep the multipliers busy. */
#define RK_ROWS(V)                                                                                 \
    (RK_TILE_ROWS * RK_GROUP_VECTORS / (V) < RK_MOST_TILE_ROWS                                     \
         ? RK_TILE_ROWS * RK_GROUP_VECTORS / (V)                                                   \
         : RK_MOST_TILE_ROWS)

/* Call TILE(R, V) on chunks of at most RK_ROWS(V) rows of nearly equal size; `done` counts rows. */
#define RK_CASE(R, V, TILE)                                                                        \
    case R:                                                                                        \
        if (R <= RK_ROWS(V))                                                                       \
            TILE(R, V);                                                                            \
        break;
#define RK_CHUNKS(rows, V, TILE)                                                                   \
    for (ptrdiff_t done = 0, chunk; done < (rows); done += chunk) {                                \
        const ptrdiff_t left = (rows) - done;                                                      \
        const ptrdiff_t pieces = (left + RK_ROWS(V) - 1) / RK_ROWS(V);                             \
        chunk = (left + pieces - 1) / pieces;                                                      \
        switch (chunk) {                                                                           \
            RK_CASE(1, V, TILE) RK_CASE(2, V, TILE) RK_CASE(3, V, TILE) RK_CASE(4, V, TILE)        \
            RK_CASE(5, V, TILE) RK_CASE(6, V, TILE) RK_CASE(7, V, TILE) RK_CASE(8, V, TILE)        \
        }                                                                                          \
    }

/* The same for a width known when running: V vectors, four where there are more. */
#define RK_TILES(rows, vectors, TILE)                                                              \
    switch (vectors) {                                                                             \
    case 1:                                                                                        \
        RK_CHUNKS(rows, 1, TILE)                                                                   \
        break;                                                                                     \
    case 2:                                                                                        \
        RK_CHUNKS(rows, 2, TILE)                                                                   \
        break;                                                                                     \
    case 3:                                                                                        \
        RK_CHUNKS(rows, 3, TILE)                                                                   \
        break;                                                                                     \
    default:                                                                                       \
        RK_CHUNKS(rows, 4, TILE)                                                                   \
    }

/* A range of panels of hidden units, or of column groups. */
typedef struct {
    ptrdiff_t first, last;
} FN(share);

RK_INLINE ptrdiff_t FN(groups_of)(ptrdiff_t columns) {
    return (columns + RK_GROUP_VECTORS * VL - 1) / (RK_GROUP_VECTORS * VL);
}

/* A share of n. */
RK_INLINE FN(share) FN(share_of)(ptrdiff_t n, int share, int shares) {
    return (FN(share)){n * share / shares, n * (share + 1) / shares};
}

/* A vector of columns of a matrix with `vectors` more of the same tile to its right: it may reach
 * beyond the matrix, of which n columns are left, only if there are none. */
RK_INLINE vec FN(load_column)(const real *p, const int vectors, ptrdiff_t n) {
    return vectors ? v_load(p) : v_load_n(p, n);
}

RK_INLINE void FN(store_column)(real *p, vec v, const int vectors, ptrdiff_t n) {
    if (vectors)
        v_store(p, v);
    else
        v_store_n(p, v, n);
}

/* A product with column groups of weights: rows of an operand, panel after panel, times a matrix. */
typedef struct {
    const real *a; /* first slot of the product, first row, first panel */
    ptrdiff_t a_stride, panel_stride, panels;
    ptrdiff_t n;             /* length of the operand in one panel: slots * VL */
    const real *w;           /* [group][panel][w_panel][vectors][VL] */
    ptrdiff_t w_panel, skip; /* rows of w in a panel, and of them before the product's slots */
    real *out;
    ptrdiff_t out_stride, columns;
    int add;           /* start from what is in out (whole vectors), */
    const real *start; /* else from one row for all (whole vectors), else, if NULL, from zero */
} FN(column_product);

#if RK_AMX
RK_INLINE void FN(column_tiles)(const int V, const FN(column_product) *c, ptrdiff_t rows,
                                ptrdiff_t column) {
    const ptrdiff_t left = c->columns - column;
    for (ptrdiff_t done = 0; done < rows; done += RK_AMX_ROWS) {
        const ptrdiff_t n = rows - done < RK_AMX_ROWS ? rows - done : RK_AMX_ROWS;
        real *out = c->out + done * c->out_stride + column;
        if (c->add)
            FN(load_rows)(V, n, out, c->out_stride, VL);
        else if (c->start)
            FN(load_sums)(V, c->start + column, 0, VL);
        else
            FN(zero_sums)(V);
        const real *w = c->w + column * c->panels * c->w_panel + c->skip * V * VL;
        for (ptrdiff_t p = 0; p < c->panels; p++, w += c->w_panel * V * VL)
            FN(add_products)(0, V, n, c->a + p * c->panel_stride + done * c->a_stride, c->a_stride,
                             c->n, w, V * VL, VL);
        if (left >= V * VL) {
            FN(store_rows)(V, n, out, c->out_stride, VL);
            continue;
        }
        real room[RK_AMX_ROWS * RK_GROUP_VECTORS * VL];
        FN(store_sums)(V, room, V * VL, VL);
        for (ptrdiff_t r = 0; r < n; r++)
            for (int v = 0; v < V; v++)
                FN(store_column)(out + r * c->out_stride + v * VL, v_load(room + (r * V + v) * VL),
                                 V - 1 - v, left - v * VL);
    }
}

/* A group of V vectors from a column on. */
static void FN(column_group)(const FN(column_product) *c, ptrdiff_t rows, ptrdiff_t V,
                             ptrdiff_t column) {
    RK_WIDTHS(FN(column_tiles), V, c, rows, column);
}
#elif RK_BLAS
/* A group of V vectors from a column on. */
static void FN(column_group)(const FN(column_product) *c, ptrdiff_t rows, ptrdiff_t V,
                             ptrdiff_t column) {
    const ptrdiff_t left = c->columns - column, width = left < V * VL ? left : V * VL;
    const real *w = c->w + column * c->panels * c->w_panel + c->skip * V * VL;
    real *out = c->out + column;
    if (!c->add)
        FN(start_rows)(rows, width, c->start ? c->start + column : NULL, out, c->out_stride);
    if (c->n == c->w_panel) /* the panels of w follow each other */
        FN(add_product)(rows, width,
                        (FN(operand)){c->a, c->a_stride, c->n, c->panel_stride, c->panels}, w,
                        V * VL, out, c->out_stride);
    else
        for (ptrdiff_t p = 0; p < c->panels; p++, w += c->w_panel * V * VL)
            FN(add_product)(rows, width,
                            (FN(operand)){c->a + p * c->panel_stride, c->a_stride, c->n, 0, 1}, w,
                            V * VL, out, c->out_stride);
}
#else
RK_INLINE void FN(column_chunk)(const int R, const int V, const FN(column_product) *c,
                                ptrdiff_t column, ptrdiff_t done) {
    vec acc[RK_MOST_TILE_ROWS][RK_GROUP_VECTORS];
    real *out = c->out + done * c->out_stride + column;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = c->add     ? v_load(out + r * c->out_stride + v * VL)
                        : c->start ? v_load(c->start + column + v * VL)
                                   : v_zero();
    const real *w = c->w + column * c->panels * c->w_panel + c->skip * V * VL;
    for (ptrdiff_t p = 0; p < c->panels; p++, w += c->w_panel * V * VL)
        FN(accumulate)(1, R, V, acc, 0, c->a + p * c->panel_stride + done * c->a_stride,
                       c->a_stride, c->n, w, V * VL);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            FN(store_column)(out + r * c->out_stride + v * VL, acc[r][v], V - 1 - v,
                             c->columns - column - v * VL);
}

/* A group of V vectors from a column on. */
static void FN(column_group)(const FN(column_product) *c, ptrdiff_t rows, ptrdiff_t V,
                             ptrdiff_t column) {
#define RK_COLUMN_TILE(R, V) FN(column_chunk)(R, V, c, column, done)
    RK_TILES(rows, V, RK_COLUMN_TILE)
}
#endif

/* The column groups first .. last of a product. */
static void FN(column_rows)(const FN(column_product) *c, ptrdiff_t rows, FN(share) groups,
                            rk_seat *seat) {
    const ptrdiff_t vectors = (c->columns + VL - 1) / VL;
    const double operations = 2.0 * (double)(rows * c->panels * c->n) * RK_GROUP_VECTORS * VL;
    for (ptrdiff_t group = groups.first; group < groups.last; group++) {
        if (FN(leave)(seat, operations))
            return;
        const ptrdiff_t first = group * RK_GROUP_VECTORS, left = vectors - first;
        FN(column_group)(c, rows, left < RK_GROUP_VECTORS ? left : RK_GROUP_VECTORS, first * VL);
    }
}
