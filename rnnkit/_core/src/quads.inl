/* Quads: four integers of 8 bits in the 32 bits of a float; rounding to them, and their products.
 *
 * A row of n numbers that enters a product, of inputs, of h, or all weights of one gate of a unit,
 * becomes the integers nearest to v / s, ties to even, s = m / 127 and m its largest magnitude.
 * Nothing but the row has a say, so no row of a minibatch knows of another. The scale s has 16
 * significant bits: then an integer times s is exact, and rounding such numbers again changes
 * nothing. A row below RK_LEAST counts as zeros, one that is not finite makes all its sums NaN.
 *
 * As operand a row is its ceil(n / 4) quads, zeros beyond n, and two words behind: the scale, and of
 * weights what the sum begins with. Sums are exact integers, the same in every instruction set:
 * RK_MOST_TERMS terms do not leave 32 bits. A real number is sum · s of the weights · s of the row.
 *
 * The instruction of AVX512-VNNI and AVX-VNNI multiplies bytes without a sign by bytes with one: for
 * it rows are stored plus RK_QUAD_OFFSET, and a sum begins with that times the sum of the weights,
 * taken off.
 */
#define v_dot_quads RK_NAME(v_dot_quads)
#define v_nearest RK_NAME(v_nearest)
#define RK_LEAST 3.009265538105056e-36f /* 2^-118: scales and their inverses are normal numbers */
#define RK_NOT_FINITE 0x7f800000

enum { RK_QUAD_LEVELS = 127, RK_BEHIND_QUADS = 2, RK_QUAD_BLOCK = 256 };
#ifdef RK_QUADS_BY_INSTRUCTION
enum { RK_QUAD_OFFSET = 128 };
#else
enum { RK_QUAD_OFFSET = 0 };
#endif

typedef unsigned char FN(bytes) __attribute__((vector_size(RK_VECTOR_BYTES / 4)));
typedef short FN(shorts) __attribute__((vector_size(RK_VECTOR_BYTES)));

/* acc + the four products of the bytes of each lane. */
RK_INLINE ivec v_dot_quads(ivec row, ivec w, ivec acc) {
#ifdef RK_QUADS_BY_INSTRUCTION
    return v_dot_bytes(row, w, acc);
#else
    const FN(shorts) odd_row = (FN(shorts))row >> 8, odd_w = (FN(shorts))w >> 8;
    const FN(shorts) even_row = (FN(shorts))((FN(shorts))row << 8) >> 8;
    const FN(shorts) even_w = (FN(shorts))((FN(shorts))w << 8) >> 8;
#ifdef v_dot_shorts
    return acc + v_dot_shorts(even_row, even_w) + v_dot_shorts(odd_row, odd_w);
#else
    const ivec pairs = (ivec)(even_row * even_w + odd_row * odd_w); /* below 2^15 */
    return acc + ((pairs << 16) >> 16) + (pairs >> 16);
#endif
#endif
}

/* The nearest integers to numbers of a magnitude below 2^22, ties to even. */
RK_INLINE ivec v_nearest(vec v) {
    const vec ones_place = v_set1(12582912.0f); /* 1.5 · 2^23, whose last bit is worth 1 */
    return (ivec)(v + ones_place) - (ivec)ones_place;
}

/* The scale of a row; see above. */
static real FN(scale_of_row)(const real *row, ptrdiff_t n) {
    ivec most = {0};
    for (ptrdiff_t k = 0; k < n; k += VL) {
        const ivec bits = (ivec)v_abs(v_load_n(row + k, n - k)), above = bits > most;
        most = (above & bits) | (~above & most); /* the bits of a NaN are above all others */
    }
    integer lanes[RK_VECTOR_BYTES / sizeof(integer)], bits;
    memcpy(lanes, &most, sizeof lanes);
    for (ptrdiff_t half = VL / 2; half > 0; half /= 2)
        for (ptrdiff_t l = 0; l < half; l++)
            lanes[l] = lanes[l] > lanes[l + half] ? lanes[l] : lanes[l + half];
    real scale;
    memcpy(&scale, lanes, sizeof scale);
    if (lanes[0] >= RK_NOT_FINITE)
        return (real)NAN;
    if (scale < RK_LEAST)
        return 0;
    scale /= RK_QUAD_LEVELS;
    memcpy(&bits, &scale, sizeof bits);
    bits = (bits + 0x7f + ((bits >> 8) & 1)) & ~0xff;
    memcpy(&scale, &bits, sizeof scale);
    return scale;
}

RK_INLINE real FN(inverse)(real scale) {
    return scale > 0 ? 1 / scale : 0;
}

/* n numbers as bytes, zeros up to `n_bytes`, plus the offset; returns the sum without it. */
RK_INLINE integer FN(store_bytes)(const real *row, ptrdiff_t n, real inverse, integer offset,
                                  unsigned char *out, ptrdiff_t n_bytes) {
    ivec sum = {0};
    for (ptrdiff_t k = 0; k < n_bytes; k += VL) {
        const vec v = k < n ? v_load_n(row + k, n - k) : v_zero();
        const ivec numbers = v_nearest(v * v_set1(inverse));
        const FN(bytes) bytes = __builtin_convertvector(numbers + offset, FN(bytes));
        sum += numbers;
        if (n_bytes - k >= VL)
            memcpy(out + k, &bytes, sizeof bytes);
        else
            memcpy(out + k, &bytes, (size_t)(n_bytes - k));
    }
    integer total = 0;
    for (ptrdiff_t l = 0; l < VL; l++)
        total += sum[l];
    return total;
}

