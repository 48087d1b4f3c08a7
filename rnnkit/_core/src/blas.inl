/* Products by a BLAS, in place of those on register tiles.
 *
 * Each call has a shape that only the layer decides, never the minibatch nor how it was cut: rows in
 * blocks of RK_BLAS_ROWS, the last one filled up with zeros; depth in blocks of RK_BLAS_DEPTH. So
 * a row has the same bits wherever it lies if the BLAS treats the rows of a block alike. A BLAS
 * counts in columns: what is a row here is a column there, and the factors change places.
 */

/* out (rows, width) += a (rows, depth) w (depth, width), distances from row to row; with
 * `transposed`, a is (depth, rows). */
RK_INLINE void FN(gemm)(int transposed, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t depth,
                        const real *a, ptrdiff_t a_row, const real *w, ptrdiff_t w_row, real *out,
                        ptrdiff_t out_row) {
    const int m = (int)width, n = (int)rows, k = (int)depth;
    const int lda = (int)w_row, ldb = (int)a_row, ldc = (int)out_row;
    const real one = 1;
    if (m > 0 && n > 0 && k > 0)
        RK_NAME(rk_gemm)("N", transposed ? "T" : "N", &m, &n, &k, &one, w, &lda, a, &ldb, &one,
                         out, &ldc);
}

static void FN(copy_rows)(ptrdiff_t rows, ptrdiff_t width, const real *from, ptrdiff_t from_row,
                          real *to, ptrdiff_t to_row) {
    for (ptrdiff_t r = 0; r < rows; r++)
        memcpy(to + r * to_row, from + r * from_row, (size_t)width * sizeof(real));
}

/* Where a row operand lies: `parts` pieces of `part` numbers, `part_stride` apart. */
typedef struct {
    const real *a;
    ptrdiff_t row, part, part_stride, parts;
} FN(operand);

/* out (rows, width) += a w, where a row of a is parts * part deep; width is at most
 * RK_GROUP_VECTORS vectors. */
static void FN(add_product)(ptrdiff_t rows, ptrdiff_t width, FN(operand) a, const real *w,
                            ptrdiff_t w_row, real *out, ptrdiff_t out_row) {
    real operand[RK_BLAS_ROWS * RK_BLAS_DEPTH], sums[RK_BLAS_ROWS * RK_GROUP_VECTORS * VL];
    const ptrdiff_t depth = a.part * a.parts;
    for (ptrdiff_t done = 0; done < rows; done += RK_BLAS_ROWS) {
        const int is_whole = rows - done >= RK_BLAS_ROWS;
        const ptrdiff_t n = is_whole ? RK_BLAS_ROWS : rows - done;
        real *to = out + done * out_row;
        ptrdiff_t to_row = out_row;
        if (!is_whole) {
            memset(sums, 0, sizeof sums);
            FN(copy_rows)(n, width, to, to_row, sums, width);
            to = sums, to_row = width;
        }
        for (ptrdiff_t k = 0, d; k < depth; k += d) {
            const real *from = a.a + done * a.row + k / a.part * a.part_stride + k % a.part;
            ptrdiff_t from_row = a.row;
            d = depth - k < RK_BLAS_DEPTH ? depth - k : RK_BLAS_DEPTH;
            if (!is_whole || a.parts > 1) {
                memset(operand, 0, sizeof operand);
                for (ptrdiff_t j = 0, some; j < d; j += some) {
                    const ptrdiff_t at = (k + j) % a.part;
                    some = a.part - at < d - j ? a.part - at : d - j;
                    FN(copy_rows)(n, some,
                                  a.a + done * a.row + (k + j) / a.part * a.part_stride + at,
                                  a.row, operand + j, d);
                }
                from = operand, from_row = d;
            }
            FN(gemm)(0, RK_BLAS_ROWS, width, d, from, from_row, w + k * w_row, w_row, to, to_row);
        }
        if (!is_whole)
            FN(copy_rows)(n, width, sums, width, out + done * out_row, out_row);
    }
}

/* out[r] = start, `width` numbers each; NULL for zeros. */
static void FN(start_rows)(ptrdiff_t rows, ptrdiff_t width, const real *start, real *out,
                           ptrdiff_t out_row) {
    for (ptrdiff_t r = 0; r < rows; r++)
        if (start)
            memcpy(out + r * out_row, start, (size_t)width * sizeof(real));
        else
            memset(out + r * out_row, 0, (size_t)width * sizeof(real));
}
