/* One LSTM layer forward with products of 8-bit integers, for processors with AVX512-VNNI.
 *
 * A row of what enters a product is rounded to 8 bits by its own largest magnitude and stored plus
 * 128, since the instruction multiplies bytes without a sign by bytes with one: 128 times the sum
 * of a column's weights is taken off again. Sums are exact. The gate functions are the core's.
 *
 * Compiled by int8/layer.py with rnnkit/_core/src among the folders of headers.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RK_DOUBLE 0
#define RK_NAME(name) name##_f32
#define RK_INLINE static inline __attribute__((always_inline, unused))
#define RK_OUT_OF_LINE static __attribute__((noinline, unused))
#include "kernels.h"
#include "vec_avx512.h"
#include "vec.h"
#include "vec_math.h"

#define UNROLL _Pragma("GCC unroll 8")
enum { LANES = 16, GATES = 4, ROWS = 6, FOR_LATENCY = 2, ROWS_AT_ONCE = 96 };

/* What a product needs of a matrix: panels of 16 units, each (K / 4, gate, unit, 4); the scale of a
 * column, and where its sums start, -128 times its integers' sum, each (panel, gate, unit). */
typedef struct {
    const int8_t *weights;
    const float *scale;
    const int32_t *start;
    ptrdiff_t quads; /* K / 4, padded */
} matrix;

/* out (R, gate) = start (gate) + the sums over K of R rows and a panel. */
#define TILE(R)                                                                                    \
    static void tile_##R(const int8_t *weights, const __m512i *start, const int32_t *a,            \
                         ptrdiff_t quads, __m512i *out) {                                          \
        __m512i sums[R][GATES];                                                                    \
        UNROLL for (int r = 0; r < R; r++)                                                         \
            UNROLL for (int g = 0; g < GATES; g++)                                                 \
                sums[r][g] = start[g];                                                             \
        for (ptrdiff_t k = 0; k < quads; k++) {                                                    \
            const __m512i *w = (const __m512i *)weights + k * GATES;                               \
            UNROLL for (int r = 0; r < R; r++) {                                                   \
                const __m512i four = _mm512_set1_epi32(a[r * quads + k]);                          \
                UNROLL for (int g = 0; g < GATES; g++)                                             \
                    sums[r][g] = _mm512_dpbusd_epi32(sums[r][g], four, w[g]);                      \
            }                                                                                      \
        }                                                                                          \
        UNROLL for (int r = 0; r < R; r++)                                                         \
            UNROLL for (int g = 0; g < GATES; g++)                                                 \
                out[r * GATES + g] = sums[r][g];                                                   \
    }
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)

/* The same for a single row: two chains of sums, as one is shorter than the instruction's latency. */
static void tile_1(const int8_t *weights, const __m512i *start, const int32_t *a, ptrdiff_t quads,
                   __m512i *out) {
    __m512i sums[FOR_LATENCY][GATES];
    UNROLL for (int c = 0; c < FOR_LATENCY; c++)
        UNROLL for (int g = 0; g < GATES; g++)
            sums[c][g] = c ? _mm512_setzero_si512() : start[g];
    for (ptrdiff_t k = 0; k < quads; k += FOR_LATENCY) /* quads is a multiple of 4 */
        UNROLL for (int c = 0; c < FOR_LATENCY; c++) {
            const __m512i *w = (const __m512i *)weights + (k + c) * GATES;
            const __m512i four = _mm512_set1_epi32(a[k + c]);
            UNROLL for (int g = 0; g < GATES; g++)
                sums[c][g] = _mm512_dpbusd_epi32(sums[c][g], four, w[g]);
        }
    UNROLL for (int g = 0; g < GATES; g++)
        out[g] = _mm512_add_epi32(sums[0][g], sums[1][g]);
}

static void tile(ptrdiff_t n, const matrix *of, ptrdiff_t panel, const int32_t *a, __m512i *out) {
    static void (*const tiles[])(const int8_t *, const __m512i *, const int32_t *, ptrdiff_t,
                                 __m512i *) = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
    tiles[n - 1](of->weights + panel * of->quads * GATES * LANES * 4,
                 (const __m512i *)(of->start + panel * GATES * LANES), a, of->quads, out);
}

/* Sums of a panel and a gate as real numbers, plus addend. */
RK_INLINE vec product(const matrix *of, ptrdiff_t panel, int gate, __m512i sums, float of_row,
                      vec addend) {
    const vec scale = v_load(of->scale + (panel * GATES + gate) * LANES);
    return v_fma((vec)_mm512_cvtepi32_ps(sums) * scale, v_set1(of_row), addend);
}

/* n numbers in 8 bits plus 128, padded to `quads` of 4; returns their scale. */
static float round_row(const float *x, ptrdiff_t n, uint8_t *out, ptrdiff_t quads) {
    vec most = v_zero();
    for (ptrdiff_t k = 0; k < n; k += LANES)
        most = v_max(most, v_abs(v_load_n(x + k, n - k)));
    const float largest = _mm512_reduce_max_ps((__m512)most);
    const float scale = (largest > 0 ? largest : 1) / 127;
    for (ptrdiff_t k = 0; k < quads * 4; k += LANES) {
        const vec v = k < n ? v_load_n(x + k, n - k) : v_zero();
        const __m512i q = _mm512_cvtps_epi32((__m512)(v / v_set1(scale)));
        _mm_storeu_si128((__m128i *)(out + k),
                         _mm_xor_si128(_mm512_cvtsepi32_epi8(q), _mm_set1_epi8(-128)));
    }
    return scale;
}

