/* AVX-512 (F, BW, DQ, VL): 64-byte vectors, 32 registers. */
#include <immintrin.h>
#undef RK_VECTOR_BYTES
#undef RK_TILE_ROWS
#undef v_fma
#undef v_min
#undef v_max
#undef v_load_part
#undef v_store_part
#undef v_dot_shorts
#undef v_dot_bytes
#define RK_VECTOR_BYTES 64
#define RK_TILE_ROWS 6
#if RK_DOUBLE
#define v_fma(a, b, c) ((vec)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define v_min(a, b) ((vec)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define v_max(a, b) ((vec)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#define v_load_part(p, n) ((vec)_mm512_maskz_loadu_pd((__mmask8)((1u << (n)) - 1), (p)))
#define v_store_part(p, v, n)                                                                      \
    _mm512_mask_storeu_pd((p), (__mmask8)((1u << (n)) - 1), (__m512d)(v))
#else
#define v_fma(a, b, c) ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define v_min(a, b) ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define v_max(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define v_load_part(p, n) ((vec)_mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), (p)))
#define v_store_part(p, v, n)                                                                      \
    _mm512_mask_storeu_ps((p), (__mmask16)((1u << (n)) - 1), (__m512)(v))
#define v_dot_shorts(a, b) ((ivec)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#define v_dot_bytes(a, b, c)                                                                       \
    ((ivec)_mm512_dpbusd_epi32((__m512i)(c), (__m512i)(a), (__m512i)(b)))
#endif
