/* Weights between their plain row-major form and the packed forms of kernels.h. */
#undef FN
#define FN(name) RK_NAME(name)

enum { FN(pack_columns) = 32 }; /* of a panel at a time: they stay in the first-level cache */

RK_INLINE ptrdiff_t FN(block_end)(ptrdiff_t first, ptrdiff_t columns) {
    return first + FN(pack_columns) < columns ? first + FN(pack_columns) : columns;
}

static void FN(pack)(const void *w_all, ptrdiff_t hidden, ptrdiff_t columns, const int *gates,
                     ptrdiff_t n_gates, ptrdiff_t first_slot, ptrdiff_t slots, void *panels) {
    const ptrdiff_t n_panels = (hidden + VL - 1) / VL;
    for (ptrdiff_t p = 0; p < n_panels; p++)
        for (ptrdiff_t first = 0; first < columns; first += FN(pack_columns))
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

static void FN(unpack_add)(const void *panels, ptrdiff_t hidden, ptrdiff_t columns,
                           const int *gates, ptrdiff_t n_gates, ptrdiff_t first_slot,
                           ptrdiff_t slots, void *w_all) {
    const ptrdiff_t n_panels = (hidden + VL - 1) / VL;
    for (ptrdiff_t p = 0; p < n_panels; p++)
        for (ptrdiff_t first = 0; first < columns; first += FN(pack_columns))
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

static void FN(pack_transposed)(const void *w_all, ptrdiff_t hidden, ptrdiff_t columns,
                                const int *gates, ptrdiff_t n_gates, void *groups) {
    const ptrdiff_t n_panels = (hidden + VL - 1) / VL, vectors = (columns + VL - 1) / VL;
    real *out = groups;
    for (ptrdiff_t v = 0; v < vectors; v += RK_GROUP_VECTORS) {
        const ptrdiff_t wide = vectors - v < RK_GROUP_VECTORS ? vectors - v : RK_GROUP_VECTORS;
        const ptrdiff_t width = wide * VL, left = columns - v * VL;
        for (ptrdiff_t p = 0; p < n_panels; p++)
            for (ptrdiff_t g = 0; g < n_gates; g++)
                for (ptrdiff_t l = 0; l < VL; l++, out += width) {
                    const ptrdiff_t unit = p * VL + l;
                    const real *w = (const real *)w_all + (gates[g] * hidden + unit) * columns;
                    const ptrdiff_t given = unit >= hidden ? 0 : left < width ? left : width;
                    if (given > 0)
                        memcpy(out, w + v * VL, (size_t)given * sizeof(real));
                    for (ptrdiff_t k = given; k < width; k++)
                        out[k] = 0;
                }
    }
}

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
