/* AVX2 with FMA: 32-byte vectors, 16 registers. */
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
#define RK_VECTOR_BYTES 32
#define RK_TILE_ROWS 3
#if RK_DOUBLE
#define v_fma(a, b, c) ((vec)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define v_min(a, b) ((vec)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define v_max(a, b) ((vec)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#define v_load_part(p, n) ((vec)_mm256_maskload_pd((p), (__m256i)v_first(n)))
#define v_store_part(p, v, n) _mm256_maskstore_pd((p), (__m256i)v_first(n), (__m256d)(v))
#else
#define v_fma(a, b, c) ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define v_min(a, b) ((vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define v_max(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define v_load_part(p, n) ((vec)_mm256_maskload_ps((p), (__m256i)v_first(n)))
#define v_store_part(p, v, n) _mm256_maskstore_ps((p), (__m256i)v_first(n), (__m256)(v))
#define v_dot_shorts(a, b) ((ivec)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
#define v_dot_bytes(a, b, c)                                                                       \
    ((ivec)_mm256_dpbusd_avx_epi32((__m256i)(c), (__m256i)(a), (__m256i)(b)))
#endif