static void *take(char **work, ptrdiff_t bytes) {
    char *const at = *work;
    *work += (bytes + 63) / 64 * 64;
    return at;
}

/* The gate functions and the state of n rows of a panel; without them (`whole` 0) for timing. */
static void cells(int whole, ptrdiff_t n, const vec a[ROWS][GATES], float *c, float *y,
                  ptrdiff_t H) {
    vec state[ROWS], o[ROWS];
    for (ptrdiff_t r = 0; r < n; r++) {
        if (!whole) {
            state[r] = a[r][0] + a[r][1];
            o[r] = a[r][2] + a[r][3];
            continue;
        }
        const vec i = v_sigmoid(a[r][0]), f = v_sigmoid(a[r][1]), g = v_tanh(a[r][2]);
        o[r] = v_sigmoid(a[r][3]);
        state[r] = v_fma(f, v_load(c + r * H), i * g);
        v_store(c + r * H, state[r]);
    }
    for (ptrdiff_t r = 0; r < n; r++)
        v_store(y + r * H, o[r] * (whole ? v_tanh(state[r]) : state[r]));
}

/* x (T, B, I) -> y (T, B, H) from states of zero; H a multiple of 16, bias (panel, gate, unit), work
 * aligned to 64 bytes. `whole` 0 leaves the gate functions out. */
void lstm_of_8_bits(const float *x, ptrdiff_t B, ptrdiff_t T, ptrdiff_t I, ptrdiff_t H,
                    const int8_t *weight_ih, const float *scale_ih, const int32_t *start_ih,
                    const int8_t *weight_hh, const float *scale_hh, const int32_t *start_hh,
                    const float *bias, float *y, char *work, int whole) {
    const ptrdiff_t panels = H / LANES, block = B < ROWS_AT_ONCE ? ROWS_AT_ONCE / B : 1;
    const matrix ih = {weight_ih, scale_ih, start_ih, (I + 15) / 16 * 4};
    const matrix hh = {weight_hh, scale_hh, start_hh, H / 4};
    int32_t *x8 = take(&work, B * block * ih.quads * 4), *h8 = take(&work, B * hh.quads * 4);
    float *x_scale = take(&work, B * block * 4), *h_scale = take(&work, B * 4);
    float *c = take(&work, B * H * 4);
    float *inputs = take(&work, B * block * panels * GATES * LANES * 4); /* (step, panel, row) */
    memset(c, 0, (size_t)(B * H) * 4);
    memset(h8, 128, (size_t)(B * hh.quads) * 4);
    for (ptrdiff_t b = 0; b < B; b++)
        h_scale[b] = 1;
    for (ptrdiff_t first = 0; first < T; first += block) {
        const ptrdiff_t steps = T - first < block ? T - first : block, rows = steps * B;
        __m512i sums[ROWS * GATES];
        for (ptrdiff_t r = 0; r < rows; r++)
            x_scale[r] = round_row(x + (first * B + r) * I, I, (uint8_t *)(x8 + r * ih.quads),
                                   ih.quads);
        for (ptrdiff_t p = 0; p < panels; p++)
            for (ptrdiff_t r = 0; r < rows; r += ROWS) {
                const ptrdiff_t n = rows - r < ROWS ? rows - r : ROWS;
                tile(n, &ih, p, x8 + r * ih.quads, sums);
                for (ptrdiff_t q = r; q < r + n; q++)
                    UNROLL for (int g = 0; g < GATES; g++)
                        v_store(inputs + (((q / B * panels + p) * B + q % B) * GATES + g) * LANES,
                                product(&ih, p, g, sums[(q - r) * GATES + g], x_scale[q],
                                        v_load(bias + (p * GATES + g) * LANES)));
            }
        for (ptrdiff_t t = 0; t < steps; t++) {
            float *now = y + (first + t) * B * H;
            for (ptrdiff_t p = 0; p < panels; p++)
                for (ptrdiff_t r = 0; r < B; r += ROWS) {
                    const ptrdiff_t n = B - r < ROWS ? B - r : ROWS;
                    const float *given = inputs + ((t * panels + p) * B + r) * GATES * LANES;
                    vec a[ROWS][GATES];
                    tile(n, &hh, p, h8 + r * hh.quads, sums);
                    for (ptrdiff_t q = 0; q < n; q++)
                        UNROLL for (int g = 0; g < GATES; g++)
                            a[q][g] = product(&hh, p, g, sums[q * GATES + g], h_scale[r + q],
                                              v_load(given + (q * GATES + g) * LANES));
                    cells(whole, n, a, c + r * H + p * LANES, now + r * H + p * LANES, H);
                }
            for (ptrdiff_t b = 0; b < B; b++)
                h_scale[b] = round_row(now + b * H, H, (uint8_t *)(h8 + b * hh.quads), hh.quads);
        }
    }
}

/* n times 16 products of 64 pairs of bytes each, for the processor's peak. */
int products_alone(ptrdiff_t n) {
    __m512i sums[16], a = _mm512_set1_epi32((int)n), b = a;
    _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++)
        sums[i] = _mm512_set1_epi32(i);
    for (ptrdiff_t k = 0; k < n; k++) {
        _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++)
            sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
        __asm__ volatile("" : "+v"(a), "+v"(b));
    }
    for (int i = 1; i < 16; i++)
        sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    return _mm512_reduce_add_epi32(sums[0]);
}
