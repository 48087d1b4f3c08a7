/* Dense layers, and the activations by themselves. */

static void FN(dense)(const void *x_all, const void *weight, const void *bias, void *y_all,
                      ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first, ptrdiff_t last,
                      rk_seat *seat) {
    const FN(column_product) product = {(const real *)x_all + first * inputs,
                                        inputs,
                                        0,
                                        1,
                                        inputs,
                                        weight,
                                        inputs,
                                        0,
                                        (real *)y_all + first * outputs,
                                        outputs,
                                        outputs,
                                        0,
                                        bias};
    FN(column_rows)(&product, last - first, (FN(share)){0, FN(groups_of)(outputs)}, seat);
}

#if RK_BLAS
/* dw for the outputs first .. last and V vectors of inputs from `column` on. */
static void FN(dense_gradient_group)(const real *x, const real *dy, real *dw, ptrdiff_t rows,
                                     ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first,
                                     ptrdiff_t last, ptrdiff_t V, ptrdiff_t column) {
    const ptrdiff_t left = inputs - column, width = left < V * VL ? left : V * VL;
    for (ptrdiff_t row = 0; row < rows; row += RK_BLAS_DEPTH) {
        const ptrdiff_t depth = rows - row < RK_BLAS_DEPTH ? rows - row : RK_BLAS_DEPTH;
        FN(gemm)(1, last - first, width, depth, dy + row * outputs + first, outputs,
                 x + row * inputs + column, inputs, dw + first * inputs + column, inputs);
    }
}
#else
/* The outputs k .. k + R and V vectors of inputs from `column` on. */
RK_INLINE void FN(dense_gradient_chunk)(const int R, const int V, const real *x, const real *dy,
                                        real *dw, ptrdiff_t rows, ptrdiff_t inputs,
                                        ptrdiff_t outputs, ptrdiff_t column, ptrdiff_t k) {
    vec acc[RK_MOST_TILE_ROWS][RK_GROUP_VECTORS];
    const ptrdiff_t left = inputs - column;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = FN(load_column)(dw + (k + r) * inputs + column + v * VL, V - 1 - v,
                                        left - v * VL);
    for (ptrdiff_t row = 0; row < rows; row++) {
        vec d[RK_GROUP_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            d[v] = FN(load_column)(x + row * inputs + column + v * VL, V - 1 - v, left - v * VL);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const vec factor = v_set1(dy[row * outputs + k + r]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++)
                acc[r][v] = v_fma(factor, d[v], acc[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            FN(store_column)(dw + (k + r) * inputs + column + v * VL, acc[r][v], V - 1 - v,
                             left - v * VL);
}

static void FN(dense_gradient_group)(const real *x, const real *dy, real *dw, ptrdiff_t rows,
                                     ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first,
                                     ptrdiff_t last, ptrdiff_t V, ptrdiff_t column) {
#define RK_DENSE_GRADIENT_TILE(R, V)                                                               \
    FN(dense_gradient_chunk)(R, V, x, dy, dw, rows, inputs, outputs, column, first + done)
    RK_TILES(last - first, V, RK_DENSE_GRADIENT_TILE)
}
#endif

static void FN(dense_gradient)(const void *x, const void *dy, void *dw, ptrdiff_t rows,
                               ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first,
                               ptrdiff_t last, rk_seat *seat) {
    const ptrdiff_t vectors = (inputs + VL - 1) / VL;
    const double operations = 2.0 * (double)(rows * (last - first)) * RK_GROUP_VECTORS * VL;
    for (ptrdiff_t v = 0; v < vectors; v += RK_GROUP_VECTORS) {
        if (rk_leave(seat, operations))
            return;
        const ptrdiff_t left = vectors - v;
        FN(dense_gradient_group)(x, dy, dw, rows, inputs, outputs, first, last,
                                 left < RK_GROUP_VECTORS ? left : RK_GROUP_VECTORS, v * VL);
    }
}

/* y[i] = f(x[i]); the usual two without a call for every vector, as in the cells. */
static void FN(activate)(rk_activation f, const void *x, void *y, ptrdiff_t n) {
#define RK_EACH(VALUE)                                                                             \
    for (ptrdiff_t i = 0; i < n; i += VL) {                                                        \
        const vec v = v_load_n((const real *)x + i, n - i);                                        \
        v_store_n((real *)y + i, VALUE, n - i);                                                    \
    }
    if (f.kind == RK_TANH)
        RK_EACH(v_tanh(v))
    else if (f.kind == RK_SIGMOID)
        RK_EACH(v_sigmoid(v))
    else
        RK_EACH(v_activate(f, v))
#undef RK_EACH
}
