/* Weights between their plain row-major form and the packed forms of kernels.h. */

/* Entries of an operand for n summed terms. */
RK_INLINE ptrdiff_t FN(operand_length)(ptrdiff_t n) {
    if (RK_AMX)
        return (n + 15) / 16 * 8;
    return RK_PAIRS ? (n + 1) / 2 : RK_QUADS ? (n + 3) / 4 + 2 : n;
}

RK_INLINE ptrdiff_t FN(block_end)(ptrdiff_t first, ptrdiff_t columns) {
    return first + RK_PACK_COLUMNS < columns ? first + RK_PACK_COLUMNS : columns;
}

static void FN(pack)(const void *w_all, ptrdiff_t hidden, ptrdiff_t columns, const int *gates,
                     ptrdiff_t n_gates, ptrdiff_t first_slot, ptrdiff_t slots, void *panels,
                     ptrdiff_t first_panel, ptrdiff_t last_panel) {
    for (ptrdiff_t p = first_panel; p < last_panel; p++)
        for (ptrdiff_t first = 0; first < columns; first += RK_PACK_COLUMNS)
            for (ptrdiff_t g = 0; g < n_gates; g++)
                for (ptrdiff_t l = 0; l < VL; l++) {
                    const ptrdiff_t unit = p * VL + l, last = FN(block_end)(first, columns);
                    const real *w = (const real *)w_all + (gates[g] * hidden + unit) * columns;
                    real *out = (real *)panels + (p * columns * slots + first_slot + g) * VL + l;
                    if (unit < hidden)
                        for (ptrdiff_t k = first; k < last; k++)
                            out[k * slots * VL] = w[k];
                    else
                        for (ptrdiff_t k = first; k < last; k++)
                            out[k * slots * VL] = 0;
                }
}

#if RK_PAIRS
static void FN(pack_operand)(const void *w_all, ptrdiff_t hidden, ptrdiff_t columns,
                             const int *gates, ptrdiff_t n_gates, ptrdiff_t first_slot,
                             ptrdiff_t slots, void *panels, ptrdiff_t first_panel,
                             ptrdiff_t last_panel) {
    const ptrdiff_t n_pairs = FN(operand_length)(columns);
    for (ptrdiff_t p = first_panel; p < last_panel; p++)
        for (ptrdiff_t g = 0; g < n_gates; g++)
            for (ptrdiff_t l = 0; l < VL; l++) {
                const ptrdiff_t unit = p * VL + l;
                const real *w = (const real *)w_all + (gates[g] * hidden + unit) * columns;
                real *out = (real *)panels + (p * n_pairs * slots + first_slot + g) * VL + l;
                for (ptrdiff_t k = 0; k < n_pairs; k++)
                    out[k * slots * VL] =
                        unit < hidden && 2 * k < columns
                            ? FN(pair)(w[2 * k], 2 * k + 1 < columns ? w[2 * k + 1] : 0)
                            : 0;
            }
}
#endif

static void FN(unpack_add)(const void *panels, ptrdiff_t hidden, ptrdiff_t columns,
                           const int *gates, ptrdiff_t n_gates, ptrdiff_t first_slot,
                           ptrdiff_t slots, void *w_all, ptrdiff_t first_panel,
                           ptrdiff_t last_panel) {
    for (ptrdiff_t p = first_panel; p < last_panel; p++)
        for (ptrdiff_t first = 0; first < columns; first += RK_PACK_COLUMNS)
            for (ptrdiff_t g = 0; g < n_gates; g++)
                for (ptrdiff_t l = 0; l < VL && p * VL + l < hidden; l++) {
                    const ptrdiff_t unit = p * VL + l, last = FN(block_end)(first, columns);
                    const real *in =
                        (const real *)panels + (p * columns * slots + first_slot + g) * VL + l;
                    real *w = (real *)w_all + (gates[g] * hidden + unit) * columns;
                    for (ptrdiff_t k = first; k < last; k++)
                        w[k] += in[k * slots * VL];
                }
}

/* Row `unit` of a gate's block of w, from a column on, as operand of a transposed product: its
 * vector of columns, or that vector paired with the next unit's. Zeros beyond the matrix. */
RK_INLINE vec FN(transposed_vector)(const real *w, ptrdiff_t unit, ptrdiff_t hidden,
                                    ptrdiff_t columns, ptrdiff_t column) {
    const ptrdiff_t left = columns - column;
    const vec row = unit < hidden && left > 0 ? v_load_n(w + unit * columns + column, left)
                                              : v_zero();
#if RK_PAIRS
    return v_pair(row, unit + 1 < hidden && left > 0
                           ? v_load_n(w + (unit + 1) * columns + column, left)
                           : v_zero());
#else
    return row;
#endif
}

static void FN(pack_transposed)(const void *w_all, ptrdiff_t hidden, ptrdiff_t columns,
                                const int *gates, ptrdiff_t n_gates, void *groups,
                                ptrdiff_t first_group, ptrdiff_t last_group) {
    const ptrdiff_t n_panels = (hidden + VL - 1) / VL, all = (columns + VL - 1) / VL;
    const ptrdiff_t begin = first_group * RK_GROUP_VECTORS, end = last_group * RK_GROUP_VECTORS;
    const ptrdiff_t vectors = end < all ? end : all;
    const ptrdiff_t of_gate = (VL + RK_PAIRS) / (1 + RK_PAIRS) * VL; /* reals for each vector */
    real *out = (real *)groups + begin * n_panels * n_gates * of_gate;
    for (ptrdiff_t v = begin; v < vectors; v += RK_GROUP_VECTORS) {
        const ptrdiff_t wide = vectors - v < RK_GROUP_VECTORS ? vectors - v : RK_GROUP_VECTORS;
        for (ptrdiff_t p = 0; p < n_panels; p++)
            for (ptrdiff_t g = 0; g < n_gates; g++)
                for (ptrdiff_t l = 0; l < VL; l += 1 + RK_PAIRS)
                    for (ptrdiff_t k = 0; k < wide; k++, out += VL) {
                        const real *w = (const real *)w_all + gates[g] * hidden * columns;
                        v_store(out, FN(transposed_vector)(w, p * VL + l, hidden, columns,
                                                           (v + k) * VL));
                    }
    }
}

#if !RK_PAIRS
static void FN(pack_dense)(const void *w_all, ptrdiff_t input_stride, ptrdiff_t output_stride,
                           const void *bias, ptrdiff_t inputs, ptrdiff_t outputs, void *groups,
                           void *padded_bias) {
    const ptrdiff_t vectors = (outputs + VL - 1) / VL;
    const real *w = w_all;
    for (ptrdiff_t v = 0; v < vectors; v += RK_GROUP_VECTORS) {
        const ptrdiff_t wide = vectors - v < RK_GROUP_VECTORS ? vectors - v : RK_GROUP_VECTORS;
        const ptrdiff_t width = wide * VL;
        real *out = (real *)groups + v * VL * inputs;
        for (ptrdiff_t c = 0; c < width; c++) {
            const ptrdiff_t k = v * VL + c;
            for (ptrdiff_t i = 0; i < inputs; i++)
                out[i * width + c] = k < outputs ? w[k * output_stride + i * input_stride] : 0;
            ((real *)padded_bias)[k] = bias && k < outputs ? ((const real *)bias)[k] : 0;
        }
    }
}
#endif