/* Rows (n, width) of reals, `from` apart, as operands, `to` words apart. */
static void FN(quad_rows)(const real *rows, ptrdiff_t from, ptrdiff_t n, ptrdiff_t width,
                          real *out, ptrdiff_t to) {
    const ptrdiff_t quads = (width + 3) / 4;
    for (ptrdiff_t r = 0; r < n; r++, rows += from, out += to) {
        const real scale = FN(scale_of_row)(rows, width);
        FN(store_bytes)(rows, width, FN(inverse)(scale), RK_QUAD_OFFSET, (unsigned char *)out,
                        4 * quads);
        out[quads] = scale;
        out[quads + 1] = 0;
    }
}

static void FN(pair_columns)(const void *rows, ptrdiff_t n, ptrdiff_t width, void *quads,
                             ptrdiff_t stride) {
    FN(quad_rows)(rows, width, n, width, quads, stride);
}

/* A row of weights as operand, its words `stride` apart. */
static void FN(pack_quads)(const real *w, ptrdiff_t n, real *out, ptrdiff_t stride) {
    const real scale = FN(scale_of_row)(w, n), inverse = FN(inverse)(scale);
    unsigned char bytes[RK_QUAD_BLOCK];
    integer start = 0;
    for (ptrdiff_t first = 0; first < n; first += RK_QUAD_BLOCK) {
        const ptrdiff_t left = n - first, some = left < RK_QUAD_BLOCK ? left : RK_QUAD_BLOCK;
        start += FN(store_bytes)(w + first, some, inverse, 0, bytes, (some + 3) / 4 * 4);
        for (ptrdiff_t k = 0; k < some; k += 4, out += stride)
            memcpy(out, bytes + k, sizeof *out);
    }
    *out = scale;
    start *= -RK_QUAD_OFFSET;
    memcpy(out + stride, &start, sizeof start);
}

static void FN(pack_operand)(const void *w_all, ptrdiff_t hidden, ptrdiff_t columns,
                             const int *gates, ptrdiff_t n_gates, ptrdiff_t first_slot,
                             ptrdiff_t slots, void *panels, ptrdiff_t first_panel,
                             ptrdiff_t last_panel) {
    const ptrdiff_t length = FN(operand_length)(columns), stride = slots * VL;
    for (ptrdiff_t p = first_panel; p < last_panel; p++)
        for (ptrdiff_t g = 0; g < n_gates; g++)
            for (ptrdiff_t l = 0; l < VL; l++) {
                const ptrdiff_t unit = p * VL + l;
                real *out = (real *)panels + p * length * stride + (first_slot + g) * VL + l;
                if (unit < hidden)
                    FN(pack_quads)((const real *)w_all + (gates[g] * hidden + unit) * columns,
                                   columns, out, stride);
                else
                    for (ptrdiff_t k = 0; k < length; k++)
                        out[k * stride] = 0;
            }
}

RK_INLINE ivec FN(load_words)(const real *p) {
    ivec v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The quad of a row in every lane. */
RK_INLINE ivec FN(spread_quad)(const real *p) {
    integer quad;
    memcpy(&quad, p, sizeof quad);
    return quad - (ivec){0};
}

/* sums[r][v] += the products of the quads of R rows and V vectors of weights. */
RK_INLINE void FN(add_quads)(const int R, const int V, ivec sums[][RK_GROUP_VECTORS],
                             const real *a, ptrdiff_t a_stride, const real *w) {
    ivec kept[RK_MOST_TILE_ROWS];
    if (R < V) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
            kept[r] = FN(spread_quad)(a + r * a_stride);
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            const ivec column = FN(load_words)(w + v * VL);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++)
                sums[r][v] = v_dot_quads(kept[r], column, sums[r][v]);
        }
        return;
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; v++)
        kept[v] = FN(load_words)(w + v * VL);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
        const ivec row = FN(spread_quad)(a + r * a_stride);
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            sums[r][v] = v_dot_quads(row, kept[v], sums[r][v]);
    }
}

/* acc[q R + r][from + v] += the product of row r with column v of panel q, q < P, r < R, v < V; n
 * words of an operand. */
RK_INLINE void FN(accumulate)(const int P, const int R, const int V, vec acc[][RK_GROUP_VECTORS],
                              const int from, const real *a, ptrdiff_t a_stride, ptrdiff_t n,
                              const real *w, ptrdiff_t w_stride) {
    ivec sums[RK_MOST_TILE_SUMS][RK_GROUP_VECTORS];
    const ptrdiff_t quads = n - RK_BEHIND_QUADS, panel = n * w_stride;
    const real *scales = w + quads * w_stride, *starts = scales + w_stride;
#pragma GCC unroll 32
    for (int qr = 0; qr < P * R; qr++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            sums[qr][v] = FN(load_words)(starts + qr / R * panel + v * VL);
    for (ptrdiff_t k = 0; k < quads; k++, w += w_stride)
#pragma GCC unroll 4
        for (int q = 0; q < P; q++)
            FN(add_quads)(R, V, sums + q * R, a + k, a_stride, w + q * panel);
#pragma GCC unroll 32
    for (int qr = 0; qr < P * R; qr++) {
        const vec of_row = v_set1(a[qr % R * a_stride + quads]);
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            const vec sum = __builtin_convertvector(sums[qr][v], vec);
            acc[qr][from + v] = v_fma(sum * v_load(scales + qr / R * panel + v * VL), of_row,
                                      acc[qr][from + v]);
        }
    }
}
