/* AVX-512 (F, BW, DQ, VL): 64-byte vectors, 32 registers. */
#include <immintrin.h>
#undef RK_VECTOR_BYTES
#undef RK_TILE_ROWS
#undef v_fma
#undef v_min
#undef v_max
#define RK_VECTOR_BYTES 64
#define RK_TILE_ROWS 6
#if RK_DOUBLE
#define v_fma(a, b, c) ((vec)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define v_min(a, b) ((vec)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define v_max(a, b) ((vec)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#else
#define v_fma(a, b, c) ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define v_min(a, b) ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define v_max(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#endif
